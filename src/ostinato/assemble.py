"""From a description to a model with its parts in place and its weights untrained: used by training and by loading."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch

from ostinato.data.alphabet import Alphabet
from ostinato.data.encoded import Encoding
from ostinato.data.scaling import Scaling
from ostinato.description import Description
from ostinato.emissions.build import build_emission
from ostinato.emissions.coupling import Coupling
from ostinato.layers.ar import AR
from ostinato.layers.build import build_backbone
from ostinato.layers.front import Front, InnovationFront, SymbolFront
from ostinato.layers.markov import Markov
from ostinato.model import SequenceModel


@dataclass(frozen=True)
class Architecture:
    """The sizes and names that fix a model's shape.

    backbone   "ar", or a name of layers.build.BACKBONES
    base       the closed-form part: {"ar": {order, channels, trend, volatility}} or {"markov": its config} or {}
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

    def to_json(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)


def assemble(
    parts: Architecture, encoding: Encoding, description: Description, base: AR | Markov | None
) -> SequenceModel:
    """The model of these parts. base None: the closed-form part is made empty, to be loaded into."""
    symbols = encoding.size if isinstance(encoding, Alphabet) else None
    emission = build_emission(parts.emission, symbols=symbols, components=parts.components)
    if base is None and "ar" in parts.base:
        ar = parts.base["ar"]
        base = AR(ar["channels"], ar["order"], trend=ar["trend"], volatility=ar.get("volatility", False))
    if base is None and "markov" in parts.base:
        base = Markov.empty(parts.base["markov"])
    front: Front
    if isinstance(base, AR):
        front = InnovationFront(base.requires_grad_(False))
    else:
        width = 0 if parts.backbone == "ar" else parts.embedding
        front = SymbolFront(symbols or 1, width, base)
    backbone = None
    if parts.backbone != "ar":
        backbone = build_backbone(parts.backbone, front.features, parts.hidden, parts.depth, parts.dropout)
    start = torch.zeros(parts.channels, emission.parameters)
    continuous = isinstance(encoding, Scaling) and not encoding.counts and emission.standardised
    coupling = Coupling(parts.channels) if continuous and parts.channels > 1 else None
    return SequenceModel(encoding, front, backbone, emission, start, description, coupling)
