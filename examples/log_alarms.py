"""Watch a log of JSON lines with many sensors: times, gaps, bad lines, and alarms at a chosen rate.

Run: python examples/log_alarms.py
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta

import numpy as np
import polars as pl

import ostinato

#: One false alarm in a thousand readings.
RATE = 1e-3


def readings(name: str, start: datetime, hours: int, seed: int) -> pl.DataFrame:
    """Return hourly readings of one sensor: a daily rhythm with autocorrelated noise."""
    rng = np.random.default_rng(seed)
    noise = np.zeros(hours)
    for t in range(1, hours):
        noise[t] = 0.8 * noise[t - 1] + 0.2 * rng.standard_normal()
    values = 20 + 3 * np.sin(2 * np.pi * np.arange(hours) / 24) + noise
    times = [start + timedelta(hours=t) for t in range(hours)]
    return pl.DataFrame({"unique_id": [name] * hours, "ds": times, "y": values})


def log(start: datetime) -> Iterator[str]:
    """Yield the lines of a log: two sensors, an hour that is missing, a line that is cut off, and two faults."""
    table = pl.concat([readings("attic", start, 400, 5), readings("cellar", start, 400, 6)]).sort("ds", "unique_id")
    for unique_id, ds, y in table.iter_rows():
        hour = int((ds - start).total_seconds()) // 3600
        if unique_id == "attic" and hour == 100:
            continue
        fault = 9.0 if unique_id == "cellar" and hour in (250, 253) else 0.0
        yield json.dumps({"unique_id": unique_id, "ds": ds.isoformat(), "y": round(y + fault, 3)})
        if hour == 300 and unique_id == "attic":
            yield '{"unique_id": "attic", "ds": "2024-0'


def main() -> None:
    """Fit a model to old readings, then print the alarms of a live log."""
    old = pl.concat([readings(name, datetime(2023, 1, 1), 3000, seed) for seed, name in enumerate(("attic", "cellar"))])
    model = ostinato.fit(old, model="ar").model
    newer = pl.concat(
        [readings(name, datetime(2023, 8, 1), 3000, seed + 20) for seed, name in enumerate(("attic", "cellar"))]
    )
    monitor = ostinato.Monitor(model, alarm=RATE, reference=newer, robust=6, cool_down=2)
    assert monitor.rule is not None
    print(monitor.rule.words())
    for number, line in enumerate(log(datetime(2024, 1, 1)), start=1):
        try:
            row = json.loads(line)
            seen = monitor.update(row["y"], row["unique_id"], row["ds"])
        except (ValueError, ostinato.DataError) as error:
            print(f"line {number} is passed over: {str(error).splitlines()[0]}")
            continue
        if seen.skipped:
            print(f"{seen.unique_id} {seen.ds}: {seen.skipped} reading was left out before it")
        if seen.alarm:
            print(f"alarm: {seen.unique_id} {seen.ds}: {row['y']} where {seen.expected[0]:.1f} was expected")
    print(f"{len(monitor)} sensors, each with a state of fixed size")


if __name__ == "__main__":
    main()
