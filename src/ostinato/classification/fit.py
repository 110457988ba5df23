"""The fit of a classifier: one model for each class, on one encoding, and a head on cross-fitted likelihoods."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple, Unpack

import numpy as np
from numpy.typing import NDArray

from ostinato.arguments import share as checked_share
from ostinato.choices import advice
from ostinato.classification.class_models import ClassModels, mean_log_prob
from ostinato.classification.evidence import Evidence, evidence
from ostinato.classification.head import Head
from ostinato.classification.judgement import Judgement, judge
from ostinato.classification.model import NAMES, Classifier, checked_prior, posterior, shifted
from ostinato.data.read import read
from ostinato.data.sequences import SequenceSet
from ostinato.data.spelled import in_spelling
from ostinato.device import on_device
from ostinato.errors import ConfigError, DataError
from ostinato.fits.budget import Budget
from ostinato.fits.fields import LadderFields, with_fields
from ostinato.layers.build import BACKBONES
from ostinato.look import Shown
from ostinato.numbers import counted
from ostinato.randomness import own_draws
from ostinato.settings import undisturbed
from ostinato.shapes import Array
from ostinato.threads import Threads, in_threads
from ostinato.training.config import LadderOptions, defaults
from ostinato.training.vocabulary import in_vocabulary

if TYPE_CHECKING:
    import polars as pl

#: The parts of the training sequences that are left out in turn for the head.
FOLDS = 5
#: The greatest orders of the autoregressions of series that are tried besides the usual one.
ORDERS = (0, 1)
#: The fewest sequences of a class.
FEWEST = 4


@dataclass(frozen=True, repr=False)
class ClassifierFit(Shown):
    """The result of ``fit_classifier``.

    Attributes:
        classifier: The classifier.
        bayes: The quality of Bayes' rule on the held-out sequences.
        head: The quality of the head on them; None without a head.
        notes: Remarks, in words.
    """

    classifier: Classifier
    bayes: Judgement
    head: Judgement | None
    notes: tuple[str, ...]

    def look(self) -> tuple[list[str], pl.DataFrame | None]:
        """Return the classifier, the quality of its rules on the held-out sequences, and the notes."""
        (kept,), table = self.classifier.look()
        judged = ((NAMES["bayes"], self.bayes), (NAMES["head"], self.head))
        said = [f"{name}, held out: {'; '.join(one.words())}" for name, one in judged if one is not None]
        return [f"kept {kept}", *said, *(f"note: {note}" for note in self.notes)], table


@own_draws
@undisturbed
@in_threads
@on_device
def fit_classifier(  # noqa: PLR0913, PLR0914 - each argument is a choice of its own, given by name
    data: SequenceSet | Any,
    labels: Sequence[str | None],
    *,
    model: str = "auto",
    prior: Any = "counts",
    budget: Budget | float | str | None = None,
    held_out: float = 0.1,
    options: LadderOptions | None = None,
    threads: Threads = "auto",
    device: str = "auto",
    label: str | None = None,
    on_class: Callable[[str], None] | None = None,
    **fields: Unpack[LadderFields],
) -> ClassifierFit:
    """Fit one model to the sequences of each class, and a head that tells the classes apart by the likelihoods.

    P(class | sequence) is P(sequence | class) P(class) over its sum, by Bayes' rule. The head is a logistic regression
    on the likelihoods of sequences under models that were fitted without them. The rule of the classifier, Bayes' rule
    or the head, is the one that is better on these sequences, and held-out sequences judge it. Afterwards closed forms
    and counts are fitted again to all sequences.

    Args:
        data: A SequenceSet, or anything that ``read`` takes.
        labels: The class of each sequence; sequences without one (None, NaN or an empty string) are left out.
        model: The model of each class: "ar", a backbone such as "gru", or for text "counts". "auto" is "counts" for
            text and "ar" otherwise.
        prior: P(class): "counts", "uniform", or weights by the name of the class.
        budget: The seconds of all trainings together: one of each class, and one without each part of the sequences
            that is left out for the head. Each network has an equal share, and that of a text is as wide as it allows.
        held_out: The share of the sequences of each class that judges.
        options: The options of the models.
        threads: The number of threads that compute, or "auto".
        device: Where networks are trained.
        label: What the labels were read by, for the file.
        on_class: Called with each class when its model is fitted, in words.
        **fields: Single fields of ``options``.

    Raises:
        ConfigError: An option is out of its range.
        DataError: There are fewer than two classes, or a class has too few sequences.
    """
    data = data if isinstance(data, SequenceSet) else read(data)
    _check_labels(data, labels)
    # an order that is left open is chosen by how well it tells the classes apart
    orders = ORDERS if options is None and "max_order" not in fields and data.traits.tabular else ()
    suited = with_fields(options or defaults(data), fields, "a fit of a classifier")
    limits = Budget.of(budget, Budget().seconds)
    held_out = checked_share("the held-out share", held_out)
    data, classes, y, notes = _labelled(data, labels)
    counts = np.bincount(y, minlength=len(classes)).astype(np.float64)
    _check(classes, counts)
    train, test = _parts(y, held_out)
    data, said_of_it = _spelled(data, train, suited)
    notes += said_of_it
    name = _model_of(model, data)
    folds, cross_fitted = _folds(y[train]), None
    trainings = 1 if folds is None else 1 + len(np.unique(folds))
    share = _share(limits, len(classes) * trainings)
    if options is None and data.kind == "text":
        # the network of a class follows the symbols of the largest class and the time that one training has
        largest = data.take(np.flatnonzero(y == np.bincount(y, weights=data.lengths).argmax()))
        suited = with_fields(defaults(largest, share), fields, "a fit of a classifier")
    class_models = ClassModels(data, y, classes, name, suited, share, on_class)
    encoding = class_models.encoding(train)
    p = checked_prior(prior, classes, counts)
    if folds is not None:
        class_models, cross_fitted, chosen = class_models.best(
            train, folds, encoding, p, orders if name == "ar" else ()
        )
        notes += chosen
    models = class_models.fitted(train, encoding, announced=True)
    unseen = evidence(models, data.take(test))
    bayes = judge(posterior(unseen.nats, p), y[test])
    trained: _TrainedHead | None = None
    if folds is not None and cross_fitted is not None:
        trained = _trained_head(cross_fitted, unseen, y[train], y[test], folds, p)
    else:
        notes.append("the classifier has no head, because a class has too few sequences")
    head = trained and trained.head
    if name not in BACKBONES:
        everything = np.arange(len(data))
        models = class_models.fitted(everything, class_models.encoding(everything))
        if folds is not None and cross_fitted is not None:
            # sequences that were held out are judged by models that did not see them
            every = np.concatenate([folds, np.full(len(test), folds.max() + 1)])
            blocks = cross_fitted.joined(unseen).blocks()
            head, _ = Head.fit(blocks, y[np.concatenate([train, test])], every, len(classes))
        notes.append(
            "afterwards the models and the head were fitted again to all sequences, the held-out ones included"
        )
    judged = trained and trained.judgement
    record = {"bayes": bayes.to_json(), "head": judged and judged.to_json(), "model": name, "counts": counts.tolist()}
    rule = "head" if trained is not None and trained.better else "bayes"
    return ClassifierFit(Classifier(classes, tuple(models), p, head, rule, label, record), bayes, judged, tuple(notes))


class _TrainedHead(NamedTuple):
    """A head, its quality on the held-out sequences, and whether it is better than Bayes' rule."""

    head: Head
    judgement: Judgement
    better: bool


def _trained_head(
    cross_fitted: Evidence,
    unseen: Evidence,
    y: NDArray[np.int64],
    y_unseen: NDArray[np.int64],
    folds: NDArray[np.int64],
    prior: Array,
) -> _TrainedHead:
    """Fit the head to the training sequences, and judge it.

    Args:
        cross_fitted: The evidence of the B training sequences, each from models that were fitted without it.
        unseen: The evidence of the held-out sequences.
        y: The number of the class of each training sequence, (B,).
        y_unseen: The number of the class of each held-out sequence.
        folds: The number of the fold of each training sequence, (B,).
        prior: P(class), (K,).
    """
    head, by_folds = Head.fit(cross_fitted.blocks(), y, folds, len(prior))
    counts = np.bincount(np.concatenate([y, y_unseen]), minlength=len(prior)).astype(np.float64)
    shares = counts / counts.sum()
    # both rules are compared on the training sequences, of which there are more than held out
    by_bayes = mean_log_prob(posterior(cross_fitted.nats, prior), y)
    better = mean_log_prob(shifted(by_folds, shares, prior), y) > by_bayes
    judgement = judge(shifted(head.log_prob(unseen.blocks()), shares, prior), y_unseen)
    return _TrainedHead(head, judgement, better)


def _labelled(
    data: SequenceSet, labels: Sequence[str | None]
) -> tuple[SequenceSet, tuple[str, ...], NDArray[np.int64], list[str]]:
    """Return the sequences that have a class and a step, the names of the classes, the class of each, and notes."""
    named = [_named(one) for one in labels]
    kept = [b for b, one in enumerate(named) if one is not None and data.lengths[b]]
    notes = [*data.notes]
    if len(kept) < len(data):
        notes.append(f"left out {counted(len(data) - len(kept), 'sequence')} without a class or without steps")
    names = [str(named[b]) for b in kept]
    classes = tuple(sorted(set(names)))
    return data.take(kept), classes, np.array([classes.index(name) for name in names], dtype=np.int64), notes


def _share(limits: Budget, trainings: int) -> Budget:
    """Return the part of a budget that one of the trainings has."""
    return limits if limits.seconds is None else replace(limits, seconds=limits.seconds / trainings)


def _spelled(data: SequenceSet, train: NDArray[np.int64], suited: LadderOptions) -> tuple[SequenceSet, tuple[str, ...]]:
    """Return the data in the vocabulary of the options, and notes on the choice."""
    if suited.vocabulary is None:
        return data, ()
    spelled, said = in_vocabulary(data.take(train), suited.vocabulary, 0.1)
    return in_spelling(data, spelled.meta), said


def _named(label: Any) -> str | None:
    """Return a label as the name of a class; None if it is missing, as in a frame."""
    return None if label is None or label != label or not str(label) else str(label)  # noqa: PLR0124 - NaN


def _check_labels(data: SequenceSet, labels: Sequence[str | None]) -> None:
    if len(labels) != len(data):
        raise DataError(
            f"there are {counted(len(labels), 'label')} for {counted(len(data), 'sequence')}",
            fix="give one label for each sequence",
        )


def _check(classes: tuple[str, ...], counts: Array) -> None:
    if len(classes) < 2:
        raise DataError(f"there is one class, {classes[0]!r}" if classes else "no sequence has a class",
                        fix="give sequences of at least two classes")  # fmt: skip
    few = [f"{c} has {int(n)}" for c, n in zip(classes, counts, strict=True) if n < FEWEST]
    if few:
        raise DataError(
            f"a class has too few sequences, expected at least {FEWEST}: {', '.join(few[:5])}",
            fix="leave the class out, or give it more sequences",
        )


def _model_of(model: str, data: SequenceSet) -> str:
    if model == "auto":
        return "ar" if data.traits.numeric else "counts"
    if model not in ("ar", "counts", *BACKBONES) or (model == "counts" and data.traits.numeric):
        known = ("auto", "ar", *([] if data.traits.numeric else ["counts"]), *BACKBONES)
        raise ConfigError(f"a classifier of {data.kind} does not use the model {model!r}", fix=advice(model, known))
    return model


def _parts(y: NDArray[np.int64], held_out: float) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the numbers of the training sequences and of those that judge, a share of each class."""
    rng, test = np.random.default_rng(0), []
    for k in range(int(y.max()) + 1):
        rows = rng.permutation(np.flatnonzero(y == k))
        test.append(rows[: min(max(1, round(held_out * len(rows))), len(rows) - 1)])
    chosen = np.sort(np.concatenate(test))
    return np.setdiff1d(np.arange(len(y)), chosen), chosen


def _folds(y: NDArray[np.int64]) -> NDArray[np.int64] | None:
    """Return the fold of each sequence, (B,), the classes spread over all folds; None if a class has too few."""
    if np.bincount(y).min() < FEWEST:
        return None
    rng, folds = np.random.default_rng(1), np.zeros(len(y), dtype=np.int64)
    for k in range(int(y.max()) + 1):
        rows = rng.permutation(np.flatnonzero(y == k))
        folds[rows] = np.arange(len(rows)) % FOLDS
    return folds
