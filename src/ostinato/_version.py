"""The version of ostinato, in one place."""

__version__ = "0.1.0"
