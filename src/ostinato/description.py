"""The description of a model that its file holds, whatever the model is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ostinato.kinds import TRAITS, Kind, KindTraits


@dataclass(frozen=True)
class Description:
    """What is stored next to the weights: enough to read, encode and score or forecast raw data again.

    Attributes:
        name: The name of the model: "ar", a backbone such as "gru", or "direct".
        kind: The kind of the training data.
        config: The arguments that the parts were built with, as JSON.
        source: How the training data were read (SequenceSet.meta), with their channels and frequency.
        record: How the model was made: seed, versions, held-out results, time.
    """

    name: str
    kind: Kind
    config: dict[str, Any] = field(default_factory=dict)
    source: dict[str, Any] = field(default_factory=dict)
    record: dict[str, Any] = field(default_factory=dict)

    @property
    def traits(self) -> KindTraits:
        """The traits of the kind of data that the model was fitted to."""
        return TRAITS[self.kind]


def origin_facts(description: Description) -> list[tuple[str, str]]:
    """Return the channels and the frequency of the training data, if they are known, as pairs of a name and words."""
    out, source = [], description.source
    if source.get("channels") and description.traits.numeric:
        out.append(("channels", ", ".join(source["channels"])))
    if source.get("frequency"):
        out.append(("frequency", source["frequency"]))
    return out


def record_facts(description: Description) -> tuple[str, str]:
    """Return two lines from the record of a fit: the training data, and the seed with the versions of the packages."""
    record = description.record
    fitted = f"fitted to {record['steps']:,} steps in {record['sequences']:,} sequences; {record['split']}"
    return fitted, f"seed {record['seed']}; " + ", ".join(f"{k} {v}" for k, v in record["versions"].items())


def search_fact(trials: list[dict[str, Any]]) -> str:
    """Return what a hyperparameter search did, in words. Its trials are kept with the best first."""
    complete = sum(trial["state"] == "complete" for trial in trials)
    plural = "s" * (len(trials) != 1)
    stopped = f", {len(trials) - complete} ended before they were done" if complete < len(trials) else ""
    return f"the likeliest on the validation part of {len(trials)} trial{plural} of a search{stopped}"
