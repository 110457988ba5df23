"""A run over a panel: its parts handed out, what they gave gathered in a folder that says what it holds."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

import polars as pl

from ostinato._version import __version__
from ostinato.errors import ConfigError
from ostinato.scale import arrange
from ostinato.scale.plan import ParquetPanel
from ostinato.scale.work import Done, Task, Verb
from ostinato.storage import atomic_write

Item = TypeVar("Item")
Result = TypeVar("Result")


class Executor(Protocol):
    """Where the parts are worked on."""

    def map(self, work: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """Work of every item, as they are done."""
        ...


class Here:
    """In this process, one part after the other."""

    def map(self, work: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """See Workers."""
        return (work(item) for item in items)


@dataclass(frozen=True)
class Outcome:
    """What a run over a panel gave.

    folder  part-000000.parquet ..., errors.parquet (unique_id, error) and manifest.json
    series, failed, steps  series that came out and that did not, and the steps of the former
    parts, earlier  parts in all, and those that an earlier run had left
    sums    of the verb over all parts
    """

    folder: Path
    series: int
    failed: int
    steps: int
    parts: int
    earlier: int
    sums: dict[str, Any]


@dataclass(frozen=True)
class PanelProgress:
    """What a progress line needs, after every part."""

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
    """Ask verb of every series of a panel, part by part, and write what comes out to the folder ``output``.

    Parts that an earlier run of the same verb over the same files left in the folder are kept, the others are done.

    Raises ConfigError where the folder holds something else, what ``plan`` and the verb raise; what one series raises
    is a row of errors.parquet.
    """
    folder, on = Path(output), on or Here()
    _claim(folder, panel, verb)
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
    for half in folder.rglob(".part-*"):  # of workers that were killed while they wrote
        half.unlink(missing_ok=True)
    return Outcome(folder, total.series, total.failed, total.steps, len(parts), len(there), total.sums)


def _claim(folder: Path, panel: ParquetPanel, verb: Verb) -> None:
    """Make the folder this run's. Raises ConfigError where it holds another's results, or anything else."""
    manifest = folder / "manifest.json"
    if folder.exists() and not folder.is_dir():
        raise ConfigError("the output is a file", where=str(folder), fix="name a folder: a panel's results are parts")
    if manifest.exists():
        try:
            owner = json.loads(manifest.read_text()).get("fingerprint")
        except (ValueError, AttributeError):
            owner = None
        if owner != _fingerprint(panel, verb):
            fix = "name another folder, or give the data and the options that these results were begun with"
            raise ConfigError("the folder holds results of other data or other options", where=str(folder), fix=fix)
    elif folder.exists() and any(folder.iterdir()):
        raise ConfigError("the folder holds other files", where=str(folder), fix="name a new or an empty folder")
    (folder / ".errors").mkdir(parents=True, exist_ok=True)
    if not manifest.exists():
        _write_manifest(folder, panel, verb, {})


def _fingerprint(panel: ParquetPanel, verb: Verb) -> str:
    """A hash of all that the results follow from; of the files their names, sizes and times."""
    words = [panel.digest, panel.columns, panel.kind, panel.frequency, repr(verb), __version__]
    return hashlib.sha256(json.dumps(words).encode()).hexdigest()


def _write_manifest(folder: Path, panel: ParquetPanel, verb: Verb, done: dict[str, Any]) -> None:
    """manifest.json: what was asked of what; with its parts and totals once all of them are there."""
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
    """errors.parquet, from those of the parts."""
    some = sorted((folder / ".errors").glob("*.parquet"))
    empty = pl.DataFrame(schema={"unique_id": pl.String, "error": pl.String})
    buffer = io.BytesIO()
    pl.concat([empty, *map(pl.read_parquet, some)]).write_parquet(buffer)
    atomic_write(folder / "errors.parquet", buffer.getvalue())
