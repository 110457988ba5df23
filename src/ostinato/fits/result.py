"""The result of a fit: the model, the held-out table and the notes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from ostinato.look import Shown
from ostinato.model_file import Model
from ostinato.record import DirectRung as DirectRung
from ostinato.record import Rung as Rung

if TYPE_CHECKING:
    import polars as pl
    from matplotlib.figure import Figure


@dataclass(frozen=True, repr=False)
class Fit(Shown):
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

    def look(self) -> tuple[list[str], pl.DataFrame]:
        """Return which model was kept, with the notes, and the held-out table."""
        import polars as pl

        rows = [{key: value for key, value in asdict(rung).items() if value not in ("", None)} for rung in self.table]
        kept = self.kept.detail or self.kept.name
        return [f"kept {kept}", *(f"note: {note}" for note in self.notes)], pl.DataFrame(rows)

    def plot(self) -> Figure:
        """Return the held-out score of every candidate and the learning curves, if any, as a figure of matplotlib.

        Raises:
            ConfigError: matplotlib is not installed.
        """
        from ostinato.fits.picture import figure

        return figure(self)


def fit_of(model: Model, notes: Iterable[str]) -> Fit:
    """Return the Fit of a model of the ladder, rebuilt from the record of the model."""
    table = model.description.ladder_record.table
    kept = next(rung for rung in table if rung.name == model.description.name)
    return Fit(model, kept, table, tuple(notes))
