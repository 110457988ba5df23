"""Forecasts agree with the quantiles of the emission, with AutoReg of statsmodels, and with calendars."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
import torch
from scipy import stats
from statsmodels.tsa.ar_model import AutoReg

from ostinato.data.read import read
from ostinato.data.sequences import SequenceSet
from ostinato.dispatch.fit import fit
from ostinato.emissions.emission import Support
from ostinato.errors import ConfigError, ModelFileError
from ostinato.inference.forecast import forecast
from ostinato.inference.mixture import mixture_quantiles
from ostinato.inference.rollout import state_after
from ostinato.model import SequenceModel
from zoo import NUMBERS, build, fitted, made

PATHS = 4000


def single(values: np.ndarray, kind: str = "series") -> SequenceSet:
    return SequenceSet(kind, values.reshape(len(values), -1), np.array([0, len(values)]), ("y",))  # type: ignore[arg-type]


def ar2(steps: int, seed: int = 3) -> np.ndarray:
    rng, y = np.random.default_rng(seed), np.zeros(steps + 50)
    for t in range(2, len(y)):
        y[t] = 1.3 * y[t - 1] - 0.5 * y[t - 2] + rng.standard_normal()
    return 20 + 4 * y[50:]


@pytest.mark.parametrize(("kind", "name"), NUMBERS)
def test_one_step_ahead_is_the_emissions_quantile(kind: str, name: str) -> None:
    """The share of paths at or below the exact quantile is the level, and on a lattice no less than it."""
    model, data = fitted(kind, name), made(kind).take([4])
    encoded = model.encoding.encode(data)
    drawn = forecast(model, data, 1, n_paths=PATHS).paths[0][:, 0]
    levels = torch.tensor([0.025, 0.1, 0.5, 0.9, 0.975])
    with torch.no_grad():
        conditional, _ = model.predict(state_after(model, encoded, [0]))
        z = conditional.quantile(levels, Support(encoded.unit, encoded.low, encoded.high))[0].double().numpy()
    exact = model.encoding.decode(z.T[:, None], data, 0)[:, 0]  # (Q, D)
    if model.coupled:
        drawn, exact = drawn[:, :1], exact[:, :1]  # given the past alone, the others' quantiles have no closed form
    slack = 1e-5 * np.abs(exact)
    at_most = (drawn[:, None] <= exact + slack).mean(axis=0)
    below = (drawn[:, None] < exact - slack).mean(axis=0)
    q = levels.double().numpy()[:, None]
    error = 5 * np.sqrt(q * (1 - q) / PATHS)
    assert (at_most >= q - error).all()
    assert (below <= q + error).all()


@pytest.mark.parametrize(("kind", "name"), [p for p in NUMBERS if p[1] in ("gru", "filter")])
def test_so_much_of_all_paths_lies_below_a_quantile_of_them(kind: str, name: str) -> None:
    """The mean of P(X <= q) over paths, each given the channels before it, is the level; on a lattice, no less."""
    model, rows, count = fitted(kind, name), [0, 4], 30
    encoded, generator = model.encoding.encode(made(kind)), torch.Generator().manual_seed(0)
    unit, low, high = (s[rows].repeat_interleave(count, 0) for s in (encoded.unit, encoded.low, encoded.high))
    support, limits = Support(unit, low, high), Support(unit.double(), low.double(), high.double())
    p = torch.tensor([0.01, 0.2, 0.5, 0.95], dtype=torch.float64)
    with torch.inference_mode():
        first, middle = model.predict(model.repeated(state_after(model, encoded, rows), count))
        conditional, _ = model.predict(model.observe(middle, first.sample(support, generator)))
        x = conditional.sample(support, generator)
        found, _ = mixture_quantiles(conditional, support, x, torch.zeros_like(x), p, len(rows))
        each = conditional.each(torch.Tensor.double)
        for d in range(x.shape[1]):
            for i, level in enumerate(p):
                at = x.double()
                at[:, d] = found[:, d, i].repeat_interleave(count)
                share, below = (each.cdf(v, limits)[:, d].reshape(2, -1).mean(1) for v in (at, at - limits.unit))
                assert bool((share > level - 1e-6).all())
                assert bool((below < level + 1e-6).all())


def test_several_steps_ahead_are_statsmodels_mean_and_interval() -> None:
    y, ahead = ar2(1500), 12
    model = fit(single(y), model="ar", emission="normal", max_order=2, refit=False).model
    known = int(0.9 * len(y))  # the closed form is fitted to what is not held out
    expected = AutoReg(y[:known], 2).fit().append(y[known:], refit=False).get_prediction(len(y), len(y) + ahead - 1)
    interval = expected.conf_int(alpha=0.2)
    result = forecast(model, single(y), ahead, (80,), n_paths=20_000)
    deviation = expected.se_mean
    error = 5 * deviation / np.sqrt(20_000)
    assert (np.abs(result.frame["ostinato"].to_numpy() - expected.predicted_mean) < error).all()
    for name, exact in (("ostinato-lo-80", interval[:, 0]), ("ostinato-hi-80", interval[:, 1])):
        # a quantile's error is sqrt(q (1 - q) / n) / density; and the two sigmas differ by degrees of freedom
        slack = 5 * np.sqrt(0.09 / 20_000) / stats.norm.pdf(stats.norm.ppf(0.9)) * deviation + 0.005 * deviation
        assert (np.abs(result.frame[name].to_numpy() - exact) < slack).all()


def test_a_new_history_is_continued_without_refitting() -> None:
    y = ar2(700)
    model = fit(single(y[:500]), model="ar", emission="normal", max_order=2, refit=False).model
    assert isinstance(model, SequenceModel)
    before = {k: v.clone() for k, v in model.state_dict().items()}
    refit = AutoReg(y[:450], 2).fit()
    expected = refit.append(y[450:], refit=False).forecast(6)
    got = forecast(model, single(y), 6, n_paths=20_000).frame["ostinato"]
    np.testing.assert_allclose(got, expected, atol=5 * y.std() / np.sqrt(20_000))
    assert all(torch.equal(before[k], v) for k, v in model.state_dict().items())


def test_a_shorter_horizon_is_the_beginning_of_a_longer_one() -> None:
    model, data = fitted("series", "gru"), made("series").take([0])
    short, long = (forecast(model, data, h, n_paths=20, seed=2).paths[0] for h in (3, 9))
    np.testing.assert_array_equal(short, long[:, :3])


def test_a_missing_value_counts_as_its_own_prediction() -> None:
    y = ar2(300)
    model = build(single(y), "ar", "normal", order=2)
    y[200] = np.nan
    filled = y.copy()
    filled[200] = forecast(model, single(y[:200]), 1, n_paths=20_000).frame["ostinato"][0]
    one, two = (forecast(model, single(v[:203]), 3, n_paths=50).frame["ostinato"] for v in (y, filled))
    np.testing.assert_allclose(one, two, atol=0.2)


def test_a_gap_before_the_forecast_widens_it() -> None:
    """The spread after a gap is that of so many steps ahead, by the moving-average weights of the autoregression."""
    y, gap = ar2(400), 5
    model = fit(single(y), model="ar", emission="normal", max_order=2, refit=False).model
    result = AutoReg(y[:360], 2).fit().append(y[360:], refit=False)
    deviation = result.get_prediction(400, 400 + gap).se_mean[-1]
    drawn = forecast(model, single(np.append(y, [np.nan] * gap)), 1, n_paths=20_000).paths[0][:, 0, 0]
    assert drawn.std() == pytest.approx(deviation, rel=0.05)


def test_a_new_series_of_a_panel_is_scaled_by_itself() -> None:
    model, data = fitted("panel", "gru"), made("panel").take([0])
    large = replace(data, values=data.values * 1000, ids=("new",))
    result = forecast(model, large, 4, n_paths=200)
    assert result.notes == ("1 series new to the model, scaled by their own history: new",)
    known = forecast(model, data, 4, n_paths=200)
    np.testing.assert_allclose(result.paths[0], 1000 * known.paths[0], rtol=1e-3)


@pytest.mark.parametrize(
    ("start", "every", "ahead"),
    [
        ("2023-10-01", "1mo", ["2024-01-01", "2024-02-01", "2024-03-01"]),
        ("2023-10-15", "1mo", ["2024-01-15", "2024-02-15", "2024-03-15"]),
        ("2023-10-31", "month end", ["2024-01-31", "2024-02-29", "2024-03-31"]),
        ("2024-01-01", "1y", ["2027-01-01", "2028-01-01", "2029-01-01"]),
        ("2024-01-01", "1q", ["2024-10-01", "2025-01-01", "2025-04-01"]),
        ("2024-02-27", "1d", ["2024-03-01", "2024-03-02", "2024-03-03"]),
        ("2024-01-04", "1w", ["2024-01-25", "2024-02-01", "2024-02-08"]),
        ("2024-01-01", "1h", ["2024-01-01 03:00", "2024-01-01 04:00", "2024-01-01 05:00"]),
        ("2024-01-01", "17m", ["2024-01-01 00:51", "2024-01-01 01:08", "2024-01-01 01:25"]),
    ],
)
def test_future_times(start: str, every: str, ahead: list[str]) -> None:
    first = np.datetime64(start, "us")
    if every == "month end":
        times = pl.Series(["2023-10-31", "2023-11-30", "2023-12-31"]).str.to_datetime()
    else:
        times = pl.datetime_range(first.item(), np.datetime64("2040", "us").item(), every, eager=True)[:3]
    assert future(times.dt.strftime("%Y-%m-%d %H:%M").to_list()) == [np.datetime64(t, "us") for t in ahead]


def test_future_business_days_step_over_weekends() -> None:
    days = np.arange("2024-01-01", "2024-03-23", dtype="datetime64[D]")
    days = days[np.is_busday(days)]
    assert future([str(d) for d in days]) == [
        np.datetime64(t, "us") for t in ("2024-03-25", "2024-03-26", "2024-03-27")
    ]


def future(times: list[str]) -> list[np.datetime64]:
    values = 50 + 9 * np.sin(np.arange(len(times)) / 3)
    data = read(pl.DataFrame({"unique_id": "s", "ds": times, "y": values}))
    made = forecast(fitted("series", "ar"), data, 3, n_paths=2).frame["ds"]
    # words come back as words, in their own format
    assert [len(word) for word in made] == [len(times[0])] * 3
    return list(made.str.to_datetime(time_unit="us").to_numpy())


def test_integer_times_and_no_times_continue() -> None:
    frame = pl.DataFrame({"ds": range(10, 60, 5), "y": 50 + np.arange(10.0)})
    assert forecast(fitted("series", "ar"), read(frame), 2, n_paths=2).frame["ds"].to_list() == [60, 65]
    assert forecast(fitted("series", "ar"), read(np.arange(10.0) + 50), 2, n_paths=2).frame["ds"].to_list() == [11, 12]


def test_columns_are_nixtlas() -> None:
    frame = forecast(fitted("series", "ar"), made("series"), 2, (80, 95, 99.5), n_paths=9).frame
    sides = ["lo-99.5", "lo-95", "lo-80", "hi-80", "hi-95", "hi-99.5"]
    assert frame.columns == ["unique_id", "ds", "ostinato", *(f"ostinato-{s}" for s in sides)]
    assert frame["unique_id"].to_list() == [key for key in "abcde" for _ in range(2)]
    several = forecast(fitted("channels", "ar"), made("channels").take([0]), 2, (80,), n_paths=9).frame
    assert several.columns == ["unique_id", "ds", "channel", "ostinato", "ostinato-lo-80", "ostinato-hi-80"]
    assert several["channel"].to_list() == ["u", "u", "v", "v"]


def test_a_prices_point_forecast_is_the_median() -> None:
    result = forecast(fitted("prices", "ar"), made("prices").take([0]), 5, n_paths=301)
    np.testing.assert_allclose(result.frame["ostinato"], np.median(result.paths[0][:, :, 0], axis=0))


@pytest.mark.parametrize(
    ("horizon", "level", "paths", "named"),
    [(0, (80,), 5, "horizon"), (3, (0,), 5, "level"), (3, (100,), 5, "level"), (3, (80,), 1, "n_paths")],
)
def test_arguments_out_of_range_are_refused(horizon: int, level: tuple[float, ...], paths: int, named: str) -> None:
    with pytest.raises(ConfigError, match=f"^{named} "):
        forecast(fitted("series", "ar"), made("series"), horizon, level, n_paths=paths)


def test_text_is_not_forecast_and_kinds_are_not_mixed() -> None:
    with pytest.raises(ConfigError, match="use sample"):
        forecast(fitted("text", "ar"), made("text"), 3)
    with pytest.raises(ModelFileError, match="the data are prices, and the model was fitted to series"):
        forecast(fitted("series", "ar"), made("prices"), 3)
    with pytest.raises(ModelFileError, match=r"the data have 2 channels \(.*\), expected 1"):
        forecast(fitted("series", "ar"), made("channels"), 3)
