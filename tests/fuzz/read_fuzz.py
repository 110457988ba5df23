"""Fuzz the readers: ``python tests/fuzz/read_fuzz.py --seconds 3600 --out DIR``.

Each format is fuzzed in processes of its own, by atheris (guided by the coverage of ``ostinato.data``) and by
hypothesis (pieces of the format put into its seeds). A process that dies or needs more than 10 seconds for one input is
a finding, and another one takes its place. At the end a table is printed. The inputs of all findings lie in
DIR/findings; copy them to tests/fuzz/seeds, from where ``tests/data/test_fuzz_seeds.py`` reads them in every run.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import targets

#: The seconds that one input may take.
LIMIT = 10.0
ENGINES = ("atheris", "hypothesis")
#: The size of the largest input.
LARGEST = 20_000


@dataclass
class Tally:
    """What one format came to."""

    runs: int = 0
    deaths: int = 0
    hangs: int = 0
    tracebacks: int = 0
    engines: dict[str, int] = field(default_factory=dict)


class Worker:
    """One input after another, in this process: the file of the input, and the number of inputs so far."""

    def __init__(self, name: str, folder: Path, findings: Path) -> None:
        self._name, self._findings = name, findings
        self._input = folder / f"input{targets.FORMATS[name][0]}"
        self._count, self._stats, self._written = 0, folder / "count", 0.0
        self._seen: set[str] = set()

    def one(self, raw: bytes) -> None:
        """Read one input, and save it if the reader raises anything but an OstinatoError."""
        self._input.write_bytes(raw)
        try:
            targets.run(self._name, self._input)
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            save(self._findings / self._name, raw, traceback.format_exc(), self._seen, error)
        self._count += 1
        if time.monotonic() - self._written > 0.5:
            self._stats.write_text(str(self._count))
            self._written = time.monotonic()


def save(folder: Path, raw: bytes, words: str, seen: set[str], error: BaseException | None = None) -> None:
    """Save an input and what happened, once for each place in the code."""
    last = traceback.extract_tb(error.__traceback__)[-1] if error else None
    place = f"{type(error).__name__} {last.filename}:{last.lineno}" if last else hashlib.sha256(raw).hexdigest()
    if place in seen:
        return
    seen.add(place)
    folder.mkdir(parents=True, exist_ok=True)
    name = f"found-{hashlib.sha256(place.encode()).hexdigest()[:8]}"
    (folder / name).write_bytes(raw)
    (folder / f"{name}.why").write_text(words, encoding="utf-8", errors="backslashreplace")


def damaged(seeds: list[bytes], pieces: tuple[bytes, ...], rng: random.Random) -> bytes:
    """Return a seed with a few pieces put in, bits flipped, and stretches left out, doubled or exchanged."""
    raw = bytearray(rng.choice(seeds))
    for _ in range(rng.choice((1, 1, 2, 3, 6))):
        at, size = rng.randrange(len(raw) + 1), rng.choice((1, 2, 4, 8, 40))
        match rng.randrange(7):
            case 0:
                raw[at:at] = rng.choice(pieces)
            case 1:
                raw[at : at + size] = rng.choice(pieces)
            case 2 if at < len(raw):
                raw[at] ^= 1 << rng.randrange(8)
            case 3:
                del raw[at : at + size]
            case 4:
                raw[at:at] = raw[at : at + size]
            case 5:
                other = rng.choice(seeds)
                start = rng.randrange(len(other) + 1)
                raw[at : at + size] = other[start : start + size]
            case 6 if rng.random() < 0.3:
                del raw[at:]
    return bytes(raw[:LARGEST])


def with_hypothesis(name: str, worker: Worker, seconds: float, seed: int) -> None:
    """Damage the seeds by the draws of hypothesis."""
    from hypothesis import HealthCheck, Phase, given, settings
    from hypothesis import seed as seeded
    from hypothesis import strategies as st

    inputs, (_, pieces) = [p.read_bytes() for p in targets.seeds(name)], targets.FORMATS[name]
    stop = time.monotonic() + seconds
    cells = st.one_of(st.text(max_size=6), st.integers().map(str), st.floats().map(repr), st.dates().map(str))
    rows = st.lists(st.lists(cells, min_size=1, max_size=4), max_size=8)
    written: Callable[[list[list[str]]], bytes] = {
        "csv": lambda t: "\n".join(",".join(r) for r in t).encode(errors="surrogatepass"),
        "tsv": lambda t: "\n".join("\t".join(r) for r in t).encode(errors="surrogatepass"),
        "jsonl": lambda t: "\n".join(json.dumps(dict(enumerate(r))) for r in t).encode(),
        "json": lambda t: json.dumps([dict(enumerate(r)) for r in t]).encode(),
    }.get(name, lambda t: damaged(inputs, pieces, random.Random(str(t))))

    @settings(
        deadline=None, database=None, max_examples=500, phases=[Phase.generate], suppress_health_check=list(HealthCheck)
    )
    @given(st.integers(0, 2**64), rows, st.booleans())
    def drawn(number: int, table: list[list[str]], fresh: bool) -> None:
        if time.monotonic() < stop:
            worker.one(written(table) if fresh else damaged(inputs, pieces, random.Random(number)))

    while time.monotonic() < stop:
        seeded(seed)(drawn)()
        seed += 1


def with_atheris(name: str, worker: Worker, seconds: float, seed: int, corpus: Path) -> None:
    """Let libFuzzer mutate the seeds, guided by the branches of our code."""
    import atheris

    for path in targets.seeds(name):
        shutil.copy(path, corpus / f"seed-{path.name}")
    pieces = targets.FORMATS[name][1]
    words = corpus.parent / "words"
    words.write_text("".join('"' + "".join(f"\\x{b:02x}" for b in p) + '"\n' for p in pieces if len(p) < 60))
    arguments = [
        f"-max_total_time={max(1, int(seconds))}",
        f"-seed={seed or 1}",
        f"-dict={words}",
        f"-max_len={LARGEST}",
        f"-artifact_prefix={corpus.parent}/",
    ]
    atheris.Setup(
        [sys.argv[0], *arguments, "-timeout=600", "-rss_limit_mb=4096", "-verbosity=0", str(corpus)], worker.one
    )
    atheris.Fuzz()


class _OneDecoder:
    """The process that decodes Parquet files first, kept for all inputs: starting it takes longer than an input."""

    def __init__(self, start: Callable[[], object]) -> None:
        self._start, self._decoder = start, start()

    def __call__(self) -> _OneDecoder:
        return self

    def __enter__(self) -> _OneDecoder:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def answer(self, raw: bytes, form: str) -> bytes:
        said: bytes = self._decoder.answer(raw, form)  # type: ignore[attr-defined]
        if self._decoder._child.poll() is not None:  # type: ignore[attr-defined]
            self._decoder = self._start()
        return said


def child(name: str, engine: str, seconds: float, seed: int, folder: Path, findings: Path) -> None:
    """Fuzz one format in this process."""
    if engine == "atheris":
        import atheris

        with atheris.instrument_imports(include=["ostinato.data", "ostinato.storage", "ostinato.model_file"]):
            import ostinato.model_file  # noqa: F401
    from ostinato.data import stored

    stored.Decoder = _OneDecoder(stored.Decoder)  # type: ignore[misc, assignment]
    stored._SAFE = _Forgetful()
    worker = Worker(name, folder, findings)
    if engine == "hypothesis":
        with_hypothesis(name, worker, seconds, seed)
    else:
        corpus = folder / "corpus"
        corpus.mkdir(exist_ok=True)
        with_atheris(name, worker, seconds, seed, corpus)


class _Forgetful(dict[bytes, bool]):
    """A memory of the last few inputs, so that a long run does not fill the machine."""

    def __setitem__(self, key: bytes, value: bool) -> None:
        if len(self) > 100:
            self.clear()
        super().__setitem__(key, value)


def watched(name: str, engine: str, seconds: float, out: Path, tally: Tally) -> Iterator[None]:
    """Run processes for one format until its time is up, and yield while one runs."""
    stop, seed = time.monotonic() + seconds, int.from_bytes(os.urandom(3))
    while (left := stop - time.monotonic()) > 1:
        seed += 1
        folder = out / "work" / f"{name}-{engine}"
        folder.mkdir(parents=True, exist_ok=True)
        current = folder / f"input{targets.FORMATS[name][0]}"
        for old in (current, folder / "count"):
            old.unlink(missing_ok=True)
        command = [
            sys.executable,
            __file__,
            "--child",
            name,
            engine,
            str(left),
            str(seed),
            str(folder),
            str(out / "findings"),
        ]
        with (folder / "log").open("w") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log)
        started, hung = time.time(), False
        while process.poll() is None:
            yield
            touched = current.stat().st_mtime if current.exists() else started + 60.0
            hung = time.time() - touched > LIMIT + 2.0
            if hung or time.monotonic() > stop + 60.0:
                process.kill()
                process.wait()
        done = int((folder / "count").read_text() or 0) if (folder / "count").exists() else 0
        tally.runs += done
        tally.engines[engine] = tally.engines.get(engine, 0) + done
        if hung and not (current.exists() and _hangs(name, current, out)):
            continue  # the machine was busy, perhaps before the first input
        if process.returncode != 0 and (hung or time.monotonic() <= stop + 60.0):
            raw = current.read_bytes() if current.exists() else b""
            what = "it took more than 10 seconds" if hung else f"the process ended with {process.returncode}"
            words = f"{what}\n{(folder / 'log').read_text(errors='replace')[-4000:]}"
            save(out / "findings" / name, raw, words, set())
            tally.hangs += hung
            tally.deaths += not hung


def _hangs(name: str, current: Path, out: Path) -> bool:
    """Return whether an input takes too long in a process of its own, too, with time for a busy machine."""
    copy = out / f"again{current.suffix}"
    shutil.copy(current, copy)
    try:
        command = [sys.executable, __file__, "--one", name, str(copy)]
        subprocess.run(command, timeout=6 * LIMIT, capture_output=True, check=False)
    except subprocess.TimeoutExpired:
        return True
    return False


def main() -> int:
    """Fuzz every format, print a table, and return whether there was a finding."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="the time of the whole run")
    parser.add_argument("--out", type=Path, default=Path("fuzz-out"), help="the folder of the inputs and findings")
    parser.add_argument("--jobs", type=int, default=2, help="the number of processes at a time")
    parser.add_argument("--formats", nargs="*", default=list(targets.FORMATS), choices=list(targets.FORMATS))
    parser.add_argument("--child", nargs=6, help=argparse.SUPPRESS)
    parser.add_argument("--one", nargs=2, metavar=("FORMAT", "FILE"), help="read one input, and show what happens")
    given = parser.parse_args()
    if given.one:
        targets.run(given.one[0], Path(given.one[1]))
        return 0
    if given.child:
        name, engine, seconds, seed, folder, findings = given.child
        child(name, engine, float(seconds), int(seed), Path(folder), Path(findings))
        return 0
    out = given.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    tallies = {name: Tally() for name in given.formats}
    todo = [(name, engine) for name in given.formats for engine in ENGINES if _is_there(engine)]
    each = given.seconds * given.jobs / len(todo)
    running: list[Iterator[None]] = []
    while todo or running:
        while todo and len(running) < given.jobs:
            name, engine = todo.pop(0)
            running.append(watched(name, engine, each, out, tallies[name]))
        running = [job for job in running if next(job, StopIteration) is not StopIteration]
        time.sleep(0.1)
    found = 0
    print("| format | inputs | by atheris | by hypothesis | crashes | hangs | tracebacks |")
    print(f"|{' --- |' * 7}")
    for name, tally in tallies.items():
        tally.tracebacks = len(list((out / "findings" / name).glob("*.why"))) - tally.deaths - tally.hangs
        found += tally.deaths + tally.hangs + tally.tracebacks
        by = [tally.engines.get(engine, 0) for engine in ENGINES]
        row = (tally.runs, *by, tally.deaths, tally.hangs, tally.tracebacks)
        print(f"| {name} | {' | '.join(f'{n:,}' for n in row)} |")
    print(f"\n{sum(t.runs for t in tallies.values()):,} inputs, {found} findings in {out / 'findings'}")
    return int(found > 0)


def _is_there(engine: str) -> bool:
    try:
        __import__(engine)
    except ImportError:
        return False
    return True


if __name__ == "__main__":
    sys.exit(main())
