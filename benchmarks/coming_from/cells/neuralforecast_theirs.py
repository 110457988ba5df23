import pandas as pd
from neuralforecast import NeuralForecast
from neuralforecast.losses.pytorch import MQLoss
from neuralforecast.models import NHITS

past = pd.read_csv("load.csv", parse_dates=["ds"])
future = pd.read_csv("tomorrow.csv", parse_dates=["ds"])
network = NHITS(
    h=24,
    input_size=72,
    futr_exog_list=["temperature"],
    loss=MQLoss(level=[80]),
    max_steps=100,
    accelerator="cpu",
)
forecaster = NeuralForecast(models=[network], freq="h")
forecaster.fit(past)
result = forecaster.predict(futr_df=future)["NHITS-median"].to_numpy()
