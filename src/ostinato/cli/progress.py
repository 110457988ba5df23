"""The display of a fit: a progress bar for the model in training, and the held-out table."""

from __future__ import annotations

import math
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from ostinato.cli import screen
from ostinato.kinds import TRAITS, Kind
from ostinato.numbers import shown
from ostinato.record import DirectRung, Rung

if TYPE_CHECKING:
    from ostinato.fits.progress import TrainingProgress
    from ostinato.fits.result import Fit
    from ostinato.record import Trial


class Bar(Progress):
    """A progress bar of which nothing is seen if it is disabled: rich 13.7 then ends it with an empty line."""

    def stop(self) -> None:
        """Remove the bar, if it was shown."""
        if not self.disable:
            super().stop()


class LadderDisplay:
    """A context manager that shows the progress of a fit. Without a terminal it prints one line for each model.

    Args:
        kind: The kind of data, which decides the unit of a mean likelihood, and whether a loss is shown in bits.
        shown: Whether anything is shown. If several workers fit one model, only the first worker shows the fit.
    """

    def __init__(self, kind: Kind, *, shown: bool = True) -> None:
        self._shown = shown
        self._bits, self._unit = TRAITS[kind].in_bits, TRAITS[kind].judged
        self._console = Console(stderr=True)
        self._bar = Bar(
            TextColumn("{task.description:>6}"),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[words]}"),
            TimeRemainingColumn(),
            console=self._console,
            transient=True,
            disable=not (shown and screen.watched()),
        )
        self._task = self._bar.add_task("", total=1.0, words="reading")

    def __enter__(self) -> LadderDisplay:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def progress(self, event: TrainingProgress) -> None:
        """Move the progress bar."""
        if event.measure == "nats":
            words = f"loss {self._loss(event.loss)} validation {self._loss(-event.validation)}"
        else:
            words = f"{event.measure} {shown(event.loss, 4)}"
        words += f" {event.steps_per_second:.1f} steps/s"
        self._bar.update(self._task, description=event.name, completed=min(event.share, 1.0), words=words)

    def rung(self, rung: Rung | DirectRung) -> None:
        """Print a line about a fitted model, unless a terminal shows the progress bar."""
        if not self._shown or screen.hushed() or screen.watched():
            return
        if isinstance(rung, DirectRung):
            inside = f"{rung.coverage:.1%} in 95 % intervals"
            self._console.print(f"{rung.name:>14}  quantile loss {shown(rung.loss, 4)}, {inside}, {rung.seconds:.1f} s")
        else:
            self._console.print(
                f"{rung.name:>6}  held out {rung.held_out:.4f} nats a {self._unit}, {rung.seconds:.1f} s"
            )

    def trial(self, row: Trial) -> None:
        """Print a line about a finished trial of a search."""
        reached = row.state if row.validation is None else f"validation {row.validation:.4f} nats a {self._unit}"
        settings = ", ".join(f"{k} {shown(v, 3)}" if isinstance(v, float) else f"{k} {v}" for k, v in row.asked.items())
        self._console.print(f"trial {row.number + 1}: {settings}: {reached}, {row.seconds:.1f} s")

    def table(self, fit: Fit) -> None:
        """Print the held-out table, with the kept model in bold."""
        direct = [row for row in fit.table if isinstance(row, DirectRung)]
        self._direct_rungs(direct, fit.kept) if direct else self._rungs(fit)

    def _direct_rungs(self, rungs: Sequence[DirectRung], kept: object) -> None:
        table = _narrow("held out: quantile loss in seasonal errors (lower is better)")
        table.add_column("forecaster", overflow="fold")
        for name in ("loss", "in 95 %", "seconds"):
            table.add_column(name, justify="right", no_wrap=True)
        for rung in rungs:
            name = rung.name + (f": {rung.detail}" if rung.detail else "")
            cells = [shown(rung.loss, 4), f"{rung.coverage:.1%}", f"{rung.seconds:.1f}"]
            table.add_row(name, *cells, style="bold" if rung is kept else "")
        Console().print(table)

    def _rungs(self, fit: Fit) -> None:
        rungs = [row for row in fit.table if isinstance(row, Rung)]
        table = _narrow(f"held out: log-likelihood in nats a {self._unit} (higher is better)")
        table.add_column("model", overflow="fold")
        learns = any(rung.static is not None for rung in rungs)  # then static and adaptive have columns of their own
        first = ("static", "adaptive") if learns else ("nats",)
        parted = any(rung.error is not None for rung in rungs)  # a part was judged: its figures have an error
        first = (*first, "error") if parted else first
        for name in (*first, *(["bits"] if self._bits else []), "over AR", "seconds", "steps", "weights"):
            table.add_column(name, justify="right", no_wrap=True)
        for rung in rungs:
            bits = [f"{-rung.held_out / math.log(2):.4f}"] if self._bits else []
            figures = [f"{rung.held_out:.4f}"]
            if learns:
                figures = [f"{rung.held_out:.4f}", "-"]
            if rung.static is not None:
                figures = [f"{rung.static:.4f}", f"{rung.held_out:.4f}"]
            if parted:
                figures.append("-" if rung.error is None else f"{rung.error:.4f}")
            cells = [*figures, *bits, f"{rung.held_out - rungs[0].held_out:+.4f}"]
            cells += [f"{rung.seconds:.1f}", f"{rung.steps:,}", f"{rung.parameters:,}"]
            name = rung.name + (f" {rung.detail}" if rung.detail else "")
            table.add_row(name, *cells, style="bold" if rung is fit.kept else "")
        Console().print(table)

    def _loss(self, nats: float) -> str:
        if math.isnan(nats):
            return "-"
        return f"{nats / math.log(2):.3f} bits" if self._bits else f"{nats:.3f} nats"


def _narrow(title: str) -> Table:
    """Print a title, and return a table without lines, so that a name and its figures fit in 80 columns."""
    Console().print(title, highlight=False)
    return Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
