"""The fit of a classifier: one model for each class, on one encoding, and a head on cross-fitted likelihoods."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Unpack

import numpy as np
from numpy.typing import NDArray

from ostinato.arguments import share as checked_share
from ostinato.choices import advice
from ostinato.classification.evidence import Evidence, evidence
from ostinato.classification.head import Array, Head
from ostinato.classification.judgement import Judgement, judge
from ostinato.classification.model import Classifier, checked_prior, posterior, shifted
from ostinato.data.encoded import Encoding
from ostinato.data.encoding import fit_encoding
from ostinato.data.read import read
from ostinato.data.sequences import SequenceSet
from ostinato.data.spelled import in_spelling
from ostinato.data.split import Split
from ostinato.device import on_device
from ostinato.errors import ConfigError, DataError
from ostinato.fits.budget import Budget
from ostinato.fits.fields import LadderFields, with_fields
from ostinato.layers.build import BACKBONES
from ostinato.model import SequenceModel
from ostinato.numbers import counted
from ostinato.threads import Threads, in_threads
from ostinato.training.adaptive import counts_of
from ostinato.training.build import build
from ostinato.training.climb import Ladder
from ostinato.training.closed_form import closed_form, closed_form_name
from ostinato.training.config import ADAPTIVE, LadderOptions, defaults, method_for
from ostinato.training.material import Material, nonnegative
from ostinato.training.vocabulary import in_vocabulary
from ostinato.training.workers import current

#: The parts of the training sequences that are left out in turn for the head.
FOLDS = 5
#: The greatest orders of the autoregressions of series that are tried beside the usual one.
ORDERS = (0, 1)
#: The fewest sequences of a class.
FEWEST = 4


@dataclass(frozen=True)
class ClassifierFit:
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
    """Fit one model to the sequences of each class, and a head that tells the classes apart by what the models say.

    P(class | sequence) is P(sequence | class) P(class) over its sum, by Bayes' rule. The head is a logistic regression
    on what the models say of sequences that they did not see. The better of both on these is the rule of the
    classifier, and held-out sequences judge it. Afterwards closed forms and counts are fitted again to all sequences.

    Args:
        data: A SequenceSet, or anything that ``read`` takes.
        labels: The class of each sequence; sequences without one (None, NaN or an empty string) are left out.
        model: The model of each class: "ar", a backbone such as "gru", or for text "counts". "auto" is "counts" for
            text and "ar" otherwise.
        prior: P(class): "counts", "uniform", or weights by the name of the class.
        budget: The seconds of all trainings together. A network of each class has an equal share.
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
    # an order that is left open is chosen by how well it tells the classes apart
    orders = ORDERS if options is None and "max_order" not in fields and data.traits.tabular else ()
    suited = with_fields(options or defaults(data), fields, "a fit of a classifier")
    limits = Budget.of(budget, Budget().seconds)
    if len(labels) != len(data):
        raise DataError(
            f"there are {counted(len(labels), 'label')} for {counted(len(data), 'sequence')}",
            fix="give one label for each sequence",
        )
    held_out = checked_share("the held-out share", held_out)
    named = [_named(one) for one in labels]
    kept = [b for b, one in enumerate(named) if one is not None and data.lengths[b]]
    notes = [*data.notes]
    if len(kept) < len(data):
        notes.append(f"left out {counted(len(data) - len(kept), 'sequence')} without a class or without steps")
    data, names = data.take(kept), [str(named[b]) for b in kept]
    classes = tuple(sorted(set(names)))
    y = np.array([classes.index(name) for name in names], dtype=np.int64)
    counts = np.bincount(y, minlength=len(classes)).astype(np.float64)
    _check(classes, counts)
    train, test = _parts(y, held_out)
    data, suited, said_of_it = _spelled(data, train, options, suited, fields)
    notes += said_of_it
    name = _model_of(model, data)
    share = replace(limits, seconds=None if limits.seconds is None else limits.seconds / len(classes))
    makers = _Makers(data, y, classes, name, suited, share, on_class)
    encoding = makers.encoding(train)
    p = checked_prior(prior, classes, counts)
    folds, own = _folds(y[train]), None
    if folds is not None:
        makers, own, chosen = makers.best(train, folds, encoding, p, orders if name == "ar" else ())
        notes += chosen
    models = makers.models(train, encoding, said=True)
    said = evidence(models, data.take(test))
    bayes = judge(posterior(said.nats, p), y[test])
    head, found, by_head = None, None, False
    if folds is not None and own is not None:
        head, by_folds = Head.fit(own.blocks(), y[train], folds, len(classes))
        shares = counts / counts.sum()
        # on the training sequences, each by models that did not see it: there are more of them than held out
        by_head = _nats(shifted(by_folds, shares, p), y[train]) > _nats(posterior(own.nats, p), y[train])
        found = judge(shifted(head.log_prob(said.blocks()), shares, p), y[test])
    else:
        notes.append("the classifier has no head, because a class has too few sequences")
    if name not in BACKBONES:
        everything = np.arange(len(data))
        models = makers.models(everything, makers.encoding(everything))
        if folds is not None and own is not None:
            # sequences that were held out are judged by models that did not see them
            every = np.concatenate([folds, np.full(len(test), folds.max() + 1)])
            head, _ = Head.fit(own.joined(said).blocks(), y[np.concatenate([train, test])], every, len(classes))
        notes.append(
            "afterwards the models and the head were fitted again to all sequences, the held-out ones included"
        )
    record = {"bayes": asdict(bayes), "head": None if found is None else asdict(found), "model": name,
              "counts": counts.tolist()}  # fmt: skip
    classifier = Classifier(classes, tuple(models), p, head, "head" if by_head else "bayes", label, record)
    return ClassifierFit(classifier, bayes, found, tuple(notes))


def _spelled(
    data: SequenceSet,
    train: NDArray[np.int64],
    options: LadderOptions | None,
    suited: LadderOptions,
    fields: LadderFields,
) -> tuple[SequenceSet, LadderOptions, tuple[str, ...]]:
    """Return the data in the vocabulary of the options, the options that suit them there, and notes on the choice."""
    if suited.vocabulary is None:
        return data, suited, ()
    spelled, said = in_vocabulary(data.take(train), suited.vocabulary, 0.1)
    data = in_spelling(data, spelled.meta)
    # the network follows the number of symbols, which is another one in this vocabulary
    return data, with_fields(options or defaults(data), fields, "a fit of a classifier"), said


def _nats(log_prob: Array, y: NDArray[np.int64]) -> float:
    """Return the mean of log P(true class) in nats."""
    return float(log_prob[np.arange(len(y)), y].mean())


def _named(label: Any) -> str | None:
    """Return a label as the name of a class; None if it is missing, as in a frame."""
    return None if label is None or label != label or not str(label) else str(label)  # noqa: PLR0124 - NaN


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


@dataclass(frozen=True)
class _Makers:
    """What all models of one classifier share."""

    data: SequenceSet
    y: NDArray[np.int64]
    classes: tuple[str, ...]
    name: str
    options: LadderOptions
    share: Budget
    on_class: Callable[[str], None] | None

    def encoding(self, rows: NDArray[np.int64]) -> Encoding:
        """Return one encoding for all classes, fitted to some sequences: a series has no scale of its own."""
        bound = nonnegative(self.data, self.options.support)
        return fit_encoding(self.data.take(rows), by_id=False, nonnegative=bound)

    def models(self, rows: NDArray[np.int64], encoding: Encoding, *, said: bool = False) -> list[SequenceModel]:
        """Return the model of each class, fitted to the sequences of the class among some."""
        return [self._model(rows[self.y[rows] == k], encoding, k, said) for k in range(len(self.classes))]

    def best(
        self,
        rows: NDArray[np.int64],
        folds: NDArray[np.int64],
        encoding: Encoding,
        prior: Array,
        orders: tuple[int, ...],
    ) -> tuple[_Makers, Evidence, list[str]]:
        """Return the makers with the largest order that classify most sequences correctly, what they say, and notes.

        The order with the best likelihood need not be it: an autoregression explains the level away that a class has.
        """
        y, found = self.y[rows], list[tuple[tuple[float, float], _Makers, Evidence]]()
        for makers in (self, *(replace(self, options=replace(self.options, max_order=k)) for k in orders)):
            own = makers.cross_fitted(rows, folds, encoding)
            logs = posterior(own.nats, prior)
            found.append(((float((logs.argmax(1) == y).mean()), _nats(logs, y)), makers, own))
        (_, makers, own) = max(found, key=lambda one: one[0])
        if not orders:
            return makers, own, []
        table = ", ".join(f"{one.options.max_order}: {right:.3f}" for (right, _), one, _ in found)
        return makers, own, [f"the order is at most {makers.options.max_order}, chosen by accuracy ({table})"]

    def cross_fitted(self, rows: NDArray[np.int64], folds: NDArray[np.int64], encoding: Encoding) -> Evidence:
        """Return what models that did not see them say of sequences."""
        found, order = list[Evidence](), list[NDArray[np.int64]]()
        for fold in np.unique(folds):
            out = folds == fold
            found.append(evidence(self.models(rows[~out], encoding), self.data.take(rows[out])))
            order.append(np.flatnonzero(out))
        back = np.argsort(np.concatenate(order))
        return Evidence(*(np.concatenate(parts)[back] for parts in zip(*found, strict=True)))

    def _model(self, rows: NDArray[np.int64], encoding: Encoding, k: int, said: bool) -> SequenceModel:
        data = self.data.take(rows)
        # closed forms and counts learn from all; a network watches a tenth of the sequences
        watched = max(1, len(rows) // 10) if self.name in BACKBONES else 0
        lengths = data.lengths
        train = np.where(np.arange(len(rows)) < watched, -1, lengths)
        material = Material(
            data, encoding.encode(data), encoding, Split(np.stack([train, lengths], axis=1), by_time=False)
        )
        if not watched:
            # the order of a closed form is chosen by its own criterion; a last sequence stands in for the other parts
            material = replace(material, split=_Whole(material.split.stops, by_time=False))
        begun = time.monotonic()
        # a text is not modelled on its Markov chain, unless that is the model
        base, _ = closed_form(material, self.options, 0 if self.name != "ar" and not data.traits.numeric else None)
        if self.name in BACKBONES:
            method = method_for(data, base.order)
            ladder = Ladder(material, base, begun, self.options, method, None, current(), None, False)
            _, model = [*ladder.climb(("ar", self.name), self.share, None)][-1]
        else:
            memory = counts_of(material) if self.name in ADAPTIVE else None
            model = build(self.name, material, base, self.options, memory=memory)
        if said and self.on_class:
            detail = closed_form_name(base) if self.name == "ar" else self.name
            self.on_class(f"{self.classes[k]}: {detail}, {counted(len(rows), 'sequence')}")
        return model.cpu().eval()


class _Whole(Split):
    """A split whose every part is all of the data: there is nothing to choose on a part."""

    def spans(self, part: str, raw: NDArray[np.int64], lengths: NDArray[np.int64]) -> list[tuple[int, int, int]]:
        """Return all steps."""
        return [(b, 0, int(n)) for b, n in enumerate(lengths) if n]
