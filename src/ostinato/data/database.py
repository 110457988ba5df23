"""Tables from databases: SQLite through Python's sqlite3, all others through connectorx. Passwords are never shown."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

import polars as pl

from ostinato.choices import nearest_file
from ostinato.data.extras import is_failure, missing
from ostinato.data.files import names_of
from ostinato.data.origin import Origin
from ostinato.errors import DataError
from ostinato.forked import require_polars
from ostinato.wording import option

#: The databases that connectorx reads, by the first word of an address.
SCHEMES = ("sqlite", "postgresql", "postgres", "mysql", "mariadb", "mssql", "oracle", "redshift", "clickhouse")
_ADDRESS = re.compile(rf"(?i)({'|'.join(SCHEMES)})(\+\w+)?://")
#: A password in an address: before the last @ of the part before the path, or a parameter whose name says so.
_PASSWORD = re.compile(
    r"(?i)(?<=://)([^/?#\s]*?):([^/?#\s]*)(?=@)|(?<=[?&;])([^=&;\s]*(?:pass|pwd|secret|token|key)[^=&;\s]*)=[^&;\s]*"
)
_HIDDEN = "***"


def is_address(source: object) -> bool:
    """Return whether a source is the address of a database, such as "sqlite:///sales.db"."""
    return isinstance(source, str) and bool(_ADDRESS.match(source))


def without_password(words: str) -> str:
    """Return words with the passwords of all addresses of databases replaced by ***."""

    def hidden(match: re.Match[str]) -> str:
        return f"{match[1]}:{_HIDDEN}" if match[3] is None else f"{match[3]}={_HIDDEN}"

    return _PASSWORD.sub(hidden, words) if _ADDRESS.search(words) else words


def stem(source: str) -> str:
    """Return the name of the data in a source without its endings, from which files of results get their names."""
    path = urlsplit(source).path if is_address(source) else source
    return names_of([Path(path)])[0].split(".db")[0] or "model"


def from_query(address: str, query: str | None) -> tuple[pl.DataFrame, Origin]:
    """Read the rows that a query selects.

    Args:
        address: The address, such as ``"sqlite:///sales.db"`` or ``"postgresql://user:password@host/shop"``.
        query: The query in SQL.

    Returns:
        The rows in the order of the query, and their origin.

    Raises:
        DataError: There is no query, the database cannot be reached, or the query fails.
        ConfigError: The package connectorx is not installed, and the database is not SQLite; or polars cannot compute
            in this process (see ``forked``).
    """
    require_polars()
    where = without_password(address)
    file = file_of(address)
    frame = _from_sqlite(file, where, query) if file else _from_server(address, where, _given(query, where))
    if not len(frame):
        what = "the query selects no rows"
        raise DataError(what, where=where, fix="change the query, or give a database that has data")
    return frame, Origin.frame(len(frame), where)


def _given(query: str | None, where: str, tables: tuple[str, ...] = ()) -> str:
    if query is None or not query.strip():
        known = f"; the tables are {', '.join(tables)}" if tables else ""
        example = f"SELECT * FROM {tables[0] if tables else 'sales'}"
        raise DataError(
            f"a database is read by a query, and none is given{known}",
            where=where,
            fix=f"add {option('--query', example)}",
        )
    return query


def file_of(address: str) -> Path | None:
    """Return the file of the address of an SQLite database; None for other databases."""
    return _sqlite_file(address) if urlsplit(address).scheme.lower().startswith("sqlite") else None


def _sqlite_file(address: str) -> Path:
    """Return the file of an address: three slashes and a relative path, or four and an absolute one."""
    path = unquote(re.sub(r"(?i)^sqlite(\+\w+)?://", "", address).split("?", 1)[0])
    relative = Path(path.removeprefix("/"))
    # other programs write an absolute path after three slashes
    return Path(path) if path.startswith("//") or (not relative.exists() and Path(path).exists()) else relative


def _from_sqlite(file: Path, where: str, query: str | None) -> pl.DataFrame:
    if not file.is_file():
        raise DataError(f"there is no file {file}", where=where, fix=nearest_file(file) + ": sqlite:///FILE")
    # opened for reading only, so that no query changes the file
    name = f"file:{quote(str(file.resolve()))}?mode=ro"
    try:
        with closing(sqlite3.connect(name, uri=True)) as connection:
            listed = connection.execute("SELECT name FROM sqlite_master WHERE type IN ('table', 'view') ORDER BY name")
            tables = tuple(str(row[0]) for row in listed)
            cursor = connection.execute(_given(query, where, tables))
            if cursor.description is None:
                raise DataError("the query selects nothing", where=where, fix="give a query that begins with SELECT")
            names = [str(column[0]) for column in cursor.description]
            rows = cursor.fetchall()
    except (sqlite3.Error, sqlite3.Warning, UnicodeError, OverflowError) as error:
        raise _failed(error, where, (), query) from error
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        fix = "give each column its own name, with AS"
        raise DataError(f"the query selects two columns with the name {twice!r}", where=where, fix=fix)
    return pl.DataFrame([_column(name, [row[i] for row in rows], where) for i, name in enumerate(names)])


def _column(name: str, values: list[object], where: str) -> pl.Series:
    """Return a column of SQLite, which may hold values of several types."""
    types = {type(value) for value in values} - {type(None)}
    if bytes in types:
        row = next(i for i, value in enumerate(values) if isinstance(value, bytes))
        raise DataError(
            f"column {name!r} holds bytes, expected numbers or words",
            where=f"{where}, row {row} (from 0)",
            fix="leave the column out of the query",
        )
    if types <= {int} and all(value is None or abs(value) < 2**63 for value in values):  # type: ignore[arg-type]
        return pl.Series(name, values, pl.Int64)
    if types <= {int, float}:
        return pl.Series(name, [None if v is None else float(v) for v in values], pl.Float64)  # type: ignore[arg-type]
    return pl.Series(name, [None if v is None else str(v) for v in values], pl.String)


def _from_server(address: str, where: str, query: str) -> pl.DataFrame:
    try:
        import connectorx  # noqa: F401 - polars calls it
    except ImportError:
        raise missing("reading a database", "connectorx", "sql") from None
    parts = urlsplit(address)
    # connectorx knows the name of the database, not of a driver
    plain = address.replace(parts.scheme, parts.scheme.split("+")[0], 1)
    try:
        return pl.read_database_uri(query, plain, engine="connectorx")
    except BaseException as error:
        if not is_failure(error):
            raise
        # the error of the library may hold the password, so that it is not passed on
        raise _failed(error, where, _secrets(address), query) from None


def _secrets(address: str) -> tuple[str, ...]:
    """Return the passwords of an address, as they are written and as they are meant."""
    found = []
    for match in _PASSWORD.finditer(address):
        secret = match[2] if match[3] is None else match[0].split("=", 1)[1]
        found += [secret, unquote(secret)]
    return tuple(word for word in found if word)


def _failed(error: BaseException, where: str, secrets: tuple[str, ...], query: str | None) -> DataError:
    said = without_password(" ".join(str(error).split())[:300] or type(error).__name__)
    for secret in sorted(secrets, key=len, reverse=True):
        said = said.replace(secret, _HIDDEN)
    return DataError(
        f"the database refuses the query: {said}",
        where=f"{where}, query {(query or '')[:80]!r}",
        fix="check the address, the password and the names in the query",
    )
