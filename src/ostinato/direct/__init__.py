"""The direct model: quantiles of every step up to the horizon at once."""
