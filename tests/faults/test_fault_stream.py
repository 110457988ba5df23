"""Live streams: bad lines, ids and times as JSON lines, alarms, copies, and outliers."""

from __future__ import annotations

import contextlib
import copy
import io
import json
import pickle
import sys
import tempfile
from collections.abc import Callable
from datetime import date, timedelta
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rows import Row
from scipy import stats

import ostinato
from ostinato.cli.main import main
from ostinato.data.sequences import SequenceSet
from ostinato.errors import DataError
from ostinato.inference.alarm import alarm_threshold

KIND = "streams"
TESTS = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS))


def series(values: Any) -> SequenceSet:
    x = np.asarray(values, dtype=float)[:, None]
    return SequenceSet("series", x, np.array([0, len(x)]), ("y",))


def wave(n: int, seed: int) -> np.ndarray:
    e, x = np.random.default_rng(seed).standard_normal(n), np.zeros(n)
    for t in range(2, n):
        x[t] = 0.8 * x[t - 1] - 0.2 * x[t - 2] + e[t]
    return 20 + x


@cache
def model() -> ostinato.SequenceModel:
    found = ostinato.fit(series(wave(1500, 0)), model="ar", max_order=6, budget=5).model
    assert isinstance(found, ostinato.SequenceModel)
    return found


@cache
def folder() -> Path:
    """Return a folder with a model of daily values, and the data that it was fitted to."""
    out = Path(tempfile.mkdtemp())
    days = [(date(2020, 1, 1) + timedelta(t)).isoformat() for t in range(400)]
    rows = "".join(f"{day},{value:.4f}\n" for day, value in zip(days, wave(400, 1), strict=True))
    (out / "daily.csv").write_text("ds,y\n" + rows)
    fitted = ostinato.fit(out / "daily.csv", model="ar", max_order=3, budget=5).model
    ostinato.save_model(fitted, out / "daily.ost")
    return out


def run(stdin: bytes, *options: str) -> tuple[int, list[str], str]:
    """Run ``ostinato stream`` in this process; return its exit code, its lines of output and its errors."""
    (folder() / "stdin").write_bytes(stdin)
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, (folder() / "stdin").open("rb") as file:
        patch.setattr(sys, "stdin", file)
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), pytest.raises(SystemExit) as ended:
            main(["stream", str(folder() / "daily.ost"), *options])
    return int(ended.value.code or 0), out.getvalue().splitlines(), err.getvalue()


def lines(*rows: dict[str, Any] | str) -> bytes:
    return "".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows).encode()


def expected(values: list[Any]) -> list[float]:
    """Return the surprisals of values by ``score``."""
    loaded = ostinato.load_model(folder() / "daily.ost")
    scores = ostinato.score(loaded, series([np.nan if v is None else v for v in values]))
    return [float(nats) for nats in scores.surprisal]


# lines of numbers


def clean(name: str, stdin: bytes, values: list[Any], *options: str) -> Row:
    """The surprisals of a stream are those of the values that it holds."""

    def check() -> str:
        code, out, _ = run(stdin, *options)
        assert code == 0
        assert out[0].startswith("value,expected,surprisal")
        found = [float(row.split(",")[2] or "nan") for row in out[1:]]
        np.testing.assert_allclose(found, expected(values), atol=2e-4)
        return f"right: {len(values)} values"

    return Row(KIND, name, "score", check)


def stops(name: str, bad: bytes, says: str) -> Row:
    """A bad line ends the stream with exit code 2 after what was before it; --skip-bad goes on."""

    def check() -> str:
        stdin = b"20\n21\n" + bad + b"\n19\n"
        code, out, err = run(stdin)
        assert (code, len(out)) == (2, 3)
        assert says in err
        assert "line 3" in err
        code, out, err = run(stdin, "--skip-bad")
        assert (code, len(out)) == (0, 4)
        assert "skipped" in err
        assert "line 3" in err
        np.testing.assert_allclose(float(out[3].split(",")[2]), expected([20, 21, 19])[2], atol=2e-4)
        return f"refused: {says}"

    return Row(KIND, name, "score without the line", check)


# JSON lines


def answered(name: str, rows: list[dict[str, Any] | str], check_out: Callable[[list[dict[str, Any]], str], str]) -> Row:
    def check() -> str:
        code, out, err = run(lines(*rows), "--skip-bad")
        assert code == 0, err
        return check_out([json.loads(row) for row in out], err)

    return Row(KIND, name, "score", check)


def gap(out: list[dict[str, Any]], _: str) -> str:
    right = expected([20, None, None, 21])
    np.testing.assert_allclose([out[0]["surprisal"], out[1]["surprisal"]], [right[0], right[3]], atol=1e-4)
    assert out[1]["missing_before"] == 2
    return "right: 2 missing steps"


def by_id(out: list[dict[str, Any]], _: str) -> str:
    right = expected([20, 21, 22])
    assert [row["unique_id"] for row in out] == ["a", 7, "a", 7, "a", 7]
    np.testing.assert_allclose([row["surprisal"] for row in out], np.repeat(right, 2), atol=1e-4)
    return "right: one state for each id"


def one_refused(says: str) -> Callable[[list[dict[str, Any]], str], str]:
    def check_out(out: list[dict[str, Any]], err: str) -> str:
        assert out[1]["line"] == 2
        assert says in out[1]["error"]
        assert says in err
        np.testing.assert_allclose(out[2]["surprisal"], expected([20, 21])[1], atol=1e-4)
        return f"refused: {says}"

    return check_out


def refused_line(name: str, row: dict[str, Any] | str, says: str) -> Row:
    first, last = {"ds": "2021-03-01", "y": 20}, {"ds": "2021-03-02", "y": 21}
    return answered(name, [first, row, last], one_refused(says))


def intervals() -> str:
    code, out, _ = run(lines({"y": 20}, {"y": 21}), "--level", "50", "99.9")
    loaded = ostinato.load_model(folder() / "daily.ost")
    frame = ostinato.forecast(loaded, series([20]), 1, (50, 99.9)).frame
    row = json.loads(out[1])
    for side in ("lo-99.9", "lo-50", "hi-50", "hi-99.9"):
        np.testing.assert_allclose(row[side], frame[0, f"ostinato-{side}"], rtol=1e-4)
    assert code == 0
    return f"right: {row['lo-50']:.2f} to {row['hi-50']:.2f}"


# alarms


def false_alarms(n: int, rate: float, low: float, high: float) -> Row:
    """Over many fits of a threshold, the rate of false alarms by the true distribution is near the one asked for."""

    def check() -> str:
        rng, rates = np.random.default_rng(5), []
        for _ in range(24):
            nats = alarm_threshold(-stats.t.logpdf(rng.standard_t(5, n), 5), rate).nats
            size = 5 * (np.exp((nats + stats.t.logpdf(0, 5)) / 3) - 1)
            rates.append(2 * stats.t.sf(np.sqrt(max(size, 0)), 5))
        found = float(np.median(rates)) / rate
        assert low < found < high
        return f"right: {found:.2f} times {rate:g}"

    return Row(KIND, f"alarm {rate:g} from {n} values", "scipy.stats.t", check)


def alarm_in_a_stream() -> str:
    values = [{"y": v} for v in wave(200, 9).round(3).tolist()]
    values[150] = {"y": 60.0}
    reference = folder() / "reference.csv"
    days = [(date(2010, 1, 1) + timedelta(t)).isoformat() for t in range(3000)]
    rows = zip(days, wave(3000, 11).tolist(), strict=True)
    reference.write_text("ds,y\n" + "".join(f"{day},{value}\n" for day, value in rows))
    code, out, err = run(lines(*values), "--alarm", "1e-4", "--robust", "6", "--reference", str(reference))
    given = [i for i, row in enumerate(out) if json.loads(row)["alarm"]]
    assert (code, given) == (0, [150])
    assert "90 % interval" in err
    assert "held-out values" in err
    return "right: the one fault"


# copies and outliers


def copied(how: Callable[[Any], Any], backbone: str) -> str:
    from zoo import fitted, made

    net, values = fitted("series", backbone), np.asarray(made("series")[4], dtype=float)
    stream = ostinato.Stream(net, "e")
    for value in values[:40]:
        stream.update([value])
    again = how(stream)
    expect = [float(stream.update([v]).surprisal[0]) for v in values[40:60]]
    found = [float(again.update([v]).surprisal[0]) for v in values[40:60]]
    np.testing.assert_array_equal(found, expect)
    assert again.steps == stream.steps
    return "right: the same 20 surprisals"


def outliers(size: float) -> str:
    values, clean_values = wave(400, 4), wave(400, 4)
    values[[200, 203]] += [size, -size]
    plain, robust = (ostinato.score(model(), series(values), robust=r).surprisal for r in (None, 6))
    right = ostinato.score(model(), series(clean_values)).surprisal
    excess = robust[204:230] - right[204:230]
    assert excess.mean() < 0.15
    assert (plain[204:210] - right[204:210]).mean() > 10 * excess.mean()
    assert robust[200] > 10
    return f"right: {excess.mean():.3f} nats more a step, {np.mean(plain[204:210] - right[204:210]):.1f} without"


def clean_is_unchanged() -> str:
    data = series(wave(400, 6))
    plain, robust = (ostinato.score(model(), data, robust=r).surprisal for r in (None, 8))
    np.testing.assert_allclose(robust, plain, atol=1e-4)
    return "right: the same scores"


def score_is_the_stream() -> str:
    values = wave(120, 4)
    values[[60, 61, 62, 63, 90]] += 40
    stream, found = ostinato.Stream(model(), robust=6), []
    for a, z in ((0, 1), (1, 61), (61, 62), (62, 62), (62, 120)):
        found.append((stream if a % 2 else pickle.loads(pickle.dumps(stream))).update(values[a:z]).surprisal)
        stream = stream if a % 2 else _moved(stream, values[a:z])
    np.testing.assert_allclose(
        np.concatenate(found), ostinato.score(model(), series(values), robust=6).surprisal, atol=1e-4
    )
    return "right: however it is cut"


def _moved(stream: ostinato.Stream, values: np.ndarray) -> ostinato.Stream:
    stream.update(values)
    return stream


def a_new_level_is_believed() -> str:
    values = wave(120, 4)
    values[60:] += 40
    plain, robust = (ostinato.score(model(), series(values), robust=r).surprisal for r in (None, 6))
    np.testing.assert_allclose(robust[70:], plain[70:], atol=1e-3)
    assert np.abs(robust[62:64] - plain[62:64]).max() > 1
    return "right: the scores of all values, from the tenth step after it on"


FIRST = {"ds": "2021-03-01", "y": 20}
ROWS: list[Row] = [
    clean("plain numbers", b"20\n21\n19\n", [20, 21, 19]),
    clean("a byte order mark", b"\xef\xbb\xbf20\n21\n", [20, 21]),
    clean("CRLF and no newline at the end", b"20\r\n21\r\n19", [20, 21, 19]),
    clean("empty lines and words for missing values", b"20\n\nNA\nnan\n21\n", [20, None, None, None, 21]),
    clean("intervals in CSV", b"20\n21\n", [20, 21], "--level", "80"),
    *[
        stops(f"the line {bad.decode()[:12]!r}", bad, says)
        for bad, says in (
            (b"junk", "cannot read 'junk'"), (b"1_000", "cannot read '1_000'"), (b"inf", "infinite"),
            (b"1e400", "too large"), (b"1,5", "expected 1"), (b"0x10", "cannot read"), (b"9" * 100_000, "too large"),
            (b"1e60", "cannot take the value"),
        )
    ],
    answered("steps left out by their times", [FIRST, {"ds": "2021-03-04", "y": 21}], gap),
    answered(
        "three steps of two series",
        [{"unique_id": key, "ds": f"2021-03-0{d}", "y": 19 + d} for d in (1, 2, 3) for key in ("a", 7)],
        by_id,
    ),
    refused_line("an id that is no Unicode", {"unique_id": "\ud800", "y": 5}, "not valid Unicode"),
    refused_line("a list as an id", {"unique_id": [1], "y": 5}, "a string or a whole number, got [1]"),
    refused_line("null as an id", {"unique_id": None, "y": 5}, "a string or a whole number, got null"),
    refused_line("a time beyond 64 bits", {"ds": 2**63, "y": 5}, "too far from 0"),
    refused_line("a time twice", FIRST, "occurs twice"),
    refused_line("a field twice", '{"ds": "2024-01-05", "y": 1, "y": 2}', "the field 'y' occurs twice"),
    refused_line("a time before", {"ds": "2021-02-01", "y": 1}, "out of order"),
    refused_line("a time between two steps", {"ds": "2021-03-01T12:00", "y": 1}, "lies between two steps"),
    refused_line("a time in words", {"ds": "soon", "y": 1}, "cannot read 'soon' as a time"),
    refused_line("a year 3 centuries on", {"ds": "2321-03-01", "y": 1}, "more than"),
    refused_line("no value", {"ds": "2021-03-02"}, "no field 'y'"),
    refused_line("a bool", {"ds": "2021-03-02", "y": True}, "cannot read true"),
    refused_line("1_000 in quotes", {"ds": "2021-03-02", "y": "1_000"}, "cannot read '1_000'"),
    refused_line("Infinity", {"ds": "2021-03-02", "y": float("inf")}, "infinite"),
    refused_line("two channels", {"ds": "2021-03-02", "y": [1, 2]}, "got 2 values"),
    Row(KIND, "intervals in JSON lines", "forecast", intervals),
    *[false_alarms(*row) for row in ((1000, 1e-2, 0.6, 1.6), (1000, 1e-3, 0.5, 2.0), (5000, 1e-4, 0.3, 2.5))],
    Row(KIND, "an alarm in a stream", "the value that was changed", alarm_in_a_stream),
    *[
        Row(KIND, f"{name} of a live stream, {net}", "the stream itself", partial(copied, how, net))
        for name, how in (
            ("pickle", lambda s: pickle.loads(pickle.dumps(s))), ("copy", copy.copy), ("deepcopy", copy.deepcopy)
        )
        for net in ("ar", "gru", "linear")
    ],
    *[
        Row(KIND, f"two outliers of {s:g}", "the scores without them", partial(outliers, s))
        for s in (30, 300, 1e4)
    ],
    Row(KIND, "robust on clean data", "score", clean_is_unchanged),
    Row(KIND, "robust in blocks", "score", score_is_the_stream),
    Row(KIND, "robust and a new level", "the level", a_new_level_is_believed),
]  # fmt: skip


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_streams(row: Row) -> None:
    assert row.check()


def test_an_alarm_without_enough_values_is_refused() -> None:
    with pytest.raises(DataError, match="too few"):
        ostinato.Monitor(model(), alarm=0.01, reference=series(wave(20, 0)))


def test_a_refused_time_after_a_gap_leaves_the_series_as_it_was() -> None:
    monitor = ostinato.Monitor(model())
    with pytest.raises(DataError):
        monitor.update("x", "a", 3)
    monitor.update(20.0, "a", 3)
    with pytest.raises(DataError):
        monitor.update(float("inf"), "a", 9)
    found = monitor.update(21.0, "a", 4)
    np.testing.assert_allclose(found.surprisal, ostinato.score(model(), series([20, 21])).surprisal[1], atol=1e-4)


def test_a_value_without_a_time_after_one_on_a_calendar_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(model().description.source, "frequency", "1d")
    monitor = ostinato.Monitor(model())
    monitor.update(20.0, "a")
    monitor.update(20.0, "a", "2024-01-03")
    for untimed in (lambda: monitor.update(21.0, "a"), lambda: monitor.stream("a")):
        with pytest.raises(DataError, match="has no time, and the one before it has the time 2024-01-03"):
            untimed()
    assert monitor.update(21.0, "a", "2024-01-05").skipped == 1


def test_the_threshold_comes_from_weights_that_had_not_seen_the_held_out_part() -> None:
    """The spread is five times as large in the held-out part, which the refit has taken into its scale."""
    rng = np.random.default_rng(3)
    data = series(rng.standard_normal(400) * np.repeat([1, 5], [300, 100]))
    fitted = ostinato.fit(data, model="ar", max_order=2, held_out=0.25, budget=5).model
    assert isinstance(fitted, ostinato.SequenceModel)
    seen = ostinato.score(fitted, data).surprisal[300:]
    unseen = ostinato.score(fitted.before_refit(data), data).surprisal[300:]
    threshold = ostinato.Monitor(fitted, alarm=0.2, reference=data).threshold
    assert threshold is not None
    assert threshold.nats == pytest.approx(alarm_threshold(unseen, 0.2).nats, rel=1e-6)
    assert threshold.nats > alarm_threshold(seen, 0.2).nats + 1
    assert threshold.values == 100
    assert "before the refit" in threshold.words()
    # without a refit the weights themselves had not seen it
    kept = ostinato.fit(data, model="ar", max_order=2, held_out=0.25, budget=5, refit=False).model
    alone = ostinato.Monitor(kept, alarm=0.2, reference=data).threshold
    assert alone is not None
    assert alone.nats == pytest.approx(threshold.nats, abs=1e-6)
    assert not alone.weights


def test_a_threshold_by_default_data_that_have_changed_says_so() -> None:
    path = folder() / "grown.csv"
    text = (folder() / "daily.csv").read_text().splitlines(keepends=True)
    path.write_text("".join(text))
    fitted = ostinato.fit(path, model="ar", max_order=2, held_out=0.25, budget=5).model
    path.write_text("".join(text[:-1]))
    threshold = ostinato.Monitor(fitted, alarm=0.2, reference=path, held_out=0.25).threshold
    assert threshold is not None
    assert "too low" in threshold.words()
