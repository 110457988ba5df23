"""Adapters to other forecasting libraries."""
