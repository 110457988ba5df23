"""One or more steps of many live sequences at once, as one batch in the engine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ostinato.data.encoded import Encoded
from ostinato.data.sequences import SequenceSet
from ostinato.emissions.emission import Support
from ostinato.model import SequenceModel
from ostinato.shapes import State

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Stepped:
    """What a model says of the steps of B sequences, joined end to end.

    Attributes:
        surprisal: The surprisal of each step in nats, (N,). NaN where a value is missing.
        expected: The value that was expected of each step before it was observed, (N, D).
        quantiles: The quantiles of each step before it was observed, (Q, N, D).
        state: The state after the last step of each sequence, (B, ...) each.
    """

    surprisal: Array
    expected: Array
    quantiles: Array
    state: State


@final
class Rows:
    """The steps of many sequences of one model. It holds no state: states go in and come out, (B, ...) each.

    The surprisals of a sequence are those of ``Stream`` and of ``score``, whichever sequences are stepped with it.

    Args:
        model: A fitted model.
        spacing: The spacing of the amplitudes of a sound.
    """

    def __init__(self, model: SequenceModel, *, spacing: float = 1.0) -> None:
        self.model, self._spacing = model.eval(), spacing

    @property
    def carries_price(self) -> bool:
        """Whether the state of a sequence also has its last row of raw values: a return needs the price before."""
        return self.model.description.traits.log_returns

    def set_of(
        self, ids: Sequence[str], values: NDArray[Any], lengths: NDArray[np.int64], *, ends: bool = False
    ) -> SequenceSet:
        """Return raw values (N, D) of B sequences, joined end to end, as a SequenceSet.

        Args:
            ids: The ids, B of them.
            values: The values.
            lengths: The number of steps of each sequence, (B,).
            ends: Whether the end of each sequence is one step more.
        """
        description, source = self.model.description, self.model.description.source
        return SequenceSet(
            description.kind,
            values,
            np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
            tuple(ids),
            tuple(source.get("channels", ["y"])) if description.traits.numeric else ("y",),
            step=None if self.model.encoding.spacing is None else np.full(len(ids), self._spacing),
            terminated=ends,
            count=bool(source.get("count")),
            meta=source,
        )

    @torch.inference_mode()
    def step(
        self,
        ids: Sequence[str],
        values: NDArray[Any],
        lengths: NDArray[np.int64],
        state: State,
        last: Array | None = None,
        p: Sequence[float] = (),
        *,
        ends: bool = False,
    ) -> Stepped:
        """Take in the next steps of B sequences.

        Args:
            ids: The ids of the sequences, B of them.
            values: The raw values of all steps, joined end to end, (N, D), which the model gives a probability.
            lengths: The number of steps of each sequence, (B,), at least 1, or 0 if ``ends``.
            state: The states before these steps, (B, ...) each.
            last: The last raw values of each sequence, (B, D), NaN at its start, if ``carries_price``.
            p: The probabilities of the quantiles, (Q,).
            ends: Whether the end of each sequence is an event after its steps.
        """
        block, long = values, lengths
        if self.carries_price:
            assert last is not None
            block = np.insert(values, np.cumsum(lengths) - lengths, last, axis=0)
            long = lengths + 1
        data = self.set_of(ids, block, long, ends=ends)
        encoded = self.model.encoding.encode(data)
        return self._unroll(data, encoded, lengths + ends, state, np.asarray(p, dtype=np.float64))

    def _unroll(
        self, data: SequenceSet, encoded: Encoded, lengths: NDArray[np.int64], state: State, p: Array
    ) -> Stepped:
        """Return what the model says of the last ``lengths`` (B,) steps of each encoded sequence."""
        first = encoded.offsets[1:] - lengths  # the first row of each sequence among the encoded steps
        places = np.concatenate([np.arange(a, z) for a, z in zip(first, encoded.offsets[1:], strict=True)])
        starts = np.cumsum(lengths) - lengths
        count, D = len(places), self.model.channels
        nats, means = torch.zeros(count, D, dtype=torch.float64), torch.zeros(count, D, dtype=torch.float64)
        quantiles = torch.zeros(len(p), count, D, dtype=torch.float64)
        support, q = Support(encoded.unit, encoded.low, encoded.high), torch.from_numpy(p)
        state, done, width = tuple(s.clone() for s in state), 0, 1
        while True:
            rows = np.flatnonzero(lengths > done)
            if not len(rows):
                break
            left = np.minimum(lengths[rows] - done, width)
            at = torch.from_numpy(rows)
            inner = Support(*(s[at] for s in (support.unit, support.low, support.high)))
            grid = np.minimum(np.arange(left.max())[:, None], left - 1)  # steps after the end repeat the last one
            x = encoded.values[torch.from_numpy(first[rows] + done + grid)]
            short = bool((left < left.max()).any())
            conditional, after = self.model.unroll(
                x, tuple(s[at] for s in state), torch.from_numpy(left) if short else None
            )
            kept = torch.from_numpy(np.arange(left.max())[:, None] < left)
            into = torch.from_numpy((starts[rows] + done + grid))[kept]
            nats[into] = conditional.log_prob(x, inner).double()[kept]
            means[into] = conditional.mean(inner).double()[kept]
            if len(p):
                quantiles[:, into] = conditional.quantile(q, inner).double()[kept].permute(2, 0, 1)
            for whole, part in zip(state, after, strict=True):
                whole[at] = part
            done, width = done + int(width), min(2 * width, 256)
        index = torch.from_numpy(places)
        observed = encoded.observed[index]
        joint = torch.where(observed, nats + encoded.log_measure[index], 0.0).sum(-1).numpy()
        encoding = self.model.encoding
        return Stepped(
            np.where(observed.any(-1).numpy(), -joint, np.nan),
            encoding.expected_each(means.numpy(), data, lengths),
            np.stack([encoding.expected_each(one.numpy(), data, lengths) for one in quantiles])
            if len(p)
            else np.zeros((0, count, D)),
            state,
        )

    def start(self, count: int) -> State:
        """Return the states before the first step, (B, ...) each."""
        return tuple(s.contiguous() for s in self.model.initial_state(count))
