"""Results say what they hold in a few lines, and look like a table in a notebook."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import polars as pl
import pytest

import ostinato
from ostinato.diagnosis.result import LayerFlow
from ostinato.forecasting.picture import empty, tidy
from ostinato.look import WIDTH


@pytest.fixture(scope="module")
def results() -> dict[str, Any]:
    rng = np.random.default_rng(1)
    rows = [
        {"unique_id": f"<{key}>", "ds": t, "y": float(np.sin(t / 3) + 0.1 * rng.normal())}
        for key in "abc"
        for t in range(200)
    ]
    data = ostinato.read(pl.DataFrame(rows))
    fitted = ostinato.fit(data, model="ar")
    return {
        "data": data,
        "fit": fitted,
        "forecast": ostinato.forecast(fitted.model, data, horizon=12),
        "scores": ostinato.score(fitted.model, data),
        "backtest": ostinato.backtest(data, "ets", horizon=4),
        "diagnosis": ostinato.diagnose(fitted.model, data, max_lag=4, positions=32),
    }


NAMES = ("data", "fit", "forecast", "scores", "backtest", "diagnosis")


@pytest.mark.parametrize("name", NAMES)
def test_a_result_is_short_in_words(results: dict[str, Any], name: str) -> None:
    shown = repr(results[name])
    assert shown.startswith(f"{type(results[name]).__name__}: ")
    assert len(shown) < 4000
    assert max(map(len, shown.splitlines())) <= WIDTH + 2  # a table, which has WIDTH columns, is indented
    assert "array(" not in shown


@pytest.mark.parametrize("name", NAMES)
def test_a_result_is_a_small_page_without_scripts(results: dict[str, Any], name: str) -> None:
    page = results[name]._repr_html_()
    ElementTree.fromstring(page.replace("<br>", "<br/>"))  # well formed, so every id was escaped
    assert len(page) < 20_000
    assert "<script" not in page


def test_the_table_of_a_long_result_is_cut_with_a_count(results: dict[str, Any]) -> None:
    assert "and 26 more rows" in results["forecast"]._repr_html_()
    assert "&lt;a&gt;" in results["forecast"]._repr_html_()


def test_a_forecast_plots_one_panel_a_series(results: dict[str, Any]) -> None:
    pytest.importorskip("matplotlib")
    assert len(results["forecast"].plot().axes) == 3


@pytest.mark.parametrize("name", ["forecast", "diagnosis"])
def test_a_notebook_shows_a_plot_without_pyplot(results: dict[str, Any], name: str) -> None:
    pytest.importorskip("matplotlib")
    png, shown = results[name].plot()._repr_png_()
    assert png.startswith(b"\x89PNG")
    assert 400 < shown["width"] < 1000


def test_a_backtest_plots_what_came_the_best_model_and_the_best_baseline(results: dict[str, Any]) -> None:
    pytest.importorskip("matplotlib")
    result = results["backtest"]
    panels = result.plot().axes
    assert [axes.get_title(loc="left") for axes in panels] == ["<a>", "<b>", "<c>"]
    words = [text.get_text() for text in panels[0].get_legend().get_texts()]
    best = result.table.filter(pl.col("model") != "ets").sort("wql")["model"][0]
    assert words == ["95 %", "80 %", "ets", best, "observed"]
    lines = {line.get_label(): line for line in panels[1].lines}
    rows = result.frame.filter(pl.col("unique_id") == "<b>")
    for label, column in (("observed", "y"), ("ets", "ets"), (best, best)):
        np.testing.assert_array_equal(lines[label].get_xdata(), rows["ds"])
        np.testing.assert_array_equal(lines[label].get_ydata(), rows[column])


@pytest.mark.parametrize(
    "ds",
    [
        [f"2020-Q{1 + t % 4} {t}" for t in range(40)],
        list(range(40)),
        pl.datetime_range(
            pl.datetime(2024, 1, 1), pl.datetime(2024, 2, 9), "1d", time_zone="Europe/Rome", eager=True
        ).to_list(),
    ],
)
def test_a_backtest_plots_overlapping_windows_over_any_times(ds: list[Any]) -> None:
    pytest.importorskip("matplotlib")
    y = np.random.default_rng(0).normal(size=40).tolist()
    data = ostinato.read(pl.DataFrame({"ds": ds, "y": y}), time_col="none" if isinstance(ds[0], str) else "ds")
    drawn = ostinato.backtest(data, (), horizon=4, n_windows=3, step_size=2).plot()
    (axes,) = drawn.axes
    came = axes.lines[-1]
    np.testing.assert_array_equal(came.get_ydata(), y[-8:])
    drawn.canvas.draw()


@pytest.mark.parametrize("seconds", [40 * 1.7**k for k in range(34)])
def test_any_span_of_dates_has_labels_that_fit(seconds: float) -> None:
    pytest.importorskip("matplotlib")
    drawn = empty(1)
    (axes,) = drawn.axes
    start = np.datetime64("1971-11-28T10:07:03", "us")
    axes.plot(start + np.array([0, int(1e6 * seconds)]).astype("timedelta64[us]"), [0, 1])
    tidy(axes)
    drawn.canvas.draw()  # a warning of the locator would be an error
    inside = axes.get_xlim()
    labels = [
        label.get_window_extent()
        for place, label in zip(axes.get_xticks(), axes.get_xticklabels(), strict=True)
        if inside[0] <= place <= inside[1]
    ]
    assert labels
    assert all(one.x1 < other.x0 for one, other in pairwise(labels))


def test_a_backtest_whose_forecasts_were_not_kept_says_so(results: dict[str, Any]) -> None:
    result = ostinato.backtest(results["data"], (), horizon=4, on_window=lambda frame: None)
    with pytest.raises(ostinato.ConfigError, match="not kept"):
        result.plot()


def test_a_diagnosis_plots_the_gain_and_a_gradient_that_comes_back(results: dict[str, Any]) -> None:
    pytest.importorskip("matplotlib")
    (gain,) = results["diagnosis"].plot().axes  # an AR has no hidden state
    assert [text.get_text() for text in gain.get_legend().get_texts()] == ["the reference gains", "the model gains"]
    flow = LayerFlow("gru", (1.0, 0.1, 0.01, 0.0), (0.5, 0.05, 0.0, 0.0), (2.0, 0.2, 0.02, 0.0))
    flowing = replace(results["diagnosis"], flows=(flow,))
    above, _ = flowing.plot().axes
    assert above.get_title(loc="left") == "The gradient by lag"
    np.testing.assert_array_equal(above.lines[0].get_ydata(), [1.0, 0.1, 0.01, np.nan])


def test_a_model_saves_itself(results: dict[str, Any], tmp_path: Path) -> None:
    results["fit"].model.save(tmp_path / "m.ost")
    again = ostinato.score(ostinato.load_model(tmp_path / "m.ost"), results["data"])
    np.testing.assert_array_equal(again.surprisal, results["scores"].surprisal)
