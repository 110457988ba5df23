import csv
import pathlib

import ostinato

model = ostinato.fit("sensor.csv", model="ar").model
monitor = ostinato.Monitor(model, robust=6)
with pathlib.Path("live.csv").open() as file:
    values = [float(row["y"]) for row in csv.DictReader(file)]
result = [monitor.update(value).surprisal for value in values]
