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
from ostinato.emissions.conditional import Conditional
from ostinato.emissions.emission import Support
from ostinato.inference.adapt import learns
from ostinato.inference.live.few import FEW, Few
from ostinato.inference.mixture import marginal_quantiles
from ostinato.inference.raw import raw_sequences
from ostinato.model import SequenceModel
from ostinato.shapes import Array, State


@dataclass(frozen=True)
class Stepped:
    """The surprisals and expected values of the steps of B sequences, joined end to end.

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
        adapt: Whether a sequence that begins lets the model go on learning from it, for itself alone. None: an adaptive
            model does, as in ``Stream``.

    Raises:
        ConfigError: adapt is given, and the model leaves no such choice.
    """

    def __init__(self, model: SequenceModel, *, spacing: float = 1.0, adapt: bool | None = None) -> None:
        self.model, self._spacing, self._learns = model.eval(), spacing, learns(model, adapt)
        self._few = Few.of(self.model)

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
        return raw_sequences(self.model, ids, values, lengths, spacing=self._spacing, ends=ends)

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
        if self._few is not None and len(values) == len(lengths) <= FEW and not ends:
            few = self._few(ids, values, state)
            if few is not None:
                ahead = self.ahead(ids, state, None, p) if len(p) else np.zeros((0, *values.shape))
                surprisal, expected, state = few
                return Stepped(surprisal, expected, ahead, state)
        block, long = values, lengths
        if self.carries_price:
            assert last is not None
            block = np.insert(values, np.cumsum(lengths) - lengths, last, axis=0)
            long = lengths + 1
        data = self.set_of(ids, block, long, ends=ends)
        encoded = self.model.encoding.encode(data)
        lengths = lengths + ends
        first = encoded.offsets[1:] - lengths  # the first row of each sequence among the encoded steps
        nats, means, quantiles, state = self._unroll(
            encoded, first, lengths, state, torch.tensor(p, dtype=torch.float64)
        )
        places = torch.from_numpy(_joined(first, lengths))
        observed = encoded.observed[places]
        joint = torch.where(observed, nats + encoded.log_measure[places], 0.0).sum(-1).numpy()
        return Stepped(
            np.where(observed.any(-1).numpy(), -joint, np.nan),
            self.model.encoding.expected_each(means.numpy(), data, lengths),
            self._raw(quantiles, data, lengths),
            state,
        )

    def _unroll(
        self, encoded: Encoded, first: NDArray[np.int64], lengths: NDArray[np.int64], state: State, p: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, State]:
        """Return the nats (N, D), the means (N, D) and the quantiles (Q, N, D) of steps in model space, and the states.

        Args:
            encoded: The sequences in model space.
            first: The first row of each sequence, (B,).
            lengths: The number of steps of each sequence, (B,).
            state: The states before them, (B, ...) each.
            p: The probabilities of the quantiles, (Q,).
        """
        starts, shape = np.cumsum(lengths) - lengths, (int(lengths.sum()), self.model.channels)
        nats, means = torch.zeros(shape, dtype=torch.float64), torch.zeros(shape, dtype=torch.float64)
        quantiles = torch.zeros(len(p), *shape, dtype=torch.float64)
        state = tuple(s.clone() for s in state)
        done, width = 0, 1
        # windows that double in width: a long sequence costs few calls, and a short one in its batch few idle steps
        while len(rows := np.flatnonzero(lengths > done)):
            left, at = np.minimum(lengths[rows] - done, width), torch.from_numpy(rows)
            steps = np.arange(left.max())[:, None]
            places_in = np.minimum(steps, left - 1) + done  # after the end of a sequence its last step is repeated
            x = encoded.values[torch.from_numpy(first[rows] + places_in)]
            ragged = torch.from_numpy(left) if bool((left < len(steps)).any()) else None
            conditional, after = self.model.unroll(x, tuple(s[at] for s in state), ragged)
            inner = Support(*(s[at] for s in (encoded.unit, encoded.low, encoded.high)))
            kept = torch.from_numpy(steps < left)
            into = torch.from_numpy(starts[rows] + places_in)[kept]
            nats[into] = conditional.log_prob(x, inner).double()[kept]
            means[into] = conditional.mean(inner).double()[kept]
            if len(p):
                quantiles[:, into] = _quantiles(conditional, inner, p, kept).permute(2, 0, 1)
            for whole, part in zip(state, after, strict=True):
                whole[at] = part
            done, width = done + width, min(2 * width, 256)
        return nats, means, quantiles, state

    def _raw(self, quantiles: Tensor, data: SequenceSet, lengths: NDArray[np.int64]) -> Array:
        """Return quantiles (Q, N, D) in the units of the data; those of a lattice are points of it."""
        encoding = self.model.encoding
        raw = [encoding.expected_each(one.numpy(), data, lengths) for one in quantiles]
        out = np.stack(raw) if raw else np.zeros(quantiles.shape)
        return out if encoding.continuous else np.rint(out)

    @torch.inference_mode()
    def ahead(self, ids: Sequence[str], state: State, last: Array | None, p: Sequence[float]) -> Array:
        """Return the quantiles of the next step of B sequences, (Q, B, D), in the units of the data.

        Args:
            ids: The ids of the sequences, B of them.
            state: Their states, (B, ...) each.
            last: Their last raw values, (B, D), if ``carries_price``.
            p: The probabilities, (Q,).
        """
        one = np.ones(len(ids), dtype=np.int64)
        none = np.zeros((len(ids), self.model.channels))
        data = self.set_of(ids, none if last is None else last, one)
        encoded = self.model.encoding.encode(data)
        conditional, _ = self.model.predict(state)
        support = Support(encoded.unit, encoded.low, encoded.high)
        found = marginal_quantiles(conditional, support, torch.tensor(p, dtype=torch.float64))
        if last is not None:  # a price moves from the one before it, which ``expected_each`` reads a row earlier
            data = self.set_of(ids, np.repeat(last, 2, axis=0), 2 * one)
        return self._raw(found.permute(2, 0, 1), data, one)

    @torch.inference_mode()
    def likeliest(self, state: State, most: int) -> list[list[tuple[int, float]]]:
        """Return the likeliest next symbols of B sequences with their probabilities, for a model of text.

        Args:
            state: Their states, (B, ...) each.
            most: The number of symbols.
        """
        conditional, _ = self.model.predict(state)
        p, order = conditional.params[:, 0].double().softmax(-1).sort(stable=True, dim=-1, descending=True)
        return [
            list(zip(o, q, strict=True)) for o, q in zip(order[:, :most].tolist(), p[:, :most].tolist(), strict=True)
        ]

    def start(self, count: int) -> State:
        """Return the states before the first step, (B, ...) each."""
        return tuple(s.contiguous() for s in self.model.initial_state(count, learns=self._learns))


def _quantiles(conditional: Conditional, support: Support, q: Tensor, kept: Tensor) -> Tensor:
    """Return the quantiles (N, D, Q) of the steps that are kept, (T, B), of distributions (T, B, D)."""
    if conditional.coupling is None:
        return conditional.quantile(q, support).double()[kept]
    parts = (support.unit, support.low, support.high)
    inner = Support(*(s.expand(len(kept), -1, -1)[kept] for s in parts))
    return marginal_quantiles(conditional.each(lambda part: part[kept]), inner, q)


def _joined(first: NDArray[np.int64], lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the rows first[b] .. first[b] + lengths[b] - 1 of all sequences, one sequence after the other."""
    return np.repeat(first - (np.cumsum(lengths) - lengths), lengths) + np.arange(lengths.sum())
