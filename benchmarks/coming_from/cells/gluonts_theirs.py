import numpy as np
import pandas as pd
from gluonts.dataset.pandas import PandasDataset
from gluonts.torch import DeepAREstimator

frame = pd.read_csv("sales.csv", parse_dates=["ds"])
data = PandasDataset.from_long_dataframe(frame, item_id="unique_id", timestamp="ds", target="y", freq="M")
estimator = DeepAREstimator(
    prediction_length=12,
    freq="M",
    trainer_kwargs={"max_epochs": 5, "accelerator": "cpu"},
)
predictor = estimator.train(data)
paths = list(predictor.predict(data))
result = np.concatenate([path.quantile(0.5) for path in paths])
