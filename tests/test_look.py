"""Results say what they hold in a few lines, and look like a table in a notebook."""

from __future__ import annotations

import copy
import importlib.util
import pickle
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import polars as pl
import pytest
import soundfile
import torch

import ostinato
import zoo
from ostinato.client import Client, NumberedStream
from ostinato.data.drawing import stacked_panels, tidy
from ostinato.data.picture import thinned
from ostinato.description import model_look, origin_facts
from ostinato.diagnosis.result import LayerFlow
from ostinato.errors import ConfigError
from ostinato.look import WIDTH
from ostinato.scale import Outcome


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


@pytest.fixture(scope="module")
def objects(results: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return an object of every public class, by its name."""
    model, data = results["fit"].model, results["data"]
    direct = ostinato.fit(data, model="direct", horizon=2, networks=0)
    texts = ostinato.read(["abab", "baba", "abba", "aabb"] * 6, kind="text")
    classes = ostinato.fit_classifier(texts, ["x", "y"] * 12, model="ar")
    stream, monitor = ostinato.Stream(model, robust=6.0), ostinato.Monitor(model, alarm=0.01, reference=data, level=80)
    seen = stream.update(np.zeros((500, 1)))
    client = Client("http://name:secret@127.0.0.1:8000", token="hidden")
    found = [
        *results.values(),
        *(results["fit"].kept, direct.model, direct.kept, model, stream, seen, monitor, monitor.update(0.1, "a")),
        *(monitor.rule, monitor.threshold, classes, classes.classifier, classes.bayes, model.description, data.traits),
        *(ostinato.classify(classes.classifier, texts), client, NumberedStream(client, "a", 5)),
        *(ostinato.AdaptiveBPTT(), ostinato.FullBPTT(), ostinato.TruncatedBPTT(), ostinato.CheckpointedBPTT(4)),
        *(ostinato.Budget(), ostinato.LadderOptions(), ostinato.DirectOptions(), results["backtest"].tallies["ets"]),
        ostinato.fit_ar(np.sin(np.arange(90.0) ** 2), np.array([0, 90]), 8),
        ostinato.TrainingProgress("gru", 10, 0.5, 1.2, 1.3, 80.0),
        ostinato.Trial(1, {"depth": 8}, -1.0, -1.1, 2.0, "complete"),
        Outcome(tmp_path_factory.mktemp("out"), 3, 0, 600, 1, 0, {"seconds": 1.0}),
    ]
    if importlib.util.find_spec("onnxruntime"):
        found.append(ostinato.export_onnx(model, tmp_path_factory.mktemp("onnx") / "m.onnx", check=2, unique_id="<a>"))
    return {type(one).__name__: one for one in found}


#: Public classes that are only raised, or that need a package which may be absent.
NOT_SHOWN = {"Exported"} if importlib.util.find_spec("onnxruntime") is None else set()
PUBLIC = sorted(
    name
    for name in ostinato.__all__
    if isinstance(one := getattr(ostinato, name), type) and not issubclass(one, Exception) and one.__name__ == name
)


def test_every_public_class_is_in_the_table(objects: dict[str, Any]) -> None:
    assert {*PUBLIC} - objects.keys() == NOT_SHOWN


def test_every_object_says_what_it_is_in_a_few_lines(objects: dict[str, Any]) -> None:
    for name, one in objects.items():
        shown = repr(one)
        assert re.match(rf"{name}\b", shown), shown
        assert len(shown.splitlines()) <= 30, shown
        assert len(shown) < 3000, shown
        assert not re.search(r"array\(|tensor\(| at 0x|secret|hidden'", shown), shown
        if hasattr(one, "_repr_html_"):
            ElementTree.fromstring(one._repr_html_().replace("<br>", "<br/>"))


def test_a_model_says_what_it_was_fitted_to_and_shows_its_modules_where_asked(objects: dict[str, Any]) -> None:
    model = objects["SequenceModel"]
    said = repr(model)
    for words in ("closed form alone", "emission: student t", "autoregression", "channels: y", "600 steps in 3"):
        assert words in said
    network = zoo.fitted("series", "gru")
    assert "backbone gru, 8 units" in repr(network)
    assert "(backbone): Stack(" in torch.nn.Module.__repr__(network)
    assert "600 steps in 3 sequences" in repr(objects["DirectModel"])
    assert "500 steps" in repr(objects["Stream"])


def test_the_names_of_hundreds_of_channels_are_cut(objects: dict[str, Any]) -> None:
    description = objects["SequenceModel"].description
    many = replace(description, source={**description.source, "channels": [f"channel {i}" for i in range(999)]})
    assert len("\n".join(model_look("a model", origin_facts(many), many))) < 1000


NAMES = ("data", "fit", "forecast", "scores", "backtest", "diagnosis")


@pytest.mark.parametrize("name", NAMES)
def test_a_result_is_short_in_words(results: dict[str, Any], name: str) -> None:
    shown = repr(results[name])
    assert shown.startswith(f"{type(results[name]).__name__}: ")
    assert len(shown) < 4000
    assert max(map(len, shown.splitlines())) <= WIDTH + 2  # a table, which has WIDTH columns, is indented
    assert "array(" not in shown


@pytest.mark.parametrize("name", NAMES)
def test_a_result_is_copied_and_compared_without_an_error(results: dict[str, Any], name: str) -> None:
    found = results[name]
    for copied in (copy.deepcopy(found), pickle.loads(pickle.dumps(found))):
        assert repr(copied) == repr(found)
        assert isinstance(copied == found, bool)
    assert found == found  # noqa: PLR0124 - the comparison of arrays has no one answer


#: The package without its types, which refuse such calls too.
LIBRARY: Any = ostinato
MISUSES: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "the data first": (lambda r: LIBRARY.score(r["data"], r["fit"].model), "got an object of type SequenceSet"),
    "a fit": (lambda r: LIBRARY.score(r["fit"], r["data"]), "type Fit\nfix: give the model of the fit"),
    "a path": (lambda r: LIBRARY.diagnose("m.ost", r["data"]), r"got 'm.ost'\nfix: load it first"),
    "a report of a path": (lambda r: LIBRARY.write_report("m.ost", r["data"], "r.html"), "load it first"),
    "a stream of a fit": (lambda r: LIBRARY.Stream(r["fit"]), "give the model of the fit"),
    "a description of nothing": (lambda r: LIBRARY.describe_model(None), "type NoneType\nfix: give the model that"),
    "a forecast of a fit": (lambda r: LIBRARY.forecast(r["fit"], r["data"]), "give the model of the fit"),
    "a forecast, the data first": (lambda r: LIBRARY.forecast(r["data"], r["fit"].model), "give the model first"),
}


@pytest.mark.parametrize("name", MISUSES)
def test_what_is_no_model_is_refused_with_what_to_give(results: dict[str, Any], name: str) -> None:
    misuse, says = MISUSES[name]
    with pytest.raises(ConfigError, match=says):
        misuse(results)


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


@pytest.mark.parametrize("name", ["data", "fit", "forecast", "diagnosis"])
def test_a_notebook_shows_a_plot_without_pyplot(results: dict[str, Any], name: str) -> None:
    pytest.importorskip("matplotlib")
    png, shown = results[name].plot()._repr_png_()
    assert png.startswith(b"\x89PNG")
    assert 400 < shown["width"] < 1000


def test_data_plot_each_series_over_its_times(results: dict[str, Any]) -> None:
    pytest.importorskip("matplotlib")
    panels = results["data"].plot().axes
    assert [axes.get_title(loc="left") for axes in panels] == ["<a>", "<b>", "<c>"]
    (line,) = panels[1].lines
    np.testing.assert_array_equal(line.get_xdata(), results["data"].times_of(1))
    np.testing.assert_array_equal(line.get_ydata(), results["data"][1][:, 0])


def test_data_plot_at_most_six_channels_and_the_clock_on_the_wall() -> None:
    pytest.importorskip("matplotlib")
    start = datetime(2024, 3, 31, tzinfo=UTC)
    frame = pl.DataFrame({f"c{k}": [float(k * t) for t in range(30)] for k in range(8)}).with_columns(
        ds=pl.datetime_range(start, start + timedelta(hours=29), "1h", eager=True).dt.convert_time_zone("Europe/Rome")
    )
    panels = ostinato.read(frame, target=[f"c{k}" for k in range(8)]).plot().axes
    assert len(panels) == 6
    x = np.asarray(panels[0].lines[0].get_xdata(), dtype="datetime64[us]")
    np.testing.assert_array_equal(x, frame["ds"].dt.replace_time_zone(None).to_numpy())


def test_a_long_line_keeps_its_extremes_and_its_gaps() -> None:
    y = np.random.default_rng(0).normal(size=1_000_000)
    y[400_000:500_000] = np.nan
    y[[7, 123_456, 999_999]] = 50, -60, 70
    x, drawn = thinned(np.arange(len(y)), y)
    assert len(x) <= 4000
    assert (np.diff(x) > 0).all()
    np.testing.assert_array_equal(drawn, y[x])
    assert {7, 123_456, 999_999} <= set(x.tolist())
    assert np.isnan(drawn[(x > 401_000) & (x < 499_000)]).all()


def test_a_text_plots_how_often_its_symbols_occur(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    (tmp_path / "song.txt").write_text("라라라 아리랑 라\n", encoding="utf-8")
    data = ostinato.read(tmp_path / "song.txt", kind="text")
    (axes,) = data.plot().axes
    (line,) = axes.lines
    counts = sorted(Counter("라라라 아리랑 라\n").values(), reverse=True)
    assert np.asarray(line.get_ydata()).tolist() == counts
    data.plot().canvas.draw()  # a warning about a missing glyph would be an error


def test_sound_plots_over_its_seconds(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    soundfile.write(tmp_path / "rise.wav", np.arange(-500, 500, dtype=np.int16), 8000)
    (axes,) = ostinato.read(tmp_path / "rise.wav").plot().axes
    assert axes.get_xlabel() == "seconds"
    np.testing.assert_allclose(np.asarray(axes.lines[0].get_xdata(), float), np.arange(1000) / 8000)


def test_a_fit_plots_its_candidates_and_how_they_learned() -> None:
    pytest.importorskip("matplotlib")
    rng = np.random.default_rng(0)
    data = ostinato.read(np.cumsum(rng.normal(size=400)), kind="series")
    found: Any = ostinato.fit(data, model="gru", budget=ostinato.Budget(max_steps=40))
    scores, learning = found.plot().axes
    held_out = {rung.name: rung.held_out for rung in found.table}
    kept, others = scores.lines
    assert np.asarray(kept.get_xdata()).tolist() == [held_out[found.kept.name]]
    rest = [value for name, value in held_out.items() if name != found.kept.name]
    assert np.asarray(others.get_xdata()).tolist() == rest
    curve = found.model.description.ladder_record.curves["gru"]
    (line,) = learning.lines
    assert np.asarray(line.get_ydata()).tolist() == [point[3] for point in curve]


def test_a_fit_of_a_closed_form_or_a_direct_model_has_no_learning_curve(results: dict[str, Any]) -> None:
    pytest.importorskip("matplotlib")
    assert len(results["fit"].plot().axes) == 1
    direct: Any = ostinato.fit(results["data"], horizon=4, networks=0)
    (axes,) = direct.plot().axes
    assert "lower is better" in axes.get_xlabel()
    drawn = sorted(x for line in axes.lines for x in np.asarray(line.get_xdata()).tolist())
    assert drawn == sorted(rung.loss for rung in direct.table)


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
    drawn = stacked_panels(1)
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
