"""A run over a panel: hand out its parts, and collect their results in a folder with a manifest."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

import polars as pl

from ostinato._version import __version__
from ostinato.errors import ConfigError, OstinatoError
from ostinato.look import Shown
from ostinato.numbers import counted
from ostinato.scale import arrange
from ostinato.scale.plan import ParquetPanel
from ostinato.scale.threads import Threaded
from ostinato.scale.work import Done, Task, Verb
from ostinato.storage import atomic_write

Item = TypeVar("Item")
Result = TypeVar("Result")


class Executor(Protocol):
    """A way to work on the parts of a panel, such as a Ray cluster."""

    def map(self, work: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """Yield the results of the items as they are done.

        Args:
            work: The function to call.
            items: The arguments, one for each call.
        """
        ...


@dataclass(frozen=True)
class Here:
    """The executor in this process, which works on one part after the other.

    Attributes:
        threads: The number of threads that compute.
    """

    threads: int = 1

    def map(self, work: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """Yield the results of the items, in order; see ``Executor``."""
        return map(Threaded(work, self.threads), items)


@dataclass(frozen=True, repr=False)
class Outcome(Shown):
    """The result of a run over a panel.

    Attributes:
        folder: The folder with part-000000.parquet and so on, errors.parquet (unique_id, error) and manifest.json.
        series: The number of series with a result.
        failed: The number of series without a result.
        steps: The number of steps of the series with a result.
        parts: The number of parts.
        earlier: The number of parts that an earlier run had finished.
        sums: The sums of the verb over all parts.
        set_aside: The number of series of which values were taken as missing, because they are far from all others.
        twice: The number of series of which rows that occur twice were left out.
    """

    folder: Path
    series: int
    failed: int
    steps: int
    parts: int
    earlier: int
    sums: dict[str, Any]
    set_aside: int = 0
    twice: int = 0

    def look(self) -> tuple[list[str], None]:
        """Return the folder with what is in it."""
        done = f"{counted(self.parts, 'part')}, of which {self.earlier:,} were finished before"
        what = f"{self.series:,} series of {counted(self.steps, 'step')} with a result, {self.failed:,} without one"
        return [str(self.folder), what, done], None


@dataclass(frozen=True)
class PanelProgress:
    """The progress of a run, after every part.

    Attributes:
        done: The number of finished parts.
        parts: The number of parts.
        series: The number of series with a result.
        failed: The number of series without a result.
    """

    done: int
    parts: int
    series: int
    failed: int


def run(
    panel: ParquetPanel,
    verb: Verb,
    output: str | Path,
    on: Executor | None = None,
    on_progress: Callable[[PanelProgress], None] | None = None,
) -> Outcome:
    """Apply a verb to every series of a panel, part by part, and write the results to a folder.

    Parts that an earlier run of the same verb over the same files has finished are kept. The error of a single series
    is a row of errors.parquet.

    Args:
        panel: The panel.
        verb: The verb.
        output: The folder for the results.
        on: The executor; this process if None.
        on_progress: A function that is called after every part.

    Returns:
        The totals of the run.

    Raises:
        ConfigError: The folder holds something else.
        OstinatoError: As for the verb and the executor.
    """
    folder, on = Path(output), on or Here()
    with _claimed(folder, panel, verb):
        return _run(panel, verb, folder, on, on_progress)


def _run(
    panel: ParquetPanel, verb: Verb, folder: Path, on: Executor, on_progress: Callable[[PanelProgress], None] | None
) -> Outcome:
    """Do what ``run`` does, in a folder that is claimed."""
    task = Task(panel, verb, folder)
    parts = list(panel.parts)
    arranged = folder / ".arranged"
    if not parts:
        arranged.mkdir(exist_ok=True)
        for _ in on.map(task.deal, arrange.chunks(panel)):
            pass
        parts = arrange.parts(panel, arranged)
    there = [part for part in parts if task.file(part).exists()]
    left = [part for part in parts if not task.file(part).exists()]
    total = Done(0, 0, 0, {})
    for part in there:
        total = total.plus(task.done(part))
    for number, done in enumerate(on.map(task, left), len(there) + 1):
        total = total.plus(done)
        if on_progress:
            on_progress(PanelProgress(number, len(parts), total.series, total.failed))
    _gather(folder)
    _write_manifest(folder, panel, verb, {"parts": len(parts), **asdict(total)})
    shutil.rmtree(arranged, ignore_errors=True)
    for half in folder.rglob(".part-*"):  # files of workers that were killed while they wrote
        half.unlink(missing_ok=True)
    counts = total.series, total.failed, total.steps, len(parts), len(there)
    return Outcome(folder, *counts, total.sums, total.set_aside, total.twice)


@contextmanager
def _claimed(folder: Path, panel: ParquetPanel, verb: Verb) -> Iterator[None]:
    """Claim the folder for a run. A run that is refused before its first result leaves the folder as it was."""
    before = {place for place in (folder, folder / "manifest.json") if place.exists()}
    _claim(folder, panel, verb)
    try:
        yield
    except OstinatoError as error:
        # what ended for another reason is resumed, and so is what has results
        refused = error.exit_code == OstinatoError.exit_code and folder / "manifest.json" not in before
        if refused and not any(folder.glob("part-*.parquet")):
            for made in (".errors", ".arranged"):
                shutil.rmtree(folder / made, ignore_errors=True)
            (folder / "manifest.json").unlink(missing_ok=True)
            if folder not in before:
                with suppress(OSError):  # something else was put there
                    folder.rmdir()
        raise


def _claim(folder: Path, panel: ParquetPanel, verb: Verb) -> None:
    """Prepare the folder for this run. Raise ConfigError if it holds the results of another run, or other files."""
    manifest = folder / "manifest.json"
    if folder.exists() and not folder.is_dir():
        what = "the output of a panel must be a folder, got a file"
        raise ConfigError(what, where=str(folder), fix="give a new or an empty folder")
    if manifest.exists():
        try:
            owner = json.loads(manifest.read_text()).get("fingerprint")
        except (ValueError, AttributeError):
            owner = None
        if owner != _fingerprint(panel, verb):
            fix = "give another folder, or the data and the options of the earlier run"
            raise ConfigError("the folder holds results of other data or other options", where=str(folder), fix=fix)
    elif folder.exists() and any(folder.iterdir()):
        raise ConfigError(
            "the output folder already has other files", where=str(folder), fix="give a new or an empty folder"
        )
    (folder / ".errors").mkdir(parents=True, exist_ok=True)
    if not manifest.exists():
        _write_manifest(folder, panel, verb, {})


def _fingerprint(panel: ParquetPanel, verb: Verb) -> str:
    """Return a hash of everything that the results depend on; files count by their names, sizes and times."""
    words = [panel.digest, panel.columns, panel.kind, panel.frequency, repr(verb), __version__]
    return hashlib.sha256(json.dumps(words).encode()).hexdigest()


def _write_manifest(folder: Path, panel: ParquetPanel, verb: Verb, done: dict[str, Any]) -> None:
    """Write manifest.json: the verb, the source, and after the run the number of parts and the totals."""
    document = {
        "ostinato": __version__,
        "verb": repr(verb),
        "source": panel.source,
        "columns": panel.columns,
        "kind": panel.kind,
        "frequency": panel.frequency,
        "fingerprint": _fingerprint(panel, verb),
        "finished": bool(done),
        **done,
    }
    atomic_write(folder / "manifest.json", (json.dumps(document, indent=1) + "\n").encode())


def _gather(folder: Path) -> None:
    """Join the errors of the parts in errors.parquet."""
    files = sorted((folder / ".errors").glob("*.parquet"))
    empty = pl.DataFrame(schema={"unique_id": pl.String, "error": pl.String})
    buffer = io.BytesIO()
    pl.concat([empty, *map(pl.read_parquet, files)]).write_parquet(buffer)
    atomic_write(folder / "errors.parquet", buffer.getvalue())
