"""The public reader: anything that holds sequences becomes a SequenceSet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ostinato.data import database, files
from ostinato.data.read_options import ONLY, ReadOptions, check_forms, check_text
from ostinato.data.readers import READERS
from ostinato.data.sequences import SequenceSet
from ostinato.data.source_rows import are_spreadsheets, form_of, is_tabular
from ostinato.errors import DataError
from ostinato.kinds import TABULAR
from ostinato.renamed import renamed
from ostinato.settings import undisturbed

#: The column of ids that several files without ids are given: the names of the files.
FILE_IDS = "unique_id"


@renamed(known="future_covariates", past="past_covariates", static="static_covariates")
@undisturbed
def read(  # noqa: PLR0913 - the options of the public reader, all by name
    source: Any,
    *,
    kind: str | None = None,
    id_col: str | None = None,
    time_col: str | None = None,
    target: str | list[str] | None = None,
    target_col: str | None = None,
    channel: int | None = None,
    mix: bool = False,
    sheet: str | None = None,
    query: str | None = None,
    alphabet: str = "characters",
    per_line: bool | None = None,
    future_covariates: Sequence[str] = (),
    past_covariates: Sequence[str] = (),
    static_covariates: Sequence[str] = (),
    day_first: bool | None = None,
    zone: str | None = None,
    decimal: str | None = None,
) -> SequenceSet:
    """Read sequences from files, a database, a pandas or polars frame, an array, or a list of arrays.

    A target column of words is read as text, one sequence for each row of the table. With ``kind="text"`` the source
    may also be a list or a mapping of strings.

    Args:
        source: A path, a folder, a pattern such as ``"data/*.csv"``, or the address of a database such as
            ``"sqlite:///sales.db"``; a frame, an array (T,) or (T, D), or a list or a mapping of arrays. A SequenceSet
            is returned as it is.
        kind: "series", "prices", "text" or "sound"; found from the content if left out.
        id_col: The column of a table that names the series; "unique_id" or a similar name if left out.
        time_col: The column of a table that holds the times; "ds" or a similar name if left out, and "none" if the rows
            are steps in their order.
        target: The column or columns of a table to model; "y" or a similar name if left out.
        target_col: Nixtla's name for ``target``.
        channel: The channel to read from sound files, counted from 0; every channel is one of the sequence if left out.
        mix: Whether to read the mean of the channels of sound files.
        sheet: The sheet to read from spreadsheets. If left out, it is the first one that is shown and holds a table.
        query: The query in SQL whose rows are read from a database.
        alphabet: The symbols of text: "characters" or "bytes".
        per_line: Whether each line of a text file is one sequence; found from the content if left out.
        future_covariates: The columns with future covariates, which are also known for the steps ahead, as
            holidays are.
        past_covariates: The columns with past covariates, which are known only up to the present.
        static_covariates: The columns with static covariates: one word for a whole series.
        day_first: Whether the date 01/02/2024 is the first of February. If left out, the reading with the more
            regular steps is taken, and a note names it.
        zone: The zone of the times, such as "Europe/Berlin". Days are counted by its clock. If left out, it is the zone
            of the column, or the one that the offsets of the times belong to.
        decimal: The decimal sign of the numbers of a table, "." or ",", where the cells leave it open, as "1,234" does;
            found from the other cells if left out.

    Returns:
        The sequences, with notes on what was found from the content.

    Raises:
        DataError: The source cannot be read. The error says what is wrong, where, and what to do.
        ConfigError: A package is not installed that the source needs.
    """
    options = ReadOptions.of({
        "kind": kind,
        "id_col": id_col,
        "time_col": time_col,
        "target": target_col if target is None else target,
        "channel": channel,
        "mix": mix,
        "sheet": sheet,
        "query": query,
        "alphabet": alphabet,
        "per_line": per_line,
        "known": future_covariates,
        "past": past_covariates,
        "static": static_covariates,
        "decimal": decimal,
        "day_first": day_first,
        "zone": zone,
    })  # fmt: skip
    data = _read(source, options)
    if data is not source:
        check_text(data.kind, per_line, alphabet)
    return data


def _read(source: Any, options: ReadOptions) -> SequenceSet:
    """Read a source, after checks of the options."""
    options.check()
    if isinstance(source, SequenceSet):
        return source
    covariates = options.table.covariates
    form = form_of(source)
    check_forms(form, options)
    data = READERS[form](source, options)
    given = {"sheet": options.sheet, "query": options.query, "decimal": options.table.decimal}
    meta: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    if form in ("database", "sound", "files", "rows"):
        meta["source"] = database.without_password(str(source))
    if covariates.all and data.covariates is None:
        raise DataError(
            f"the source has no covariate column {covariates.all[0]!r}: it is not a table with a row for each step",
            fix="give a table that holds the covariates as columns, or leave them out",
        )
    return replace(data, meta={**data.meta, **meta, "kind": data.kind, "asked": options.kind})


def read_like(source: Any, meta: dict[str, Any], given: dict[str, Any] | None = None) -> SequenceSet:
    """Read new data with the options of an earlier reading.

    Args:
        source: Anything that ``read`` takes.
        meta: The ``SequenceSet.meta`` of the earlier data.
        given: Arguments of ``read`` that replace those of the earlier reading.

    Returns:
        The new data, perhaps of another kind if the source cannot be a table; the caller checks the kind.

    Raises:
        DataError: The source cannot be read.
    """
    names = ["id_col", "time_col", "target", "alphabet", "per_line", "known", "past", "static", "decimal"]
    names += ["day_first", "zone", "calendar"]
    kind, form = meta.get("asked"), form_of(source)
    names += [name for name, forms in ONLY.items() if form in forms]
    if meta.get("kind") in TABULAR:
        if form == "sound" or (form == "files" and not is_tabular(files.find(source))):
            return read(source)
        kind = meta["kind"]  # numbers do not show whether they are prices
    if form == "files" and not are_spreadsheets(source):
        names.remove("sheet")
    given = given or {}
    # a channel and the mix of all exclude each other
    names = [name for name in names if name not in ("channel", "mix") or not given.keys() & {"channel", "mix"}]
    arguments = {**{k: meta[k] for k in names if meta.get(k) is not None}, **given}
    if "time_col" not in given:  # the earlier reading may have found the column, and its numbers may be steps
        dated = (meta.get("calendar") or {"type": "steps"})["type"] != "steps"
        arguments["time_chosen"] = dated or bool(meta.get("time_chosen"))
    by_file = form == "files" and arguments.get("id_col") == FILE_IDS and "id_col" not in given
    if by_file:
        # either a column of this name, which is found again, or the names of the files, which are in no column
        del arguments["id_col"]
    options = ReadOptions.of({"kind": kind, **arguments})
    categories = meta.get("categories") or ({} if options.table.covariates.all else None)
    data = _read(source, replace(options, table=replace(options.table, categories=categories)))
    # the options of the earlier reading do not count as given here
    check_text(data.kind, given.get("per_line"), given.get("alphabet", "characters"))
    return _named_by_file(data) if by_file else data


def _named_by_file(data: SequenceSet) -> SequenceSet:
    """Return data from one file without ids with the name of the file as the id, as it has among several files."""
    paths = files.find(data.meta["source"])
    if len(paths) > 1 or len(data) != 1 or data.meta.get("id_col") is not None:
        return data
    return replace(data, ids=tuple(files.names_of(paths)))
