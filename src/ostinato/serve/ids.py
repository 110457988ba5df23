"""The ids of streams: any text that cannot be taken for another one."""

from __future__ import annotations

from unicodedata import bidirectional, category, is_normalized

from ostinato.errors import DataError
from ostinato.numbers import counted

#: What turns the direction of the text around it: an id with that looks like another one.
_TURNS = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
#: The longest id in bytes of UTF-8.
LONGEST_ID = 256


def check_id(unique_id: str, *, is_new: bool = True) -> str:
    """Return the id of a stream.

    Args:
        unique_id: The id.
        is_new: Whether a stream may begin under it. What only reads or deletes streams also takes ids that earlier
            releases let in.

    Raises:
        DataError: It is empty, too long, has characters that end lines or turn the direction of writing, or is not
            composed (Unicode's form NFC), so that it looks like another id.
    """
    try:
        size = len(unique_id.encode())
    except UnicodeEncodeError as error:
        raise DataError("the id of the stream is not valid Unicode", fix="send UTF-8") from error
    if not 1 <= size <= LONGEST_ID:
        raise DataError(
            f"the id of the stream has {counted(size, 'byte')}, expected 1 to {LONGEST_ID}",
            fix="give the stream a shorter name",
        )
    if not unique_id.isprintable():
        # a joiner is a part of many emoji and words, and a space may be wide
        for sign in unique_id:
            if category(sign) in {"Cc", "Zl", "Zp"} or bidirectional(sign) in _TURNS:
                what = f"the id of the stream has the control character U+{ord(sign):04X}"
                raise DataError(what, fix="use letters, digits and signs")
    if is_new and not is_normalized("NFC", unique_id):
        what = f"the id {unique_id!r} of the stream is not composed, so another id looks the same"
        raise DataError(what, fix='send it in the Unicode form NFC: unicodedata.normalize("NFC", id)')
    return unique_id
