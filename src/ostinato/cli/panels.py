"""The verbs over a panel in parts: what their command lines share."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ostinato.cli import options
from ostinato.errors import ConfigError
from ostinato.scale.threads import environment

if TYPE_CHECKING:
    from ostinato.scale.cluster import Cluster
    from ostinato.scale.run import Outcome, PanelProgress


def asked(on: str | None, workers: int | None, model: Path | None = None) -> bool:
    """Whether the command is one over a panel: where is said, or the model is an AR for each series."""
    return on is not None or workers is not None or (model is not None and str(model) == "ar" and not model.exists())


@dataclass(frozen=True)
class Destination:
    """Where a panel is worked on and where the results go, as the options say it."""

    output: Path | None
    on: str | None
    workers: int | None
    threads: int

    def cluster(self) -> Cluster | None:
        """What --on means; None is this process."""
        if self.on in (None, "here"):
            if self.workers is not None:
                raise ConfigError("--workers needs a cluster, and --on names none", fix="add --on ray")
            return None
        if self.on != "ray" and not str(self.on).startswith("ray://"):
            raise ConfigError(f"unknown value {self.on!r} of --on", fix="use here, ray, or ray://HOST:PORT")
        from ostinato.scale.cluster import ray

        address = None if self.on == "ray" else self.on

        def joined(where: str) -> None:
            options.say(f"note: {where}")

        return ray(address, workers=self.workers, threads=self.threads, on_joined=joined)


def run(verb: str, place: Destination, *given: Any, **more: Any) -> Any:
    """``ostinato.scale.<verb>`` with a progress line, a word on what came of it, and what it returned."""
    output = place.output
    if output is None:
        raise ConfigError("the results of a panel are a folder of parts", fix="name it with -o")
    for name, value in environment(place.threads).items():  # before the libraries that read it are loaded
        os.environ.setdefault(name, value)
    where = place.cluster()
    options.use_threads(place.threads)
    from ostinato import scale

    with _line() as show:
        result = getattr(scale, verb)(*given, output=output, on=where, on_progress=show, **more)
    out: Outcome = result[-1] if isinstance(result, tuple) else result
    if out.earlier:
        options.say(f"note: {out.earlier} of {out.parts} parts were there from an earlier run")
    if out.failed:
        options.say(f"note: {out.failed:,} series failed; why is in {output / 'errors.parquet'}")
    many = "s" * (out.parts != 1)
    print(f"{out.series:,} series, {out.steps:,} steps, in {out.parts} part{many}: {output}")
    return result


@contextmanager
def _line() -> Iterator[Callable[[PanelProgress], None]]:
    """A progress line over all workers; silent where there is no terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (BarColumn(bar_width=24), TextColumn("{task.fields[words]}"), TimeRemainingColumn())
    with Bar(*columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("", total=None, words="looking at the panel")

        def show(event: PanelProgress) -> None:
            words = f"part {event.done} of {event.parts}, {event.series:,} series, {event.failed:,} failed"
            bar.update(task, completed=event.done, total=event.parts, words=words)

        yield show
