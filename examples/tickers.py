"""Join the forecast of stock prices with the table that they came from, a download with three lines of names.

Run: python examples/tickers.py
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

import ostinato


def download() -> pd.DataFrame:
    """Return made-up prices with the columns that yfinance gives: two levels, for the price and the ticker."""
    days = pd.bdate_range("2024-01-01", periods=120, name="Date")
    walk = np.exp(np.random.default_rng(1).normal(0, 0.01, (120, 2)).cumsum(axis=0))
    names = pd.MultiIndex.from_product([["Close"], ["AAPL", "MSFT"]], names=["Price", "Ticker"])
    return pd.DataFrame(walk * [185.0, 370.0], index=days, columns=names)


def main() -> None:
    """Read the file that pandas writes, then the same prices as one row for each ticker and day."""
    prices = download()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "prices.csv"
        prices.to_csv(path)
        data = ostinato.read(path, kind="prices")
    print(f"channels: {', '.join(data.channels)}")
    for note in data.notes:
        print(f"note: {note}")

    long = prices["Close"].reset_index().melt("Date", var_name="Ticker", value_name="Close")
    long["Ticker"] = long["Ticker"].astype("category")
    result = ostinato.fit(long, model="ar")
    table = ostinato.forecast(result.model, long, horizon=2).frame.to_pandas()
    # the ids have the type that they came in, so the tables join
    last = long.groupby("Ticker", observed=True)["Close"].last().reset_index()
    joined = table.merge(last, left_on="unique_id", right_on="Ticker")
    for row in joined.itertuples():
        print(f"{row.Ticker} {row.ds:%Y-%m-%d}: {row.ostinato / row.Close - 1:+.1%} since the last close")


if __name__ == "__main__":
    main()
