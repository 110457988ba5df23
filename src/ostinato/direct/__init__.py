"""The direct forecaster: quantiles of every step up to the horizon at once."""
