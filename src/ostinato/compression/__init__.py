"""Lossless files: a model drives an arithmetic coder, and a file takes what ``score`` says it does."""
