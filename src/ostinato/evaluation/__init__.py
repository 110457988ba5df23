"""Evaluation: backtests, baselines, measures and calibration."""
