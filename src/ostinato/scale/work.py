"""The work on one part: read it, apply a verb to its series, and write the results; the same on every machine."""

from __future__ import annotations

import io
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

import polars as pl

from ostinato._version import __version__
from ostinato.data.sequences import SequenceSet
from ostinato.data.series_rows import TWICE
from ostinato.errors import ConfigError
from ostinato.scale import arrange
from ostinato.scale.plan import PanelPart, ParquetPanel
from ostinato.scale.series import Failure, load
from ostinato.storage import atomic_write

#: The key in the footer of a result file under which its counts and sums are stored.
KEY = "ostinato"


@dataclass(frozen=True)
class PartResult:
    """The result of a verb for one part.

    Attributes:
        frame: The table of results, with typed columns even without rows.
        failures: The series without a result.
        sums: The sums that are added up over all parts, as JSON.
        set_aside: The number of series of which values were taken as missing, because they are far from all others.
    """

    frame: pl.DataFrame
    failures: list[Failure]
    sums: dict[str, Any] = field(default_factory=dict)
    set_aside: int = 0


class Verb(Protocol):
    """A computation on every series. It can be sent to another machine, and its repr holds all its options."""

    def __call__(self, data: SequenceSet, number: int) -> PartResult:
        """Return the result for the series of one part.

        Args:
            data: The series of the part.
            number: The number of the part in the panel.
        """
        ...


@dataclass(frozen=True)
class Done:
    """The counts of a finished part.

    Attributes:
        series: The number of series with a result.
        failed: The number of series without a result.
        steps: The number of steps of the series with a result.
        sums: The sums of the verb.
        set_aside: The number of series of which values were taken as missing.
        twice: The number of series of which rows that occur twice were left out.
    """

    series: int
    failed: int
    steps: int
    sums: dict[str, Any]
    set_aside: int = 0
    twice: int = 0

    def plus(self, other: Done) -> Done:
        """Return the counts and sums of both together."""
        series, failed, steps = self.series + other.series, self.failed + other.failed, self.steps + other.steps
        aside, twice = self.set_aside + other.set_aside, self.twice + other.twice
        return Done(series, failed, steps, _plus(self.sums, other.sums), aside, twice)


def _plus(a: Any, b: Any) -> Any:
    """Add numbers, lists of numbers, or dictionaries of them; a key that only one dictionary has keeps its value."""
    if isinstance(a, dict):
        return {key: _plus(a[key], b[key]) if key in a and key in b else {**a, **b}[key] for key in {**a, **b}}
    return [_plus(x, y) for x, y in zip(a, b, strict=True)] if isinstance(a, list) else a + b


@dataclass(frozen=True)
class Task:
    """The work on a panel, as a worker gets it.

    Attributes:
        panel: The panel.
        verb: The verb.
        folder: The folder for the results, which every worker must see under this path.
        version: The version of the program that started the run.
    """

    panel: ParquetPanel
    verb: Verb
    folder: Path
    version: str = __version__

    def file(self, part: PanelPart) -> Path:
        """Return the file for the results of a part; it exists only when they are complete."""
        return self.folder / f"part-{part.number:06d}.parquet"

    def errors(self, part: PanelPart) -> Path:
        """Return the file for the failures of a part, which is written before its results."""
        return self.folder / ".errors" / f"part-{part.number:06d}.parquet"

    def deal(self, chunk: arrange.Chunk) -> None:
        """Distribute a chunk of a mixed panel over the buckets."""
        self._same_version()
        arrange.deal(self.panel, self.folder / ".arranged", chunk)

    def __call__(self, part: PanelPart) -> Done:
        """Work on a part, unless it is finished already, and return its counts."""
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
        done = Done(len(data) - len(failed), len(failures), steps, out.sums, out.set_aside, data.meta.get(TWICE, 0))
        atomic_write(self.file(part), _bytes(out.frame, {KEY: json.dumps(asdict(done))}))
        return done

    def done(self, part: PanelPart) -> Done:
        """Return the counts of a finished part, from the footer of its file."""
        return Done(**json.loads(pl.read_parquet_metadata(self.file(part))[KEY]))

    def _same_version(self) -> None:
        if self.version != __version__:
            what = (
                f"a worker has ostinato {__version__}, expected {self.version} as in the program that started the run"
            )
            raise ConfigError(what, fix="install the same version on every machine")


def _bytes(frame: pl.DataFrame, footer: dict[str, str]) -> bytes:
    buffer = io.BytesIO()
    frame.write_parquet(buffer, metadata=footer)
    return buffer.getvalue()
