"""What a fit can be told, as frozen values with defaults that follow from the data."""

from __future__ import annotations

from dataclasses import dataclass

from ostinato.data.sequences import SequenceSet
from ostinato.errors import ConfigError
from ostinato.gradients.methods import FullBPTT, Method, TruncatedBPTT

#: The ladder, simplest first: each rung must beat the ones below it to be chosen.
LADDER = ("ar", "linear", "rnn", "gru", "lstm", "conv")

#: Sequences up to this many steps are unrolled whole.
SHORT = 512


@dataclass(frozen=True)
class Config:
    """How a model is built and trained. Lengths are in steps, sizes in units.

    batch_steps  steps of all rows of an optimiser's batch together, whichever way the error is sent back
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

    def __post_init__(self) -> None:
        for name in ("hidden", "depth", "embedding", "batch_steps", "patience", "components"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} = {getattr(self, name)} cannot be", fix="use 1 or more")
        if not 0 <= self.dropout < 1:
            raise ConfigError(f"a dropout of {self.dropout} cannot be", fix="use a number from 0 to just under 1")
        if self.max_order < 0:
            raise ConfigError(f"a maximum order of {self.max_order} cannot be", fix="use 0 or more")
        if not self.learning_rate > 0:
            raise ConfigError(f"a learning rate of {self.learning_rate} cannot be", fix="use a positive number")


#: Two seasons and a step, by frequency: as far back as a closed-form autoregression is worth its parameters.
_LAGS = {"1mo": 25, "3mo": 9, "1h": 49, "30m": 97, "15m": 97, "1d": 29, "1bd": 11, "1w": 53, "1y": 24}


def defaults(data: SequenceSet) -> Config:
    """The configuration that suits data, from its kind, its frequency and how much there is of it."""
    steps = int(data.lengths.sum())
    match data.kind:
        case "text" if data.terminated:
            return Config(hidden=192, embedding=64, batch_steps=2048, dropout=0.15, max_order=8, learning_rate=4e-3)
        case "text":
            return Config(hidden=192, embedding=64, batch_steps=1024, dropout=0.1, max_order=8, learning_rate=3e-3)
        case "sound":
            return Config(hidden=96, batch_steps=16384, max_order=32, learning_rate=2e-3, components=5)
        case _:
            hidden = 16 if steps < 1_000 else 32 if steps < 10_000 else 64
            lags = _LAGS.get(data.frequency or "", 32)
            longest = int(data.lengths.max(initial=1))
            order = max(0, min(lags, longest // 5))
            batch = 4096 if longest <= SHORT else 2048
            return Config(hidden=hidden, max_order=order, batch_steps=batch, dropout=0.2, weight_decay=0.05)


def method_for(data: SequenceSet) -> Method:
    """Full BPTT where the sequences are short; where they are long, truncated in a fixed window.

    AdaptiveBPTT is not it: at equal time on a text a fixed window reached the better likelihood.
    """
    if int(data.lengths.max(initial=0)) <= SHORT:
        return FullBPTT()
    return TruncatedBPTT(window=256 if data.kind == "sound" else 128)
