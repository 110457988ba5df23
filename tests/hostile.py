"""Data of every kind whose names would be HTML if a page did not escape them."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from ostinato.data.read import read
from ostinato.data.sequences import SequenceSet

HOSTILE = (
    '<script>window.hacked = 1; fetch("http://example.invalid/a")</script>',
    '"><img src="http://example.invalid/b" onerror="window.hacked = 1">',
    "{{ 7 * 7 }} $\\frac{1}$ &amp; \x07 \u202e right to left </style></svg>",
    "x" * 300,
)


def series() -> SequenceSet:
    rng = np.random.default_rng(0)
    waves = {key: 20 + 5 * np.sin(np.arange(150) / 4) + rng.standard_normal(150) for key in HOSTILE}
    rows = [(key, t, y, -y) for key, wave in waves.items() for t, y in enumerate(wave.tolist())]
    ids, times, first, second = zip(*rows, strict=True)
    columns: dict[str, Any] = {"unique_id": ids, "ds": times, HOSTILE[1]: first, "</title><b>": second}
    return read(pl.DataFrame(columns), target=[HOSTILE[1], "</title><b>"])


def prices() -> SequenceSet:
    walk = 50 * np.exp(np.random.default_rng(1).normal(0, 0.01, 300).cumsum())
    return read({HOSTILE[0]: walk, HOSTILE[3]: walk[:200]}, kind="prices")


def text() -> SequenceSet:
    lines = ["<script>window.hacked = 1</script>", "\u202e\x07 & &lt; 한국어", "</div>\u2028", "a" * 200]
    return read(lines * 20, kind="text")


def sound() -> SequenceSet:
    rng = np.random.default_rng(2)
    tones = [3000 * np.sin(np.arange(1500) / (3 + i)) + 50 * rng.standard_normal(1500) for i in range(3)]
    return SequenceSet(
        "sound",
        np.concatenate(tones).astype(np.int32)[:, None],
        np.arange(0, 4501, 1500),
        HOSTILE[:3],
        ("amplitude",),
        step=np.ones(3),
        meta={"sample_rate": 1000, "bits": 16, "channel": None},
    )


KINDS = {"series": series, "prices": prices, "text": text, "sound": sound}
