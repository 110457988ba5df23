"""The adaptive filter: least squares that forget, a cascade of least mean squares, and weights learned on line."""
