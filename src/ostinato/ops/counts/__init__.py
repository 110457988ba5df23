"""Adaptive counts of symbols: contexts mixed by logistic regressions over a binary tree of decisions."""
