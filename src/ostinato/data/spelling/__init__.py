"""How a text is spelled in symbols: by character, UTF-8 byte, Hangul jamo, or piece of a byte-pair encoding.

A spelling maps each text to one sequence of points, and no two texts to the same one. So a text is restored from its
points, and its likelihood in bits a character means the same under every spelling.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

from ostinato.data.spelling.base import Points as Points
from ostinato.data.spelling.base import Spelling as Spelling
from ostinato.data.spelling.characters import Characters as Characters
from ostinato.data.spelling.jamo import Jamo as Jamo
from ostinato.data.spelling.pieces import Pieces as Pieces
from ostinato.data.spelling.utf8 import Bytes as Bytes

#: The vocabularies by their names, the simplest first.
VOCABULARIES: Final = ("character", "byte", "jamo", "bpe")
_FIXED: Final[dict[str, type[Spelling]]] = {"character": Characters, "byte": Bytes, "jamo": Jamo}


@lru_cache(maxsize=8)
def _named(name: str, document: str) -> Spelling:
    return Pieces(document) if name == Pieces.name else _FIXED[name]()


def spelling_from_json(document: dict[str, Any]) -> Spelling:
    """Return the spelling that ``Spelling.to_json`` wrote."""
    return _named(document["name"], document.get("document", ""))


def spelling_of(meta: dict[str, Any]) -> Spelling:
    """Return the spelling of a text by the options of its reading (``SequenceSet.meta``)."""
    if "spelling" in meta:
        return spelling_from_json(meta["spelling"])
    return _named("byte" if meta.get("alphabet") == "bytes" else "character", "")


def fixed_spelling(name: str) -> Spelling | None:
    """Return the spelling of a name, if nothing but its name makes it; None for another."""
    return _named(name, "") if name in _FIXED else None
