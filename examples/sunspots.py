"""Go from a file to a forecast with 309 years of sunspots, which ship with the package.

Run: python examples/sunspots.py [training steps a model]
"""

from __future__ import annotations

import sys
from importlib.resources import files

import ostinato


def main() -> None:
    """Fit the ladder, forecast from the history up to 1990, and print the most surprising years."""
    budget = ostinato.Budget(None, int(sys.argv[1]) if len(sys.argv) > 1 else 400)
    data = ostinato.read(str(files("ostinato") / "datasets" / "sunspots.csv"))

    result = ostinato.fit(data, model="auto", budget=budget)
    for rung in result.table:
        print(f"{rung.name:>6} {rung.detail:16} {rung.held_out:8.4f} nats per step held out")

    # the fitted model forecasts from the history up to 1990, and then scores the whole series
    early = data.cut(data.lengths * 0, data.lengths - 18)
    print(ostinato.forecast(result.model, early, horizon=11, level=[80, 95]).frame)
    scores = ostinato.score(result.model, data)
    for _, step, nats, _ in scores.most_surprising(3):
        print(f"most surprising: {data.times[step]}, {nats:.2f} nats")


if __name__ == "__main__":
    main()
