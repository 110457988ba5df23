"""Gradients through time: the methods, checkpointing, and measurements of how far gradients reach."""
