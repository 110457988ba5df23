"""Build a model from its description, with untrained weights: used by training and by loading."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

import torch

from ostinato.data.encoded import Encoding
from ostinato.description import Description
from ostinato.emissions.build import build_emission
from ostinato.emissions.coupling import Coupling
from ostinato.layers.ar import AR
from ostinato.layers.build import BARE, build_backbone
from ostinato.layers.counts import Counts
from ostinato.layers.filter import AdaptiveFilter
from ostinato.layers.front import FilterFront, Front, InnovationFront, SmoothingFront, SymbolFront
from ostinato.layers.markov import Markov
from ostinato.layers.mixture import Mixture
from ostinato.layers.recurrence import Recurrence
from ostinato.layers.smoothing import Smoothing
from ostinato.model import SequenceModel
from ostinato.ops.filter.form import FilterForm
from ostinato.randomness import drawing


@dataclass(frozen=True)
class Architecture:
    """The sizes and names that determine the layers of a model.

    Attributes:
        backbone: "ar", "filter", "ets" or "theta" for no network, "counts" for adaptive counts, or a name in
            layers.build.BACKBONES.
        emission: The name of an emission of emissions.build.
        channels: The number D of channels.
        hidden: The number H of hidden units.
        depth: The number of layers.
        dropout: The dropout between layers, of symbols locked over the steps of a call.
        embedding: The width of the embedding of a symbol.
        components: The number M of components of a mixture.
        base: The closed form: {"ar": {order, lags, channels, trend, volatility}}, {"markov": its config}, {"filter":
            its form}, {"smoothing": its sizes}, or {} for none.
        adaptive: The config of an adaptive memory; empty without one.
    """

    backbone: str
    emission: str
    channels: int
    hidden: int
    depth: int
    dropout: float
    embedding: int
    components: int
    base: dict[str, Any]
    adaptive: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return the architecture as JSON."""
        return asdict(self)


@drawing()
def assemble(
    parts: Architecture,
    encoding: Encoding,
    description: Description,
    base: AR | Markov | AdaptiveFilter | Smoothing | None,
    memory: Counts | None = None,
) -> SequenceModel:
    """Build a model with untrained weights.

    Args:
        parts: The sizes and names.
        encoding: The map from raw values to model space.
        description: How the data were read and how the model was made.
        base: The fitted closed form; None to make an empty one, into which weights can be loaded.
        memory: The fitted counts of an adaptive model; None to make empty ones.
    """
    symbols = encoding.vocabulary_size
    emission = build_emission(parts.emission, symbols=symbols, components=parts.components)
    if base is None:
        base = _empty(parts.base)
    front: Front
    if isinstance(base, AR):
        front = InnovationFront(base.requires_grad_(False))
    elif isinstance(base, AdaptiveFilter):
        front = FilterFront(base)
    elif isinstance(base, Smoothing):
        front = SmoothingFront(base)
    else:
        width = 0 if parts.backbone in (*BARE, "counts") else parts.embedding
        front = SymbolFront(symbols or 1, width, base, plain=bool(parts.adaptive))
    backbone: Recurrence | None = None
    if parts.adaptive:
        counts = Counts.empty(parts.adaptive) if memory is None else memory
        backbone = counts
        if parts.backbone != "counts":
            sizes = parts.embedding, parts.hidden, parts.depth
            network = build_backbone(parts.backbone, *sizes, parts.dropout, locked=emission.symbolic)
            backbone = Mixture(network, counts)
    elif parts.backbone not in BARE:
        sizes = front.features, parts.hidden, parts.depth
        backbone = build_backbone(parts.backbone, *sizes, parts.dropout, locked=emission.symbolic)
        if emission.symbolic:
            backbone.start_for_symbols()
    start = torch.zeros(parts.channels, emission.parameters)
    continuous = encoding.continuous and emission.standardised
    coupled = continuous and parts.channels > 1 and not front.adaptive
    coupling = Coupling(parts.channels) if coupled else None
    return SequenceModel(encoding, front, backbone, emission, start, description, coupling)


def _empty(config: dict[str, Any]) -> AR | Markov | AdaptiveFilter | Smoothing | None:
    """Return the closed form of a config, into which weights can be loaded; None if the config is empty."""
    match config:
        case {"ar": ar}:
            lags, changing = ar.get("lags"), ar.get("volatility", False)
            return AR(ar["channels"], ar["order"], lags=lags, trend=ar["trend"], volatility=changing)
        case {"markov": markov}:
            return Markov.empty(markov)
        case {"filter": form}:
            return AdaptiveFilter(FilterForm(**form))
        case {"smoothing": sizes}:
            return Smoothing(**sizes)
        case _:
            return None
