"""What ``diagnose`` finds: how far back a model's gradient comes from, and how far back its data reward looking."""

from __future__ import annotations

import math
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

    kind              of sequence: "series", "prices", "text" or "sound"
    memory            the model's memory: "gru", "conv", ...; "ar" where it is the closed form alone
    lags, flows       1 .. K, and the gradient's norms there, a layer each from the lowest; none without hidden states
    lyapunov          the largest Lyapunov exponent of the hidden dynamics, nats a step, and its standard error; under 0
                      a difference between two states is forgotten, over 0 it grows. None where a window ends it, and
                      where sequences are too short to tell
    effective_memory  the lag by which 99 % of the gradient's mass, summed over lags, has come back; None where it goes
                      on beyond K, and where there is no hidden state
    window            the farthest lag that the model can use at all; None where a state is carried on without end
    order             of the closed form that the model stands on; 0 where there is none, None where its scale follows
                      the size of all innovations
    cuts              lags 0 .. K on a geometric grid
    score             of the sampled held-out steps, each with its whole past (up to 2 K steps)
    scores            the same with the past cut at each of cuts; errors: standard errors of scores less score
    model_reach       the lag beyond which older inputs bring the model less than WORTH, on the grid of cuts
    reference, rewards  a closed form that sees up to K, in words, and what the past up to each of cuts brings it
    reference_score   of the reference with no past; with a reward added, with that past
    picked            the lags that it found worth their parameter, nearest first
    data_reach        the lag beyond which older inputs bring the reference less than WORTH, or nothing certain
    sampled           what was looked at, in words; it follows from seed
    """

    kind: str
    backbone: str
    lags: tuple[int, ...]
    flows: tuple[LayerFlow, ...]
    lyapunov: float | None
    lyapunov_error: float | None
    effective_memory: int | None
    window: int | None
    order: int | None
    cuts: tuple[int, ...]
    score: float
    scores: tuple[float, ...]
    errors: tuple[float, ...]
    model_reach: int
    reference: str
    reference_score: float
    rewards: tuple[float, ...]
    picked: tuple[int, ...]
    data_reach: int
    sampled: str
    seed: int

    @property
    def reach(self) -> int:
        """How far back the data reward looking: as far as a model gains, unless the reference does better with less.

        A model that nearer inputs would have served better proves nothing of what the data hold: its state has still to
        settle after a cut, whatever there is to remember.
        """
        beats = self.score > self.reference_score + max(self.rewards) + WORTH
        return max(self.model_reach, self.data_reach) if beats else self.data_reach

    @property
    def verdict(self) -> str:
        """All of it in a sentence: what the model can use, what the data reward, and what to do about a difference."""
        farthest, reach = len(self.lags), self.reach
        if self.window is not None:
            seen = ("no lag", "lag 1 only")[self.window] if self.window < 2 else f"lags 1 to {self.window} only"
            what = f"the {'closed form' if self.backbone == 'ar' else 'convolution'} sees {seen}"
        elif self.backbone == "ar":
            what = "the closed form's scale follows all of the past"
        elif self.effective_memory is not None:
            what = f"gradients vanish by lag {self.effective_memory}"
        elif self.lyapunov is not None and self.lyapunov > 0:
            what = "gradients grow with the lag"
        else:
            what = f"gradients still come back at lag {farthest}"
        gained = (
            f"the model gains from inputs up to lag {self.model_reach}" if self.model_reach else "it gains from none"
        )
        asked = f"the data reward lag {reach}" if reach else "the data reward no lag"
        return f"{what}; {gained}; {asked}{', the farthest looked at' if reach == farthest else ''}: {self._advice()}"

    def _advice(self) -> str:
        reach, order = self.reach, len(self.lags) if self.order is None else self.order
        able = self.window if self.window is not None else max(self.effective_memory or len(self.lags), order)
        if not reach:
            return "a constant distribution does as well as a memory"
        if reach > able:
            match self.backbone:
                case "ar" if self.kind == "text":
                    return "a chain of such an order would have counted too little: use a memory without a window"
                case "ar":
                    return f"raise the order to {reach} (--max-order {reach}), or use a memory without a window"
                case "conv":
                    return f"use {layers_for(reach)} layers (--depth {layers_for(reach)})"
                case "lstm" | "linear":
                    return f"train with a window of at least {reach}"
                case _:
                    return f"use LSTM, or a window of at least {reach}"
        if reach > 1.5 * self.model_reach and reach - self.model_reach > 2:
            # it could be carried so far, and is not
            return "fit its order anew" if self.backbone == "ar" else f"train longer, with a window of at least {reach}"
        return "it looks back far enough"

    def to_dict(self) -> dict[str, Any]:
        """As JSON: dicts, lists, words and numbers, the verdict and the reach among them."""
        return asdict(self) | {"verdict": self.verdict, "reach": self.reach}


def layers_for(lag: int) -> int:
    """Layers of a convolution of kernel 2 with doubling dilation that see so far: together they see 2^layers steps."""
    return max(1, math.ceil(math.log2(max(lag, 1))))
