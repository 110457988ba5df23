"""Exponential smoothing in its innovations form: a recurrence with a likelihood (Hyndman, Koehler, Ord, Snyder 2008)."""
