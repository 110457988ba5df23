"""What a model file says of its model, whatever the model is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ostinato.kinds import TRAITS, Kind, KindTraits


@dataclass(frozen=True)
class Description:
    """What is kept beside the weights: enough to read, encode and score or forecast raw data again.

    name      the memory: "ar", "gru", ..., or "direct"
    config    what the parts were built with, as JSON
    source    how the training data was read (SequenceSet.meta), its channels and frequency
    record    the run: seed, versions, held-out figures, time
    """

    name: str
    kind: Kind
    config: dict[str, Any] = field(default_factory=dict)
    source: dict[str, Any] = field(default_factory=dict)
    record: dict[str, Any] = field(default_factory=dict)

    @property
    def traits(self) -> KindTraits:
        """What differs by the kind of data that the model is fitted to."""
        return TRAITS[self.kind]
