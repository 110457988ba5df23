"""What the commands share that process a Parquet panel in parts."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, final

from ostinato.choices import unknown
from ostinato.cli import options, screen
from ostinato.errors import ConfigError
from ostinato.numbers import counted
from ostinato.scale.threads import each_worker, environment
from ostinato.threads import Threads

if TYPE_CHECKING:
    from ostinato.scale.cluster import Cluster
    from ostinato.scale.run import Executor, Outcome, PanelProgress


def check_times(zone: str | None, day_first: bool | None) -> None:
    """Raise ConfigError for an option of times, which the typed columns of a panel in parts do not need."""
    if zone is not None or day_first is not None:
        name = "--zone" if zone is not None else "--day-first" if day_first else "--month-first"
        raise ConfigError(
            f"a panel that is processed in parts has times with types, got {name}",
            fix="leave the option out, and write the column of times with its zone",
        )


@dataclass(frozen=True)
class Destination:
    """The place where a panel is processed, and the folder of its results.

    Attributes:
        output: The folder for the results, from --output.
        on: "here", "ray" or the address of a Ray cluster, from --on.
        workers: The number of workers of the cluster, from --workers.
        threads: The number of threads of each worker, from --threads; "auto" is 1.
        device: Where the models of the parts compute, from --device.
    """

    output: Path | None
    on: str | None
    workers: int | None
    threads: Threads
    device: str = "auto"

    def cluster(self) -> Cluster | None:
        """Return the cluster that --on names; None for this process.

        Raises:
            ConfigError: --on is unknown, or --workers is given without a cluster.
        """
        if self.on in (None, "here"):
            if self.workers is not None:
                raise ConfigError(
                    f"--workers needs a cluster, got --workers {self.workers} without --on ray", fix="add --on ray"
                )
            return None
        if self.on != "ray" and not str(self.on).startswith("ray://"):
            raise unknown("value of --on", self.on, ("here", "ray"), "use here, ray, or ray://HOST:PORT")
        from ostinato.scale.cluster import ray

        address = None if self.on == "ray" else self.on

        def joined(where: str) -> None:
            screen.say(f"note: {where}")

        return ray(address, workers=self.workers, threads=self.threads, on_joined=joined)


@final
@dataclass(frozen=True)
class Place:
    """The options of where a command computes that can process a panel in parts."""

    on: options.On = None
    workers: options.Workers = None
    threads: options.Threads = "auto"
    device: options.Device = "auto"

    @property
    def in_parts(self) -> bool:
        """Whether a panel is processed in parts: with --on or --workers."""
        return self.on is not None or self.workers is not None

    @property
    def count(self) -> Threads:
        """The number of threads, or "auto"."""
        return options.threads(self.threads)

    def to(self, output: Path | None) -> Destination:
        """Return the place with the folder of the results."""
        return Destination(output, self.on, self.workers, self.count, self.device)


@dataclass(frozen=True)
class PanelRun:
    """The arguments that every function of ``ostinato.scale`` takes for a panel.

    Attributes:
        output: The folder for the results.
        cluster: The cluster, or the executor in this process.
        show: The function that moves the progress bar.
    """

    output: Path
    cluster: Executor
    show: Callable[[PanelProgress], None]

    def summarise(self, outcome: Outcome) -> None:
        """Print the number of series, steps and parts that were processed, and the series that failed."""
        if outcome.earlier:
            screen.say(f"note: {outcome.earlier} of {counted(outcome.parts, 'part')} were done by an earlier run")
        if outcome.set_aside:
            screen.say(f"note: values far from all others were taken as missing in {outcome.set_aside:,} series")
        if outcome.twice:
            screen.say(f"note: rows that occur twice are left out, in {outcome.twice:,} series")
        if outcome.failed:
            screen.say(f"note: {outcome.failed:,} series failed; {self.output / 'errors.parquet'} lists the reasons")
        print(
            f"{outcome.series:,} series, {counted(outcome.steps, 'step')}, in {counted(outcome.parts, 'part')}: "
            f"{self.output}"
        )


@contextmanager
def running(destination: Destination) -> Iterator[PanelRun]:
    """Set the numbers of threads, join the cluster and show a progress bar while a panel is processed.

    Variables of the environment that are not set hold the numbers of threads meanwhile, for the processes of the
    cluster. Import ``ostinato.scale`` inside the context: the libraries read their number of threads when they are
    loaded.

    Raises:
        ConfigError: No folder for the results is given.
    """
    if destination.output is None:
        raise ConfigError("no output given; the results of a panel are a folder of parts", fix="name a folder with -o")
    count = each_worker(destination.threads)
    unset = {name: value for name, value in environment(count).items() if name not in os.environ}
    os.environ.update(unset)
    try:
        cluster = destination.cluster()
        from ostinato.scale.run import Here

        with options.in_parts_on(destination.device, destination.on), _progress_bar() as show:
            yield PanelRun(destination.output, cluster or Here(count), show)
    finally:
        for name in unset:
            os.environ.pop(name, None)


@contextmanager
def _progress_bar() -> Iterator[Callable[[PanelProgress], None]]:
    """Yield a function that moves one progress bar for all workers. Without a terminal nothing is shown."""
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeRemainingColumn

    from ostinato.cli.progress import Bar

    columns = (BarColumn(bar_width=24), TextColumn("{task.fields[words]}"), TimeRemainingColumn())
    with Bar(*columns, console=Console(stderr=True), transient=True, disable=not screen.watched()) as bar:
        task = bar.add_task("", total=None, words="reading the panel")

        def show(event: PanelProgress) -> None:
            words = f"part {event.done} of {event.parts}, {event.series:,} series, {event.failed:,} failed"
            bar.update(task, completed=event.done, total=event.parts, words=words)

        yield show
