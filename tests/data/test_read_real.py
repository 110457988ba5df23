"""Real files are read as their authors meant them; the README next to them describes each file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ostinato.data.read import read, read_like
from ostinato.errors import DataError

Find = Callable[[str], Path]

#: file, options, kind, sequences, steps, channels, frequency, missing values
TABLES: tuple[tuple[str, dict[str, Any], str, int, int, int, str | None, int], ...] = (
    ("timeseries/ETTh1.csv.gz", {}, "series", 1, 17_420, 7, "1h", 0),
    ("timeseries/ETTh1.csv.gz", {"target": "OT"}, "series", 1, 17_420, 1, "1h", 0),
    ("timeseries/M4-Hourly-train.csv.gz", {}, "series", 414, 353_500, 1, None, 0),
    ("timeseries/M4-Weekly-train.csv.gz", {}, "series", 359, 366_912, 1, None, 0),
    ("timeseries/exchange_rate.txt.gz", {}, "series", 1, 7_588, 8, None, 0),
    ("timeseries/vic_elec.csv.gz", {}, "series", 1, 52_608, 2, "30m", 0),
    ("timeseries/AirPassengers.csv", {}, "series", 1, 144, 1, "1mo", 0),
    ("timeseries/sunspot.month.csv", {}, "series", 1, 3_310, 1, "1mo", 0),
    ("timeseries/sunspots_year.csv", {}, "series", 1, 309, 1, "1y", 0),
    ("timeseries/co2_weekly.csv", {}, "series", 1, 2_284, 1, "1w", 59),
    ("stocks/wiki_5_tickers_daily_ohlcv.csv.gz", {}, "prices", 5, 12_154, 1, "1bd", 0),
    ("stocks/EuStockMarkets.csv", {}, "series", 1, 1_860, 4, None, 0),
    ("stocks/EuStockMarkets.csv", {"kind": "prices"}, "prices", 1, 1_860, 4, None, 0),
    ("stocks/DJIA8012.csv", {"kind": "prices"}, "prices", 1, 8_610, 1, "1bd", 0),
    ("stocks/vega_stocks_monthly.csv", {}, "prices", 5, 560, 1, "1mo", 0),
)


@pytest.mark.parametrize("row", TABLES, ids=lambda row: f"{Path(row[0]).name} {row[1]}")
def test_a_table(shared_data: Find, row: tuple[str, dict[str, Any], str, int, int, int, str | None, int]) -> None:
    name, options, *expected = row
    data = read(shared_data(name), **options)
    missing = int(np.isnan(data.values).sum())
    found = [data.kind, len(data), len(data.values), len(data.channels), data.frequency, missing]
    assert found == expected
    again = read_like(shared_data(name), data.meta)
    assert (again.kind, again.ids, again.channels) == (data.kind, data.ids, data.channels)
    np.testing.assert_array_equal(again.values, data.values)


def test_a_series_in_a_row_ends_at_its_last_cell(shared_data: Find) -> None:
    hourly = read(shared_data("timeseries/M4-Hourly-train.csv.gz"))
    assert set(hourly.lengths.tolist()) == {700, 960}
    assert (hourly.ids[0], hourly.ids[-1], hourly[0][0, 0]) == ("H1", "H414", 605.0)
    weekly = read(shared_data("timeseries/M4-Weekly-train.csv.gz"))
    assert (weekly.lengths.min(), weekly.lengths.max()) == (80, 2_597)


def test_prices_keep_the_calendar_of_the_exchange(shared_data: Find) -> None:
    stocks = read(shared_data("stocks/wiki_5_tickers_daily_ohlcv.csv.gz"))
    lengths = dict(zip(stocks.ids, stocks.lengths.tolist(), strict=True))
    assert lengths == {"AAPL": 3_270, "GOOG": 2_148, "IBM": 3_270, "MSFT": 3_270, "FB": 196}
    assert stocks.channels == ("Adj Close",)
    times = stocks.times_of(stocks.ids.index("AAPL"))
    assert times is not None
    assert np.diff(times).max() == np.timedelta64(7, "D")
    assert (str(times[0])[:10], str(times[-1])[:10]) == ("2000-03-01", "2013-03-01")
    close = read(shared_data("stocks/wiki_5_tickers_daily_ohlcv.csv.gz"), target="Close")
    assert (close.kind, close.channels) == ("prices", ("Close",))


def test_dates_are_read_as_they_are_written(shared_data: Find) -> None:
    months = read(shared_data("stocks/vega_stocks_monthly.csv"))
    assert dict(zip(months.ids, months.lengths.tolist(), strict=True))["GOOG"] == 68
    first, electric = months.times_of(0), read(shared_data("timeseries/vic_elec.csv.gz"))
    assert first is not None
    assert str(first[0])[:10] == "2000-01-01"
    # of two columns of times, the one that tells the half-hours apart
    assert (electric.meta["time_col"], electric.channels) == ("Time", ("Demand", "Temperature"))


def test_missing_values_stay_missing(shared_data: Find) -> None:
    carbon = read(shared_data("timeseries/co2_weekly.csv"))
    lines = shared_data("timeseries/co2_weekly.csv").read_text().splitlines()[1:]
    empty = [i for i, line in enumerate(lines) if line.endswith(",")]
    assert np.flatnonzero(np.isnan(carbon.values[:, 0])).tolist() == empty


def test_each_line_of_names_is_a_sequence(shared_data: Find) -> None:
    names = read(shared_data("text/names.txt"))
    assert (len(names), names.terminated, names.lengths.min(), names.lengths.max()) == (32_033, True, 2, 15)
    assert "".join(map(chr, names[0][:, 0])) == "emma"


@pytest.mark.parametrize(
    ("name", "symbols", "lines"),
    [
        ("tinyshakespeare.txt", 1_115_394, 40_000),
        ("ko_constitution.txt", 18_884, 356),
        ("ko_ud_kaist_dev_sentences.txt", 96_973, 2_066),
        ("ko_ud_gsd_dev_sentences.txt", 44_341, 950),
    ],
)
def test_a_text(shared_data: Find, name: str, symbols: int, lines: int) -> None:
    path = shared_data(f"text/{name}")
    whole = read(path)
    assert (whole.kind, len(whole), len(whole.values)) == ("text", 1, symbols)
    assert ord("\r") not in whole.values
    assert len(read(path, per_line=True)) == lines
    assert len(read(path, alphabet="bytes").values) == len(path.read_bytes().replace(b"\r\n", b"\n"))


@pytest.mark.parametrize("options", [{"target": "review"}, {"kind": "text", "target": "review"}])
def test_each_row_of_a_text_column_is_a_sequence(shared_data: Find, options: dict[str, Any]) -> None:
    path = shared_data("text/ko_nsmc_reviews.tsv.gz")
    reviews = read(path, **options)
    assert (reviews.kind, len(reviews), reviews.terminated) == ("text", 18_613, True)
    assert "".join(map(chr, reviews[0][:, 0])) == "지렷다 내생에 최고의 학원판타지 로맨스였다"
    assert read_like(path, reviews.meta).ids == reviews.ids
    with pytest.raises(DataError, match="the time 2004-03-13 occurs twice"):  # 04.03.13, since 14.08.31 says so
        read(path)


def test_sound_has_the_resolution_that_it_really_has(shared_data: Find) -> None:
    digits = read(shared_data("sound/fsdd"))
    assert (digits.kind, len(digits), digits.meta["sample_rate"], digits.meta["bits"]) == ("sound", 1_500, 8_000, 16)
    assert digits.step is not None
    coarse = {key.split("_")[1] for key, step in zip(digits.ids, digits.step, strict=True) if step == 256}
    fine = {key.split("_")[1] for key, step in zip(digits.ids, digits.step, strict=True) if step == 1}
    assert (coarse, fine) == ({"nicolas"}, {"jackson", "theo"})
    assert round(len(digits.values) / 8_000) == 627
    french = read(shared_data("sound/asterisk_fr") / "*.wav")
    assert (len(french), round(len(french.values) / 8_000)) == (100, 271)
