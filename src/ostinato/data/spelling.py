"""How a text is spelled in symbols: by character, UTF-8 byte, Hangul jamo, or piece of a byte-pair encoding.

A spelling maps each text to one sequence of points, and no two texts to the same one. So a text is restored from its
points, and its likelihood in bits a character means the same under every spelling.
"""

from __future__ import annotations

import codecs
from abc import ABC, abstractmethod
from functools import cached_property, lru_cache
from typing import Any, ClassVar, Final, Protocol, final

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.int32]

#: The Hangul syllables, and the numbers of initial consonants, vowels and final consonants (Unicode 15, section 3.12).
_FIRST, _LAST, _VOWELS, _FINALS = 0xAC00, 0xD7A3, 21, 28
#: The points of jamo in syllables lie beyond Unicode, so that jamo that stand alone in a text keep their own.
_INITIAL, _VOWEL, _FINAL, _END = 0x110000, 0x110013, 0x110028, 0x110043
#: The conjoining jamo that show the initial consonants, the vowels and the final consonants to a person.
_SHOWN: Final = (*range(0x1100, 0x1113), *range(0x1161, 0x1176), *range(0x11A8, 0x11C3))


class Reader(Protocol):
    """What turns points into text as they come."""

    def feed(self, point: int) -> str:
        """Return the characters that are complete with this point."""

    def close(self) -> str:
        """Return what is left at the end."""


class Spelling(ABC):
    """A map from texts to sequences of points, which are whole numbers, and back.

    Attributes:
        name: The name of the vocabulary, as ``fit`` takes it.
        plural: What the points are, in words.
    """

    name: ClassVar[str]
    plural: ClassVar[str]

    @property
    def always(self) -> Points:
        """The points that are symbols of every alphabet, whether or not the training text has them."""
        return np.zeros(0, dtype=np.int32)

    @property
    def closed(self) -> bool:
        """Whether every text is spelled in the points that are always there."""
        return False

    @property
    def most(self) -> int:
        """The greatest point."""
        return _END - 1

    @property
    def possible(self) -> int:
        """The number of points that an unknown one may be, with those of the alphabet."""
        return 0x110000 - 0x800

    @abstractmethod
    def points(self, text: str) -> Points:
        """Return the points of a text without lone surrogates, (N,)."""

    @abstractmethod
    def text(self, points: Any) -> str:
        """Return the text of points (N,). What is half a character at an end is shown by a character of its own."""

    @abstractmethod
    def characters(self, points: NDArray[Any]) -> NDArray[np.int64]:
        """Return the number of characters that begin with each point, (N,); they add up to the length of the text."""

    @abstractmethod
    def reader(self) -> Reader:
        """Return what turns points into text as they come."""

    def word(self, point: int) -> str:
        """Return a point for a person to read."""
        return repr(self.text([point]))

    def units(self, point: int) -> tuple[int, ...]:
        """Return what a point is made of, so that a string may be found in it."""
        return (point,)

    def letter(self, point: int) -> int:
        """Return the number of the letter that a point is, equal for both of its cases; 0 if it is in no word."""
        character = self.text([point])
        return ord(character.lower()[0]) + 1 if character.isalnum() or character == "'" else 0

    def to_json(self) -> dict[str, Any]:
        """Return everything needed to build the spelling again, as JSON."""
        return {"name": self.name}


@final
class Characters(Spelling):
    """Each character is a point, its code point."""

    name, plural = "character", "characters"

    def points(self, text: str) -> Points:
        """Return the code points of a text (see ``Spelling.points``)."""
        return np.frombuffer(text.encode("utf-32-le"), dtype=np.int32)

    def text(self, points: Any) -> str:
        """Return the text of code points."""
        return "".join(map(chr, points))

    def characters(self, points: NDArray[Any]) -> NDArray[np.int64]:
        """Return 1 for each point."""
        return np.ones(len(points), dtype=np.int64)

    def reader(self) -> Reader:
        """Return what turns code points into text."""
        return _EachPoint()


@final
class _EachPoint:
    def feed(self, point: int) -> str:
        return chr(point)

    def close(self) -> str:
        return ""


@final
class Bytes(Spelling):
    """Each byte of UTF-8 is a point. There are no unknown ones."""

    name, plural = "byte", "bytes"

    @property
    def always(self) -> Points:
        """The 256 bytes."""
        return np.arange(256, dtype=np.int32)

    @property
    def closed(self) -> bool:
        """True: every text is bytes."""
        return True

    @property
    def most(self) -> int:
        """255."""
        return 0xFF

    @property
    def possible(self) -> int:
        """256."""
        return 256

    def points(self, text: str) -> Points:
        """Return the bytes of a text (see ``Spelling.points``)."""
        return np.frombuffer(text.encode(), dtype=np.uint8).astype(np.int32)

    def text(self, points: Any) -> str:
        """Return the text of bytes; half a character becomes U+FFFD."""
        return bytes(int(p) & 0xFF for p in points).decode("utf-8", errors="replace")

    def characters(self, points: NDArray[Any]) -> NDArray[np.int64]:
        """Return 1 for each byte that begins a character."""
        begins: NDArray[np.bool_] = (np.asarray(points) & 0xC0) != 0x80
        return begins.astype(np.int64)

    def reader(self) -> Reader:
        """Return what turns bytes into text."""
        return _Utf8(None)

    def word(self, point: int) -> str:
        """Return a byte for a person to read."""
        return f"byte {point:#04x}"

    def letter(self, point: int) -> int:
        """Return the number of a letter; a byte of a longer character counts as one."""
        return point + 1 if point >= 0x80 else super().letter(point)


@final
class _Utf8:
    """Text from bytes, or from points that are several bytes each."""

    def __init__(self, content: list[bytes] | None) -> None:
        self._decoder, self._content = codecs.getincrementaldecoder("utf-8")("replace"), content

    def feed(self, point: int) -> str:
        return self._decoder.decode(bytes([point]) if self._content is None else self._content[point])

    def close(self) -> str:
        return self._decoder.decode(b"", final=True)


@final
class Jamo(Spelling):
    """A Hangul syllable is its consonants and its vowel; every other character is its code point.

    Jamo of syllables have points of their own, beyond Unicode, so that a syllable and the same jamo one after the
    other, as in text that was decomposed (NFD), stay apart.
    """

    name, plural = "jamo", "characters and jamo"

    @property
    def always(self) -> Points:
        """The jamo, so that every Hangul syllable is known."""
        return np.arange(_INITIAL, _END, dtype=np.int32)

    @property
    def possible(self) -> int:
        """The characters that are no Hangul syllables."""
        return super().possible - (_LAST - _FIRST + 1)

    def points(self, text: str) -> Points:
        """Return the points of a text (see ``Spelling.points``)."""
        raw = np.frombuffer(text.encode("utf-32-le"), dtype=np.int32)
        syllable = (raw >= _FIRST) & (raw <= _LAST)
        index = np.where(syllable, raw - _FIRST, 0)
        initial = np.where(syllable, _INITIAL + index // (_VOWELS * _FINALS), raw)
        vowel = _VOWEL + index // _FINALS % _VOWELS
        final_ = _FINAL - 1 + index % _FINALS
        there = np.stack([np.ones_like(syllable), syllable, syllable & (index % _FINALS > 0)], axis=1)
        return np.stack([initial, vowel, final_], axis=1)[there].astype(np.int32)

    def text(self, points: Any) -> str:
        """Return the text of points; a jamo of a syllable that is cut off becomes a conjoining jamo."""
        reader = self.reader()
        return "".join([*(reader.feed(int(p)) for p in points), reader.close()])

    def characters(self, points: NDArray[Any]) -> NDArray[np.int64]:
        """Return 1 for each point but the vowel and the last consonant of a syllable."""
        points = np.asarray(points)
        return ((points < _VOWEL) | (points >= _END)).astype(np.int64)

    def parts(self, points: NDArray[Any]) -> NDArray[np.int64]:
        """Return what each point is, (N,): 1 to 3 for the first consonant, the vowel and the last one; 0 for others."""
        points = np.asarray(points)
        inside = (points >= _INITIAL) & (points < _END)
        return np.where(inside, np.searchsorted([_VOWEL, _FINAL], points, side="right") + 1, 0)

    def reader(self) -> Reader:
        """Return what composes syllables."""
        return _Composer()

    def letter(self, point: int) -> int:
        """Return the number of a letter; each jamo is one."""
        return point + 1 if point >= _INITIAL else super().letter(point)


@final
class _Composer:
    """Syllables from their jamo: complete when the next one begins."""

    def __init__(self) -> None:
        self._held: list[int] = []

    def feed(self, point: int) -> str:
        held = self._held
        if (_VOWEL <= point < _FINAL and len(held) == 1) or (_FINAL <= point < _END and len(held) == 2):
            held.append(point)
            return self._take([]) if len(held) == 3 else ""
        if _INITIAL <= point < _VOWEL:
            return self._take([point])
        return self._take([]) + (chr(_SHOWN[point - _INITIAL]) if point >= _INITIAL else chr(point))

    def close(self) -> str:
        return self._take([])

    def _take(self, after: list[int]) -> str:
        """Return the syllable that is held, and hold other jamo."""
        held, self._held = self._held, after
        if len(held) < 2:
            return "".join(chr(_SHOWN[p - _INITIAL]) for p in held)
        last = held[2] - _FINAL + 1 if len(held) == 3 else 0
        return chr(_FIRST + ((held[0] - _INITIAL) * _VOWELS + held[1] - _VOWEL) * _FINALS + last)


@final
class Pieces(Spelling):
    """Pieces of a byte-pair encoding (Sennrich et al. 2016) over bytes, learned by the library tokenizers.

    Each text is spelled in one way, of the many that would read the same. So the probabilities of all texts add up to
    less than one, and the figures of a model are upper bounds of its surprisal.

    Args:
        document: The tokenizer as the JSON of its library.
    """

    name, plural = "bpe", "pieces"

    def __init__(self, document: str) -> None:
        self._document = document

    @staticmethod
    def fit(texts: list[str], size: int) -> Pieces:
        """Return the pieces that texts teach.

        Args:
            texts: The training texts.
            size: The greatest number of pieces, at least 256.
        """
        tokenizers = _tokenizers()
        made = tokenizers.Tokenizer(tokenizers.models.BPE())
        made.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
        trainer = tokenizers.trainers.BpeTrainer(
            vocab_size=size,
            min_frequency=2,
            show_progress=False,
            initial_alphabet=sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet()),
        )
        made.train_from_iterator(texts, trainer)
        return Pieces(made.to_str())

    @cached_property
    def _tokenizer(self) -> Any:
        return _tokenizers().Tokenizer.from_str(self._document)

    @cached_property
    def _content(self) -> list[bytes]:
        """The bytes of each piece."""
        printed = {character: byte for byte, character in enumerate(_printed_bytes())}
        pieces = self._tokenizer.get_vocab()
        out = [b""] * len(pieces)
        for piece, number in pieces.items():
            out[number] = bytes(printed[c] for c in piece)
        return out

    @cached_property
    def _begun(self) -> NDArray[np.int64]:
        return np.array([sum(byte & 0xC0 != 0x80 for byte in piece) for piece in self._content], dtype=np.int64)

    @property
    def always(self) -> Points:
        """All pieces."""
        return np.arange(len(self._content), dtype=np.int32)

    @property
    def closed(self) -> bool:
        """True: every text is pieces, of one byte if need be."""
        return True

    @property
    def most(self) -> int:
        """The number of the last piece."""
        return len(self._content) - 1

    @property
    def possible(self) -> int:
        """The number of pieces."""
        return len(self._content)

    def points(self, text: str) -> Points:
        """Return the numbers of the pieces of a text (see ``Spelling.points``)."""
        return np.array(self._tokenizer.encode(text).ids, dtype=np.int32)

    def text(self, points: Any) -> str:
        """Return the text of pieces; half a character becomes U+FFFD."""
        return b"".join(self._content[int(p)] for p in points).decode("utf-8", errors="replace")

    def characters(self, points: NDArray[Any]) -> NDArray[np.int64]:
        """Return the number of characters that begin in each piece."""
        return self._begun[np.asarray(points, dtype=np.int64)]

    def reader(self) -> Reader:
        """Return what turns pieces into text."""
        return _Utf8(self._content)

    def units(self, point: int) -> tuple[int, ...]:
        """Return the bytes of a piece."""
        return tuple(self._content[point])

    def letter(self, point: int) -> int:
        """Return the number of a piece that goes on with a word; 0 for one with space."""
        return point + 1 if not any(byte <= 0x20 for byte in self._content[point]) else 0

    def to_json(self) -> dict[str, Any]:
        """Return the tokenizer (see ``Spelling.to_json``)."""
        return {"name": self.name, "document": self._document}


def _printed_bytes() -> list[str]:
    """Return the printed character that stands for each byte in the names of pieces (Radford et al. 2019)."""
    own = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = iter(range(0x100, 0x200))
    return [chr(b) if b in own else chr(next(others)) for b in range(256)]


def _tokenizers() -> Any:
    """Return the library tokenizers.

    Raises:
        ConfigError: It is not installed.
    """
    try:
        import tokenizers
    except ImportError as error:
        from ostinato.errors import ConfigError

        raise ConfigError(
            "the vocabulary bpe needs the package tokenizers, which is not installed",
            fix="pip install 'ostinato[bpe]', or use the vocabulary character, byte or jamo",
        ) from error
    return tokenizers


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
