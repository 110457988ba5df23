import csv
import pathlib

from river import anomaly, compose, preprocessing

trees = anomaly.HalfSpaceTrees(window_size=250, seed=0)
detector = compose.Pipeline(preprocessing.MinMaxScaler(), trees)
result = []
for name in ("sensor.csv", "live.csv"):
    with pathlib.Path(name).open() as file:
        for row in csv.DictReader(file):
            value = {"y": float(row["y"])}
            result.append(detector.score_one(value))
            detector.learn_one(value)
result = result[-3000:]
