import pandas as pd
from statsforecast import StatsForecast
from statsforecast.models import AutoETS

data = pd.read_csv("sales.csv", parse_dates=["ds"])
methods = StatsForecast(models=[AutoETS(season_length=12)], freq="MS")
frame = methods.forecast(df=data, h=12, level=[80, 95])
result = frame["AutoETS"].to_numpy()
