"""Forecasts beside those that people use: the same windows, the same scores, the same machine.

``python -m forecast`` from this folder's parent, or ``make bench-forecast``. What everyone forecast is kept under out/,
so that a run goes on where it stopped, and scores can be computed anew.
"""
