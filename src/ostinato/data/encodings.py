"""The likely encodings of bytes that are not UTF-8, for the advice in an error; nothing is decoded by a guess.

A letter of Chinese, Japanese and Korean takes two bytes, of which the first is among a few dozen for the characters
that are usual. A word of Cyrillic is a run of bytes above ASCII, in capital or in small letters as the encoding has
them. A letter with an accent stands alone, between letters without.
"""

from __future__ import annotations

import re

_ABOVE_ASCII = re.compile(rb"[\x80-\xff]+")
#: A letter with an accent of old Macs and of DOS: in cp1252 these bytes are hardly letters, and 0x92 is an apostrophe.
_OLD = re.compile(rb"[\x80-\x91\x93-\x95\x98-\x9f]")
#: A byte above ASCII within a word.
_INSIDE = re.compile(rb"(?<=[A-Za-z])[\x80-\xff](?=[a-z])")
#: The first bytes of usual characters: syllables, kana and the first level of Chinese characters.
_USUAL = {
    "cp949": rb"[\xb0-\xc8][\xa1-\xfe]",
    "shift_jis": rb"[\x82\x83][\x40-\xfc]|[\x88-\x97][\x40-\xfc]|\x81[\x40-\xac]",
    "euc_jp": rb"[\xa4\xa5][\xa1-\xfe]|[\xb0-\xcf][\xa1-\xfe]",
    "gbk": rb"[\xb0-\xd7][\xa1-\xfe]",
    "big5": rb"[\xa4-\xc6][\x40-\x7e\xa1-\xfe]",
}
#: The names that iconv has for them.
_NAMES = {"shift_jis": "cp932", "euc_jp": "euc-jp"}
#: The share of the characters that are usual, that of syllables without rare ones, and the share of kana by which
#: text is Japanese.
_MOST, _SYLLABLES, _KANA = 0.8, 0.5, 0.2
#: The least mean length of runs that are words of another alphabet.
_WORDS = 3.0


def advice(raw: bytes) -> str:
    """Return how to convert bytes that are not UTF-8, behind a semicolon; "" if no encoding fits.

    Args:
        raw: The bytes, which may end within a character.
    """
    runs = _ABOVE_ASCII.findall(raw)
    if not runs:
        return ""
    names = _double(raw, runs) or _single(raw, runs)
    if names == ["macintosh"]:
        return "; its letters with accents are of macintosh or cp850: iconv -f macintosh -t utf-8 FILE > NEW"
    if not names:
        return ""
    first = _NAMES.get(names[0], names[0])
    others = "".join(f" or {_NAMES.get(name, name)}" for name in names[1:])
    return f"; it looks like {first}{others}: iconv -f {first} -t utf-8 FILE > NEW"


def _double(raw: bytes, runs: list[bytes]) -> list[str]:
    """Return the encodings of two bytes for a character that the bytes may have, the likeliest first."""
    alone, inside = sum(len(run) == 1 for run in runs), _INSIDE.search(raw) is not None
    shares = {}
    for name, usual in _USUAL.items():
        # the second byte of two encodings may be ASCII, but not each time, nor between small letters
        odd = inside or alone == len(runs) if name in ("shift_jis", "big5") else alone > len(runs) / 10
        text = _text(raw, name)
        signs = [] if text is None or odd else [sign for sign in text if sign > "\u007f"]
        if not signs:
            continue
        kana = sum("\u3040" <= sign <= "\u30ff" for sign in signs) / len(signs)
        common = sum(re.fullmatch(usual, sign.encode(name)) is not None for sign in signs) / len(signs)
        pairs = sum(len(sign.encode(name)) == 2 for sign in signs) / len(signs)
        if (
            common >= (_SYLLABLES if name == "cp949" else _MOST)
            and pairs >= _MOST
            and not (name in ("gbk", "big5") and kana > _KANA)
        ):
            shares[name] = common + kana
    best = [name for name, share in shares.items() if share == max(shares.values())]
    return best[:1] if best[:1] == ["cp949"] else best[:2]  # few words of other languages are in its range alone


def _single(raw: bytes, runs: list[bytes]) -> list[str]:
    """Return the encodings of one byte for a character that the bytes may have."""
    inside = _INSIDE.findall(raw)
    if 2 * sum(bool(_OLD.match(byte)) for byte in inside) > len(inside):
        return ["macintosh"]
    if sum(map(len, runs)) < _WORDS * len(runs) or inside:
        return ["cp1252"] if _text(raw, "cp1252") is not None else []
    letters = b"".join(runs)
    small = sum(byte >= 0xE0 for byte in letters)
    return ["cp1251", "cp1253"] if 2 * small > len(letters) else ["koi8-r"]


def _text(raw: bytes, encoding: str) -> str | None:
    """Return bytes as text; None if the encoding does not have them. Bytes that end within a character are cut."""
    try:
        return raw.decode(encoding)
    except UnicodeDecodeError as error:
        return raw[: error.start].decode(encoding) if error.start >= len(raw) - 3 and error.start else None
