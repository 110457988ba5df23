"""The options of the ladder's fit, as frozen values with defaults that follow from the data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ostinato.arguments import training_numbers, whole
from ostinato.choices import unknown
from ostinato.data.ahead import usual_calendar
from ostinato.data.sequences import SequenceSet
from ostinato.data.spelling import VOCABULARIES
from ostinato.data.split import observed_lengths
from ostinato.fits.budget import Budget
from ostinato.gradients.methods import FullBPTT, Method, TruncatedBPTT
from ostinato.kinds import Kind
from ostinato.layers.lag_search import FARTHEST
from ostinato.training.text_network import network_for

#: The models of the ladder, simplest first: each must beat the simpler ones to be chosen.
LADDER = ("ar", "linear", "rnn", "gru", "lstm", "conv")
#: The kinds of data for which the ladder has adaptive filters; there every network corrects their predictions.
FILTERED: tuple[Kind, ...] = ("sound",)

#: The models of text that go on learning while they are used.
ADAPTIVE = ("counts", "mixture")

#: The sets in which continuous values may lie.
SUPPORTS = ("real", "nonnegative")

#: The approximate number of validation steps that are evaluated; more would cost time and show nothing new.
VALIDATED = 60_000

#: The steps of training on text between two evaluations, as a multiple of the steps of an evaluation.
EVALUATIONS = 32

#: Sequences up to this many steps are unrolled whole.
SHORT = 512

#: The advice for a season that is not a number of steps.
_SEASON = "use 1 for no season, or more, such as 24"


@dataclass(frozen=True)
class LadderOptions:
    """How the models of the ladder are built and trained.

    Attributes:
        hidden: The number of hidden units of a layer.
        depth: The number of layers.
        dropout: The share of values that dropout sets to 0, between layers and before the head.
        embedding: The size of the embedding of a symbol.
        learning_rate: The peak of the learning rate.
        weight_decay: The decay of the weight matrices in AdamW.
        clip: The greatest norm of a gradient.
        batch_steps: The number of steps in an optimiser's batch, summed over its rows.
        max_order: The farthest lag of the autoregression, or the greatest order of the Markov chain.
        patience: The number of evaluations without an improvement after which training ends.
        evaluate_every: The optimiser steps from an evaluation to the next. 0 chooses by the size of the data.
        season: The number of steps of a season, for exponential smoothing and the lags of the autoregression. None
            takes that of the frequency.
        seed: The seed of the weights, the batches and the dropout.
        emission: The name of the distribution of a step. None chooses by the kind of data.
        components: The number of components of a mixture.
        support: "nonnegative" if values below 0 have no probability, "real" if they have one. None decides by the data.
            A channel that is never below 0, and comes as near to 0 as its values are apart, has then no probability
            below 0, and forecasts of shares are at most 1 or 100.
        refit: Whether the kept model is fitted again to all of the data, the held-out part included.
        vocabulary: What one symbol of a text is: "character", "byte", "jamo", "bpe", or "auto", which compares them on
            the validation part. None leaves a text in the symbols that it was read in.

    Raises:
        ConfigError: A value is out of its range.
    """

    hidden: int = 64
    depth: int = 1
    dropout: float = 0.0
    embedding: int = 64
    learning_rate: float = 3e-3
    weight_decay: float = 0.01
    clip: float = 1.0
    batch_steps: int = 4096
    max_order: int = 32
    patience: int = 12
    evaluate_every: int = 0
    seed: int = 0
    emission: str | None = None
    components: int = 10
    support: str | None = None
    refit: bool = True
    vocabulary: str | None = None
    season: int | None = None

    def __post_init__(self) -> None:
        for name in ("hidden", "depth", "embedding", "batch_steps", "patience", "components"):
            object.__setattr__(self, name, whole(name, getattr(self, name)))
        for name in ("max_order", "evaluate_every"):
            object.__setattr__(self, name, whole(name, getattr(self, name), 0))
        if self.season is not None:
            object.__setattr__(self, "season", whole("season", self.season, fix=_SEASON))
        if self.support not in (None, *SUPPORTS):
            raise unknown("support", self.support, SUPPORTS)
        if self.vocabulary not in (None, "auto", *VOCABULARIES):
            raise unknown("vocabulary", self.vocabulary, ("auto", *VOCABULARIES))
        for name, value in training_numbers(self).items():
            object.__setattr__(self, name, value)


#: The earlier name of LadderOptions.
Config = LadderOptions

#: The greatest order of an autoregression on every lag, by frequency: a season or two and a step. Longer ones cost
#: more than they gain, and a sparse autoregression takes a farther lag alone.
_LAGS = {"1mo": 25, "3mo": 9, "1h": 49, "30m": 97, "15m": 97, "1d": 29, "1bd": 11, "1w": 53, "1y": 24}


def _text(data: SequenceSet, limits: Budget) -> LadderOptions:
    """Return the options for text; one sequence a line has more steps in a batch and more dropout.

    The number of steps between two evaluations is such that evaluations take about 1 % of the time.
    """
    network = network_for(len(data.values), limits, short=data.terminated)
    watched = min(VALIDATED, len(data.values) // 10)
    between = max(20, EVALUATIONS * watched // network.batch_steps)
    return LadderOptions(**network._asdict(), max_order=8, evaluate_every=between)


def _sound(data: SequenceSet, limits: Budget) -> LadderOptions:
    """Return the options for sound."""
    return LadderOptions(hidden=96, batch_steps=16384, max_order=32, learning_rate=2e-3, components=5)


def _numbers(data: SequenceSet, limits: Budget) -> LadderOptions:
    """Return the options for series and prices, by their size and frequency."""
    steps, longest = int(data.lengths.sum()), int(observed_lengths(data).max(initial=1))
    hidden = 16 if steps < 1_000 else 32 if steps < 10_000 else 64
    # a lag that was seen fewer than four times over is not searched for
    order = min(FARTHEST, longest // 4)
    batch = 4096 if longest <= SHORT else 2048
    return LadderOptions(hidden=hidden, max_order=order, batch_steps=batch, dropout=0.2, weight_decay=0.05)


def most_orders(data: SequenceSet, season: int | None = None) -> int:
    """Return the greatest order of an autoregression on every lag: two seasons and a step, or 32 without a season.

    It is at most a fifth of the longest sequence.

    Args:
        data: The sequences.
        season: The number of steps of the season, if given.
    """
    calendar = usual_calendar(data) if data.traits.tabular else None
    length = season or (1 if calendar is None else calendar.season)
    known = _LAGS.get(data.frequency or "") if season is None else None
    order = known or (2 * length + 1 if 1 < length <= 96 else 32)
    return max(0, min(order, int(observed_lengths(data).max(initial=1)) // 5))


#: The default options by kind of data.
_DEFAULTS: dict[Kind, Callable[[SequenceSet, Budget], LadderOptions]] = {
    "series": _numbers,
    "prices": _numbers,
    "text": _text,
    "sound": _sound,
}

#: The truncation window of BPTT in steps, by kind of data. With half as many steps and twice as many rows, 512 units
#: make 7 % more steps on text in the same time, and learn less: in 90 seconds 1.685 in place of 1.673 nats on
#: tinyshakespeare.
_TRUNCATION_WINDOWS: dict[Kind, int] = {"series": 128, "prices": 128, "text": 128, "sound": 256}


def ladder_of(kind: Kind) -> tuple[str, ...]:
    """Return the ladder of a kind of data, simplest first.

    That of text has one network, because a network of text needs all of the budget.
    """
    return (LADDER[0], "counts", "lstm", "mixture") if kind == "text" else LADDER


def defaults(data: SequenceSet, limits: Budget | None = None) -> LadderOptions:
    """Return the options that suit the data, by its kind, its frequency and its size.

    Args:
        data: The sequences.
        limits: The budget, which the width of a network of text follows. None is the usual one.
    """
    return _DEFAULTS[data.kind](data, limits or Budget())


def method_for(data: SequenceSet, reach: int) -> Method:
    """Return full BPTT for short sequences, and BPTT truncated in a fixed window for long ones.

    A fixed window is the default because it reached a better likelihood on a text than AdaptiveBPTT in the same time.

    Args:
        data: The sequences.
        reach: The farthest lag that improves a prediction, in steps. The window holds at least this lag.
    """
    if int(data.lengths.max(initial=0)) <= SHORT:
        return FullBPTT()
    return TruncatedBPTT(window=max(_TRUNCATION_WINDOWS[data.kind], reach))
