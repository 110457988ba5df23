"""The commands end to end, as a user types them, on a real series, short lines and a sound."""

from __future__ import annotations

import io
import json
import os
import select
import subprocess
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import soundfile
import torch

from ostinato.cli.main import main, spread
from ostinato.cli.render import as_table
from ostinato.data.read import read
from ostinato.evaluation.baselines import BASELINES
from ostinato.inference.sample import sample
from ostinato.inference.score import score
from ostinato.model_file import load_model
from ostinato.ops.selection import IMPLEMENTATIONS
from warm import programs
from zoo import sequential

VERBS = ("fit", "score", "forecast", "backtest", "sample", "stream", "inspect", "diagnose", "report", "doctor")
Say = Callable[..., str]


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Say:
    """Run a command in this process and return its output; the arguments may be paths."""

    def run(*words: object) -> str:
        with pytest.raises(SystemExit) as stop:
            main([str(word) for word in words])
        out, err = capsys.readouterr()
        assert not stop.value.code, err
        return out

    return run


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one small model of each kind, fitted by the command."""
    folder = tmp_path_factory.mktemp("home")
    rng = np.random.default_rng(0)
    wave = 20 + 5 * np.sin(np.arange(400) / 4) + rng.standard_normal(400)
    times = pl.datetime_range(pl.datetime(2024, 1, 1), pl.datetime(2024, 2, 1), "1h", eager=True)[:400]
    pl.DataFrame({"unique_id": ["s"] * 400, "ds": times, "y": wave}).write_csv(folder / "series.csv")
    names = ["".join(rng.choice(list("aeioulmn"), rng.integers(2, 8))) for _ in range(400)]
    (folder / "lines.txt").write_text("\n".join(names) + "\n")
    (folder / "sound").mkdir()
    for i in range(3):
        samples = (60 * np.sin(np.arange(800) / (3 + i))).astype(np.int16) * 256
        soundfile.write(folder / "sound" / f"{i}.wav", samples, 8000, subtype="PCM_16")
    for data, name in (("series.csv", "gru"), ("lines.txt", "rnn"), ("sound", "gru")):
        with pytest.raises(SystemExit) as stop:
            main(["fit", f"{folder / data}", "--model", name, "--steps", "5", "-o", f"{folder / data}.ost"])
        assert not stop.value.code
    return folder


@pytest.mark.parametrize("verb", VERBS)
def test_help_has_an_example(verb: str, say: Say) -> None:
    shown = " ".join(say(verb, "--help").replace("│", " ").split())
    assert "Example: " in shown
    assert f"ostinato {verb} " in shown.split("Example: ")[1]


def test_help_names_every_verb_and_a_first_step(say: Say) -> None:
    shown = say("--help")
    assert all(f" {verb} " in shown for verb in VERBS)
    assert "ostinato forecast data.csv" in shown


def test_levels_can_be_given_one_after_another() -> None:
    assert spread(["m.ost", "--level", "80", "95", "-n", "3"]) == ["m.ost", "--level", "80", "--level", "95", "-n", "3"]
    assert spread(["m.ost", "--horizon", "3", "4"]) == ["m.ost", "--horizon", "3", "4"]


def test_fit_prints_the_kept_model(home: Path, say: Say) -> None:
    out = say("fit", home / "series.csv", "--model", "ar", "-o", home / "ar.ost")
    assert "held out: log-likelihood in nats a step" in out
    assert "kept: AR(" in out
    assert not list(home.glob("*.checkpoint"))


def test_fit_takes_a_window_or_chooses_it(home: Path, say: Say) -> None:
    for window, methods in (("auto", True), ("16", False)):
        path = home / "window.ost"
        say("fit", home / "series.csv", "--model", "rnn", "--steps", "2", "--window", window, "-o", path)
        assert ("truncation" in load_model(path).description.record) == methods


def test_fit_takes_exact_gradients_from_checkpoints(home: Path, say: Say) -> None:
    """Checkpointing changes no gradient, so the model is the same."""
    weights = []
    for way in ([], ["--gradient-checkpoints", "3"], ["--gradient-checkpoints", "200MB"]):
        path = home / "checkpoints.ost"
        say("fit", home / "series.csv", "--model", "rnn", "--steps", "2", *way, "-o", path)
        model = load_model(path)
        assert ("Checkpointed" in model.description.record["method"]) == bool(way)
        weights.append(list(sequential(model).parameters()))
    for others in weights[1:]:
        torch.testing.assert_close(others, weights[0], rtol=1e-4, atol=1e-5)


def test_score_adds_up_and_writes_every_step(home: Path, say: Say) -> None:
    out = say("score", home / "lines.txt.ost", home / "lines.txt", "--top", "2", "-o", home / "steps.csv")
    scores = score(load_model(home / "lines.txt.ost"), read(home / "lines.txt"))
    assert f"{scores.nats_per_step:.4f} nats a character, {scores.bits_per_step:.4f} bits a character" in out
    assert out.split("most surprising:")[1].count("nats") == 2
    steps = pl.read_csv(home / "steps.csv")
    assert steps.columns == ["unique_id", "step", "surprisal"]
    assert steps["surprisal"].sum() == pytest.approx(-scores.log_prob.sum())


def test_score_says_when_a_step_was(home: Path, say: Say) -> None:
    """By the time of the row that the step came from; in sound, by the samples of a second."""
    rows = pl.read_csv(home / "series.csv")
    model = home / "series.csv.ost"
    say("score", model, home / "series.csv", "-o", home / "when.csv")
    steps = pl.read_csv(home / "when.csv")
    assert steps.columns == ["unique_id", "step", "surprisal", "ds"]
    first = json.loads(say("score", model, home / "series.csv", "--top", "1", "--json"))["most_surprising"][0]
    assert steps["ds"].to_list() == rows["ds"].to_list()
    worst = int(np.argmax(steps["surprisal"].to_numpy()))
    assert (first["step"], datetime.fromisoformat(first["when"])) == (
        worst + 1,
        datetime.fromisoformat(rows["ds"][worst]),
    )
    [sound] = json.loads(say("score", home / "sound.ost", home / "sound", "--top", "1", "--json"))["most_surprising"]
    rate = soundfile.info(next((home / "sound").glob("*.wav"))).samplerate
    assert float(sound["when"].removesuffix(" s")) == pytest.approx((sound["step"] - 1) / rate, abs=5e-5)
    line = say("score", home / "sound.ost", home / "sound", "--top", "1").splitlines()[-1]
    assert f"sample {sound['step']} ({sound['when']}): " in line
    [text] = json.loads(say("score", home / "lines.txt.ost", home / "lines.txt", "--top", "1", "--json"))[
        "most_surprising"
    ]
    assert text["when"] is None


def test_score_keeps_outliers_out_of_the_state_as_in_python(home: Path, say: Say) -> None:
    rows = (home / "series.csv").read_text().splitlines()
    *keys, value = rows[20].split(",")
    rows[20] = ",".join([*keys, f"{1e3 * (1 + abs(float(value)))}"])
    (home / "spiky.csv").write_text("\n".join(rows))
    model, spiky = load_model(home / "series.csv.ost"), read(home / "spiky.csv")
    plain, robust = (score(model, spiky, robust=r).nats_per_step for r in (None, 6.0))
    assert robust < plain
    out = say("score", home / "series.csv.ost", home / "spiky.csv", "--robust", "6")
    assert f"{robust:.4f} nats a step" in out


def test_forecast_to_the_screen_a_file_and_a_picture(home: Path, say: Say) -> None:
    words = ["forecast", home / "series.csv.ost", "--horizon", "4", "--paths", "50"]
    frame = pl.read_csv(io.StringIO(say(*words, "--level", "80", "95")), try_parse_dates=True)
    sides = ("lo-95", "lo-80", "hi-80", "hi-95")
    assert frame.columns == ["unique_id", "ds", "ostinato", *(f"ostinato-{side}" for side in sides)]
    assert frame["ds"].diff().drop_nulls().dt.total_hours().to_list() == [1, 1, 1]
    out = say(*words, "-o", home / "f.csv", "--plot", home / "f.png")
    assert out == f"forecast: {home / 'f.csv'}\npicture: {home / 'f.png'}\n"
    assert (home / "f.png").read_bytes().startswith(b"\x89PNG")
    assert pl.read_csv(home / "f.csv", try_parse_dates=True).equals(frame)
    assert say(*words, home / "series.csv") == say(*words)  # the history by its name is the one fitted to


def test_forecast_needs_no_model_file(home: Path, say: Say) -> None:
    words = ["forecast", home / "series.csv", "--horizon", "4", "--model", "theta"]
    frame = pl.read_csv(io.StringIO(say(*words)), try_parse_dates=True)
    assert frame.columns[:3] == ["unique_id", "ds", "ostinato"]
    assert frame["ds"].diff().drop_nulls().dt.total_hours().to_list() == [1, 1, 1]
    out = say(*words, "-o", home / "t.csv", "--plot", home / "t.png")
    assert out == f"forecast: {home / 't.csv'}\npicture: {home / 't.png'}\n"
    assert pl.read_csv(home / "t.csv", try_parse_dates=True).equals(frame)
    assert pl.read_csv(io.StringIO(say(*words, "--plot", home / "t.png")), try_parse_dates=True).equals(frame)
    model = home / "a model without the ending of one"
    model.write_bytes((home / "series.csv.ost").read_bytes())
    assert say("forecast", model, "-n", "3") == say("forecast", home / "series.csv", "--model", model, "-n", "3")


def test_backtest_prints_the_table_and_writes_every_forecast(home: Path, say: Say) -> None:
    words = ["backtest", home / "series.csv", "-n", "4", "--windows", "2", "--steps", "2", "--paths", "20"]
    out = say(*words, "--model", "gru", "--level", "80", "95", "-o", home / "cv.parquet")
    heading, *rows, verdict, written = out.splitlines()[1:]
    assert " ".join(heading.split()) == "model MASE sMAPE OWA wQL MSIS in 80% in 95% nats seconds"
    assert [row.split()[0] for row in rows] == ["gru", *BASELINES]
    assert rows[3].split()[3] == "1.000"  # Naive2's OWA
    assert "baseline" in verdict
    assert written == f"forecasts: {home / 'cv.parquet'}"
    frame = pl.read_parquet(home / "cv.parquet")
    assert frame.columns[:5] == ["unique_id", "ds", "cutoff", "y", "gru"]
    assert len(frame) == 8
    say(*words, "--model", "gru", "--level", "80", "95", "-o", home / "cv.csv")
    table = pl.read_csv(home / "cv.csv", try_parse_dates=True)
    assert table.select("ds", "cutoff").equals(frame.select("ds", "cutoff"))


@pytest.mark.parametrize(
    ("first", "every", "words"),
    [
        ("2024-01-31", "1d", "2024-01-31"),
        ("2024-01-31 06:00", "1h", "2024-01-31 06:00:00"),
        ("2024-01-31 06:00:00.25", "250ms", "2024-01-31 06:00:00.250"),
    ],
)
def test_times_are_written_as_short_as_they_are(first: str, every: str, words: str) -> None:
    start = datetime.fromisoformat(first)
    frame = pl.DataFrame({"ds": pl.datetime_range(start, datetime(2025, 1, 1), every, eager=True)[:2], "y": [1.0, 2.0]})
    assert as_table(frame).splitlines()[1] == f"{words},1.0"


def test_integer_times_are_written_as_they_are() -> None:
    assert as_table(pl.DataFrame({"ds": [7]})) == "ds\n7\n"


def test_sample_says_which_characters_it_does_not_know(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words, note in ((["--prompt", "m☃"], "does not know '☃' of the prompt"), (["--stop", "☃"], "never draws '☃'")):
        with pytest.raises(SystemExit):
            main(["sample", f"{home / 'lines.txt.ost'}", *words])
        assert note in capsys.readouterr().err


def test_sample_text_series_and_sound(home: Path, say: Say) -> None:
    drawn = say("sample", home / "lines.txt.ost", "--count", "5", "--prompt", "mo", "--temperature", "0.8")
    assert [line[:2] for line in drawn.splitlines()] == ["mo"] * 5
    table = pl.read_csv(io.StringIO(say("sample", home / "series.csv.ost", "-n", "6", "--count", "2")))
    assert table.columns == ["unique_id", "ds", "y"]
    assert len(table) == 12
    say("sample", home / "sound.ost", "-n", "300", "-o", home / "new.wav")
    samples, rate = soundfile.read(home / "new.wav", dtype="int16")
    assert (rate, len(samples)) == (8000, 300)
    assert (samples % 256 == 0).all()
    say("sample", home / "sound.ost", "-n", "5", "--prompt", home / "new.wav", "-o", home / "longer.wav")
    longer, _ = soundfile.read(home / "longer.wav", dtype="int16")
    assert len(longer) == 305
    np.testing.assert_array_equal(longer[:300], samples)
    drawn = say("sample", home / "series.csv.ost", "-n", "2", "--prompt", home / "series.csv")
    first = load_model(home / "series.csv.ost")
    expected = sample(first, 2, prompt=read(home / "series.csv"))[0][:, 0]
    np.testing.assert_allclose(pl.read_csv(io.StringIO(drawn))["y"], expected)


@pytest.mark.parametrize("series", [6, 7])
def test_a_picture_of_some_of_the_series_says_so(
    series: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("matplotlib")
    rows = "".join(f"{key},{t},{t % 5 + key}\n" for key in range(series) for t in range(20))
    (tmp_path / "many.csv").write_text("unique_id,ds,y\n" + rows)
    words = ["forecast", tmp_path / "many.csv", "-n", "2", "--model", "naive", "-o", tmp_path / "f.csv"]
    with pytest.raises(SystemExit):
        main([*map(str, words), "--plot", str(tmp_path / "f.png")])
    assert ("shows the first 6 of 7 series" in capsys.readouterr().err) == (series > 6)


def test_diagnose_shows_and_writes_how_far_back(home: Path, say: Say) -> None:
    for data in ("series.csv", "lines.txt", "sound"):
        words = ["diagnose", home / f"{data}.ost", home / data, "--max-lag", "20", "--positions", "20"]
        out = say(*words, "-o", home / "flow.json")
        document = json.loads((home / "flow.json").read_text())
        assert f"verdict: {document['verdict']}" in out
        assert document["lags"] == list(range(1, len(document["lags"]) + 1))
        assert f" {document['cuts'][-1]} " in out
        assert f"{document['score']:.4f} nats a step" in out
        assert "effective memory" in out


def test_inspect_a_model_and_its_data(home: Path, say: Say) -> None:
    for data in ("series.csv", "lines.txt", "sound"):
        assert say("inspect", home / f"{data}.ost").startswith("a model of ")
        assert len(say("inspect", home / data).splitlines()) >= 3


def start(*words: object) -> subprocess.Popen[bytes]:
    command = [str(programs() / "ostinato"), *map(str, words)]
    # unbuffered here, or select would not see what has been read ahead
    return subprocess.Popen(command, 0, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def test_doctor_prints_the_implementations_and_reasons(say: Say, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    printed = say("doctor")
    assert "threads: 1 for the engine, 1 for torch, 1 for each BLAS: auto; " in printed
    assert all(f"\n{cell}: " in printed for cell in IMPLEMENTATIONS)
    assert "engine: " in printed
    monkeypatch.setenv("OSTINATO_IMPLEMENTATION", "reference")
    assert "gru: reference, from OSTINATO_IMPLEMENTATION" in say("doctor")
    monkeypatch.setattr("ostinato.ops.engine.extension.ABSENT", "it was not built")
    assert "engine: none. it was not built" in say("doctor")


def test_stream_answers_a_line_with_a_line_and_many_with_many(home: Path) -> None:
    pipe = start("stream", home / "series.csv.ost", "--unique-id", "s")
    assert pipe.stdin
    assert pipe.stdout
    values = read(home / "series.csv").values[:40, 0]
    lines = [f"{v}\n" for v in values]
    answers: list[bytes] = []
    for line in lines[:5]:  # nothing else comes until the answer is there
        pipe.stdin.write(line.encode())
        pipe.stdin.flush()
        while len(answers) < 1 + lines.index(line) + 1:  # the header is the first
            assert select.select([pipe.stdout], [], [], 60)[0], "no answer to a line"
            answers.append(pipe.stdout.readline())
    rest, words = pipe.communicate("".join(lines[5:]).encode())
    assert not words
    frame = pl.read_csv(b"".join(answers) + rest)
    assert frame.columns == ["value", "expected", "surprisal"]
    np.testing.assert_allclose(frame["value"], values)
    expected = score(load_model(home / "series.csv.ost"), read(home / "series.csv")).surprisal[:40]
    np.testing.assert_allclose(frame["surprisal"], expected, atol=2e-4)


def test_stream_of_lines(home: Path) -> None:
    text = (home / "lines.txt").read_bytes()
    out, words = start("stream", home / "lines.txt.ost").communicate(text)
    assert not words
    frame = pl.read_csv(out)
    expected = score(load_model(home / "lines.txt.ost"), read(home / "lines.txt")).surprisal
    np.testing.assert_allclose(frame["surprisal"], expected, atol=2e-4)
    assert frame["symbol"][:3].to_list() == [repr(chr(c)) for c in text[:3]]


def test_lines_before_a_bad_one_are_answered(home: Path) -> None:
    pipe = start("stream", home / "series.csv.ost")
    out, words = pipe.communicate(b"20.5\n\n21\nx\n22\n")
    assert pipe.returncode == 2
    assert [line.split(b",")[0] for line in out.splitlines()] == [b"value", b"20.5", b"", b"21"]
    assert b"line 4 of standard input" in words
    assert b"Traceback" not in words


@pytest.mark.parametrize(
    "words", [("forecast", "-n", "3", "--paths", "9"), ("stream",), ("sample",)], ids=lambda w: w[0]
)
def test_a_closed_output_pipe_is_not_an_error(home: Path, words: tuple[str, ...]) -> None:
    """As in ``ostinato ... | head -1``, when the pipe is closed before anything is written to it."""
    verb, *more = words
    command = [str(programs() / "ostinato"), verb, str(home / "series.csv.ost"), *more]
    ours, theirs = os.pipe()
    os.close(ours)
    done = subprocess.run(command, input=b"20\n21\n", stdout=theirs, stderr=subprocess.PIPE, check=False)
    os.close(theirs)
    assert done.returncode == 0, done.stderr.decode()
    assert b"Traceback" not in done.stderr
    assert b"BrokenPipe" not in done.stderr


def test_a_panel_goes_into_a_folder_by_every_verb_that_takes_one(
    tmp_path: Path, say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    rng, days = np.random.default_rng(0), np.datetime64("2024-01-01", "us") + np.arange(60) * np.timedelta64(1, "D")
    frames = [pl.DataFrame({"unique_id": key, "ds": days, "y": rng.standard_normal(60).cumsum()}) for key in "abc"]
    pl.concat(frames).write_parquet("panel.parquet")
    commands = {
        "fits": "fit panel.parquet --each",
        "ahead": "forecast ar panel.parquet --horizon 3 --level 80",
        "by-theta": "forecast panel.parquet --model theta --horizon 3 --level 80 --on here",
        "judged": "backtest panel.parquet --horizon 3 --on here",
        "theta-judged": "backtest panel.parquet --horizon 3 --on here --model theta",
        "same": "forecast m.ost panel.parquet --horizon 3 --level 80 --on here --paths 50",
        "scores": "score m.ost panel.parquet --on here",
    }
    say("fit", "panel.parquet", "--model", "ar", "-o", "m.ost")
    for folder, command in commands.items():
        words = [*command.split(), "-o", folder]
        assert f"3 series, 180 steps, in 1 part: {folder}" in say(*words)
        part = Path(folder) / "part-000000.parquet"
        written = part.stat().st_mtime_ns
        assert set(pl.read_parquet(part)["unique_id"]) == set("abc")
        say(*words)
        assert part.stat().st_mtime_ns == written
    assert pl.read_parquet("ahead/part-*.parquet").columns == pl.read_parquet("same/part-*.parquet").columns
