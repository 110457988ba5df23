"""Forecast hourly power use from the temperature, over the night in which the clocks go back.

Run: python examples/power.py [folder for power.csv, ahead.csv, forecast.csv and power.png]
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np
import polars as pl

import ostinato
from ostinato.report.fan import draw

HORIZON = 24


def made(hours: int, seed: int) -> pl.DataFrame:
    """Return the use of power of a made town by the clock of Berlin, up to the night of 27 October 2024."""
    rng = np.random.default_rng(seed)
    end = pl.datetime(2024, 10, 27, 21)
    utc = pl.datetime_range(end - pl.duration(hours=hours - 1), end, "1h", eager=True)
    frame = pl.DataFrame({"ds": utc.dt.replace_time_zone("UTC").dt.convert_time_zone("Europe/Berlin")})
    hour = frame["ds"].dt.hour().to_numpy() + 0.0
    weekend = frame["ds"].dt.weekday().to_numpy() > 5
    weather = np.convolve(rng.standard_normal(hours + 47), np.ones(48) / 7, "valid")
    temperature = 10 + weather + 4 * np.sin(2 * np.pi * (hour - 9) / 24)
    people = np.exp(-(((hour - 8) / 3) ** 2)) + 1.2 * np.exp(-(((hour - 19) / 3) ** 2))
    heating = 1.5 * np.maximum(18 - temperature, 0)
    power = 60 + 25 * people - 8 * weekend + heating + rng.normal(0, 1, hours)
    return frame.with_columns(temperature=pl.Series(temperature).round(1), y=pl.Series(power).round(2))


def main() -> None:
    """Write the data as files with offsets, read them, forecast with the temperature ahead, and draw it."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(tempfile.mkdtemp())
    whole = made(hours=24 * 70, seed=0).with_columns(pl.col("ds").dt.strftime("%Y-%m-%dT%H:%M:%S%:z"))
    whole[:-HORIZON].write_csv(folder / "power.csv")
    whole[-HORIZON:].drop("y").write_csv(folder / "ahead.csv")

    data = ostinato.read(folder / "power.csv", zone="Europe/Berlin", future_covariates=["temperature"])
    model = ostinato.fit(data, model="direct", horizon=HORIZON, networks=0).model
    forecast = ostinato.forecast(model, data, future=folder / "ahead.csv")

    # 25 hours lie between midnight and midnight: 02:00 comes twice, first at +02:00 and then at +01:00
    twice = forecast.frame.filter(pl.col("ds").dt.hour() == 2)
    print("the hour that comes twice:", *twice["ds"].dt.strftime("%H:%M%:z"))
    error = (forecast.frame["ostinato"] - whole[-HORIZON:]["y"]).abs().mean()
    print(f"mean absolute error: {error:.2f} of {whole['y'].mean():.0f}")
    draw(forecast, folder / "power.png")


if __name__ == "__main__":
    main()
