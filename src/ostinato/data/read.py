"""The public reader: anything that holds sequences becomes a SequenceSet."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from ostinato.choices import unknown
from ostinato.data import corpus, database, files, sound, tables, text
from ostinato.data.arrays import as_frame, as_texts, from_arrays
from ostinato.data.covariates import Columns
from ostinato.data.frames import TimeOptions, from_frame
from ostinato.data.origin import Origin
from ostinato.data.sequences import SequenceSet
from ostinato.data.zones import check_zone
from ostinato.errors import DataError
from ostinato.kinds import KINDS, TABULAR
from ostinato.renamed import renamed

#: The column of ids that several files without ids are given: the names of the files.
FILE_IDS = "unique_id"


class Rows(NamedTuple):
    """The rows of a table that was read before, which ``read`` takes as a source.

    Attributes:
        frame: The rows.
        origin: Their origin.
    """

    frame: Any
    origin: Origin

    def __str__(self) -> str:
        return self.origin.name


@dataclass(frozen=True)
class _ReadOptions:
    """The options of ``read``, with the target as a list of columns and the covariates in one value."""

    kind: str | None = None
    id_col: str | None = None
    time_col: str | None = None
    target: list[str] | None = None
    channel: int | None = None
    mix: bool = False
    sheet: str | None = None
    query: str | None = None
    alphabet: str = "characters"
    per_line: bool | None = None
    covariates: Columns = Columns()  # noqa: RUF009 - a frozen value
    clock: TimeOptions = TimeOptions()  # noqa: RUF009 - a frozen value
    decimal: str | None = None
    categories: dict[str, list[str]] | None = None

    @staticmethod
    def of(
        *,
        target: str | Sequence[str] | None = None,
        known: Sequence[str] = (),
        past: Sequence[str] = (),
        static: Sequence[str] = (),
        day_first: bool | None = None,
        zone: str | None = None,
        calendar: dict[str, Any] | None = None,
        **others: Any,
    ) -> _ReadOptions:
        """Return the options from the arguments of ``read``, with a target that may be one name."""
        columns = [*target] if isinstance(target, list | tuple) else [] if target is None else [str(target)]
        covariates = Columns(tuple(known), tuple(past), tuple(static))
        clock = TimeOptions(day_first, None if zone is None else check_zone(zone), calendar)
        return _ReadOptions(target=columns or None, covariates=covariates, clock=clock, **others)


@renamed(known="future_covariates", past="past_covariates", static="static_covariates")
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
        source: A path, a folder, a pattern such as ``"data/*.csv"``, the address of a database such as
            ``"sqlite:///sales.db"``, a frame, an array (T,) or (T, D), a list or a mapping of arrays, or a SequenceSet,
            which is returned as it is.
        kind: "series", "prices", "text" or "sound"; found from the content if left out.
        id_col: The column of a table that names the series; "unique_id" or a similar name if left out.
        time_col: The column of a table that holds the times; "ds" or a similar name if left out, and "none" if the rows
            are steps in their order.
        target: The column or columns of a table to model; "y" or a similar name if left out.
        target_col: Nixtla's name for ``target``.
        channel: The channel to read from sound files, counted from 0; every channel is one of the sequence if left out.
        mix: Whether to read the mean of the channels of sound files.
        sheet: The sheet to read from spreadsheets; the first one that is not empty if left out.
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
    options = _ReadOptions.of(
        kind=kind,
        id_col=id_col,
        time_col=time_col,
        target=target_col if target is None else target,
        channel=channel,
        mix=mix,
        sheet=sheet,
        query=query,
        alphabet=alphabet,
        per_line=per_line,
        known=future_covariates,
        past=past_covariates,
        static=static_covariates,
        decimal=decimal,
        day_first=day_first,
        zone=zone,
    )
    data = _read(source, options)
    if data is not source:
        _check_text(data.kind, per_line, alphabet)
    return data


def _read(source: Any, options: _ReadOptions) -> SequenceSet:
    """Read a source with checked options."""
    if options.kind is not None and options.kind not in KINDS:
        raise unknown("kind", options.kind, KINDS, error=DataError)
    if options.alphabet not in ("characters", "bytes"):
        raise unknown("alphabet", options.alphabet, ("characters", "bytes"), "use characters or bytes", error=DataError)
    if options.decimal not in (None, ".", ","):
        raise DataError(f"unknown decimal sign {options.decimal!r}", fix="use a point or a comma: decimal=','")
    if isinstance(source, SequenceSet):
        return source
    covariates = options.covariates
    form = _form(source)
    _check_forms(form, options)
    data = _READERS[form](source, options)
    given = {"sheet": options.sheet, "query": options.query, "decimal": options.decimal}
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
    kind, form = meta.get("asked"), _form(source)
    names += [name for name, forms in _ONLY.items() if form in forms]
    if meta.get("kind") in TABULAR:
        if form == "sound" or (form == "files" and not _tabular(files.find(source))):
            return read(source)
        kind = meta["kind"]  # numbers do not show whether they are prices
    if form == "files" and not _spreadsheets(source):
        names.remove("sheet")
    given = given or {}
    # a channel and the mix of all exclude each other
    names = [name for name in names if name not in ("channel", "mix") or not given.keys() & {"channel", "mix"}]
    arguments = {**{k: meta[k] for k in names if meta.get(k) is not None}, **given}
    by_file = form == "files" and arguments.get("id_col") == FILE_IDS and "id_col" not in given
    if by_file:
        # either a column of this name, which is found again, or the names of the files, which are in no column
        del arguments["id_col"]
    options = _ReadOptions.of(kind=kind, **arguments)
    data = _read(
        source, replace(options, categories=meta.get("categories") or ({} if options.covariates.all else None))
    )
    # what the earlier data were read with is no option that is given here
    _check_text(data.kind, given.get("per_line"), given.get("alphabet", "characters"))
    return _named_by_file(data) if by_file else data


def _named_by_file(data: SequenceSet) -> SequenceSet:
    """Return data from one file without ids with the name of the file as the id, as it has among several files."""
    paths = files.find(data.meta["source"])
    if len(paths) > 1 or len(data) != 1 or data.meta.get("id_col") is not None:
        return data
    return replace(data, ids=tuple(files.names_of(paths)))


#: The options that are for sources of some forms only.
_ONLY: dict[str, tuple[str, ...]] = {
    "channel": ("sound",),
    "mix": ("sound",),
    "sheet": ("files", "rows"),
    "query": ("database", "rows"),
}
#: What each of these options is for, in words.
_FOR = {"channel": "sound files", "mix": "sound files", "sheet": "spreadsheets", "query": "databases"}


def _form(source: Any) -> str:
    """Return the form of a source: "database", "sound" or other "files", "rows", or "memory"."""
    if isinstance(source, Rows):
        return "rows"
    if database.is_address(source):
        return "database"
    if not isinstance(source, str | Path):
        return "memory"
    return "sound" if files.family(files.find(source)) == "sound" else "files"


def _check_forms(form: str, options: _ReadOptions) -> None:
    """Raise DataError if an option is given that is for sources of another form, because it would have no effect."""
    for name, forms in _ONLY.items():
        given = getattr(options, name) not in (None, False)
        # whether other files are sound or spreadsheets is seen from their content
        if given and form not in forms and (form != "files" or name == "query"):
            raise _no_use(name, options)


def _check_text(kind: str, per_line: bool | None, alphabet: str) -> None:
    """Raise DataError if an option of text is given and the source is read as another kind."""
    for name, value, usual in (("per_line", per_line, None), ("alphabet", alphabet, "characters")):
        if kind != "text" and value != usual:
            what = f"the option {name} ({value!r}) is for text, and the source is read as {kind}"
            raise DataError(what, fix=f"leave out the option {name}, or read the source as text: --kind text")


def _no_use(name: str, options: _ReadOptions) -> DataError:
    value = getattr(options, name)
    return DataError(
        f"the option {name} ({value!r}) is for {_FOR[name]}, and the source is of another form",
        fix=f"leave out the option {name}",
    )


def _spreadsheets(source: Any) -> bool:
    return all(files.FAMILIES["table"].get(files.ending(p)) in ("Excel", "OpenDocument") for p in files.find(source))


def _from_database(source: Any, options: _ReadOptions) -> SequenceSet:
    """Read the rows of a query."""
    return _from_rows(*database.from_query(source, options.query), options)


def rows_of(source: Any, /, *, kind: str | None = None, target: Any = None, **reading: Any) -> Rows | None:
    """Return a source as rows of a table, each cell of a text as it is written; None if it is no table.

    Args:
        source: Anything that ``read`` takes.
        kind: The kind, as ``read`` takes it.
        target: The target, as ``read`` takes it.
        **reading: The other options of ``read``, or of an earlier reading.
    """
    form = _form(source)
    if form == "database":
        return Rows(*database.from_query(source, reading.get("query")))
    if form == "memory":
        return _rows_in_memory(source)
    paths = files.find(source)
    if form == "sound" or not _tabular(paths):
        return None
    sheet, found = reading.get("sheet"), None
    if kind != "text":
        id_col, decimal = reading.get("id_col"), reading.get("decimal")
        found = tables.from_files(paths, str(source), id_col=id_col, decimal=decimal, sheet=sheet)
    columns = [target] if isinstance(target, str) else target
    if found is None or (kind is None and tables.is_words(found[0], columns)):
        found = tables.from_files(paths, str(source), words=True, sheet=sheet)
    return Rows(*found)


def rows_like(source: Any, meta: dict[str, Any]) -> Rows | None:
    """Return a source as rows with the options of an earlier reading (see ``rows_of``).

    Args:
        source: Anything that ``read`` takes.
        meta: The ``SequenceSet.meta`` of the earlier data.
    """
    kind = meta.get("asked") if meta.get("kind") == "text" else meta.get("kind")
    sheet = meta.get("sheet") if _form(source) == "files" and _spreadsheets(source) else None
    return rows_of(source, **{**meta, "kind": kind, "sheet": sheet})


def _rows_in_memory(source: Any) -> Rows | None:
    """Return a frame as rows; None for arrays and strings."""
    framed = as_frame(source)
    if framed is None:
        return None
    frame, notes = framed
    if not len(frame):
        raise DataError("the frame has no rows", where="the frame", fix="give a frame that has data")
    return Rows(frame, Origin.frame(len(frame)).noting(*notes))


def _from_rows(frame: Any, origin: Origin, options: _ReadOptions) -> SequenceSet:
    """Read a frame, as text if that is asked for or if its target is one column of words."""
    if options.kind == "text" or (options.kind is None and tables.is_words(frame, options.target)):
        return text.from_column(frame, origin, id_col=options.id_col, target=options.target, alphabet=options.alphabet)
    return _from_numbers(frame, origin, options)


def _from_memory(source: Any, options: _ReadOptions) -> SequenceSet:
    """Read a frame, arrays or strings."""
    as_text = options.kind == "text"
    if as_text and (strings := as_texts(source)) is not None:
        return text.from_strings(strings, "the strings", alphabet=options.alphabet, terminated=True)
    rows = _rows_in_memory(source)
    return from_arrays(source, options.kind) if rows is None else _from_rows(*rows, options)


def _from_files(source: str | Path, options: _ReadOptions) -> SequenceSet:
    """Read files by the reader of the given kind, or by the one that fits their content."""
    paths = files.find(source)
    own = _OWN_READERS.get(files.family(paths) or "")
    if own is not None:
        reader = own
    elif options.kind is not None:
        reader = _FILE_READERS[options.kind]
    else:
        reader = _read_table if _tabular(paths) else _read_text
    if reader is not _read_sound and (options.channel is not None or options.mix):
        raise _no_use("channel" if options.channel is not None else "mix", options)
    data = reader(paths, str(source), options)
    if reader is not _read_sound and (wide := [path.name for path in paths if files.is_utf16(path)]):
        others = f" and {len(wide) - 1:,} more" if len(wide) > 1 else ""
        return replace(data, notes=(f"{wide[0]}{others} is text in UTF-16", *data.notes))
    return data


def _read_sound(paths: list[Path], name: str, options: _ReadOptions) -> SequenceSet:
    if options.kind not in (None, "sound"):
        raise DataError(
            f"a sound file cannot be read as {options.kind}", where=name, fix="leave out --kind, or use --kind sound"
        )
    return sound.from_files(paths, channel=options.channel, mix=options.mix)


def _read_text(paths: list[Path], name: str, options: _ReadOptions) -> SequenceSet:
    names = files.names_of(paths) if len(paths) > 1 else [paths[0].name]
    if files.size_of(paths) > corpus.LARGE and not any(files.is_packed(p) or files.is_utf16(p) for p in paths):
        large = text.from_large_files(paths, names, alphabet=options.alphabet, per_line=options.per_line)
        if large is not None:
            return large
    named = [(name, files.as_utf8(files.contents(p))) for name, p in zip(names, paths, strict=True)]
    return text.from_files(named, name, alphabet=options.alphabet, per_line=options.per_line)


def _read_text_or_column(paths: list[Path], name: str, options: _ReadOptions) -> SequenceSet:
    reader = _read_text if options.target is None else _read_column
    return reader(paths, name, options)


def _read_column(paths: list[Path], name: str, options: _ReadOptions) -> SequenceSet:
    # every cell is read as it is written: "nan" may be a word
    frame, origin = tables.from_files(paths, name, words=True, sheet=options.sheet)
    return text.from_column(frame, origin, id_col=options.id_col, target=options.target, alphabet=options.alphabet)


def _read_table(paths: list[Path], name: str, options: _ReadOptions) -> SequenceSet:
    frame, origin = tables.from_files(paths, name, id_col=options.id_col, decimal=options.decimal, sheet=options.sheet)
    if options.kind is None and tables.is_words(frame, options.target):
        return _read_column(paths, name, options)
    return _from_numbers(frame, origin, options)


#: The readers of each form of source.
_READERS: dict[str, Callable[[Any, _ReadOptions], SequenceSet]] = {
    "memory": _from_memory,
    "database": _from_database,
    "files": _from_files,
    "sound": _from_files,
    "rows": lambda source, options: _from_rows(source.frame, source.origin, options),
}

#: The readers of the families of files that are read in one way, whatever kind is asked for.
_OWN_READERS: dict[str, Callable[[list[Path], str, _ReadOptions], SequenceSet]] = {"sound": _read_sound}

#: The readers of all other files, by the kind that is asked for.
_FILE_READERS: dict[str, Callable[[list[Path], str, _ReadOptions], SequenceSet]] = {
    "series": _read_table,
    "prices": _read_table,
    "text": _read_text_or_column,
    "sound": _read_sound,
}


def _from_numbers(frame: Any, origin: Origin, options: _ReadOptions) -> SequenceSet:
    return from_frame(
        frame,
        origin,
        kind=options.kind,
        id_col=options.id_col,
        time_col=options.time_col,
        target=options.target,
        covariates=options.covariates,
        clock=options.clock,
        decimal=options.decimal,
        categories=options.categories,
    )


def _tabular(paths: list[Path]) -> bool:
    return files.family(paths) == "table" or tables.looks_like_table(files.as_utf8(files.head(paths[0])))
