"""Lossless files: a model drives an arithmetic coder, and a file takes as many bits as ``score`` reports."""
