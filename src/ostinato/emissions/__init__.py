"""Emissions: the families of distributions that a model can give to the next value."""
