"""What all models of one classifier share, and how the model of each class is fitted."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ostinato.classification.evidence import Evidence, evidence
from ostinato.classification.model import posterior
from ostinato.data.encoded import Encoding
from ostinato.data.encoding import fit_encoding
from ostinato.data.sequences import SequenceSet
from ostinato.data.split import Split
from ostinato.fits.budget import Budget
from ostinato.layers.build import BACKBONES
from ostinato.model import SequenceModel
from ostinato.numbers import counted
from ostinato.shapes import Array
from ostinato.training.adaptive import counts_of
from ostinato.training.build import build
from ostinato.training.climb import Ladder
from ostinato.training.closed_form import closed_form, closed_form_name
from ostinato.training.config import ADAPTIVE, LadderOptions, method_for
from ostinato.training.material import Material, nonnegative, upper_bounds
from ostinato.training.setup import Setup
from ostinato.training.workers import current


def mean_log_prob(log_prob: Array, y: NDArray[np.int64]) -> float:
    """Return the mean of log P(true class) in nats.

    Args:
        log_prob: log P(class | sequence), (B, K).
        y: The number of the class of each sequence, (B,).
    """
    return float(log_prob[np.arange(len(y)), y].mean())


@dataclass(frozen=True)
class ClassModels:
    """The data and the options from which the models of all classes are fitted.

    Attributes:
        data: The sequences.
        y: The number of the class of each sequence, (B,).
        classes: The names of the K classes.
        name: The model of each class: "ar", "counts" or a backbone.
        options: The options of the models.
        share: The budget of one class.
        on_class: Called with each class when its model is fitted, in words.
    """

    data: SequenceSet
    y: NDArray[np.int64]
    classes: tuple[str, ...]
    name: str
    options: LadderOptions
    share: Budget
    on_class: Callable[[str], None] | None

    def encoding(self, rows: NDArray[np.int64]) -> Encoding:
        """Return one encoding for all classes, fitted to some sequences: a series has no scale of its own."""
        bound, most = nonnegative(self.data, self.options.support), upper_bounds(self.data, self.options.support)
        return fit_encoding(self.data.take(rows), by_id=False, nonnegative=bound, upper_bounds=most)

    def fitted(self, rows: NDArray[np.int64], encoding: Encoding, *, announced: bool = False) -> list[SequenceModel]:
        """Return the model of each class, fitted to those of some sequences that are of the class.

        Args:
            rows: The numbers of the sequences.
            encoding: The encoding of all models.
            announced: Whether ``on_class`` is called.
        """
        found = []
        for k, name in enumerate(self.classes):
            own = rows[self.y[rows] == k]
            model, detail = self._model(own, encoding)
            if announced and self.on_class:
                self.on_class(f"{name}: {detail}, {counted(len(own), 'sequence')}")
            found.append(model)
        return found

    def best(
        self,
        rows: NDArray[np.int64],
        folds: NDArray[np.int64],
        encoding: Encoding,
        prior: Array,
        orders: tuple[int, ...],
    ) -> tuple[ClassModels, Evidence, list[str]]:
        """Choose the greatest order of the autoregressions by how many sequences Bayes' rule classifies correctly.

        The order with the best likelihood can classify worse: an autoregression explains the level away that tells a
        class from the others.

        Args:
            rows: The numbers of the sequences.
            folds: The number of the fold of each of these sequences.
            encoding: The encoding of all models.
            prior: P(class), (K,).
            orders: The greatest orders to try besides that of the options.

        Returns:
            These class models with the chosen order, their cross-fitted evidence, and notes.
        """
        y, tried = self.y[rows], list[tuple[tuple[float, float], ClassModels, Evidence]]()
        for candidate in (self, *(replace(self, options=replace(self.options, max_order=k)) for k in orders)):
            found = candidate.cross_fitted(rows, folds, encoding)
            logs = posterior(found.nats, prior)
            tried.append(((float((logs.argmax(1) == y).mean()), mean_log_prob(logs, y)), candidate, found))
        _, chosen, found = max(tried, key=lambda one: one[0])
        if not orders:
            return chosen, found, []
        table = ", ".join(f"{one.options.max_order}: {accuracy:.3f}" for (accuracy, _), one, _ in tried)
        return chosen, found, [f"the order is at most {chosen.options.max_order}, chosen by accuracy ({table})"]

    def cross_fitted(self, rows: NDArray[np.int64], folds: NDArray[np.int64], encoding: Encoding) -> Evidence:
        """Return the evidence of each sequence from models that were fitted without the fold of this sequence."""
        found, order = list[Evidence](), list[NDArray[np.int64]]()
        for fold in np.unique(folds):
            out = folds == fold
            found.append(evidence(self.fitted(rows[~out], encoding), self.data.take(rows[out])))
            order.append(np.flatnonzero(out))
        back = np.argsort(np.concatenate(order))
        return Evidence(*(np.concatenate(parts)[back] for parts in zip(*found, strict=True)))

    def _model(self, rows: NDArray[np.int64], encoding: Encoding) -> tuple[SequenceModel, str]:
        """Return a model that is fitted to some sequences, and its name, with the order of an autoregression."""
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
            ladder = Ladder(Setup(material, self.options, current()), base, begun, method)
            _, model = [*ladder.climb(("ar", self.name), self.share, None)][-1]
        else:
            memory = counts_of(material) if self.name in ADAPTIVE else None
            model = build(self.name, material, base, self.options, memory=memory)
        return model.cpu().eval(), closed_form_name(base) if self.name == "ar" else self.name


class _Whole(Split):
    """A split whose every part is all of the data: there is nothing to choose on a part."""

    def spans(self, part: str, raw: NDArray[np.int64], lengths: NDArray[np.int64]) -> list[tuple[int, int, int]]:
        """Return all steps."""
        return [(b, 0, int(n)) for b, n in enumerate(lengths) if n]
