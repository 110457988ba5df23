"""The record of a fit: the facts about it that a model file keeps, as typed values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Self, TypeAlias

#: (optimiser steps, seconds, training loss, validation log-likelihood) of one evaluation, in nats a step. There is no
#: training loss before the first step.
CurvePoint: TypeAlias = tuple[int, float, float | None, float]


@dataclass(frozen=True)
class Rung:
    """One row of the held-out table of the ladder.

    Attributes:
        name: The model: "ar", or a backbone.
        held_out: The mean log-likelihood of the held-out part, in nats a step, of text a character; higher is better.
        seconds: The time of the fit.
        steps: The number of optimiser steps.
        parameters: The number of weights that are trained.
        detail: The closed form in words, such as "AR(21)"; empty for a network.
        static: The same mean without learning from the held-out part, of a model that goes on learning while it is
            used; None for any other model, whose ``held_out`` is static.
        error: The standard error of ``held_out`` where the budget let a part of the held-out steps be judged: how far
            the figure of all of them may be. None where all were judged.
    """

    name: str
    held_out: float
    seconds: float
    steps: int
    parameters: int
    detail: str = ""
    static: float | None = None
    error: float | None = None


@dataclass(frozen=True)
class DirectRung:
    """One row of the held-out table of a direct fit.

    Attributes:
        name: The forecaster: "naive", "seasonal naive", "least squares", or the backbone of the networks.
        loss: The quantile loss of the held-out windows in seasonal errors; lower is better.
        coverage: The share of the held-out values within the 95 % intervals.
        seconds: The time of the fit.
        detail: The settings in words.
    """

    name: str
    loss: float
    coverage: float
    seconds: float
    detail: str = ""


@dataclass(frozen=True)
class Trial:
    """One row of the table of a search.

    Attributes:
        number: The place of the trial in the order in which they began, from 0.
        asked: The options that the trial was fitted with, by name.
        validation: The best mean log-likelihood of the validation part, in nats a step. None if the trial ended early.
        held_out: The mean log-likelihood of the held-out part, in nats a step. None if the trial ended early.
        seconds: The time of the trial.
        state: How the trial ended: "complete", "pruned" or "fail".
    """

    number: int
    asked: dict[str, Any]
    validation: float | None
    held_out: float | None
    seconds: float
    state: str


@dataclass(frozen=True, kw_only=True)
class RunRecord:
    """The record of every fit. A value is None in a file that was written without it.

    Attributes:
        seed: The seed of the fit.
        config: The options of the model and its training, by name.
        split: The split of the data, in words.
        data: The SHA-256 digest of the data as read.
        sequences: The number of sequences.
        steps: The number of steps of all sequences together.
        versions: The versions of ostinato, torch and Python.
        held_out: The share or the number of steps that was held out, or the pattern of the held-out ids.
        threads: The number of threads that computed.
        budget: The limits of the fit: "seconds" and "steps".
        refit: Whether the kept model was fitted again to all of the data after the choice. The held-out figures are
            those of the model before that. None in a file of an early version: a model of the ladder was not fitted
            again, and it is not known of a direct one.
        refitted: How the kept model was fitted again, in words.
        command: The command line of the fit.
    """

    seed: int | None = None
    config: dict[str, Any] | None = None
    split: str | None = None
    data: str | None = None
    sequences: int | None = None
    steps: int | None = None
    versions: dict[str, str] = field(default_factory=dict)
    held_out: float | str | None = None
    threads: int | None = None
    budget: dict[str, Any] | None = None
    refit: bool | None = None
    refitted: str | None = None
    command: str | None = None

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        """Return the record that a model file holds; names that this version does not know are ignored."""
        known = {f.name: document[f.name] for f in fields(cls) if document.get(f.name) is not None}
        for name, row in cls._rows().items():
            if name in known:
                known[name] = tuple(row(**values) for values in known[name])
        return cls(**known)

    def to_json(self) -> dict[str, Any]:
        """Return the record as a model file holds it, without the values that are not known."""
        rows = {name: [dict(vars(row)) for row in getattr(self, name)] for name in self._rows()}
        values = {f.name: getattr(self, f.name) for f in fields(self)} | rows
        return {name: value for name, value in values.items() if value is not None and (value or name not in _OPTIONAL)}

    @classmethod
    def _rows(cls) -> dict[str, Any]:
        """Return the fields that are tables, with the class of their rows."""
        return {}


#: Fields that a file does not hold if they are empty.
_OPTIONAL = frozenset({"versions", "table", "search"})


@dataclass(frozen=True, kw_only=True)
class LadderRecord(RunRecord):
    """The record of a fit of the ladder.

    Attributes:
        method: How the error was sent back through time.
        table: The held-out table, the closed form first.
        curves: The evaluations during the training of each network, by its name.
        fingerprint: The hash of everything that the weights follow from.
        windows: (optimiser steps, truncation window, its estimated bias) whenever AdaptiveBPTT measured.
        truncation: The truncation windows, in words.
        moved: A note if another number of workers continued the fit, so that it is not equal to the bit.
        search: The trials of a search, best first.
        notes: The notes of the fit of one trial.
        curve: The evaluations during the training of this network.
        rung: The row of this network in the table, in the file of a checkpoint.
    """

    method: str | None = None
    table: tuple[Rung, ...] = ()
    curves: dict[str, list[CurvePoint]] | None = None
    fingerprint: str | None = None
    windows: list[tuple[int, int, float]] | None = None
    truncation: str | None = None
    moved: str | None = None
    search: tuple[Trial, ...] = ()
    notes: list[str] | None = None
    curve: list[CurvePoint] | None = None
    rung: dict[str, Any] | None = None

    @classmethod
    def _rows(cls) -> dict[str, Any]:
        return {"table": Rung, "search": Trial}

    def curves_of(self, name: str) -> dict[str, list[CurvePoint]]:
        """Return the evaluations of every network; a file of an early version holds those of the kept one only."""
        if self.curves is not None:
            return self.curves
        return {} if self.curve is None else {name: self.curve}

    def never_improved(self, name: str) -> bool:
        """Return whether the training of a network found no weights that are better than its start."""
        return self.improved(name) is False

    def improved(self, name: str) -> bool | None:
        """Return whether training improved a network on its start, on the validation part; None if it is not known."""
        curve = self.curves_of(name).get(name, [])
        if not curve or curve[0][0] != 0:
            return None
        return max(point[3] for point in curve) > curve[0][3]


@dataclass(frozen=True, kw_only=True)
class DirectRecord(RunRecord):
    """The record of a direct fit.

    Attributes:
        horizon: The number of steps that the model forecasts.
        table: The held-out table, the simplest forecaster first.
        verdict: What was kept and why, in words.
        choice: The penalty and the strength of the least squares.
        coverage: The coverage of the 95 % intervals: "held_out" before and "calibrated" after the calibration.
        held_horizons: The horizons of each series that were held out at least, up to a third of it. None in a file of
            an early version, which held out one.
    """

    horizon: int | None = None
    table: tuple[DirectRung, ...] = ()
    verdict: str = ""
    choice: dict[str, float] | None = None
    coverage: dict[str, float] = field(default_factory=dict)
    held_horizons: int | None = None

    @classmethod
    def _rows(cls) -> dict[str, Any]:
        return {"table": DirectRung}
