"""The verbs that choose between two ways: ``fit`` and ``forecast``."""
