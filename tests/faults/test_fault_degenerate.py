"""Numbers that lose digits, points outside their intervals, and data without variation, size or length."""

from __future__ import annotations

import csv
import io
import math
import tempfile
from collections.abc import Callable
from contextlib import redirect_stdout
from functools import cache, partial
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rows import Row

import ostinato
from ostinato.cli.main import main
from ostinato.cli.render import as_table
from ostinato.data.sequences import SequenceSet
from ostinato.emissions.quantiles import LEVELS, MEDIAN, at, containing
from ostinato.errors import DataError, OstinatoError
from ostinato.evaluation import metrics
from ostinato.evaluation.backtest import Backtest, cross_validation
from ostinato.evaluation.baselines import BASELINES
from ostinato.fits.result import Fit
from ostinato.local.seasonality import is_seasonal
from ostinato.numbers import exact, plain, shown
from ostinato.shapes import Array

LEVEL = (1, 2, 50, 80, 95, 99.9)


def panel(*series: Array) -> SequenceSet:
    """Series as daily data."""
    ids = [f"s{i}" for i, y in enumerate(series) for _ in y]
    days = [
        d
        for y in series
        for d in pl.datetime_range(
            pl.datetime(2021, 1, 1), pl.datetime(2021, 1, 1) + pl.duration(days=len(y) - 1), "1d", eager=True
        )
    ]
    return ostinato.read(pl.DataFrame({"unique_id": ids, "ds": days, "y": np.concatenate(series)}), kind="series")


def direct(data: SequenceSet, horizon: int = 4) -> Fit:
    return ostinato.fit(data, model="direct", horizon=horizon, networks=0)


# --- digits -----------------------------------------------------------------------------------------------------------

NUMBERS = [5e-324, 1e-300, 2.2250738585072014e-308, 5e-07, 4.887567587898323e-07, 0.1, 1 / 3, 1234567.8, 2.0**53 + 2,
           1e22, 123456789.123456, -2.5e-9, 1e16, 1.7976931348623157e308, 0.30000000000000004]  # fmt: skip


def read_back(x: float) -> str:
    (row,) = csv.DictReader(io.StringIO(as_table(pl.DataFrame({"y": [x]}))))
    assert float(row["y"]) == x
    assert float(exact(x)) == x
    return f"right: {row['y']}"


def on_screen(x: float) -> str:
    assert math.isclose(float(shown(x)), x, rel_tol=5.1e-6)
    return f"right: {shown(x)}"


def float32(x: float) -> str:
    text = as_table(pl.DataFrame({"y": np.array([x], dtype=np.float32)})).splitlines()[1]
    assert np.float32(text) == np.float32(x)
    assert len(text) <= len(np.format_float_scientific(np.float32(x))) + 2
    assert exact(np.float32(x)) == str(np.float32(x))
    return f"right: {text}"


def refused(x: float) -> str:
    with pytest.raises(DataError, match="infinite"):
        as_table(pl.DataFrame({"y": [1.0, x]}))
    return "refused: DataError"


@cache
def small() -> tuple[Path, Path]:
    """A file of values near 5e-07, and a model of it."""
    folder = Path(tempfile.mkdtemp())
    y = 5e-7 * (1 + 0.02 * np.random.default_rng(0).standard_normal(60))
    (folder / "small.csv").write_text("y\n" + "".join(f"{v!r}\n" for v in y.tolist()))
    ostinato.save_model(ostinato.fit(folder / "small.csv", model="ar").model, folder / "small.ost")
    return folder / "small.csv", folder / "small.ost"


def by_verb(verb: str) -> str:
    """Every number of a verb's output near 5e-07 has at least ten digits."""
    data, model = (str(path) for path in small())
    out = str(Path(data).with_name(f"{verb}.csv"))
    words = {
        "forecast": ["forecast", model, "--horizon", "3", "-o", out],
        "backtest": ["backtest", data, "--model", "ar", "--horizon", "3", "-o", out],
        "sample": ["sample", model, "-n", "5", "-o", out],
        "score": ["score", model, data, "-o", out],
    }
    with redirect_stdout(io.StringIO()), pytest.raises(SystemExit) as left:
        main(words[verb])
    assert left.value.code == 0
    numbers = pl.read_csv(out).select(pl.selectors.float())
    assert len({x for row in numbers.rows() for x in row}) > 2
    for column in numbers:
        assert verb == "score" or bool(((column > 1e-7) & (column < 1e-6)).all())
    return f"right: {numbers.item(0, 0)!r}"


DIGITS = [
    *(Row("digits", f"{x!r} in a file", "Python's float", partial(read_back, x)) for x in NUMBERS),
    *(Row("digits", f"{x!r} on the screen", "Python's float", partial(on_screen, x))
      for x in (5e-7, 1234567.8, 0.00123)),
    *(Row("digits", f"float32 {x!r}", "numpy.float32", partial(float32, x)) for x in (0.1, 1e-7, 16777216.0)),
    *(Row("digits", f"{x} in a file", "RFC 4180", partial(refused, x)) for x in (math.inf, -math.inf)),
    *(Row("digits", f"values of 5e-07, {v}", "their size", partial(by_verb, v))
      for v in ("forecast", "backtest", "sample", "score")),
]  # fmt: skip

# --- intervals --------------------------------------------------------------------------------------------------------

T = np.arange(120.0)


def noise(n: int = 120, seed: int = 0) -> Array:
    return np.random.default_rng(seed).standard_normal(n)


SHAPES: dict[str, Array] = {
    "a trend": 5 + 2 * T + 0.01 * noise(),
    "an exact trend": 5 + 2 * T,
    "a season": 10 + 3 * np.sin(2 * np.pi * T / 7) + 0.1 * noise(),
    "a constant": np.full(120, 0.1),
    "zeros": np.zeros(120),
    "a jump": np.where(T < 90, 10.0, 100.0) + 0.1 * noise(),
    "a late jump": np.where(T < 117, 10.0, 100.0) + 0.1 * noise(),
    "rare demand": np.where(np.random.default_rng(1).random(120) < 0.1, 3.5, 0.0),
    "growth": np.exp(0.05 * T + 0.1 * noise()),
    "a walk": noise().cumsum(),
    "alternation": (-1.0) ** T,
    "one outlier": np.where(T == 60, 1e6, noise()),
}


def inside(frame: pl.DataFrame, name: str = "ostinato") -> None:
    """The point lies in every interval, and intervals of a higher level contain those of a lower one."""
    point = frame[name].to_numpy()
    low = np.stack([frame[f"{name}-lo-{plain(one)}"].to_numpy() for one in LEVEL])
    high = np.stack([frame[f"{name}-hi-{plain(one)}"].to_numpy() for one in LEVEL])
    assert np.isfinite(point).all()
    assert (low <= point).all()
    assert (point <= high).all()
    assert (np.diff(low, axis=0) <= 0).all()
    assert (np.diff(high, axis=0) >= 0).all()


def direct_inside(shape: str) -> str:
    data = panel(SHAPES[shape])
    result = ostinato.forecast(direct(data).model, data, level=LEVEL)
    inside(result.frame)
    assert result.quantiles is not None
    np.testing.assert_array_equal(result.frame["ostinato"], result.quantiles[0, :, MEDIAN])
    return f"inside: {shown(result.frame['ostinato'][0])}"


def ar_inside(shape: str) -> str:
    data = panel(SHAPES[shape])
    inside(ostinato.forecast(ostinato.fit(data, model="ar").model, data, 4, level=LEVEL).frame)
    return "inside"


def backtest_inside(shape: str) -> str:
    result = cross_validation(panel(SHAPES[shape]), ["direct"], horizon=3, n_windows=2, level=LEVEL, networks=0)
    for name in ("direct", *BASELINES):
        inside(result.frame, name)
    return "inside"


def trend_case() -> str:
    """5 + 2 t goes on: 125, 127, 129, 131."""
    y = 5 + 2 * np.arange(60.0) + 0.02 * noise(60)
    point = ostinato.forecast(direct(panel(y)).model, panel(y)).frame["ostinato"].to_numpy()
    np.testing.assert_allclose(point, 5 + 2 * np.arange(60, 64), atol=0.1)
    return f"right: {np.round(point, 1).tolist()}"


INTERVALS = [
    Row("intervals", "5 + 2 t", "numpy", trend_case),
    *(Row("intervals", f"direct on {s}", "lo <= point <= hi", partial(direct_inside, s)) for s in SHAPES),
    *(Row("intervals", f"ar on {s}", "lo <= point <= hi", partial(ar_inside, s))
      for s in ("a constant", "zeros", "rare demand", "growth", "one outlier")),
    *(Row("intervals", f"backtest on {s}", "lo <= point <= hi", partial(backtest_inside, s))
      for s in ("an exact trend", "a jump", "rare demand")),
]  # fmt: skip

# --- degenerate -------------------------------------------------------------------------------------------------------

SCALES = (1e-12, 1e-6, 1e6, 1e12)


def smape_by_numpy(y: Array, f: Array) -> float:
    size = np.abs(y) + np.abs(f)
    return float(np.mean([0.0 if s == 0 else 200 * abs(a - b) / s for a, b, s in zip(y, f, size, strict=True)]))


def smape(y: list[float], f: list[float]) -> str:
    found = float(metrics.smape(np.array(y), np.array(f)))
    assert math.isclose(found, smape_by_numpy(np.array(y), np.array(f)), abs_tol=1e-12)
    return f"right: {found:g}"


def no_mase(history: list[float]) -> str:
    scale = metrics.seasonal_error(np.array(history), 1)
    assert math.isnan(scale)
    assert math.isnan(float(metrics.mase(np.ones(2), np.zeros(2), np.array(scale))))
    return "right: not defined"


def baseline_scales(name: str, a: float) -> str:
    y = SHAPES["a season"]
    one, other = BASELINES[name](y, 7).ahead(y, 5), BASELINES[name](a * y, 7).ahead(a * y, 5)
    np.testing.assert_allclose(np.array(other) / a, one, rtol=1e-6)
    return "right: as y, times a"


def baseline_shifts(name: str) -> str:
    """An offset of a thousand million moves the mean and leaves the deviation."""
    y, b = SHAPES["a walk"], 1e9
    one, other = BASELINES[name](y, 1).ahead(y, 5), BASELINES[name](y + b, 1).ahead(y + b, 5)
    np.testing.assert_allclose(other[0] - b, one[0], atol=1e-4)
    np.testing.assert_allclose(other[1], one[1], rtol=1e-4)
    return "right: as y, plus b"


def seasonality_scales(a: float) -> str:
    assert is_seasonal(a * SHAPES["a season"], 7)
    assert is_seasonal(a * SHAPES["a season"] + 1e3 * a, 7)
    assert not is_seasonal(a * noise(200, 3), 7)
    return "right: the same answer"


def direct_scales(a: float) -> str:
    series = [noise(80, i).cumsum() for i in range(4)]
    one, other = direct(panel(*series)), direct(panel(*(a * y for y in series)))
    assert other.kept.name == one.kept.name
    assert other.kept.detail == one.kept.detail
    found = [
        ostinato.forecast(f.model, panel(*(s * y for y in series))).frame.select(pl.selectors.float()).to_numpy() / s
        for f, s in ((one, 1.0), (other, a))
    ]
    np.testing.assert_allclose(found[1], found[0], rtol=1e-5, atol=1e-7)
    return f"right: {one.kept.name}"


def ar_scales(a: float, b: float) -> str:
    y = SHAPES["a walk"]
    found = []
    for scale, shift in ((1.0, 0.0), (a, a * b)):
        data = panel(scale * y + shift)
        table = ostinato.forecast(ostinato.fit(data, model="ar").model, data, 3).frame.select(pl.selectors.float())
        found.append((table.to_numpy() - shift) / scale)
    np.testing.assert_allclose(found[1], found[0], atol=1e-3)
    return "right: as y"


def table_scales(a: float) -> str:
    """MASE, sMAPE, OWA, wQL and MSIS have no unit."""
    y = 10 + SHAPES["a season"]
    kept = ["mase", "smape", "owa", "wql", "msis"]
    tables = [cross_validation(panel(s * y), (), horizon=3, n_windows=2).table.select(kept) for s in (1.0, a)]
    np.testing.assert_allclose(tables[1].to_numpy(), tables[0].to_numpy(), rtol=1e-6)
    return "right: the same table"


def backtest_of(y: Array, model: str = "ar", **options: int) -> Backtest:
    return cross_validation(panel(y), [model], **{"horizon": 3, "n_windows": 2, **options})  # type: ignore[arg-type]


def tie(y: Array) -> str:
    result = backtest_of(y)
    assert result.notes[-1].startswith("a tie")
    assert result.table["smape"].to_list() == [0.0] * len(result.table)
    assert result.table["mase"].is_nan().all()
    return f"right: {result.notes[-1]}"


def continued(value: float) -> str:
    """A constant is continued by itself, in every unit."""
    data = panel(np.full(40, value))
    for fitted in (direct(data).model, ostinato.fit(data, model="ar").model):
        found = ostinato.forecast(fitted, data, 3).frame.select(pl.selectors.float()).to_numpy()
        np.testing.assert_allclose(found, value, rtol=1e-14)
    return f"right: {value!r}"


FLAT: dict[str, Array] = {
    "flat": np.full(150, 5.0),
    "zeros": np.zeros(150),
    "constant after a jump": np.where(np.arange(150) < 70, 10.0, 50.0),
    "two values": np.where(np.arange(150) % 60 < 50, 1.0, 2.0),
    "constant before a held-out jump": np.where(np.arange(150) < 142, 10.0, 5000.0),
}


@cache
def others() -> tuple[Array, ...]:
    """Six autoregressions, which least squares forecasts better than the naive forecast."""
    out = []
    for i in range(6):
        y = np.zeros(150)
        for t, e in enumerate(noise(149, i)):
            y[t + 1] = 0.5 * y[t] + e
        out.append(y)
    return tuple(out)


@cache
def without_flat() -> tuple[str, Array]:
    fitted = direct(panel(*others()))
    return fitted.kept.name, ostinato.forecast(fitted.model, panel(*others())).frame.select(
        pl.selectors.float()
    ).to_numpy()


def beside(flat: str) -> str:
    name, usual = without_flat()
    data = panel(*others(), FLAT[flat])
    fitted = direct(data)
    assert fitted.kept.name == name == "least squares"
    found = ostinato.forecast(fitted.model, data).frame.select(pl.selectors.float()).to_numpy()
    width = (usual[:, -1] - usual[:, 1]).mean()
    # a series of two values changes at a few steps: it has a small vote in what the panel shares
    most = 0.1 if flat == "two values" else 0.05
    assert np.abs(found[: len(usual)] - usual).max() < most * width
    return f"as without it: within {np.abs(found[: len(usual)] - usual).max() / width:.1%} of an interval"


def few(values: list[float]) -> str:
    """Too few values are refused, or fitted without a claim that a network is better."""
    try:
        fitted = ostinato.fit(panel(np.array(values)), model="auto", budget=ostinato.Budget(None, 1))
    except OstinatoError as error:
        return f"refused: {error.what}"
    assert fitted.kept.name == "ar"
    assert any("may be chance" in note for note in fitted.notes)
    return f"right: {fitted.kept.detail}"


def direct_lengths(length: int) -> str:
    try:
        data = panel(noise(length))
        inside(ostinato.forecast(direct(data).model, data, level=LEVEL).frame)
    except OstinatoError as error:
        return f"refused: {error.what}"
    return "a forecast"


def missing_but(count: int) -> str:
    y = np.full(60, np.nan)
    y[:count] = 1.0 + np.arange(count)
    try:
        result = backtest_of(y)
    except OstinatoError as error:
        return f"refused: {error.what}"
    assert "every value to forecast is missing" in result.notes[-1]
    return f"right: {result.notes[-1]}"


def one_constant() -> str:
    """The constant series of a panel has no MASE, and the mean is that of the others."""
    alone = cross_validation(panel(*others()[:2]), (), horizon=3).table["mase"].to_numpy()
    both = cross_validation(panel(*others()[:2], np.full(150, 7.0)), (), horizon=3).table["mase"].to_numpy()
    np.testing.assert_allclose(both, alone, rtol=1e-12)
    return f"right: {both[0]:.3f}"


def twins() -> str:
    """A series twice is forecast as once."""
    y = others()[0]
    data = panel(y, y)
    found = ostinato.forecast(direct(data).model, data).frame["ostinato"].to_numpy()
    np.testing.assert_array_equal(found[:4], found[4:])
    return "right: the same forecast"


def table_by_numpy(shape: str) -> str:
    """MASE and sMAPE of the table by their formulas, from the frame."""
    y = SHAPES[shape]
    result = cross_validation(panel(y), (), horizon=3, n_windows=1)
    later, naive = result.frame["y"].to_numpy(), result.frame["naive"].to_numpy()
    row = result.table.row(by_predicate=pl.col("model") == "naive", named=True)
    scale = np.abs(y[:-3][7:] - y[:-3][:-7]).mean()
    assert math.isclose(row["smape"], smape_by_numpy(later, naive), rel_tol=1e-9, abs_tol=1e-4)
    if scale > 0:
        assert math.isclose(row["mase"], np.abs(later - naive).mean() / scale, rel_tol=1e-6, abs_tol=1e-5)
    else:
        assert math.isnan(row["mase"])
    return f"right: MASE {row['mase']:.3g}, sMAPE {row['smape']:.3g}"


def rows(instance: str, source: str, checks: dict[str, Callable[[], str]]) -> list[Row]:
    return [Row("degenerate", f"{instance} {name}", source, check) for name, check in checks.items()]


DEGENERATE = [
    *rows("sMAPE of", "numpy", {
        "0 for 0": partial(smape, [0, 0], [0, 0]),
        "1 for 0": partial(smape, [0, 0], [1, 1]),
        "0 for 1": partial(smape, [1.0], [0.0]),
        "opposite signs": partial(smape, [1.0, -1.0], [-1.0, 1.0]),
        "1e-300 for 0": partial(smape, [0.0, 2.0], [1e-300, 2.0]),
    }),
    *rows("MASE after", "Hyndman and Koehler 2006", {
        "a constant": partial(no_mase, [3, 3, 3]),
        "zeros": partial(no_mase, [0, 0, 0]),
        "one value": partial(no_mase, [3]),
        "0.1 + 0.2 and 0.3": partial(no_mase, [0.1 + 0.2, 0.3, 0.1 + 0.2, 0.3]),
    }),
    *rows("the season test of y times", "statistics without a unit", {
        f"{a:g}": partial(seasonality_scales, a) for a in SCALES}),
    *[row for name in BASELINES for row in rows(f"{name} of y times", "numpy", {
        f"{a:g}": partial(baseline_scales, name, a) for a in (1e-12, 1e12)})],
    *rows("plus 1e9,", "numpy", {name: partial(baseline_shifts, name) for name in ("naive", "drift", "local_ar")}),
    *rows("direct of a panel times", "numpy", {f"{a:g}": partial(direct_scales, a) for a in SCALES}),
    *rows("ar of", "numpy", {
        f"{a:g} (y + {b:g})": partial(ar_scales, a, b) for a, b in ((1e-12, 0.0), (1e12, 0.0), (1.0, 1e6), (1e-6, 1e3))
    }),
    *rows("the table of y times", "measures without a unit", {f"{a:g}": partial(table_scales, a) for a in SCALES}),
    *rows("a backtest of", "a tie", {
        "zeros": partial(tie, np.zeros(40)),
        "threes": partial(tie, np.full(40, 3.0)),
        "3e-12": partial(tie, np.full(40, 3e-12)),
        "1e12": partial(tie, np.full(40, 1e12)),
    }),
    *rows("a constant of", "itself", {f"{v!r}": partial(continued, v) for v in (0.0, 0.1, 3e-12, -7e11)}),
    *rows("six channels beside", "the same without it", {name: partial(beside, name) for name in FLAT}),
    *rows("auto of", "one value is no evidence", {
        "one value": partial(few, [1.5]),
        "two values": partial(few, [1.5, 2.5]),
        "three values": partial(few, [1.5, 2.7, 3.1]),
    }),
    *rows("direct with", "lo <= point <= hi", {
        f"{n} values": partial(direct_lengths, n) for n in (1, 2, 4, 11, 12, 13, 20)}),
    *rows("a backtest with", "numpy", {f"{n} observed values": partial(missing_but, n) for n in (0, 1, 4)}),
    *rows("the table of", "numpy", {
        s: partial(table_by_numpy, s) for s in ("alternation", "one outlier", "a constant", "zeros")}),
    Row("degenerate", "a panel with one constant series", "the mean of the others", one_constant),
    Row("degenerate", "a series given twice", "itself", twins),
]  # fmt: skip

ROWS = [*DIGITS, *INTERVALS, *DEGENERATE]


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_degenerate(row: Row) -> None:
    assert row.check()


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_float_is_read_back(x: float) -> None:
    read_back(x)


@given(st.floats(min_value=1e-300, max_value=1e300), st.sampled_from([1, -1]))
def test_every_float_on_the_screen_has_six_digits(x: float, sign: int) -> None:
    on_screen(sign * x)


@settings(max_examples=50)
@given(st.lists(st.floats(-1e6, 1e6), min_size=len(LEVELS), max_size=len(LEVELS)), st.floats(-1e6, 1e6))
def test_quantiles_rise_with_their_level_and_contain_the_point(values: list[float], point: float) -> None:
    quantiles, p = np.sort(np.array(values)), np.linspace(0.0001, 0.9999, 99)
    found = at(quantiles, p)
    assert (np.diff(found) >= 0).all()
    held = containing(np.array(point), found, p)
    assert (held[p < 0.5] <= point).all()
    assert (held[p > 0.5] >= point).all()
