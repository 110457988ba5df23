"""The page as a file: it needs no other file, escapes the user's words, and is reproducible."""

from __future__ import annotations

import re
import subprocess
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import ostinato
from hostile import HOSTILE, KINDS
from ostinato.data.read import read
from ostinato.data.sequences import SequenceSet
from ostinato.data.split import split
from ostinato.direct.model import DirectModel
from ostinato.direct_fit.fit import fit_direct
from ostinato.errors import ModelFileError
from ostinato.evaluation.calibration import calibrate
from ostinato.fits.result import Fit
from ostinato.model_file import load_model, save_model
from ostinato.report import direct, sound
from ostinato.report.page import write_report
from warm import programs
from zoo import KINDS as ZOO
from zoo import fitted, made, rungs, sequential

Fits = dict[str, tuple[Fit, SequenceSet]]
#: What stands in every page, by kind.
SECTIONS = {"series": "Forecasts", "prices": "Forecasts", "text": "Text, by surprisal", "sound": "Sound, by surprisal"}
#: Kinds that differ on the page, and the closed form.
ODD = [(kind, "gru") for kind in ZOO if kind not in ("series, normal", "series, mixture", "coarse sound")]
ODD += [(kind, "ar") for kind in ("series", "prices", "lines")]


class Elements(HTMLParser):
    """The tags of a page, their attributes, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words += data


@pytest.mark.parametrize("kind", KINDS)
def test_a_page_is_whole_in_itself(kind: str, pages: dict[str, Path]) -> None:
    raw = pages[kind].read_bytes()
    assert len(raw) < 1_000_000
    for tag, attributes in Elements(raw.decode()).tags:
        assert tag not in ("script", "iframe", "object", "embed", "base", "form")
        assert not any(name.startswith("on") for name in attributes)
        for name in ("src", "href", "srcset", "action", "poster", "style"):
            value = attributes.get(name) or ""
            assert "://" not in value
            assert name not in ("src", "href") or not value or value.startswith(("data:", "#"))


@pytest.mark.parametrize("kind", KINDS)
def test_words_of_users_are_escaped(kind: str, pages: dict[str, Path]) -> None:
    page = Elements(pages[kind].read_text())
    assert f"ostinato fit '{HOSTILE[0]}'" in page.words
    assert not any(tag in ("img", "script") for tag, _ in page.tags)
    if kind != "text":
        assert HOSTILE[0] in page.words
    else:
        assert "<script>" in re.sub(r"\s", "", page.words)


def test_the_trials_of_a_search_are_a_table_with_the_kept_one_marked(pages: dict[str, Path]) -> None:
    found = re.search(r'aria-label="trials">(.*?)</table>', pages["series"].read_text(), re.DOTALL)
    assert found
    head, *rows = (re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in found[1].split("<tr")[1:])
    assert head[:6] == ["trial", "model", "validation", "held out", "time", "state"]
    kept = {"trial": "8", "validation": "-1234.5679", "held out": "-1233.2100", "time": "1234.5 s", "window": "128"}
    assert dict(zip(head, rows[0], strict=True)).items() >= kept.items()
    assert len(rows) == 20
    assert rows[2][2:6] == ["", "", "0.4 s", "pruned"]
    assert found[1].count('class="kept"') == 1
    assert found[1].index('class="kept"') < found[1].index("<td>8</td>") < found[1].index("<td>13</td>")
    assert "of 20 trials of a search, 18 ended before they were done" in Elements(pages["series"].read_text()).words
    assert "The search" not in pages["prices"].read_text()


@pytest.mark.parametrize("kind", KINDS)
def test_every_section_exists_and_every_chart_has_a_text(kind: str, pages: dict[str, Path]) -> None:
    page = Elements(pages[kind].read_text())
    for heading in ("The models", SECTIONS[kind], "Calibration", "Learning", "How far back", "The run"):
        assert heading in page.words
    drawings = [attributes for tag, attributes in page.tags if tag == "svg"]
    assert len(drawings) >= 4
    assert all(d["role"] == "img" and len(d["aria-label"] or "") > 40 for d in drawings)
    ids = [attributes["id"] for _, attributes in page.tags if attributes.get("id")]
    used = re.findall(r"url\(#(\w+)\)", pages[kind].read_text())
    assert len(ids) == len(set(ids))
    assert set(used) <= set(ids)


@pytest.mark.parametrize("kind", KINDS)
def test_the_page_gives_the_numbers_of_the_fit_and_the_calibration(
    kind: str, pages: dict[str, Path], fits: Fits
) -> None:
    result, data = fits[kind]
    words = " ".join(Elements(pages[kind].read_text()).words.split())
    for rung in rungs(result):
        assert f"{rung.held_out:.4f}" in words
    record = result.model.description.record
    assert record["data"] == data.digest
    assert data.digest in words
    model = sequential(result.model).before_refit(data)
    encoded = model.encoding.encode(data)
    held = split(data, record["held_out"]).spans("held-out", data.lengths, encoded.lengths)
    found = calibrate(model, encoded, held)
    assert re.search(rf"80% [a-z ]+contain {found.coverage(0.8):.1%};", words)
    assert f"{sum(z - a for _, a, z in held):,} held-out steps" in words


def test_same_model_same_data_same_page(pages: dict[str, Path], fits: Fits, tmp_path: Path) -> None:
    result, data = fits["text"]
    write_report(result.model, data, tmp_path / "again.html")
    assert (tmp_path / "again.html").read_bytes() == pages["text"].read_bytes()
    write_report(result.model, data, tmp_path / "other.html", seed=1)
    assert (tmp_path / "other.html").read_bytes() != pages["text"].read_bytes()


def test_a_model_from_its_file_gives_the_same_page(pages: dict[str, Path], fits: Fits, tmp_path: Path) -> None:
    result, data = fits["prices"]
    save_model(result.model, tmp_path / "m.ost")
    write_report(load_model(tmp_path / "m.ost"), data, tmp_path / "again.html")
    assert (tmp_path / "again.html").read_bytes() == pages["prices"].read_bytes()


def test_other_data_are_scored_as_a_whole(fits: Fits, tmp_path: Path) -> None:
    result, data = fits["prices"]
    write_report(result.model, data.take([1]), tmp_path / "page.html")
    words = Elements((tmp_path / "page.html").read_text()).words
    assert "all 200 steps of these data, which differ from the data that the model was fitted to" in words
    assert data.take([1]).digest in words


def test_data_of_another_kind_are_refused_and_nothing_is_written(fits: Fits, tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="the model was fitted to prices"):
        write_report(fits["prices"][0].model, fits["text"][1], tmp_path / "page.html")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("kind", "name"), ODD)
def test_a_model_without_a_record_has_a_page(
    kind: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The models have missing values, empty sequences or several channels; some files are of earlier versions."""
    monkeypatch.setattr(sound, "DRAWN", 0.02)  # the page of the fit has as many samples as it usually has
    write_report(fitted(kind, name), made(kind), tmp_path / "page.html")
    words = Elements((tmp_path / "page.html").read_text()).words
    assert "Calibration" in words
    assert "nan" not in re.findall(r"[a-z]+", words.lower())


def test_a_report_from_the_command_is_that_of_the_fit(tmp_path: Path) -> None:
    def run(words: str) -> str:
        command = [str(programs() / "ostinato"), *words.split()]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout

    (tmp_path / "s.csv").write_bytes((files("ostinato") / "datasets" / "sunspots.csv").read_bytes())
    said = run("fit s.csv --model rnn --steps 5 -o m.ost --report fit.html")
    assert said.endswith("model: m.ost\nreport: fit.html\n")
    assert run("report m.ost s.csv -o report.html") == "report: report.html\n"
    pages = [(tmp_path / name).read_text() for name in ("fit.html", "report.html")]
    assert pages[0] == pages[1]
    assert "ostinato fit s.csv --model rnn" in Elements(pages[0]).words


def test_a_file_of_an_earlier_version_has_a_page(fits: Fits, tmp_path: Path) -> None:
    """A file of an earlier version has the curve of the kept model only, and no digest of the data."""
    result, data = fits["prices"]
    save_model(result.model, tmp_path / "m.ost")
    model = load_model(tmp_path / "m.ost")
    record = model.description.record
    for key in ("data", "held_out", "budget", "method", "threads", "curves", "command"):
        record.pop(key, None)
    record["curve"] = record["curve"][1:]
    write_report(model, data, tmp_path / "page.html")
    words = Elements((tmp_path / "page.html").read_text()).words
    assert "all 500 steps of these data; the file of the model does not say whether it was fitted to them" in words
    assert "Learning curve of the kept model" in words
    assert "holds no command" in words


def words_of(path: Path) -> str:
    """The text of a page with single spaces."""
    return " ".join(Elements(path.read_text()).words.split())


def test_all_weights_and_trained_weights_are_distinguished(pages: dict[str, Path], fits: Fits) -> None:
    result, _ = fits["series"]
    every = sum(p.numel() for p in sequential(result.model).parameters())
    trained = rungs(result)[-1].parameters
    assert "trained weights" in words_of(pages["series"])
    assert f"{every:,}, of which {trained:,} are trained" in words_of(pages["series"])


@pytest.mark.parametrize("stuck", [True, False])
def test_networks_that_never_left_their_start_are_named(stuck: bool, fits: Fits, tmp_path: Path) -> None:
    result, data = fits["prices"]
    save_model(result.model, tmp_path / "m.ost")
    model = load_model(tmp_path / "m.ost")
    curves = model.description.record["curves"]
    start = curves["gru"][0]
    curves["gru"] = [start, *([n, s, t, start[3] + (-1.0 if stuck else 1.0)] for n, s, t, _ in curves["gru"][1:])]
    write_report(model, data, tmp_path / "page.html")
    assert ("Training never improved gru on the validation part" in words_of(tmp_path / "page.html")) == stuck
    assert not stuck or "train longer" not in words_of(tmp_path / "page.html")


def direct_model(refit: bool) -> tuple[DirectModel, SequenceSet]:
    y = 20 + 5 * np.sin(np.arange(90) / 4) + np.random.default_rng(0).standard_normal(90)
    data = read({"one": np.append(y, np.full(10, np.nan)), "short": y[:14]}, kind="series")
    model = fit_direct(data, 5, backbone=None, season=1, window=6, held_out=20, refit=refit).model
    assert isinstance(model, DirectModel)
    return model, data


@pytest.mark.parametrize("refit", [True, False])
def test_a_direct_model_says_whether_its_forecasts_are_of_unseen_values(refit: bool, tmp_path: Path) -> None:
    model, data = direct_model(refit)
    path = tmp_path / "page.html"
    assert model.description.record["refit"] is refit
    write_report(model, data, path)
    assert ("these are no forecasts of unseen values" in words_of(path)) == refit
    assert ("the weights were not fitted to any of it" in words_of(path)) == (not refit)
    model.description.record.pop("refit")
    write_report(model, data, path)
    assert "may have been fitted again to all" in words_of(path)


def test_a_direct_model_uses_other_data_as_a_whole(tmp_path: Path) -> None:
    model, data = direct_model(False)
    path = tmp_path / "page.html"
    write_report(model, data.take([0]), path)
    assert "they are not measured on the data of this page" in words_of(path)
    assert "these data, which differ from the data that the model was fitted to" in words_of(path)
    assert "the held-out part, which was used to choose" not in words_of(path)


def test_the_page_splits_the_data_as_the_fit_does() -> None:
    """A short series is not held out from, and a series ends at its last observed step."""
    model, data = direct_model(True)
    assert direct._spans(model, data, fitted=True) == [(0, 70, 90)]
    assert direct._spans(model, data, fitted=False) == [(0, 0, 100), (1, 0, 14)]


def test_a_model_with_future_covariates_has_a_report_with_and_without_future_rows(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    x = rng.random(124)
    table = pl.DataFrame({"ds": range(124), "y": 10 + 5 * x + 0.1 * rng.standard_normal(124), "x": x})
    data = read(table.head(120), time_col="ds", future_covariates=["x"])
    model = ostinato.fit(data, model="direct", horizon=4, networks=0).model
    write_report(model, data, tmp_path / "page.html")
    assert "There is no forecast of the steps after the data" in (tmp_path / "page.html").read_text()
    write_report(model, data, tmp_path / "page.html", future=table.tail(4).drop("y"))
    assert "The forecast of the 4 steps after the end of the data" in (tmp_path / "page.html").read_text()


def test_a_folder_of_files_without_ids_is_read_again(tmp_path: Path) -> None:
    for name in "ab":
        pl.DataFrame({"ds": range(60), "y": np.random.default_rng(0).standard_normal(60)}).write_csv(
            tmp_path / f"{name}.csv"
        )
    model = ostinato.fit(tmp_path, model="ar").model
    assert ostinato.forecast(model, str(tmp_path), 1).frame["unique_id"].to_list() == ["a", "b"]
    assert ostinato.forecast(model, tmp_path / "b.csv", 1).frame["unique_id"].to_list() == ["b"]
