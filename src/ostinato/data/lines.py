r"""What a line of text is: the decoding of bytes, the ends of lines, and lines that arrive bit by bit."""

from __future__ import annotations

import codecs
import re
import unicodedata
from collections.abc import Iterable, Iterator
from itertools import chain

from ostinato.data.encodings import advice
from ostinato.data.files import formats
from ostinato.errors import DataError
from ostinato.wording import option

#: The ends of a line: those of Windows, the first Macs and Unix. A form feed or U+2028 is a character of its line.
_LINE_END, _BYTES_END = re.compile("\r\n|\r|\n"), re.compile(b"\r\n|\r|\n")
#: How ISO-2022-JP begins a word of Japanese, in bytes that are ASCII.
_SHIFTED = re.compile(rb"\x1b\$[@B]")
_LONE = re.compile("[\ud800-\udfff]")
#: The bytes of texts in ASCII, and zero.
_ASCII = bytes([0, *b"\t\n\r", *range(0x20, 0x7F)])
#: The bytes by which a file is seen to be text.
HEAD = 100_000


def decode(raw: bytes, where: str) -> str:
    r"""Decode UTF-8 text, without a byte order mark and with every line ended by "\n".

    Args:
        raw: The bytes of a file.
        where: The name of the file, for an error.

    Returns:
        The text.

    Raises:
        DataError: The bytes are not UTF-8. The error names the line and the byte.
    """
    _check_text(raw[:HEAD], where)
    try:
        return plain(raw.decode("utf-8-sig"), where)
    except UnicodeDecodeError as error:
        found = _undecodable(error.object[: error.start], error.object[error.start], where, raw)
        raise found from error


def decoded(blocks: Iterable[bytes], where: str) -> Iterator[str]:
    r"""Yield UTF-8 text that arrives in blocks, as ``decode`` returns it. The first block has ``HEAD`` bytes or all.

    Args:
        blocks: The bytes of a file.
        where: The name of the file, for an error.

    Raises:
        DataError: The bytes are not UTF-8.
    """
    decoder = codecs.getincrementaldecoder("utf-8")()
    held, ended, column, returned = b"", 0, 0, False
    for i, whole in enumerate(blocks):
        block = whole
        if not i:
            _check_text(block[:HEAD], where)
            block = block.removeprefix(codecs.BOM_UTF8)
        try:
            text = decoder.decode(block)
        except UnicodeDecodeError as error:
            before, byte = error.object[: error.start], error.object[error.start]
            raise _undecodable(before, byte, where, whole, ended, column) from error
        text, returned = continued(text, returned)
        yield _LINE_END.sub("\n", text) if "\r" in text else text
        ended += text.count("\n") + text.count("\r") - text.count("\r\n")
        begins = max(block.rfind(b"\n"), block.rfind(b"\r")) + 1
        was, held = len(held), decoder.getstate()[0]
        column = len(block) - begins - len(held) + (0 if begins else column + was)
    if held:
        raise _undecodable(b"", held[0], where, held, ended, column)


def _check_text(head: bytes, where: str) -> None:
    """Raise DataError if a file is not text in UTF-8, by its first bytes."""
    if head[:2] in (b"\xff\xfe", b"\xfe\xff") or head[:4] == b"\0\0\xfe\xff":
        what = "UTF-32" if head[:4] in (b"\xff\xfe\0\0", b"\0\0\xfe\xff") else "UTF-16"
        raise DataError(f"the file is {what}, expected UTF-8", where=where, fix="save the file as UTF-8")
    ways = {"query": option("--query", "SELECT ..."), "sound": option("--kind", "sound")}
    for magic, what, fix in _OTHERS:
        if magic in head[:24]:
            raise DataError(f"the file is {what}, expected a table or text", where=where, fix=fix.format(**ways))
    if _SHIFTED.search(head):
        fix = "save the file as UTF-8: iconv -f iso-2022-jp -t utf-8 FILE > NEW"
        raise DataError("the file is ISO-2022-JP, expected UTF-8", where=where, fix=fix)
    if b"\0" in head:
        if (name := _utf16_without_mark(head)) is not None:
            fix = f"save the file as UTF-8: iconv -f {name} -t utf-8 FILE > NEW"
            raise DataError("the file seems to be UTF-16 without a byte order mark", where=where, fix=fix)
        what = "the file is binary, expected a table or text"
        raise DataError(what, where=where, fix=f"give a file of one of the formats {formats()}")


def _utf16_without_mark(head: bytes) -> str | None:
    """Return the name of UTF-16 without a byte order mark that bytes seem to be; None for other bytes.

    A character of ASCII has a zero byte on one side, and few others have one. The bytes have to decode to letters, and
    not to be ASCII with some zero bytes in it.
    """
    name, zeros, letters = "utf-16le", head[1::2].count(0), head[::2].count(0)
    if letters > zeros:
        name, zeros = "utf-16be", letters
    try:
        text = codecs.getincrementaldecoder(name)().decode(head)
    except UnicodeDecodeError:
        return None
    signs = all(c.isprintable() or c.isspace() or unicodedata.category(c) == "Cf" for c in set(text))
    return name if signs and (4 * zeros > len(head) or head.translate(None, _ASCII)) else None


def _undecodable(before: bytes, byte: int, where: str, around: bytes, ended: int = 0, column: int = 0) -> DataError:
    """Return the error for a byte that is not UTF-8.

    Args:
        before: The bytes before it.
        byte: The byte.
        where: The name of the file.
        around: The bytes from which the encoding of the file is guessed.
        ended: The number of lines that ended before these bytes.
        column: The number of bytes of the line that came before them.
    """
    *lines, last = _BYTES_END.split(before)
    excel = " (in Excel, as the file type 'CSV UTF-8')" if where.lower().endswith(".csv") else ""
    return DataError(
        f"the byte {byte:#04x} is not valid UTF-8",
        where=f"{where}, line {ended + len(lines) + 1}, byte {len(last) + (0 if lines else column) + 1}",
        fix=f"save the file as UTF-8{excel}{advice(around)}",
    )


#: Files that are neither tables nor text, by bytes among their first 24: what they are, and what to do.
_OTHERS: tuple[tuple[bytes, str, str], ...] = (
    (b'{"__metadata__":', "a model, not data", "give a data file"),
    (b"SQLite format 3\0", "an SQLite database", "read it with sqlite:///FILE and {query}"),
    *((magic, "sound", "use {sound}") for magic in (b"WAVEfmt ", b"fLaC\0\0\0", b"OggS\0\2")),
    (b"%PDF-", "a PDF document", f"give a file of one of the formats {formats()}"),
)


def plain(text: str, where: str) -> str:
    r"""Return text with every line ended by "\n", whether it was ended by "\r\n", "\r" or "\n".

    This is what a line is everywhere: in files, on standard input, in prompts, in streams, and in the line numbers of
    messages.

    Args:
        text: The text.
        where: The name of the text, for an error.

    Raises:
        DataError: The text has a lone surrogate, which is half a character, and no text in UTF-8 can have.
    """
    lone = _LONE.search(text)
    if lone:
        before = text[: lone.start()]
        line = lines_of(before + ".")
        raise DataError(
            f"the text has the lone surrogate {ascii(lone[0])[1:-1]}, which is half a character",
            where=f"{where}, line {len(line)}, character {len(line[-1])} (position {lone.start()} from 0)",
            fix="remove the character, or decode the text as UTF-8 again",
        )
    return _LINE_END.sub("\n", text) if "\r" in text else text


def continued(text: str, returned: bool) -> tuple[str, bool]:
    r"""Return a piece of text that continues another, and whether it ends with "\r".

    Args:
        text: The piece.
        returned: Whether the piece before it ended with "\r", so that a first "\n" belongs to that end of a line.
    """
    piece = text[1:] if returned and text.startswith("\n") else text
    return piece, text.endswith("\r") if text else returned


def lines_of(text: str) -> list[str]:
    """Return the lines of a text, without their ends. A last line need not be ended; after an end there is no line."""
    out = _LINE_END.split(text)
    return out[:-1] if not out[-1] else out


def line_blocks(chunks: Iterable[bytes]) -> Iterator[tuple[list[bytes], bool]]:
    """Cut bytes that arrive bit by bit into lines, as soon as a line is complete, without a byte order mark.

    Args:
        chunks: The bytes.

    Yields:
        Complete lines without their ends, and True; and at the end a last line that was not ended, and False.
    """
    pieces: list[bytes] = []  # of the line that is not yet ended: joined once, and not again for every chunk
    returned = False
    for chunk in _without_mark(chunks):
        # the end of a line is known at its "\r"; a "\n" that follows belongs to it
        piece = chunk[1:] if returned and chunk.startswith(b"\n") else chunk
        returned = chunk.endswith(b"\r")
        first, *more = _BYTES_END.split(piece)
        pieces.append(first)
        if more:
            yield [b"".join(pieces), *more[:-1]], True
            pieces = [more[-1]]
    if last := b"".join(pieces):
        yield [last], False


def _without_mark(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the chunks that are not empty, without a byte order mark at the start."""
    mark, start = b"\xef\xbb\xbf", b""
    rest = iter(chunks)
    for chunk in rest:
        start += chunk
        if not (len(start) < len(mark) and mark.startswith(start)):
            break
    yield from filter(None, chain([start.removeprefix(mark)], rest))
