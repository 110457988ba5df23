"""Forecasts of ostinato and of widely used packages on the same windows, with the same scores, on the same machine.

Run ``python -m forecast`` from the parent folder, or ``make bench-forecast``. All forecasts are kept under out/, so
that a run continues where it stopped, and scores can be computed again.
"""
