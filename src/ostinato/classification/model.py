"""The classifier: a model of each class, the prior, and the head."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, final

import numpy as np
import torch
from scipy.special import log_softmax

from ostinato.choices import unknown
from ostinato.classification.evidence import evidence
from ostinato.classification.head import Head
from ostinato.data.sequences import SequenceSet
from ostinato.errors import ConfigError, ModelFileError
from ostinato.look import Shown
from ostinato.model import SequenceModel
from ostinato.model_file import model_from_parts, model_parts
from ostinato.numbers import counted
from ostinato.randomness import own_draws
from ostinato.settings import undisturbed
from ostinato.shapes import Array
from ostinato.storage import load_bundle, save_bundle
from ostinato.threads import Threads
from ostinato.wording import either

if TYPE_CHECKING:
    import polars as pl

#: The two ways to P(class | sequence).
RULES: Final = ("bayes", "head")
#: What messages call the rules.
NAMES: Final = {"bayes": "Bayes' rule", "head": "the head"}
#: The name of a class and its weight.
_WEIGHT: Final = re.compile(r"\s*(.+?)\s*=([^,=]+)(?:,|$)")


@final
@dataclass(frozen=True, repr=False)
class Classifier(Shown):
    """One model for each class, and two rules that turn their likelihoods into P(class | sequence).

    They are Bayes' rule and a trained head.

    Attributes:
        classes: The names of the classes, K of them.
        models: The model of each class.
        prior: P(class), (K,).
        head: The regression on the log-likelihoods; None if there were too few sequences for one.
        rule: "bayes" or "head": the better one on sequences that the models did not see.
        label: The column or pattern that the labels were read by; None if they were given in Python.
        record: The figures of the held-out part, as JSON.
    """

    classes: tuple[str, ...]
    models: tuple[SequenceModel, ...]
    prior: Array
    head: Head | None
    rule: str = "bayes"
    label: str | None = None
    record: dict[str, Any] = field(default_factory=dict)

    def look(self) -> tuple[list[str], pl.DataFrame]:
        """Return the classes with the better rule, and a table of the model of each class."""
        import polars as pl

        models = [model.title().removeprefix("a ") for model in self.models]
        label = "" if self.label is None else f", labelled by {self.label!r}"
        said = f"{counted(len(self.classes), 'class', 'classes')}{label}, by {NAMES[self.rule]}"
        return [said], pl.DataFrame({"class": self.classes, "prior": self.prior, "model": models})

    @property
    def shares(self) -> Array:
        """The share of each class in the training data, which the head has learned, (K,)."""
        counts = np.array(self.record.get("counts", self.prior), dtype=np.float64)
        return np.asarray(counts / counts.sum())

    def log_prob(
        self, data: SequenceSet, *, rule: str | None = None, prior: Array | None = None, threads: Threads = "auto"
    ) -> Array:
        """Return log P(class | sequence) of each sequence, (B, K).

        Args:
            data: The sequences.
            rule: "bayes" or "head"; None takes the better one.
            prior: P(class), (K,); None takes that of the classifier. The head has learned the shares of the training
                data, and is shifted by the quotient of the two.
            threads: The number of threads that compute.

        Raises:
            ConfigError: There is no head, and the head is asked for.
        """
        rule = rule or self.rule
        if rule not in RULES:
            raise unknown("rule", rule, RULES)
        if rule == "head" and self.head is None:
            raise ConfigError(
                "the classifier has no head, because a class had too few sequences", fix="use the rule bayes"
            )
        said = evidence(self.models, data, threads)
        prior = self.prior if prior is None else prior
        if self.head is None or rule == "bayes":
            return posterior(said.nats, prior)
        return shifted(self.head.log_prob(said.blocks()), self.shares, prior)

    def save(self, path: str | Path) -> None:
        """Write the classifier to one file, which ``load_classifier`` reads.

        Args:
            path: The file to write.

        Raises:
            WriteError: The file cannot be written.
        """
        tensors, documents = dict[str, torch.Tensor](), []
        for k, model in enumerate(self.models):
            parts, document = model_parts(model)
            tensors |= {f"class.{k}.{name}": x for name, x in parts.items()}
            documents.append(document)
        head = {} if self.head is None else asdict(self.head)
        tensors |= {f"head.{name}": torch.from_numpy(np.ascontiguousarray(x)) for name, x in head.items()}
        said = {"classes": list(self.classes), "prior": self.prior.tolist(), "rule": self.rule, "label": self.label,
                "record": self.record, "models": documents}  # fmt: skip
        save_bundle(path, tensors, {"classifier": said})


def posterior(nats: Array, prior: Array) -> Array:
    """Return log P(class | sequence), (B, K), by Bayes' rule, with log-sum-exp in float64.

    A sequence that is impossible in every class, or empty, has the prior.

    Args:
        nats: log P(sequence | class), (B, K).
        prior: P(class), (K,).
    """
    with np.errstate(divide="ignore"):
        joint = nats.astype(np.float64) + np.log(prior)
    lost = ~np.isfinite(joint).any(1)
    joint[lost] = np.log(np.maximum(prior, 1e-300))
    return np.asarray(log_softmax(joint, axis=1))


def shifted(log_prob: Array, learned: Array, prior: Array) -> Array:
    """Return log P(class | sequence), (B, K), under another prior than the one it was learned with, (K,) each."""
    return posterior(log_prob - np.log(learned), prior)


def checked_prior(prior: str | Mapping[str, float] | Sequence[float], classes: Sequence[str], counts: Array) -> Array:
    """Return P(class), (K,), that adds up to one.

    Args:
        prior: "counts", "uniform", or weights by the name of the class or in the order of the classes.
        classes: The names of the classes.
        counts: How often each class was seen, (K,).

    Raises:
        ConfigError: The prior is none of these, or a weight is missing or not above 0.
    """
    if isinstance(prior, str) and prior in ("counts", "uniform"):
        weights = counts if prior == "counts" else np.ones(len(classes))
        return np.asarray(weights / weights.sum(), dtype=np.float64)
    if isinstance(prior, str):
        prior = _read_prior(prior)
    given = prior if isinstance(prior, Mapping) else dict(zip(classes, prior, strict=False))
    unmatched = [*(set(given) - set(classes)), *(set(classes) - set(given))]
    if unmatched or (not isinstance(prior, Mapping) and len(prior) != len(classes)):
        raise ConfigError(
            f"the prior does not give one weight for each class: {', '.join(sorted(unmatched)) or len(prior)}",
            fix=f"give weights for {', '.join(classes)}; or use counts or uniform",
        )
    weights = np.array([float(given[c]) for c in classes])
    if not (np.isfinite(weights).all() and (weights > 0).all()):
        raise ConfigError(
            f"the weights of a prior must be above 0, got {weights.tolist()}", fix="give positive weights"
        )
    return np.asarray(weights / weights.sum(), dtype=np.float64)


def _read_prior(text: str) -> dict[str, float]:
    """Return the weights of ``a=0.2,b=0.8``; a name may have commas and equals signs."""
    wrong = ConfigError(f"cannot read the prior {text!r}", fix="use counts, uniform, or a=0.2,b=0.8")
    pairs = list(_WEIGHT.finditer(text))
    try:
        weights = {pair[1]: float(pair[2]) for pair in pairs}
    except ValueError:
        raise wrong from None
    if "".join(pair[0] for pair in pairs) != text or len(weights) < len(pairs):
        raise wrong
    return weights


@own_draws
@undisturbed
def load_classifier(path: str | Path) -> Classifier:
    """Read a classifier from a file that ``Classifier.save`` or ``ostinato fit --label`` wrote.

    Args:
        path: The file.

    Raises:
        ModelFileError: The file is damaged, or holds no classifier.
    """
    tensors, document = load_bundle(Path(path))
    said = document.get("classifier")
    if said is None:
        raise ModelFileError(
            "the file holds a model, not a classifier",
            where=str(path),
            fix=f"fit one with {either('ostinato fit --label COLUMN', 'ostinato.fit_classifier')}",
        )
    models = []
    for k, one in enumerate(said["models"]):
        start = f"class.{k}."
        own = {name.removeprefix(start): x for name, x in tensors.items() if name.startswith(start)}
        models.append(model_from_parts(own, one).likelihood("classify"))
    parts = {name.removeprefix("head."): x.numpy() for name, x in tensors.items() if name.startswith("head.")}
    return Classifier(
        tuple(said["classes"]), tuple(models), np.array(said["prior"]), Head(**parts) if parts else None, said["rule"],
        said["label"], said["record"],
    )  # fmt: skip
