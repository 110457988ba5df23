"""The parts that all forecasting models share: the interface, the table of forecasts, and the checks of input data."""
