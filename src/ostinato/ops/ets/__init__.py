"""Exponential smoothing in its innovations form: a recurrence with a likelihood (Hyndman et al. 2008)."""
