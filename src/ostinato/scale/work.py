"""The work on one part: read it, ask a verb of its series, write what came out. The same on every machine."""

from __future__ import annotations

import io
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

import polars as pl

from ostinato._version import __version__
from ostinato.data.sequences import SequenceSet
from ostinato.errors import ConfigError
from ostinato.scale import arrange
from ostinato.scale.plan import PanelPart, ParquetPanel
from ostinato.scale.series import Failure, load
from ostinato.storage import atomic_write

#: The key of what a part's file says of itself, in its footer.
KEY = "ostinato"


@dataclass(frozen=True)
class Out:
    """What a verb gives for a part: a table, typed even where it has no row; series that failed; sums, as JSON."""

    frame: pl.DataFrame
    failures: list[Failure]
    sums: dict[str, Any] = field(default_factory=dict)


class Verb(Protocol):
    """What is asked of every series. A value that can be sent to another machine; its repr says all that matters."""

    def __call__(self, data: SequenceSet, number: int) -> Out:
        """The answer for the series of part ``number``."""
        ...


@dataclass(frozen=True)
class Done:
    """A part that is written: series that came out and that failed, the steps of the former, and the verb's sums."""

    series: int
    failed: int
    steps: int
    sums: dict[str, Any]

    def plus(self, other: Done) -> Done:
        """Both together."""
        series, failed, steps = self.series + other.series, self.failed + other.failed, self.steps + other.steps
        return Done(series, failed, steps, _plus(self.sums, other.sums))


def _plus(a: Any, b: Any) -> Any:
    """Sums of sums: numbers, lists of them, and dictionaries, in which what only one has is its sum."""
    if isinstance(a, dict):
        return {key: _plus(a[key], b[key]) if key in a and key in b else {**a, **b}[key] for key in {**a, **b}}
    return [_plus(x, y) for x, y in zip(a, b, strict=True)] if isinstance(a, list) else a + b


@dataclass(frozen=True)
class Task:
    """A verb over a panel, its results going to a folder that every worker sees under this path."""

    panel: ParquetPanel
    verb: Verb
    folder: Path
    version: str = __version__

    def file(self, part: PanelPart) -> Path:
        """The results of a part; it is there only when they are whole."""
        return self.folder / f"part-{part.number:06d}.parquet"

    def errors(self, part: PanelPart) -> Path:
        """The failures of a part, written before its results."""
        return self.folder / ".errors" / f"part-{part.number:06d}.parquet"

    def deal(self, chunk: arrange.Chunk) -> None:
        """Deal a chunk of a mixed panel out to its buckets."""
        self._same_version()
        arrange.deal(self.panel, self.folder / ".arranged", chunk)

    def __call__(self, part: PanelPart) -> Done:
        """Do a part, unless it is done already."""
        self._same_version()
        if self.file(part).exists():
            return self.done(part)
        data, bad = load(self.panel, part)
        out = self.verb(data, part.number)
        failures = sorted([*bad, *out.failures])
        if failures:
            names = {"unique_id": pl.String(), "error": pl.String()}
            atomic_write(self.errors(part), _bytes(pl.DataFrame(failures, names, orient="row"), {}))
        failed = {failure.unique_id for failure in out.failures}
        steps = sum(int(n) for key, n in zip(data.ids, data.lengths, strict=True) if key not in failed)
        done = Done(len(data) - len(failed), len(failures), steps, out.sums)
        atomic_write(self.file(part), _bytes(out.frame, {KEY: json.dumps(asdict(done))}))
        return done

    def done(self, part: PanelPart) -> Done:
        """What the file of a part says of itself."""
        return Done(**json.loads(pl.read_parquet_metadata(self.file(part))[KEY]))

    def _same_version(self) -> None:
        if self.version != __version__:
            what = f"a worker has ostinato {__version__}, and the program that asks it has {self.version}"
            raise ConfigError(what, fix="install the same version on every machine")


def _bytes(frame: pl.DataFrame, footer: dict[str, str]) -> bytes:
    buffer = io.BytesIO()
    frame.write_parquet(buffer, metadata=footer)
    return buffer.getvalue()
