"""The result of a fit: the model, the held-out table and the notes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ostinato.model_file import Model
from ostinato.record import DirectRung as DirectRung
from ostinato.record import Rung as Rung


@dataclass(frozen=True)
class Fit:
    """The result of ``fit``.

    Attributes:
        model: The model that was kept.
        kept: The row of the kept model in the table.
        table: The held-out table, the simplest model first: Rung for the ladder, DirectRung for a direct fit.
        notes: Remarks on the data and the fit, in words.
    """

    model: Model
    kept: Rung | DirectRung
    table: tuple[Rung, ...] | tuple[DirectRung, ...]
    notes: tuple[str, ...]


def fit_of(model: Model, notes: Iterable[str]) -> Fit:
    """Return the Fit of a model of the ladder, rebuilt from the record of the model."""
    table = model.description.ladder_record.table
    kept = next(rung for rung in table if rung.name == model.description.name)
    return Fit(model, kept, table, tuple(notes))
