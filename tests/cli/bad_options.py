"""Bad inputs: invalid options, and files and folders that cannot be written."""

from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Callable

import polars as pl
import pytest
from bad_inputs import Bad
from bad_tables import GOOD


def fit(name: str, options: str, *says: str) -> Bad:
    """A fit with bad options to a good file."""
    return Bad(name, f"fit good.csv -o m.ost {options}", says, {"good.csv": GOOD})


def ask(name: str, command: str, *says: str, stdin: bytes = b"") -> Bad:
    """Return a bad input for a command with a good model."""
    return Bad(name, command, says, stdin=stdin)


def back(name: str, options: str, *says: str) -> Bad:
    """Return a backtest of a good file with bad options, whose output file already exists."""
    return Bad(name, f"backtest good.csv -o m.ost {options}", says, {"good.csv": GOOD})


def full(patch: pytest.MonkeyPatch) -> None:
    """No space left on the device."""

    def fail(handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    patch.setattr(os, "fsync", fail)


def forbidden(patch: pytest.MonkeyPatch) -> None:
    """Return a bad input with a folder without write permission; root can write to every folder."""
    patch.setattr(os, "access", lambda path, mode, **_: mode != os.W_OK)


def without(package: str) -> Callable[[pytest.MonkeyPatch], None]:
    """The package is not installed."""
    return lambda patch: patch.setitem(sys.modules, package, None)


def parquet(**columns: list[object]) -> bytes:
    """A Parquet file of one series."""
    rows = len(next(iter(columns.values())))
    buffer = io.BytesIO()
    pl.DataFrame({"unique_id": ["a"] * rows, **columns}).write_parquet(buffer)
    return buffer.getvalue()


FORECAST, SAMPLE = "forecast {models}/series.ost {models}/series.csv", "sample {models}/names.ost"
REPORT = "report {models}/series.ost {models}/series.csv"
DIAGNOSE = "diagnose {models}/series.ost {models}/series.csv"
STREAM = "stream {models}/series.ost"
CLASSIFY = "classify {models}/series.ost {models}/series.csv"

ROWS: tuple[Bad, ...] = (
    fit("an unknown model", "--model transformer", "unknown model 'transformer'", "auto, ar"),
    fit("an unknown vocabulary", "--vocabulary words", "unknown vocabulary 'words'", "auto, character"),
    fit("a vocabulary of numbers", "--vocabulary byte", "a vocabulary is for text", "series"),
    fit("a label that is no column", "--label klass", "no column 'klass'", "use one of"),
    fit("a label and a horizon", "--label y --horizon 3", "a classifier does not use --horizon"),
    fit("a label without a refit", "--label y --no-refit", "a classifier does not use --refit or --no-refit",
        "or leave out --label"),
    fit("a prior without a label", "--prior uniform", "--prior uniform is for a classifier", "--label"),
    ask("a model that is no classifier", CLASSIFY, "holds a model, not a classifier", "--label"),
    ask("an unknown rule", f"{CLASSIFY} --rule vote", "unknown rule 'vote'", "use one of bayes, head"),
    fit("an unknown emission", "--model gru --emission norml", "unknown emission 'norml'", "did you mean 'normal'"),
    fit("an emission for text", "--emission categorical", "categorical"),
    fit("an emission for counts", "--model gru --emission negative_binomial", "negative_binomial needs counts"),
    fit("no held-out share", "--held-out 0", "held-out share must be between 0 and 1, got 0"),
    fit("everything held out", "--held-out 1", "held-out share must be between 0 and 1, got 1"),
    fit("more than everything held out", "--held-out 1.5", "held-out share must be between 0 and 1, got 1.5"),
    fit("a held-out share of nan", "--held-out nan", "nan", "between 0 and 1"),
    fit("a held-out pattern that matches nothing", "--held-out 'x*'", "matches no sequence", "ids: y"),
    fit("a held-out pattern that matches everything", "--held-out '*'", "matches every sequence"),
    fit("a budget in words", "--budget soon", "cannot read the time 'soon'", "90s"),
    fit("a budget of 0", "--budget 0", "a positive time, got 0 seconds"),
    fit("a budget below 0", "--budget=-1", "cannot read the time '-1'"),
    fit("0 steps", "--steps 0", "steps must be at least 1, got 0"),
    fit("a window of 0", "--window 0", "at least 1 step, got 0"),
    fit("a window in words", "--window long", "got 'long'", "auto"),
    fit("two names of one window", "--window 5 --truncation-window 5", "are both given", "--truncation-window alone"),
    fit("two names of one lookback", "--horizon 4 --window 5 --lookback 5", "are both given", "--lookback alone"),
    fit("a lookback of the ladder", "--model rnn --lookback 9", "a fit of rnn does not use --lookback",
        "--truncation-window"),
    fit("the width of an autoregression", "--model ar --hidden 8 --dropout .1",
        "a fit of ar has no network, and does not use --hidden, --dropout", "--model gru"),
    fit("the window of exponential smoothing", "--model ets --truncation-window 8",
        "a fit of ets has no network, and does not use --truncation-window"),
    fit("a truncation window of a direct model", "--horizon 4 --truncation-window 9",
        "a direct fit does not use --truncation-window", "--lookback"),
    fit("an adaptive lookback", "--horizon 4 --window auto", "--window must be a number of steps, got 'auto'"),
    fit("gradients from 0 segments", "--gradient-checkpoints 0", "segments must be at least 1, got 0", "1 or more"),
    fit("a memory in words", "--gradient-checkpoints much", "memory_limit must be an amount of memory, got 'much'",
        "200MB"),
    fit("a window and checkpoints", "--window 5 --gradient-checkpoints 3", "two ways", "not both"),
    fit("a memory too small", "--model rnn --steps 2 --gradient-checkpoints 100B",
        "not fit in the memory limit of 100B"),
    fit("0 hidden units", "--model rnn --hidden 0", "hidden must be at least 1, got 0"),
    fit("0 layers", "--depth 0", "depth must be at least 1, got 0"),
    fit("a dropout of 1", "--dropout 1", "dropout must be from 0 to below 1, got 1"),
    fit("a learning rate of 0", "--learning-rate 0", "learning_rate must be above 0, got 0"),
    fit("an unknown support", "--support half", "unknown support 'half'"),
    fit("an order below 0", "--max-order -1", "max_order must be at least 0, got -1"),
    fit("0 threads", "--threads 0", "threads must be at least 1, got 0"),
    fit("an unknown device", "--device gpu", "unknown device 'gpu'", "did you mean 'cuda'? Use auto, cpu"),
    fit("a device that is not there", "--device cuda:99", "this machine has no device 'cuda:99'"),
    fit("an unknown precision", "--precision half", "unknown precision 'half'"),
    fit("bf16 on the CPU", "--device cpu --precision bf16", "bf16 speeds up only products on a CUDA GPU"),
    fit("a seed below 0", "--seed -1", "--seed must be at least 0, got '-1'"),
    fit("a number that is none", "--hidden many", "--hidden must be a whole number, got 'many'"),
    fit("an option that is not there", "--hiden 3", "unknown option", "--hidden"),
    Bad("an option of other verbs", "forecast good.csv --future-covariates y", ("an option of fit and backtest",)),
    Bad("an option like no other", "export good.csv --vindow 3", ("unknown option '--vindow'", "read ostinato export")),
    Bad("an unknown verb", "guess good.csv", ("unknown command", "guess")),
    Bad("no data", "fit", ("Missing argument",)),
    ask("a horizon of 0", f"{FORECAST} --horizon 0", "horizon must be at least 1, got 0", "1 or more"),
    ask("a horizon without end", f"{FORECAST} -n 99999999999", "--horizon must be at most 1000000, got '99999999999'"),
    ask("a horizon with a point", f"{FORECAST} -n 1e3", "--horizon must be a whole number, got '1e3'"),
    ask("levels with a comma", f"{FORECAST} --level .9,.8", "--level must be a number, got '.9,.8'", "--level 80 95"),
    ask("a level of 0", f"{FORECAST} --level 0", "between 0 and 100 percent, got 0", "such as 95"),
    ask("a level of 100", f"{FORECAST} --level 80 100", "percent, got 100"),
    ask("a level of 150", f"{FORECAST} --level 150", "percent, got 150"),
    ask("a tiny level", f"{FORECAST} --level 0.001", "percent and must be at least 1, got 0.001", "use a number such"),
    ask("a level as a share", f"{FORECAST} --level 0.95", "percent and must be at least 1, got 0.95", "use 95"),
    ask("a level twice", f"{FORECAST} --level 95 95", "level 95 is given twice"),
    ask("a level of nan", f"{FORECAST} --level nan", "percent, got nan"),
    ask("an infinite temperature", f"{SAMPLE} --temperature inf", "finite number", "0 for the likeliest"),
    ask("1_000 in a stream", STREAM, "cannot read '1_000' as a number", "line 1", stdin=b"1_000\n"),
    ask("an alarm that is no share", f"{STREAM} --alarm 2", "alarm must be between 0 and 1, got 2", stdin=b"1\n"),
    ask("robust below 0", f"{STREAM} --robust -1", "robust must be above 0, got -1", stdin=b"1\n"),
    ask("an alarm for text", "stream {models}/names.ost --alarm 0.1", "takes no --alarm", stdin=b"a\n"),
    ask("an alarm of nan", f"{STREAM} --alarm nan", "alarm", "nan", stdin=b"1\n"),
    ask("states in no folder", f"{STREAM} --state none/states", "folder to write to does not exist", stdin=b"1\n"),
    ask("states in a device", f"{STREAM} --state /dev/null", "cannot be kept in a device or a pipe", stdin=b"1\n"),
    ask("states that are a model", f"{STREAM} --state {{models}}/series.ost", "cannot be read", stdin=b"1\n"),
    ask("no ONNX file", "export {models}/series.ost", "--onnx"),
    ask("a graph in no folder", "export {models}/series.ost --onnx none/x.onnx", "folder to write to does not exist"),
    ask("a graph of a folder", "export {models}/series.ost --onnx .", "a folder, not a file"),
    ask("1 sample path", f"{FORECAST} --paths 1", "n_paths must be at least 2, got 1"),
    back("a backtest of no windows", "--windows 0", "n_windows must be at least 1, got 0", "1 or more"),
    back("a backtest of 0 steps ahead", "-n 0", "horizon must be at least 1, got 0", "1 or more"),
    back("windows that do not move", "--step 0", "step_size must be at least 1, got 0"),
    back("more windows than there are steps", "--windows 100000", "no series is long enough", "the longest has"),
    back("a season of 0", "--season 0", "season must be at least 1, got 0", "such as 24"),
    back("a level of 100 in a backtest", "--level 100", "percent, got 100"),
    back("a model asked for twice", "--model gru --model gru", "each model must be named once, got gru twice"),
    back("a baseline asked for", "--model naive2", "naive2 is a baseline"),
    back("an unknown model to backtest", "--model transformer", "unknown model 'transformer'"),
    ask("a backtest of text", "backtest {models}/names.txt", "a backtest needs numbers, got text", "use score"),
    ask("a forecast of text", "forecast {models}/names.ost {models}/names.txt", "text has no mean to forecast",
        "use sample"),
    ask("a top-k of 0", f"{SAMPLE} --top-k 0", "top_k must be at least 1, got 0"),
    ask("a top-k for numbers", "sample {models}/series.ost --top-k 3", "top_k chooses among symbols", "remove top_k"),
    ask("a min-p above 1", f"{SAMPLE} --min-p 2", "min_p must be at least 0 and at most 1, got 2"),
    ask("a stop string without characters", f"{SAMPLE} --stop ''", "at least 1 character, got ''"),
    ask("a stop string for numbers", "sample {models}/series.ost --stop x", "stop ends a text", "got 'x'"),
    ask("an unknown precision of draws", f"{SAMPLE} --precision int4", "unknown precision 'int4'", "mean 'int8'"),
    ask("numbers drawn by 8 bits", "sample {models}/series.ost --precision int8", "precision int8 needs"),
    ask("several texts streamed", f"{SAMPLE} --stream --n-samples 2", "one text can be printed while it is drawn, got"),
    ask("numbers streamed", "sample {models}/series.ost --stream", "only text can be printed while it is drawn"),
    ask("a prompt for a series", "sample {models}/series.ost --prompt x", "there is no file 'x'"),
    ask("a long prompt for a series", f"sample {{models}}/series.ost --prompt {300 * 'x'}", "there is no file 'xxx"),
    ask("a corpus without units", "score {models}/names.ost {models}/names.txt --corpus {models}/names.txt",
        "--corpus counts the units of --by"),
    ask("a temperature below 0", f"{SAMPLE} --temperature -1", "temperature must be at least 0, got -1"),
    ask("a top-p of 0", f"{SAMPLE} --top-p 0", "top_p must be above 0 and at most 1, got 0"),
    ask("samples of no length", f"{SAMPLE} --length 0", "length must be at least 1, got 0"),
    ask("compress with a model of series", "compress {models}/series.ost {models}/series.csv",
        "compress is for models of text and sound", "series"),
    ask("decompress of another file", "decompress {models}/names.ost {models}/names.txt",
        "not written by ostinato compress"),
    ask("0 samples", f"{SAMPLE} --count 0", "n_samples must be at least 1, got 0"),
    ask("sound to the screen", "sample {models}/sound.ost", "sound is written to a file", "-o"),
    ask("words in a stream of numbers", STREAM, "cannot read 'hello' as a number", "line 1", stdin=b"hello\n"),
    ask("an infinite value in a stream", STREAM, "a value is infinite", "line 1", stdin=b"inf\n"),
    ask("too many channels in a stream", STREAM, "got 2 values, expected 1", "line 1", stdin=b"1,2\n"),
    ask("bad UTF-8 in a stream", STREAM, "not valid UTF-8", "line 1", stdin=b"\xff\n"),
    ask("a price below 0 in a stream", "stream {models}/prices.ost", "cannot take the value -1", "step 1",
        stdin=b"-1\n"),
    ask("a report on text of a series", "report {models}/names.ost {models}/series.csv", "fitted to text",
        "are series"),
    ask("a report into a folder that is not there", f"{REPORT} -o d/r.html", "mkdir -p d"),
    fit("a report of a fit into a folder that is not there", "--report d/r.html", "mkdir -p d"),
    ask("fewer surprises than none", "score {models}/series.ost {models}/series.csv --top -1", "must be at least 0"),
    ask("a lag of 0", f"{DIAGNOSE} --max-lag 0", "max_lag must be at least 1, got 0", "1 or more"),
    ask("0 positions", f"{DIAGNOSE} --positions 0", "positions must be at least 1, got 0", "1 or more"),
    ask("a diagnosis of other data", "diagnose {models}/series.ost {models}/names.txt", "fitted to series", "are text"),
    ask("a diagnosis of nothing held out", f"{DIAGNOSE} --held-out 0", "held-out share must be between 0 and 1, got 0"),
    ask("a diagnosis to a folder that is not there", f"{DIAGNOSE} -o d/f.json", "mkdir -p d"),
    fit("a panel of CSV", "--each", "must be Parquet", "good.csv", "unique_id, ds, y"),
    fit("an unknown place to work", "--on moon", "unknown value of --on 'moon'", "ray://HOST:PORT"),
    fit("workers of no cluster", "--workers 2", "--workers needs a cluster", "--on ray"),
    fit("0 workers", "--on ray --workers 0", "--workers must be at least 1, got '0'"),
    fit("a search of what it chooses", "--search 2 --model gru", "a search chooses --model itself", "remove --model"),
    fit("a search of no trials", "--search 0", "--search must be at least 1, got '0'"),
    back("a panel backtested by what is not fitted", "--on here --model gru", "one fitted model or one local",
        "sales.ost"),
    ask("a panel and no folder", "forecast ar {models}/series.csv", "a folder of parts", "-o"),
    ask("future rows without a model", "forecast {models}/series.csv --future next.csv",
        "a forecast without a model file does not use --future", "ostinato fit DATA"),
    ask("sample paths without a model", "forecast {models}/series.csv --paths 9 --seed 1",
        "does not use --n-paths, --seed"),
    ask("a season of a model file", f"{FORECAST} --season 12", "a forecast with a model file does not use --season"),
    ask("two models of a forecast", "forecast {models}/series.ost --model ets", "two models are given", "give one"),
    ask("a method that is not there", "forecast {models}/series.csv --model arima", "unknown method 'arima'", "theta"),
    ask("a model that must be trained first", "forecast {models}/series.csv --model gru",
        "gru is a model that is trained first", "ostinato fit DATA --model gru"),
    ask("a method in the place of a model", "forecast theta {models}/series.csv", "theta is a method", "--model theta"),
    ask("text without a model", "forecast {models}/names.txt", "text has no mean to forecast", "ostinato sample"),
    ask("sound without a model", "forecast {models}/sound.wav", "sound is not forecast without a model",
        "ostinato fit"),
    ask("data to forecast that are not there", "forecast no.csv", "there is no such file", "no.csv"),
    ask("a picture of a panel in parts", "forecast p.parquet --on here -o out --plot p.png",
        "a forecast of a panel in parts does not use --plot"),
    ask("JSON of a panel in parts", "forecast p.parquet --on here -o out --json",
        "a forecast of a panel in parts does not use --json"),
    ask("a score in parts that learns",
        "score {models}/series.ost {models}/series.csv --on here -o out --adapt --by word",
        "a score of a panel in parts does not use --adapt or --frozen, --by", "or leave out --on"),
    ask("a backtest in parts with a fit", "backtest {models}/series.csv --on here -o out --refit --max-steps 9",
        "a backtest of a panel in parts does not use --max-steps, --refit"),
    ask("a network for each series", "fit {models}/series.csv --each -o out --model gru --hidden 8",
        "fit --each does not use --hidden, --model", "or leave out --each"),
    fit("a method that makes no model", "--model dot", "dot is fitted to each series when it forecasts",
        "ostinato forecast good.csv --model dot"),
    ask("an autoregression of no panel", "forecast ar -o out", "no data given", "ostinato forecast ar panel/"),
    ask("a panel on a file", "forecast ar p.parquet -o m.ost", "no such file", "p.parquet"),
    Bad(
        "a search without optuna", "fit good.csv --search 2 -o m.ost",
        ("a search needs optuna, which is not installed", "ostinato[ray]"),
        {"good.csv": GOOD}, patch=without("optuna"),
    ),
    Bad(
        "a panel over a file", "forecast ar p.parquet -o m.ost", ("the output of a panel must be a folder",),
        {"p.parquet": parquet(y=[1.0, 2.0, 4.0])},
    ),
    Bad(
        "a panel without pyarrow", "fit p.parquet --each -o out",
        ("needs pyarrow, which is not installed", "ostinato[ray]"),
        {"p.parquet": parquet(y=[1.0, 2.0, 4.0])}, patch=without("pyarrow.parquet"),
    ),
    Bad(
        "a cluster without ray", "fit good.csv --on ray -o m.ost",
        ("needs ray, which is not installed", "ostinato[ray]"),
        {"good.csv": GOOD}, patch=without("ray"),
    ),
    Bad(
        "a panel of words", "fit p.parquet --each --target y -o out", ("column 'y' holds text",),
        {"p.parquet": parquet(y=["1", "2", "x"])},
    ),
    Bad(
        "a panel of two columns", "fit p.parquet --each -o out", ("one column of numbers, got 2", "u, v with --target"),
        {"p.parquet": parquet(u=[1.0], v=[2.0])},
    ),
    Bad(
        "a panel without ids", "fit p.parquet --each --id-col id -o out", ("no column 'id'", "columns unique_id, y"),
        {"p.parquet": parquet(y=[1.0])},
    ),
    Bad(
        "a panel of times in words", "fit p.parquet --each -o out", ("column 'ds' holds text, expected times",),
        {"p.parquet": parquet(ds=["2024-01-01"], y=[1.0])},
    ),
    Bad(
        "a folder of other results", "fit p.parquet --each -o out",
        ("the output folder already has other files", "an empty folder"),
        {"p.parquet": parquet(y=[1.0]), "out/notes.txt": "mine"},
    ),
    Bad("a folder as output", "fit good.csv -o d", ("the output is a folder",), {"good.csv": GOOD, "d/x": ""}),
    Bad("an output folder that is not there", "fit good.csv -o d/m.ost", ("mkdir -p d",), {"good.csv": GOOD}),
    Bad("a file as output folder", "fit good.csv -o good.csv/m", ("is a file", "good.csv"), {"good.csv": GOOD}),
    Bad(
        "a folder that may not be written to", "fit good.csv -o m.ost", ("cannot be written to", "another with -o"),
        {"good.csv": GOOD}, patch=forbidden,
    ),
    Bad(
        "no space left for a model", "fit good.csv --model ar -o m.ost", ("No space left", "m.ost", "free space"),
        {"good.csv": GOOD}, code=1, patch=full,
    ),
    Bad(
        "no space left for a forecast", f"{FORECAST} -o f.csv", ("No space left", "f.csv", "free space"),
        {"f.csv": "earlier"}, code=1, patch=full,
    ),
    Bad(
        "no space left for a report", f"{REPORT} -o r.html", ("No space left", "r.html", "free space"),
        {"r.html": "earlier"}, code=1, patch=full,
    ),
    Bad(
        "a report without matplotlib", f"{REPORT} -o r.html",
        ("a chart needs matplotlib, which is not installed", "ostinato[plot]"),
        {"r.html": "earlier"}, patch=without("matplotlib.figure"),
    ),
    Bad(
        "a report without jinja2", f"{REPORT} -o r.html", ("needs jinja2", "ostinato[plot]"),
        {"r.html": "earlier"}, patch=without("jinja2"),
    ),
    Bad(
        "no space left for a diagnosis", f"{DIAGNOSE} --max-lag 5 -o f.json", ("No space left", "f.json"),
        {"f.json": "earlier"}, code=1, patch=full,
    ),
)  # fmt: skip
