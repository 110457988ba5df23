"""Layers: backbones, closed-form autoregressions, and the fronts that join them to the values."""
