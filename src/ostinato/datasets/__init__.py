"""Data that ships with the package, and the classical tasks that it makes."""
