"""Every command that writes a file, told to stop or killed at random moments.

Run from the repository root: python benchmarks/kill_verbs.py [--moments 30] [--seed 0] [case ...]

SIGINT, SIGTERM and SIGKILL come in turn, each at a random moment of the time that the command takes undisturbed. After
each, the files to write must be whole or as they were before, and nothing else may lie beside them but the checkpoint
of a fit. A command that was told to stop must say "stopped" alone, with the exit code of its signal. After SIGKILL and
after every fit, the command runs again, a fit with --resume: it must leave the files of an undisturbed run and nothing
that the killed process had left. Two model files are the same if their weights are, bit for bit.
"""

from __future__ import annotations

import argparse
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from ostinato.errors import ModelFileError
from ostinato.storage import is_bundle, load_bundle

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGKILL)
EARLIER = b"what stood here before"


@dataclass(frozen=True)
class Case:
    """A command and the files that it writes; ``{d}`` in its words is the folder of the data and models.

    Attributes:
        words: The words of the command, with blanks between them.
        outputs: The files that it writes, or the names of their folders.
        typed: What it reads from standard input, a line every few milliseconds.
        resumes: Whether it goes on from a checkpoint with ``--resume``.
        fresh: Whether its files do not exist before.
    """

    words: str
    outputs: tuple[str, ...]
    typed: bytes = b""
    resumes: bool = False
    fresh: bool = False


def _fit(model: str, data: str, *more: str) -> Case:
    words = f"fit {{d}}/{data} --model {model} -o m.ost --checkpoint-every 0s {' '.join(more)}"
    return Case(words, ("m.ost",), resumes=True)


SERIES, TEXT = "series.csv", "lines.txt"
CASES = {
    "fit auto": _fit("auto", SERIES, "--steps 40"),
    "fit ar": _fit("ar", SERIES),
    "fit ets": _fit("ets", SERIES, "--season 7"),
    "fit filter": _fit("filter", SERIES),
    "fit gru": _fit("gru", SERIES, "--steps 60 --hidden 12"),
    "fit gru text": _fit("gru", TEXT, "--steps 60 --hidden 12"),
    "fit counts": _fit("counts", TEXT),
    "fit mixture": _fit("mixture", TEXT, "--steps 40 --hidden 12"),
    "fit bpe": _fit("gru", TEXT, "--steps 30 --hidden 12 --vocabulary bpe"),
    "fit report": Case("fit {d}/series.csv --model ar -o m.ost --report r.html", ("m.ost", "r.html"), resumes=True),
    "fit search": Case("fit {d}/series.csv -o m.ost --search 3 --steps 20", ("m.ost",), resumes=True),
    "fit direct": Case("fit {d}/panel.csv --horizon 5 --steps 30 --networks 1 -o m.ost", ("m.ost",)),
    "fit label": Case("fit {d}/classes.csv --label kind --model ar -o m.ost", ("m.ost",)),
    "fit each": Case("fit {d}/panel.parquet --each -o fits", ("fits",), fresh=True),
    "forecast": Case("forecast {d}/panel.csv --horizon 5 -o f.csv --plot f.png", ("f.csv", "f.png")),
    "forecast model": Case("forecast {d}/ar.ost {d}/series.csv --horizon 5 -o f.parquet", ("f.parquet",)),
    "score": Case("score {d}/ar.ost {d}/series.csv -o s.csv", ("s.csv",)),
    "sample": Case("sample {d}/counts.ost -n 4000 -o s.txt", ("s.txt",)),
    "compress": Case("compress {d}/counts.ost {d}/lines.txt -o c.osz", ("c.osz",)),
    "decompress": Case("decompress {d}/counts.ost {d}/lines.osz -o back.txt", ("back.txt",)),
    "export": Case("export {d}/ar.ost --onnx m.onnx", ("m.onnx",)),
    "report": Case("report {d}/ar.ost {d}/series.csv -o r.html", ("r.html",)),
    "backtest": Case("backtest {d}/panel.csv --model local --horizon 5 -o b.csv", ("b.csv",)),
    "diagnose": Case("diagnose {d}/ar.ost {d}/series.csv -o d.json", ("d.json",)),
    "stream": Case("stream {d}/ar.ost --state s", ("s",), typed=b"1\n2\n3\n" * 60, fresh=True),
    "demo": Case("demo text -o demo", ("demo",), fresh=True),
}


@dataclass
class Found:
    """What the trials of a case showed."""

    ended: dict[str, int] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    def count(self, what: str) -> None:
        self.ended[what] = self.ended.get(what, 0) + 1


def made(folder: Path) -> None:
    """Write the data and the models that the cases read."""
    rng = np.random.default_rng(0)
    values = np.sin(np.arange(900) / 7 * 6.28) + 0.3 * rng.standard_normal(900)
    (folder / SERIES).write_text("y\n" + "".join(f"{v:.4f}\n" for v in values))
    words = ["".join(rng.choice(list("abcde"), rng.integers(2, 9))) for _ in range(600)]
    (folder / TEXT).write_text("\n".join(words) + "\n")
    days = np.arange("2024-01-01", "2024-04-10", dtype="datetime64[D]")
    rows = [f"{i},{day},{rng.normal():.3f},{i[0]}" for i in ("a1", "a2", "b1", "b2") for day in days]
    (folder / "panel.csv").write_text("\n".join(["unique_id,ds,y", *(r.rsplit(",", 1)[0] for r in rows)]) + "\n")
    classes = [f"{i}{j},{t},{rng.normal() * (1 + 3 * (i == 'b')):.3f},{i}"
               for i in "ab" for j in range(12) for t in range(30)]  # fmt: skip
    (folder / "classes.csv").write_text("\n".join(["unique_id,ds,y,kind", *classes]) + "\n")
    import polars as pl

    pl.read_csv(folder / "panel.csv", try_parse_dates=True).write_parquet(folder / "panel.parquet")
    for words_ in (
        f"fit {folder}/{SERIES} --model ar -o {folder}/ar.ost",
        f"fit {folder}/{TEXT} --model counts -o {folder}/counts.ost",
        f"compress {folder}/counts.ost {folder}/{TEXT} -o {folder}/lines.osz",
    ):
        subprocess.run([sys.executable, "-m", "ostinato", *words_.split()], check=True, capture_output=True)


def start(case: Case, data: Path, place: Path, *more: str) -> subprocess.Popen[bytes]:
    words = [sys.executable, "-m", "ostinato", *case.words.replace("{d}", str(data)).split(), *more]
    given = subprocess.PIPE if case.typed else subprocess.DEVNULL
    return subprocess.Popen(words, stdin=given, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=place)


def feed(process: subprocess.Popen[bytes], typed: bytes, until: float) -> None:
    """Write lines to a command until a moment, or to their end."""
    if process.stdin is None:
        time.sleep(max(0.0, until - time.monotonic()))
        return
    for line in typed.splitlines(keepends=True):
        if time.monotonic() > until or process.poll() is not None:
            return
        process.stdin.write(line)
        process.stdin.flush()
        time.sleep(0.004)


def whole(case: Case, data: Path, place: Path, *more: str) -> str:
    """Run a command to its end, and return what is wrong with that."""
    process = start(case, data, place, *more)
    if case.typed:
        feed(process, case.typed, time.monotonic() + 60)
    _, said = process.communicate(timeout=400)
    return f"exit code {process.returncode}: {said.decode()[-300:]}" if process.returncode else ""


def files(place: Path) -> Iterator[tuple[str, Path]]:
    for path in sorted(place.rglob("*")):
        if path.is_file():
            yield str(path.relative_to(place)), path


def same(path: Path, other: Path) -> bool:
    """Return whether two files say the same: their weights, for model files; otherwise their bytes."""
    if path.read_bytes() == other.read_bytes():
        return True
    if not (is_bundle(path) and is_bundle(other)):
        return False
    (a, _), (b, _) = load_bundle(path), load_bundle(other)
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)


def wrong_files(case: Case, place: Path, expected: Path, *, killed: bool, varies: frozenset[str]) -> Iterator[str]:
    """Yield what is wrong with the files after a signal."""
    for name, path in files(place):
        top = name.split("/")[0]
        if top.endswith(".checkpoint") and case.resumes:
            continue
        if killed and path.name.startswith(".") and path.name.endswith((".ostinato", ".lock")):
            continue
        if top not in case.outputs:
            yield f"{name} lies there"
        elif path.read_bytes() != EARLIER and not (expected / name).exists():
            yield f"{name} lies there, which no whole run leaves"
        elif path.read_bytes() != EARLIER and name not in varies:
            try:
                if not same(path, expected / name):
                    yield f"{name} is neither the earlier nor the new file"
            except ModelFileError as error:
                yield f"{name}: {error}"


def trial(name: str, case: Case, data: Path, work: Path, moments: int, draw: random.Random) -> Found:
    """Run a case undisturbed, then disturb it at random moments, and return what that showed."""
    found, expected, again = Found(), work / "expected", work / "again"
    for place in (expected, again):
        place.mkdir()
    begun = time.monotonic()
    if bad := whole(case, data, expected):
        return Found(faults=[bad])
    lasts = time.monotonic() - begun
    whole(case, data, again)
    # a page with its date, a stream that had read less: only that such a file is there can be compared
    varies = frozenset(n for n, path in files(expected) if not same(path, again / n))
    varies |= {"s"} if case.typed else frozenset()
    for i in range(moments):
        number, place, moment = SIGNALS[i % len(SIGNALS)], work / f"at{i}", draw.uniform(0, 1.05 * lasts)
        place.mkdir()
        for output in () if case.fresh else case.outputs:
            (place / output).write_bytes(EARLIER)
        told = f"{number.name} at {moment:.2f} of {lasts:.2f} s"
        wrong = [*disturbed(case, data, place, number, moment, found)]
        wrong += wrong_files(case, place, expected, killed=number is signal.SIGKILL, varies=varies)
        if number is signal.SIGKILL or case.resumes:
            wrong += rerun(case, data, place, expected, varies)
        found.faults += [f"{told}: {fault}" for fault in wrong]
        shutil.rmtree(place)
    print(f"{name:16} {lasts:5.1f} s undisturbed, {moments} signals: {found.ended}", flush=True)
    return found


def disturbed(
    case: Case, data: Path, place: Path, number: signal.Signals, moment: float, found: Found
) -> Iterator[str]:
    """Run a command, send it a signal at a moment, and yield what is wrong with its end."""
    process = start(case, data, place)
    feed(process, case.typed, time.monotonic() + moment)
    process.send_signal(number)
    try:
        _, said = process.communicate(timeout=60)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        yield "it had not ended a minute later"
        return
    words, code = said.decode(errors="replace"), process.returncode
    found.count({0: "done", -number: "at once", 128 + number: "stopped"}.get(code, "other"))
    if code not in {0, -number, 128 + number}:
        yield f"exit code {code}: {words[:400]} ... {words[-400:]}"
    # Python itself, before a line of the package runs, ends with 130 and no words
    unsaid = code == 128 + number and words.splitlines()[-1:] not in (["stopped"], [])
    if "Traceback" in words or unsaid:
        yield f"it said {words[-600:]!r}"


def rerun(case: Case, data: Path, place: Path, expected: Path, varies: frozenset[str]) -> Iterator[str]:
    """Run a command again after a signal, and yield what differs from an undisturbed run."""
    if bad := whole(case, data, place, *["--resume"] * case.resumes):
        yield f"run again: {bad}"
    for name, _ in files(place):
        if not (expected / name).exists():
            yield f"run again: {name} lies there"
    for name, path in files(expected):
        if not (place / name).exists() or (name not in varies and not same(place / name, path)):
            yield f"run again: {name} differs"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", default=list(CASES))
    parser.add_argument("--moments", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    faults = 0
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        data.mkdir()
        made(data)
        for name in args.cases:
            work = Path(folder) / name
            work.mkdir()
            found = trial(name, CASES[name], data, work, args.moments, random.Random(f"{args.seed} {name}"))
            faults += len(found.faults)
            for fault in found.faults:
                print(f"  {name}: {fault}", flush=True)
    print(f"{faults} faults")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
