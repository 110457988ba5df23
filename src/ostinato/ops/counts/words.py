"""The arithmetic of adaptive counts: hashes of 64 bits, and the word in which a context remembers a decision.

A word holds a probability in 16 bits; how often the decision was met, up to 63; how often each answer came of late, up
to 15; and the last two answers.
"""

from __future__ import annotations

_MASK = (1 << 64) - 1
A, B, C, D = 0x9E3779B97F4A7C15, 0xD6E8FEB86659FD93, 0xA0761D6478BD642F, 0xE7037ED1A0B428DB
E, F, G = 0x8EBC6AF09C88C6E3, 0x2127599BF4325C37, 0x632BE59BD9B4E019


def wrapped(h: int) -> int:
    """Return a number as unsigned 64 bits."""
    return h & _MASK


def signed(h: int) -> int:
    """Return unsigned 64 bits as the signed ones that a tensor holds."""
    return h - (1 << 64) if h >> 63 else h


def scattered(h: int) -> int:
    """Return a hash whose bits each depend on those of h."""
    h = wrapped(wrapped(h) * A)
    h = wrapped((h ^ (h >> 32)) * B)
    return h ^ (h >> 29)


def joined(h: int, x: int) -> int:
    """Return the hash of a hash and a number."""
    h = wrapped((h + x + 1) * A)
    return h ^ (h >> 29)


def met(word: int) -> int:
    """Return how often a decision was met, up to 63."""
    return (word >> 16) & 63


def after(word: int, y: int, forget: float) -> int:
    """Return what is remembered of a decision after the answer y.

    Args:
        word: What was remembered.
        y: The answer, 0 or 1.
        forget: The least rate at which the probability moves.
    """
    times, counts, last = met(word), [(word >> 22) & 15, (word >> 26) & 15], word >> 30
    p = (word & 0xFFFF) / 65536 if times else 0.5
    p += (y - p) * max(1 / (times + 1.5), forget)
    counts[y] = min(counts[y] + 1, 15)
    if counts[1 - y] > 2:
        counts[1 - y] = counts[1 - y] // 2 + 1
    stored = int(min(max(p * 65536, 0), 65535))
    return stored | min(times + 1, 63) << 16 | counts[0] << 22 | counts[1] << 26 | ((last << 1 | y) & 3) << 30
