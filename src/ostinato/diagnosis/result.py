"""The result of a diagnosis: how far back the gradient of a model, its gain and the reward of its data reach."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from ostinato.kinds import TRAITS, Kind
from ostinato.look import Shown
from ostinato.numbers import counted
from ostinato.wording import option

if TYPE_CHECKING:
    import polars as pl
    from matplotlib.figure import Figure

#: The least gain in nats a step for which older inputs are worth looking at.
WORTH = 0.005

#: What to change in a model whose backbone cannot use inputs as old as those that help a reference model, by backbone.
_EXTEND = {
    "conv": "use {layers} layers ({depth})",
    "lstm": "train with a truncation window of at least {reach} steps",
    "linear": "train with a truncation window of at least {reach} steps",
}
#: What reaches farther than a model that goes on learning, by its name.
_LEARNING = {
    "filter": "a network on the filters may use older inputs ({lstm})",
    **dict.fromkeys(("ets", "theta"), "a network may use older inputs ({lstm})"),
    "counts": "a network next to the counts may use older inputs ({mixture})",
    "mixture": "train its network longer",
}
_EXTEND_OTHER = "use an LSTM, or a truncation window of at least {reach} steps"


@dataclass(frozen=True, repr=False)
class LayerFlow(Shown):
    """The norm of dL_t/dh_{t-k} in one layer at every lag k of ``Diagnosis.lags``, over the sampled steps t.

    L_t is -log P(x_t | x_<t) in nats, and h_{t-k} is the state of the layer after it has read x_{t-k}. P(x_t | x_<t) is
    computed from h_{t-1}, so k = 1 is the hidden state that the loss reads. With an LSTM the norm is that of h and c
    together.

    Attributes:
        layer: The name of the layer.
        median: The median norm at each lag.
        lower: The lower quartile at each lag.
        upper: The upper quartile at each lag.
    """

    layer: str
    median: tuple[float, ...]
    lower: tuple[float, ...]
    upper: tuple[float, ...]

    def look(self) -> tuple[list[str], pl.DataFrame]:
        """Return the layer, and a table of the norms at the nearest lags."""
        import polars as pl

        norms = {"median": self.median, "lower": self.lower, "upper": self.upper}
        return [f"{self.layer}, {counted(len(self.median), 'lag')}"], pl.DataFrame(norms)


@dataclass(frozen=True, repr=False)
class Diagnosis(Shown):
    """How far back the gradient, the model and the dependence in the data reach, each by lag in steps.

    Likelihoods are in nats a step; higher is better.

    Attributes:
        kind: The kind of the sequences: "series", "prices", "text" or "sound".
        backbone: The backbone of the model: "gru", "conv", ...; "ar" if the model is the closed form alone.
        lags: The lags 1 .. K.
        flows: The norms of the gradient at ``lags``, one entry a layer from the lowest. Empty without hidden states.
        lyapunov: The largest Lyapunov exponent of the hidden dynamics in nats a step. Below 0 the difference between
            two states shrinks, above 0 it grows. None if the model sees a finite window, or if the sequences are too
            short to estimate it.
        lyapunov_error: The standard error of ``lyapunov``.
        effective_memory: The lag within which 99 % of the gradient's mass, summed over lags, lies. None if it reaches
            beyond K, if there is no gradient, and if there is no hidden state.
        window: The farthest lag that the model can use at all. None if its state carries on without end.
        order: The order of the closed form under the model. 0 without a closed form, None if the scale of the closed
            form follows the size of all innovations.
        cuts: The lags 0 .. K on a geometric grid.
        score: The mean likelihood of the sampled held-out steps, each with its whole past (up to 2 K steps).
        scores: The mean likelihood with the past cut at each of ``cuts``.
        errors: The standard errors of ``scores`` less ``score``.
        model_reach: The lag of ``cuts`` beyond which older inputs gain the model less than WORTH, or less than three
            standard errors.
        reference: The reference in words: a closed form that sees up to K steps.
        reference_score: The likelihood of the reference without any past.
        rewards: The gain of the reference from the past up to each of ``cuts``.
        reward_errors: The standard errors of what the reference gains beyond each of ``cuts``.
        picked: The lags that the reference found worth their parameter, nearest first.
        data_reach: The lag beyond which older inputs gain the reference less than WORTH, or less than two standard
            errors.
        data_beyond: The gain of the reference from inputs older than ``data_reach``, and its standard error.
        sampled: What was sampled, in words. It follows from ``seed``.
        seed: The seed of the samples.
        improved: Whether training improved the model on the network it started from. None if the file does not say.
    """

    kind: Kind
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
    reward_errors: tuple[float, ...]
    picked: tuple[int, ...]
    data_reach: int
    data_beyond: tuple[float, float]
    sampled: str
    seed: int
    improved: bool | None = None

    def look(self) -> tuple[list[str], pl.DataFrame]:
        """Return how far back the model and the data reach, and the scores by lag."""
        import polars as pl

        columns = {"lag": self.cuts, "score": self.scores, "reference gain": self.rewards}
        return [self.verdict, f"sampled: {self.sampled}"], pl.DataFrame(columns)

    def plot(self) -> Figure:
        """Return the picture of the gradient by lag, if any comes back, and of the gain, as a figure of matplotlib.

        Raises:
            ConfigError: matplotlib is not installed.
        """
        from ostinato.diagnosis.picture import figure

        return figure(self)

    @property
    def closed_form(self) -> bool:
        """Whether the model is the closed form alone, without a backbone."""
        return self.backbone == "ar"

    @property
    def flowing(self) -> bool:
        """Whether any gradient comes back: False without a hidden state, and if the prediction does not read it."""
        return any(max(layer.upper) > 0 for layer in self.flows)

    @property
    def ahead_of_reference(self) -> bool:
        """Whether the model is more likely than the reference at its best, by more than WORTH."""
        return self.score > self.reference_score + max(self.rewards) + WORTH

    @property
    def reach(self) -> int:
        """How far back the past helps the reference, in steps: the one number of verdict, table and chart.

        It is the reach of the reference, or that of the model if the model is ahead of the reference and gains from
        farther back. A model that the reference beats proves nothing about the data: its state needs time to settle
        after a cut, whether or not there is anything to remember.
        """
        return max(self.model_reach, self.data_reach) if self.ahead_of_reference else self.data_reach

    @property
    def uncertain(self) -> tuple[float, float] | None:
        """The gain beyond ``reach`` that the held-out steps are too few to confirm, and its standard error.

        None if that gain is below WORTH, or if the reach is that of the model, which is certain.
        """
        return self.data_beyond if self.reach == self.data_reach and self.data_beyond[0] > WORTH else None

    @property
    def verdict(self) -> str:
        """What the model can use, how far back the data help, and what to do about a difference, in one sentence."""
        gained = f"inputs up to lag {self.model_reach}" if self.model_reach else "no past input"
        farthest = ", the farthest measured," if self.reach == len(self.lags) else ""
        helpful = f"the past up to lag {self.reach}{farthest} improves" if self.reach else "no past input improves"
        helpful += " the predictions of "
        helpful += (
            "a reference model" if self.reach == self.data_reach else "this model, which beats the reference model"
        )
        if self.uncertain is not None:
            gain, error = self.uncertain
            helpful += f" (older inputs may add {gain:.4f} \u00b1 {error:.4f} nats a step, which is not certain)"
        advice = self._advice_of_learning() if self.backbone in _LEARNING else self._advice()
        return f"{self._sight()}; the model gains from {gained}; in these data {helpful}: {advice}"

    def _sight(self) -> str:
        """What the model can use, in words."""
        backbone = "closed form" if self.closed_form else "convolution"
        if self.flows and not self.flowing:
            return "no gradient comes back, because the predictions do not depend on the hidden state"
        if self.window is not None:
            seen = ("no lag", "lag 1 only")[self.window] if self.window < 2 else f"lags 1 to {self.window} only"
            return f"the {backbone} sees {seen}"
        if self.closed_form or self.backbone in _LEARNING:
            return f"the {'scale of the closed form' if self.closed_form else 'model'} follows all of the past"
        if self.effective_memory is not None:
            return f"gradients vanish by lag {self.effective_memory}"
        if self.lyapunov is not None and self.lyapunov > 0:
            return "gradients grow with the lag"
        return f"gradients still come back at lag {len(self.lags)}"

    @property
    def _able(self) -> int:
        """The farthest lag that the model, as it is trained, can use."""
        order = len(self.lags) if self.order is None else self.order
        if self.window is not None:
            return self.window
        return max(self.effective_memory or len(self.lags), order)

    def _advice_of_learning(self) -> str:
        """Return the advice about a model that goes on learning."""
        near = self.reach <= 1.5 * self.model_reach or self.reach - self.model_reach <= 2
        return (
            "the model looks back far enough"
            if near
            else _LEARNING[self.backbone].format(lstm=option("--model", "lstm"), mixture=option("--model", "mixture"))
        )

    def _advice(self) -> str:
        """What to do, in words."""
        reach = self.reach
        if not reach:
            return "a model without memory does as well"
        if not self.closed_form and (self.improved is False or not self.flowing):
            return (
                "training never improved on the closed form that the network started from: use the closed form, or "
                "another backbone"
            )
        if reach > self._able:
            return self._extend()
        if reach > 1.5 * self.model_reach and reach - self.model_reach > 2:
            # the model could carry its inputs so far, and does not
            if self.closed_form:
                return "fit the closed form again, so that its order is chosen again"
            return f"train longer, with a truncation window of at least {reach} steps"
        return "the model looks back far enough"

    def _extend(self) -> str:
        """What to do if lags help that the model cannot use."""
        if self.closed_form and not TRAITS[self.kind].numeric:
            return "a chain of this order has too few counts; use a recurrent backbone"
        if self.closed_form:
            return f"raise the order to {self.reach} ({option('--max-order', self.reach)}), or use a recurrent backbone"
        layers = layers_for(self.reach)
        return _EXTEND.get(self.backbone, _EXTEND_OTHER).format(
            reach=self.reach, layers=layers, depth=option("--depth", layers)
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the diagnosis as JSON: dicts, lists, words and numbers, with the verdict and the reach."""
        return asdict(self) | {"verdict": self.verdict, "reach": self.reach}


def layers_for(lag: int) -> int:
    """Return how many layers a convolution needs to see back to a lag.

    With kernel 2 and doubling dilation, n layers see 2^n steps together.

    Args:
        lag: The lag in steps.
    """
    return max(1, math.ceil(math.log2(max(lag, 1))))
