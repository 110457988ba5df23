import numpy as np
import pandas as pd
from darts import TimeSeries
from darts.models import ExponentialSmoothing

frame = pd.read_csv("one.csv", parse_dates=["ds"])
series = TimeSeries.from_dataframe(frame, time_col="ds", value_cols="y", freq="MS")
windows = ExponentialSmoothing().historical_forecasts(
    series,
    start=len(series) - 36,
    start_format="position",
    forecast_horizon=12,
    stride=12,
    last_points_only=False,
)
result = np.concatenate([window.values()[:, 0] for window in windows])
