"""The fit of a direct forecaster, and the choice among the candidates."""
