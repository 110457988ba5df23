"""The engine's range coder writes the bits of the package constriction, and the checksum of zlib follows it."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from ostinato.compression.coder import Coded, Decoder, Encoder
from ostinato.ops.engine.extension import ABSENT
from ostinato.shapes import Array

constriction = pytest.importorskip("constriction", reason="the outside oracle of the range coder")
pytestmark = pytest.mark.skipif(bool(ABSENT), reason="the engine is not compiled")
KINDS = ("flat", "skewed", "extreme", "certain")


def distributions(kind: str, rng: np.random.Generator) -> Array:
    """Return numbers proportional to probabilities, (T, V)."""
    steps, symbols = int(rng.integers(1, 200)), int(rng.integers(2, 70))
    p = rng.random((steps, symbols))
    match kind:
        case "flat":
            return p
        case "skewed":
            return p**30 + 1e-300
        case "extreme":
            return p**300 + 1e-300
        case _:
            return np.where(np.arange(symbols) == rng.integers(0, symbols, (steps, 1)), 1.0, 1e-12)


@pytest.mark.parametrize("drawn", [True, False], ids=["likely", "any"])
@pytest.mark.parametrize("kind", KINDS)
def test_it_writes_the_words_of_constriction(kind: str, drawn: bool) -> None:
    family, rng = constriction.stream.model.Categorical(perfect=False), np.random.default_rng(KINDS.index(kind))
    for _ in range(100):
        p = distributions(kind, rng)
        if drawn:
            symbols = np.array([rng.choice(len(row), p=row / row.sum()) for row in p], dtype=np.int64)
        else:
            symbols = rng.integers(0, p.shape[1], len(p))
        size = int(rng.integers(2, 1 << 21))
        numbers = [0, size - 1, int(rng.integers(size))]
        theirs = constriction.stream.queue.RangeEncoder()
        ours = Encoder()
        theirs.encode(symbols.astype(np.int32), family, p)
        ours.symbols(p, symbols)
        for number in numbers:
            theirs.encode(number, constriction.stream.model.Uniform(size))
            ours.number(size, number)
        words: NDArray[np.uint32] = theirs.get_compressed()
        assert ours._coder.words() == words.tolist()
        place, interval = theirs.pos()
        assert ours._coder.place() == (place, *interval)
        decoder = Decoder(Coded([words.astype(">u4").tobytes()], [], 4), "a test")
        assert decoder.symbols(p, None).tolist() == symbols.tolist()
        assert [decoder.number(size, None) for _ in numbers] == numbers


@pytest.mark.parametrize("row", [[0.0, 0.0], [np.nan, 1.0], [np.inf, 1.0], [0.0, 1e-305]])
def test_probabilities_without_a_sum_are_refused(row: list[float]) -> None:
    with pytest.raises(ValueError, match="no sum"):
        Encoder().symbols(np.array([row]), np.array([0]))


@pytest.mark.parametrize("symbol", [-1, 2, 1 << 62])
def test_symbols_that_no_distribution_has_are_refused(symbol: int) -> None:
    with pytest.raises(ValueError, match="outside"):
        Encoder().symbols(np.array([[0.5, 0.5]]), np.array([symbol]))


@pytest.mark.parametrize(("size", "number"), [(0, 0), (-1, 0), (5, 5), (5, -1), ((1 << 24) + 1, 0)])
def test_numbers_that_no_range_has_are_refused(size: int, number: int) -> None:
    with pytest.raises(ValueError, match="range"):
        Encoder().number(size, number)
    if not 0 < size <= 1 << 24:
        with pytest.raises(ValueError, match="range"):
            Decoder(Coded([b""], [], 4), "a test").number(size, None)
