"""The fit of a direct model, and the choice among the candidates."""
