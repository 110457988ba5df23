"""The options of a direct fit, as frozen values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields

from ostinato.arguments import training_numbers, whole
from ostinato.choices import unknown
from ostinato.direct_fit.train import NetworkConfig
from ostinato.layers.build import BACKBONES

#: Second names of options: the earlier ones, and ``season_length``, the word of Nixtla.
ALIASES: Mapping[str, str] = {"window": "lookback", "memory": "backbone", "season_length": "season"}


@dataclass(frozen=True)
class DirectOptions:
    """How a direct model is fitted.

    Attributes:
        season: The number of steps of a season. None finds it from the frequency of the data.
        lookback: The number of past steps that a forecast is made from. None searches for them.
        backbone: The backbone of the networks. None leaves the networks out.
        networks: The number of networks whose quantiles are averaged. 0 leaves the networks out.
        refit: Whether the chosen forecaster is fitted again to all of the data.
        seed: The seed of the first network; the second network has the seed + 1, and so on.
        hidden: The number of hidden units.
        dropout: The share of values that dropout sets to 0.
        batch: The number of windows in a batch.
        learning_rate: The peak of the learning rate.
        weight_decay: The decay of the weights in AdamW.
        clip: The greatest norm of a gradient.

    Raises:
        ConfigError: A value is out of its range.
    """

    season: int | None = None
    lookback: int | None = None
    backbone: str | None = "gru"
    networks: int = 3
    refit: bool = True
    seed: int = 0
    hidden: int = 96
    dropout: float = 0.1
    batch: int = 256
    learning_rate: float = 2e-3
    weight_decay: float = 1e-3
    clip: float = 1.0

    def __post_init__(self) -> None:
        if self.lookback is not None:
            advice = "use the length of one season or more, such as 48"
            object.__setattr__(self, "lookback", whole("lookback", self.lookback, 2, unit=" steps", fix=advice))
        if self.season is not None:
            advice = "use 1 for no season, or more, such as 24"
            object.__setattr__(self, "season", whole("season", self.season, fix=advice))
        for name in ("hidden", "batch"):
            object.__setattr__(self, name, whole(name, getattr(self, name)))
        for name, value in training_numbers(self).items():
            object.__setattr__(self, name, value)
        if self.backbone is not None and self.backbone not in BACKBONES:
            raise unknown("backbone", self.backbone, BACKBONES)
        advice = "use 1 or more, or 0 for no networks"
        object.__setattr__(self, "networks", whole("networks", self.networks, 0, fix=advice))

    @property
    def network(self) -> NetworkConfig:
        """How one network is built and trained."""
        values = asdict(self)
        names = [f.name for f in fields(NetworkConfig)]
        return NetworkConfig(**{**{name: values[name] for name in names}, "backbone": self.backbone or "gru"})
