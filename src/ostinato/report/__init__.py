"""The report: one HTML file on a model and data."""
