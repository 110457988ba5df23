"""The spelling by the pieces of a byte-pair encoding."""

from __future__ import annotations

from functools import cached_property
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from ostinato.data.spelling.base import Points, Reader, Spelling
from ostinato.data.spelling.utf8 import Utf8Reader
from ostinato.errors import ConfigError


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

    @cached_property
    def _first(self) -> NDArray[np.bool_]:
        return np.array([not piece or piece[0] & 0xC0 != 0x80 for piece in self._content], dtype=bool)

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

    def begins(self, points: NDArray[Any]) -> NDArray[np.bool_]:
        """Return whether a piece begins with a character, and not with the end of one."""
        return self._first[np.asarray(points, dtype=np.int64)]

    def reader(self) -> Reader:
        """Return what turns pieces into text."""
        return Utf8Reader(self._content)

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
        raise ConfigError(
            "the vocabulary bpe needs the package tokenizers, which is not installed",
            fix="pip install 'ostinato[bpe]', or use the vocabulary character, byte or jamo",
        ) from error
    return tokenizers
