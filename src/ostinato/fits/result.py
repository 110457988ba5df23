"""What a fit gives back."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ostinato.model_file import Model


@dataclass(frozen=True)
class Rung:
    """One line of the held-out table: nats a step (higher is better), seconds, optimiser steps, parameters."""

    name: str
    held_out: float
    seconds: float
    steps: int
    parameters: int
    detail: str = ""


@dataclass(frozen=True)
class Candidate:
    """A line of a direct model's table: the quantile loss on held-out windows in seasonal errors (lower is better), and
    the share of their values within 95 %.
    """

    name: str
    loss: float
    coverage: float
    seconds: float
    detail: str = ""


@dataclass(frozen=True)
class Fit:
    """What fit returns: the model, its line of the table, the whole table, and what there is to say, in words."""

    model: Model
    kept: Rung | Candidate
    table: tuple[Rung, ...] | tuple[Candidate, ...]
    notes: tuple[str, ...]


def fit_of(model: Model, notes: Iterable[str]) -> Fit:
    """The fit that a model of the ladder was kept of, by its record."""
    table = tuple(Rung(**rung) for rung in model.description.record["table"])
    kept = next(rung for rung in table if rung.name == model.description.name)
    return Fit(model, kept, table, tuple(notes))
