"""What a model file says about its model, whatever the model is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ostinato.kinds import TRAITS, Kind, KindTraits
from ostinato.record import DirectRecord, LadderRecord


@dataclass(frozen=True)
class Description:
    """What is kept next to the weights: enough to read, encode and score or forecast raw data again.

    Attributes:
        name: The backbone ("gru", ...), "ar", or "direct".
        kind: The kind of data that the model is fitted to.
        config: What the parts of the model were built with, as JSON.
        source: How the training data was read (``SequenceSet.meta``), its channels and its frequency.
        record: The record of the fit as JSON; ``ladder_record`` and ``direct_record`` read it.
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

    @property
    def ladder_record(self) -> LadderRecord:
        """The record of a fit of the ladder, as typed values."""
        return LadderRecord.from_json(self.record)

    @property
    def direct_record(self) -> DirectRecord:
        """The record of a direct fit, as typed values."""
        return DirectRecord.from_json(self.record)
