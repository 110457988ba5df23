"""What every forecasting model has in common: its interface, its table of forecasts, the checks of its input."""
