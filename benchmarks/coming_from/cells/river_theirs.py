import csv
from pathlib import Path

from river import anomaly, linear_model, optim, preprocessing, time_series

regressor = linear_model.LinearRegression(optimizer=optim.SGD(0.005))
forecaster = time_series.SNARIMAX(p=12, d=0, q=0, regressor=preprocessing.StandardScaler() | regressor)
detector = anomaly.PredictiveAnomalyDetection(forecaster, n_std=3.5)
result = []
for name in ("sensor.csv", "live.csv"):
    with Path(name).open() as file:
        for row in csv.DictReader(file):
            result.append(detector.score_one(None, float(row["y"])))
            detector.learn_one(None, float(row["y"]))
result = result[-3000:]
