"""What a person sees while a fit runs: a bar for the model in training, and the held-out table."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from ostinato.fits.result import DirectRung, Fit, Rung

if TYPE_CHECKING:
    from ostinato.fits.progress import TrainingProgress
    from ostinato.training.search import Trial


class LadderDisplay:
    """A context manager that shows a fit; quiet but for a line a model where there is no terminal."""

    def __init__(self, kind: str, *, shown: bool = True) -> None:
        self._shown = shown
        self._bits = kind in ("text", "sound")
        self._console = Console(stderr=True)
        self._bar = Progress(
            TextColumn("{task.description:>6}"),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[words]}"),
            TimeRemainingColumn(),
            console=self._console,
            transient=True,
            disable=not (shown and sys.stderr.isatty()),
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
        """Move the bar."""
        loss, last = self._loss(event.nats), self._loss(-event.validation)
        words = f"loss {loss} validation {last} {event.steps_per_second:.1f} steps/s"
        self._bar.update(self._task, description=event.name, completed=min(event.share, 1.0), words=words)

    def rung(self, rung: Rung | DirectRung) -> None:
        """A model is done."""
        if not self._shown or sys.stderr.isatty():
            return
        if isinstance(rung, DirectRung):
            inside = f"{rung.coverage:.1%} in 95 % intervals"
            self._console.print(f"{rung.name:>14}  quantile loss {rung.loss:.4f}, {inside}, {rung.seconds:.1f} s")
        else:
            self._console.print(f"{rung.name:>6}  held out {rung.held_out:.4f} nats a step, {rung.seconds:.1f} s")

    def trial(self, row: Trial) -> None:
        """A trial of a search is done."""
        reached = row.state if row.validation is None else f"validation {row.validation:.4f} nats a step"
        asked = ", ".join(f"{k} {v:.3g}" if isinstance(v, float) else f"{k} {v}" for k, v in row.asked.items())
        self._console.print(f"trial {row.number + 1}: {asked}: {reached}, {row.seconds:.1f} s")

    def table(self, fit: Fit) -> None:
        """The held-out table, the kept model marked."""
        candidates = [c for c in fit.table if isinstance(c, DirectRung)]
        self._candidates(candidates, fit.kept) if candidates else self._rungs(fit)

    def _candidates(self, candidates: Sequence[DirectRung], kept: object) -> None:
        table = Table(title="held out: quantile loss in seasonal errors (lower is better)", title_justify="left")
        table.add_column("forecaster")
        for name in ("loss", "in 95 %", "seconds"):
            table.add_column(name, justify="right")
        for c in candidates:
            name = c.name + (f": {c.detail}" if c.detail else "")
            cells = [f"{c.loss:.4f}", f"{c.coverage:.1%}", f"{c.seconds:.1f}"]
            table.add_row(name, *cells, style="bold" if c is kept else "")
        Console().print(table)

    def _rungs(self, fit: Fit) -> None:
        rungs = [r for r in fit.table if isinstance(r, Rung)]
        table = Table(title="held out: log-likelihood in nats a step (higher is better)", title_justify="left")
        table.add_column("model")
        for name in ("nats", *(["bits"] if self._bits else []), "over AR", "seconds", "steps", "weights"):
            table.add_column(name, justify="right")
        for r in rungs:
            bits = [f"{-r.held_out / math.log(2):.4f}"] if self._bits else []
            cells = [f"{r.held_out:.4f}", *bits, f"{r.held_out - rungs[0].held_out:+.4f}"]
            cells += [f"{r.seconds:.1f}", f"{r.steps:,}", f"{r.parameters:,}"]
            table.add_row(r.name + (f" {r.detail}" if r.detail else ""), *cells, style="bold" if r is fit.kept else "")
        Console().print(table)

    def _loss(self, nats: float) -> str:
        if math.isnan(nats):
            return "-"
        return f"{nats / math.log(2):.3f} bits" if self._bits else f"{nats:.3f} nats"
