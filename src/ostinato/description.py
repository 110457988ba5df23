"""The description that a model file holds, for every type of model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from textwrap import shorten
from typing import Any, Final

from ostinato.kinds import TRAITS, Kind, KindTraits
from ostinato.look import Shown
from ostinato.numbers import counted
from ostinato.record import DirectRecord, LadderRecord, RunRecord, Trial

#: The most characters of one fact where a model is shown, such as the names of hundreds of channels.
_LINE: Final = 300


@dataclass(frozen=True, repr=False)
class Description(Shown):
    """The facts that are kept next to the weights: enough to read, encode and score or forecast raw data again.

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

    def look(self) -> tuple[list[str], None]:
        """Return the name, the kind and the fields of each part, whose values fill pages."""
        parts = {"config": self.config, "source": self.source, "record": self.record}
        said = [
            f"{name}: {shorten(', '.join(part), _LINE, placeholder=' ...')}" for name, part in parts.items() if part
        ]
        return [f"{self.name}, for {self.kind}", *said], None

    @property
    def traits(self) -> KindTraits:
        """The traits of the kind of data that the model was fitted to."""
        return TRAITS[self.kind]

    @property
    def channels(self) -> tuple[str, ...]:
        """The names of the channels of the training data; "y" for text, and if they are not known."""
        return tuple(self.source.get("channels") or ("y",)) if self.traits.numeric else ("y",)

    @property
    def ladder_record(self) -> LadderRecord:
        """The record of a fit of the ladder, as typed values."""
        return LadderRecord.from_json(self.record)

    @property
    def direct_record(self) -> DirectRecord:
        """The record of a direct fit, as typed values."""
        return DirectRecord.from_json(self.record)


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
    record = RunRecord.from_json(description.record)
    steps, sequences = counted(record.steps or 0, "step"), counted(record.sequences or 0, "sequence")
    fitted = f"fitted to {steps} in {sequences}; {record.split}"
    return fitted, f"seed {record.seed}; " + ", ".join(f"{k} {v}" for k, v in record.versions.items())


def model_look(title: str, facts: Sequence[tuple[str, str]], description: Description) -> list[str]:
    """Return the lines that show a model in a session: what it is, what it is made of, and what it was fitted to."""
    made = [record_facts(description)[0]] if description.record else []
    lines = (f"{name}: {words}" for name, words in facts)
    return [title.removeprefix("a "), *(shorten(line, _LINE, placeholder=" ...") for line in lines), *made]


def ladder_facts(description: Description) -> list[str]:
    """Return how a model of the ladder was made and how good it was, one fact a line; empty without a record."""
    record = description.ladder_record
    if record.steps is None:
        return []
    fitted, seed = record_facts(description)
    search = [search_fact(record.search)] if record.search else []
    unit = "step" if description.traits.numeric else description.traits.judged
    held_out = [f"held out, {rung.name}: {rung.held_out:.4f} nats a {unit}" for rung in record.table]
    again = [f"{description.name} was {record.refitted}"] if record.refitted else []
    return [fitted, *search, *held_out, *again, seed]


def search_fact(trials: Sequence[Trial]) -> str:
    """Return what a hyperparameter search did, in words. Its trials are kept with the best first."""
    complete = sum(trial.state == "complete" for trial in trials)
    stopped = f", {len(trials) - complete} ended before they were done" if complete < len(trials) else ""
    return f"the likeliest on the validation part of {counted(len(trials), 'trial')} of a search{stopped}"
