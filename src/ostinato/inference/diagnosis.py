"""What ``diagnose`` finds: how far back a model's gradient comes from, and how far back its data reward looking."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

#: What older inputs must bring to be worth looking back for, nats a step.
WORTH = 0.005


@dataclass(frozen=True)
class LayerFlow:
    """The norm of dL_t/dh_{t-k} of one layer at every lag k of ``Diagnosis.lags``, over the sampled steps t.

    L_t is -log P(x_t | x_<t) in nats, and h_{t-k} the layer's state once x_{t-k} is in; P(x_t | x_<t) is read from
    h_{t-1}, so k = 1 is the loss's own hidden state. With an LSTM the norm is that of h and c together.

    median, lower, upper  the quartiles
    """

    layer: str
    median: tuple[float, ...]
    lower: tuple[float, ...]
    upper: tuple[float, ...]


@dataclass(frozen=True)
class Diagnosis:
    """The gradient, the likelihood and the data, each by lag in steps. Likelihoods are nats a step, higher is better.

    memory            the model's memory: "gru", "conv", ...; "ar" where it is the closed form alone
    lags, flows       1 .. K, and the gradient's norms there, a layer each from the lowest; none without hidden states
    lyapunov          the largest Lyapunov exponent of the hidden dynamics, nats a step, and its standard error; under 0
                      a difference between two states is forgotten, over 0 it grows. None where a window ends it, and
                      where sequences are too short to tell
    effective_memory  the lag by which 99 % of the gradient's mass, summed over lags, has come back; None where it goes
                      on beyond K, and where there is no hidden state
    window            the farthest lag that the model can use at all; None where a state is carried on without end
    cuts              lags 0 .. K on a geometric grid
    score             of the sampled held-out steps, each with its whole past (up to 2 K steps)
    scores            the same with the past cut at each of cuts; errors: standard errors of scores less score
    model_reach       the lag beyond which older inputs bring the model less than WORTH, on the grid of cuts
    reference, rewards  a closed form that sees up to K, in words, and what the past up to each of cuts brings it
    picked            the lags that it found worth their parameter, nearest first
    data_reach        the lag beyond which older inputs bring the reference less than WORTH, or nothing certain
    verdict           all of it in a sentence or two
    sampled           what was looked at, in words; it follows from seed
    """

    memory: str
    lags: tuple[int, ...]
    flows: tuple[LayerFlow, ...]
    lyapunov: float | None
    lyapunov_error: float | None
    effective_memory: int | None
    window: int | None
    cuts: tuple[int, ...]
    score: float
    scores: tuple[float, ...]
    errors: tuple[float, ...]
    model_reach: int
    reference: str
    rewards: tuple[float, ...]
    picked: tuple[int, ...]
    data_reach: int
    verdict: str
    sampled: str
    seed: int

    @property
    def reach(self) -> int:
        """How far back is worth looking: the data reward at least what a model gains."""
        return max(self.model_reach, self.data_reach)

    def to_dict(self) -> dict[str, Any]:
        """As JSON: dicts, lists, words and numbers."""
        return asdict(self)
