"""The options of ``read`` in one value, and which of them a source has no use for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ostinato.choices import unknown
from ostinato.data.covariates import Columns
from ostinato.data.table_options import TableOptions, TimeOptions
from ostinato.data.zones import check_zone
from ostinato.errors import DataError
from ostinato.kinds import KINDS
from ostinato.wording import option

#: The options that are for sources of some forms only.
ONLY: dict[str, tuple[str, ...]] = {
    "channel": ("sound",),
    "mix": ("sound",),
    "sheet": ("files", "rows"),
    "query": ("database", "rows"),
}
#: What each of these options is for, in words.
_FOR = {"channel": "sound files", "mix": "sound files", "sheet": "spreadsheets", "query": "databases"}


@dataclass(frozen=True)
class ReadOptions:
    """The options of ``read``, those of a table in one value.

    Attributes:
        table: How a table is read.
        kind: The kind of the sequences; found from the content if None.
        channel: The channel to read from sound files; every channel if None.
        mix: Whether to read the mean of the channels of sound files.
        sheet: The sheet to read from spreadsheets. If None, it is the first one that is shown and holds a table.
        query: The query whose rows are read from a database.
        alphabet: The symbols of text: "characters" or "bytes".
        per_line: Whether each line of a text file is one sequence; found from the content if None.
    """

    table: TableOptions = TableOptions()  # noqa: RUF009 - a frozen value
    kind: str | None = None
    channel: int | None = None
    mix: bool = False
    sheet: str | None = None
    query: str | None = None
    alphabet: str = "characters"
    per_line: bool | None = None

    @staticmethod
    def of(arguments: Mapping[str, Any]) -> ReadOptions:
        """Return the options from arguments of ``read`` by name, with a target that may be one name.

        Args:
            arguments: The arguments. Covariates are "known", "past" and "static", as in ``SequenceSet.meta``, which may
                also hold the "calendar" that is expected, and "time_chosen", whether the column of times was named.

        Raises:
            DataError: The zone is unknown.
        """
        rest = dict(arguments)
        target, zone = rest.pop("target", None), rest.pop("zone", None)
        columns = [*target] if isinstance(target, list | tuple) else [] if target is None else [str(target)]
        covariates = Columns(*(tuple(rest.pop(name, ())) for name in ("known", "past", "static")))
        zone, chosen = None if zone is None else check_zone(zone), rest.pop("time_chosen", None)
        table = TableOptions(
            id_col=rest.pop("id_col", None),
            time_col=rest.pop("time_col", None),
            target=columns or None,
            covariates=covariates,
            clock=TimeOptions(rest.pop("day_first", None), zone, rest.pop("calendar", None), chosen),
            decimal=rest.pop("decimal", None),
        )
        return ReadOptions(table, **rest)

    def check(self) -> None:
        """Raise DataError if the kind, the alphabet or the decimal sign is unknown."""
        if self.kind is not None and self.kind not in KINDS:
            raise unknown("kind", self.kind, KINDS, error=DataError)
        if self.alphabet not in ("characters", "bytes"):
            fix = "use characters or bytes"
            raise unknown("alphabet", self.alphabet, ("characters", "bytes"), fix, error=DataError)
        if self.table.decimal not in (None, ".", ","):
            what = f"unknown decimal sign {self.table.decimal!r}"
            raise DataError(what, fix=f"use a point or a comma: {option('--decimal', ',')}")


def check_forms(form: str, options: ReadOptions) -> None:
    """Raise DataError if an option is given that is for sources of another form, because it would have no effect."""
    for name, forms in ONLY.items():
        given = getattr(options, name) not in (None, False)
        # whether other files are sound or spreadsheets is seen from their content
        if given and form not in forms and (form != "files" or name == "query"):
            raise no_use(name, options)


def check_text(kind: str, per_line: bool | None, alphabet: str) -> None:
    """Raise DataError if an option of text is given and the source is read as another kind."""
    for name, value, usual in (("per_line", per_line, None), ("alphabet", alphabet, "characters")):
        if kind != "text" and value != usual:
            what = f"the option {name} ({value!r}) is for text, and the source is read as {kind}"
            raise DataError(
                what, fix=f"leave out the option {name}, or read the source as text: {option('--kind', 'text')}"
            )


def no_use(name: str, options: ReadOptions) -> DataError:
    """Return the error about an option that is for sources of another form."""
    value = getattr(options, name)
    return DataError(
        f"the option {name} ({value!r}) is for {_FOR[name]}, and the source is of another form",
        fix=f"leave out the option {name}",
    )
