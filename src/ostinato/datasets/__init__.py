"""Data sets that come with the package, and the classical tasks that it generates."""
