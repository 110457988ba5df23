"""The verb classify: P(class | sequence) of new sequences."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ostinato.choices import unknown
from ostinato.classification.judgement import Judgement, judge
from ostinato.classification.labels import read_labelled_like
from ostinato.classification.model import NAMES, RULES, Classifier, checked_prior, load_classifier
from ostinato.data.ids import restored
from ostinato.data.sequences import SequenceSet
from ostinato.device import Device, on_device
from ostinato.forecasting.inputs import as_sequences
from ostinato.look import Shown
from ostinato.numbers import counted
from ostinato.settings import undisturbed
from ostinato.shapes import Array
from ostinato.threads import Threads, in_threads

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True, repr=False, eq=False)
class Classification(Shown):
    """P(class | sequence) of some sequences.

    Attributes:
        classes: The names of the classes, K of them.
        ids: The id of each sequence, of the type that it came in, B of them.
        log_prob: log P(class | sequence), (B, K), in float64.
        rule: "bayes" or "head".
        labels: The true class of each sequence, where it is known.
    """

    classes: tuple[str, ...]
    ids: list[Any]
    log_prob: Array
    rule: str
    labels: tuple[str | None, ...] = field(default=())

    @property
    def probabilities(self) -> Array:
        """P(class | sequence), (B, K)."""
        return np.asarray(np.exp(self.log_prob))

    @property
    def named(self) -> list[str]:
        """The likeliest class of each sequence."""
        return [self.classes[k] for k in self.log_prob.argmax(1).tolist()]

    def frame(self) -> pl.DataFrame:
        """Return one row a sequence: unique_id, class, its probability p, the probability of each class, the label."""
        import polars as pl

        kind = None if any(not isinstance(key, str) for key in self.ids) else pl.String
        p = self.probabilities
        columns = {f"p_{name}": p[:, k] for k, name in enumerate(self.classes)}
        known = {"label": list(self.labels)} if any(one is not None for one in self.labels) else {}
        return pl.DataFrame(
            {"unique_id": pl.Series(self.ids, dtype=kind), "class": self.named, "p": p.max(1), **columns, **known}
        )

    def judged(self) -> Judgement | None:
        """Return the quality on the sequences whose class is known; None if no class is known."""
        rows = [b for b, one in enumerate(self.labels) if one is not None]
        if not rows:
            return None
        place = {name: k for k, name in enumerate(self.classes)}
        return judge(self.log_prob[rows], np.array([place.get(str(self.labels[b]), -1) for b in rows]))

    def look(self) -> tuple[list[str], pl.DataFrame]:
        """Return what was found in words, and the table."""
        found = self.judged()
        counts = f"{counted(len(self.ids), 'sequence')}, {counted(len(self.classes), 'class')}"
        said = f"{counts}, by {NAMES[self.rule]}"
        return [said, *([] if found is None else found.words())], self.frame()


@undisturbed
@in_threads
@on_device
def classify(
    classifier: Classifier | str | Path,
    data: SequenceSet | Any,
    *,
    rule: str | None = None,
    prior: Any = None,
    label: str | None = None,
    threads: Threads = "auto",
    device: Device = "auto",
) -> Classification:
    """Return P(class | sequence) of each sequence.

    Args:
        classifier: A classifier, or its file.
        data: A SequenceSet, or anything that ``read`` takes.
        rule: "bayes" for Bayes' rule, "head" for the head; None takes the better one.
        prior: P(class): "counts", "uniform", or weights by the name of the class. None takes that of the fit.
        label: The column of the true class, or for sound and text files an expression, as for the fit. None takes that
            of the fit if the data have it.
        threads: The number of threads that compute, or "auto" for the decision by the machine.
        device: Where the models compute, as in ``score``.

    Raises:
        ConfigError: The rule or the prior is unknown.
        DataError: The data cannot be read, or a value has no probability.
        ModelFileError: The data do not suit the models.
    """
    if rule not in (None, *RULES):
        raise unknown("rule", rule, RULES)
    own = classifier if isinstance(classifier, Classifier) else load_classifier(classifier)
    first = own.models[0]
    labels: tuple[str | None, ...] = ()
    if not isinstance(data, SequenceSet):
        found = read_labelled_like(data, label or own.label, first.description.source, asked=label is not None)
        data, labels = found.data, found.labels
    data = as_sequences(first, data)
    weights = None if prior is None else checked_prior(prior, own.classes, own.shares)
    logs = own.log_prob(data, rule=rule, prior=weights, threads=threads)
    return Classification(own.classes, list(restored(data.ids, data.meta)), logs, rule or own.rule, labels)
