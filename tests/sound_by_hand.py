"""The coding of sound in NumPy and constriction, sample by sample: what csrc/sound.cpp must equal to the bit."""

from __future__ import annotations

import zlib
from operator import itemgetter
from typing import Any

import constriction
import numpy as np
import torch
from numpy.typing import NDArray

from ostinato.compression.portable import exp, grid
from ostinato.compression.sound import SoundLanes
from ostinato.emissions.conditional import Conditional
from ostinato.emissions.logistic_mixture import LEAST_SCALE
from ostinato.model import SequenceModel
from ostinato.ops.engine import _engine
from ostinato.shapes import Array

Values = NDArray[np.int64]


def cumulative(weights: Array, means: Array, scales: Array, edges: Array) -> Array:
    """Return the probabilities below edges (n, E) of mixtures (n, M)."""
    out, (rows, components) = np.empty(edges.shape), weights.shape
    w, m, b, e = (np.ascontiguousarray(a) for a in (weights, means, scales, edges))
    given = w.ctypes.data, m.ctypes.data, b.ctypes.data, e.ctypes.data, out.ctypes.data
    _engine.portable_mixture(rows, components, edges.shape[1], *given)
    return out


class ByHand:
    """An encoder of the samples of some files, all steps of which it sees.

    Attributes:
        digest: The checksum of the probabilities.
        coded: The number of symbols.
    """

    def __init__(self, model: SequenceModel, lattice: list[int]) -> None:
        self.model, self.lattice = model, np.array(lattice, dtype=np.int64)
        self.coder, self.digest, self.coded = constriction.stream.queue.RangeEncoder(), 0, 0
        self.family = constriction.stream.model.Categorical(perfect=False)
        emission: Any = model.emission
        encoding: Any = model.encoding
        self.M, self.deviation, self.bits = emission.components, encoding.scale, encoding.bits

    @torch.inference_mode()
    def encode(self, rows: list[Values]) -> None:
        """Code rows (T, D) of any lengths side by side."""
        state = self.model.initial_state(len(rows))
        for t in range(max(map(len, rows))):
            going = [r for r, row in enumerate(rows) if t < len(row)]
            conditional, middle = self.model.predict(state)
            some = conditional.each(itemgetter(torch.tensor(going)))
            self.step(some, going, np.stack([rows[r][t] for r in going]))
            whole = np.stack([row[min(t, len(row) - 1)] for row in rows])
            state = self.model.observe(middle, torch.from_numpy(self.z(whole)))

    def z(self, samples: Values) -> Array:
        """Return samples in model space."""
        return np.asarray((samples / self.deviation).astype(np.float32).astype(np.float64))

    def step(self, of: Conditional, going: list[int], samples: Values) -> None:
        """Code a step of some rows, (n, D)."""
        assert of.loc is not None
        assert of.scale is not None
        M, lattice, D = self.M, self.lattice[going], samples.shape[1]
        p, loc, scale = (part.double().numpy() for part in (of.params, of.loc, of.scale))
        L = None if of.coupling is None else of.coupling.matrix().double().numpy()
        unit, e = lattice / self.deviation, np.zeros(samples.shape)
        for d in range(D):
            shift = np.zeros(len(going))
            for c in range(d):
                shift = shift if L is None else shift + L[..., d, c] * e[:, c]
            middle, width = loc[:, d] + scale[:, d] * (shift + p[:, d, 0]), scale[:, d] / unit
            means = (middle / unit)[:, None] + width[:, None] * p[:, d, 1 + M : 1 + 2 * M]
            raw = np.log(np.exp(np.minimum(p[:, d, 1 + 2 * M :], 20.0)) + LEAST_SCALE) + np.log(width)[:, None]
            logits = p[:, d, 1 : 1 + M] - p[:, d, 1 : 1 + M].max(-1, keepdims=True)
            for one in np.unique(lattice):
                own = np.flatnonzero(lattice == one)
                self.cells(logits[own], means[own], raw[own], int(one), samples[own, d])
            e[:, d] = (self.z(samples[:, d]) - loc[:, d]) / scale[:, d]

    def cells(self, logits: Array, means: Array, raw: Array, unit: int, samples: Values) -> None:
        """Code a sample of each row of one lattice, six bits at a time."""
        left = self.bits - (unit.bit_length() - 1)
        half, last = 1 << (left - 1), (1 << left) - 1
        weights = exp(np.maximum(grid(logits, 256.0), -40.0))
        total = weights[:, :1].copy()
        for k in range(1, self.M):
            total += weights[:, k : k + 1]
        mixture = weights / total, grid(means + half, 64.0), exp(np.clip(grid(raw, 256.0), -5.0, 30.0))
        cells, low = samples // unit + half, np.zeros(len(samples), dtype=np.int64)
        while left:
            taken = min(6, left)
            left -= taken
            edges = (low[:, None] + (1 << left) * np.arange((1 << taken) + 1)) - 0.5
            below = cumulative(*mixture, edges.astype(np.float64))
            below[edges < 0], below[edges > last] = 0.0, 1.0
            part, whole = np.maximum(np.diff(below), 0.0), below[:, -1:] - below[:, :1]
            p = np.where(whole > 1e-13, part / np.where(whole > 1e-13, whole, 1.0) + 1e-8, 1.0)
            symbols = (cells - low) >> left
            self.digest = zlib.crc32(np.ascontiguousarray(p).tobytes(), self.digest)
            self.coded += len(symbols)
            self.coder.encode(symbols.astype(np.int32), self.family, p)
            low += symbols << left


def drive_by_hand(lanes: SoundLanes, rows: list[Values], lattice: list[int]) -> ByHand:
    """Return what the coding of rows by hand has come to."""
    by_hand = ByHand(lanes.model, lattice)
    by_hand.encode(rows)
    return by_hand
