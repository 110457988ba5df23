"""The arithmetic coder: a range coder of the package ``constriction``, which this module alone imports."""

from __future__ import annotations

import zlib
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from ostinato.errors import ConfigError, DataError

#: The coded symbols of a block: after each the decoder checks that its probabilities are those of the encoder.
BLOCK = 1 << 16


def library() -> Any:
    """Return the package constriction.

    Raises:
        ConfigError: It is not installed.
    """
    try:
        import constriction
    except ImportError as error:
        raise ConfigError(
            "compress and decompress need the package constriction, which is not installed",
            fix="pip install 'ostinato[compress]'",
        ) from error
    return constriction


class Coder:
    """What an encoder and a decoder share: the digests of the probabilities, block by block.

    Probabilities reach the coder only as numbers that both ends compute to the same bits. If they do not, because the
    other machine adds up in another order, the digest of the block differs, and the file is refused, not misread.
    """

    def __init__(self) -> None:
        self.library = library()
        self.digests: list[int] = []
        self._digest, self._count = 0, 0

    def seen(self, probabilities: NDArray[Any]) -> None:
        """Take probabilities (n, V) into the digest of the block."""
        at = 0
        while at < len(probabilities):  # a block ends at the same symbol however many come at a time
            part = np.ascontiguousarray(probabilities[at : at + BLOCK - self._count])
            at += len(part)
            self._digest = zlib.crc32(part.tobytes(), self._digest)
            self._count += len(part)
            if self._count >= BLOCK:
                self.close_block()

    def close_block(self) -> None:
        """End a block."""
        if self._count:
            self.ended(self._digest)
        self._digest, self._count = 0, 0

    def ended(self, digest: int) -> None:
        """Keep the digest of a block."""
        self.digests.append(digest)


@final
class Encoder(Coder):
    """An encoder of symbols."""

    def __init__(self) -> None:
        super().__init__()
        self._coder = self.library.stream.queue.RangeEncoder()
        self._family = self.library.stream.model.Categorical(perfect=False)
        self._uniform = self.library.stream.model.Uniform

    def symbols(self, probabilities: NDArray[np.float64], symbols: NDArray[np.int64] | None) -> NDArray[np.int64]:
        """Code one symbol of each row and return them.

        Args:
            probabilities: Positive numbers that are proportional to the probabilities, (n, V).
            symbols: The symbols, (n,).
        """
        assert symbols is not None
        self.seen(probabilities)
        self._coder.encode(symbols.astype(np.int32), self._family, probabilities)
        return symbols

    def number(self, size: int, value: int | None) -> int:
        """Code a number from 0 to size - 1, each as likely as the others, and return it."""
        assert value is not None
        self._coder.encode(value, self._uniform(size))
        return value

    def finish(self) -> bytes:
        """Return what was coded."""
        self.close_block()
        words: bytes = self._coder.get_compressed().astype("<u4").tobytes()
        return words


@final
class Decoder(Coder):
    """A decoder of what an encoder wrote.

    Args:
        coded: The bytes of the encoder.
        digests: The digests of its blocks.
        where: The name of the file, for an error.
    """

    def __init__(self, coded: bytes, digests: list[int], where: str) -> None:
        super().__init__()
        words = np.frombuffer(coded, dtype="<u4").astype(np.uint32)
        self._coder = self.library.stream.queue.RangeDecoder(words)
        self._family = self.library.stream.model.Categorical(perfect=False)
        self._uniform = self.library.stream.model.Uniform
        self._expected, self._where = digests, where

    def symbols(self, probabilities: NDArray[np.float64], symbols: NDArray[np.int64] | None) -> NDArray[np.int64]:
        """Return the next symbol of each row; arguments are those of ``Encoder.symbols``, without symbols."""
        self.seen(probabilities)
        return np.asarray(self._coder.decode(self._family, probabilities), dtype=np.int64)

    def number(self, size: int, value: int | None) -> int:
        """Return the next number from 0 to size - 1."""
        return int(self._coder.decode(self._uniform(size)))

    def ended(self, digest: int) -> None:
        """Check the digest of a block.

        Raises:
            DataError: The model gives other probabilities here than where the file was written.
        """
        super().ended(digest)
        if self._expected[len(self.digests) - 1 : len(self.digests)] != [digest]:
            raise DataError(
                "the model computes other probabilities on this machine than on that which wrote the file",
                where=self._where,
                fix="decompress on a machine of the same kind, with the same versions of ostinato and torch",
            )
