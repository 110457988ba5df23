"""Multinomial logistic regression with a ridge penalty: the head that is trained to tell the classes apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import log_softmax

from ostinato.shapes import Array

#: The ridge penalties that are tried, as variances of the weights of standardised features.
_VARIANCES: Final = (0.01, 0.1, 1.0, 10.0, 100.0)


@final
@dataclass(frozen=True)
class Head:
    """log P(class | features) = log softmax(features W + b), with features that are standardised.

    Attributes:
        blocks: The numbers of the blocks of features that are used.
        centre: The mean of each feature, (F,).
        spread: The standard deviation of each feature, (F,).
        weights: W above b, (F + 1, K).
    """

    blocks: NDArray[np.int64]
    centre: Array
    spread: Array
    weights: Array

    def log_prob(self, blocks: list[Array]) -> Array:
        """Return log P(class | features), (B, K), of blocks of features, (B, F) each."""
        x = np.concatenate([blocks[i] for i in self.blocks], axis=1)
        return _log_prob((x - self.centre) / self.spread, self.weights)

    @staticmethod
    def fit(
        blocks: list[Array], labels: NDArray[np.int64], folds: NDArray[np.int64], classes: int
    ) -> tuple[Head, Array]:
        """Return the head with the blocks and the penalty that are the likeliest on folds that it was not fitted to.

        Args:
            blocks: Blocks of features of each sequence, (B, F) each. One is taken, or all together.
            labels: The number of the class of each sequence, (B,).
            folds: The number of the fold of each sequence, (B,).
            classes: The number of classes, K.

        Returns:
            The head, and log P(class | features) of each sequence by a head that was not fitted to it, (B, K).
        """
        choices: list[tuple[int, ...]] = [(i,) for i in range(len(blocks))] + [tuple(range(len(blocks)))] * (
            len(blocks) > 1
        )
        best, kept, held_out = -np.inf, (choices[0], _VARIANCES[0]), np.zeros((len(labels), classes))
        for choice in choices:
            x = _standardised(np.concatenate([blocks[i] for i in choice], axis=1))[0]
            for variance in _VARIANCES:
                logs = np.empty_like(held_out)
                for fold in np.unique(folds):
                    out = folds == fold
                    logs[out] = _log_prob(x[out], _solve(x[~out], labels[~out], classes, variance))
                nats = float(logs[np.arange(len(labels)), labels].sum())
                if nats > best:
                    best, kept, held_out = nats, (choice, variance), logs
        choice, variance = kept
        x, centre, spread = _standardised(np.concatenate([blocks[i] for i in choice], axis=1))
        return Head(np.array(choice), centre, spread, _solve(x, labels, classes, variance)), held_out


def _standardised(x: Array) -> tuple[Array, Array, Array]:
    centre, spread = x.mean(0), x.std(0)
    spread = np.where(spread > 0, spread, 1.0)
    return (x - centre) / spread, centre, spread


def _log_prob(x: Array, weights: Array) -> Array:
    return np.asarray(log_softmax(x @ weights[:-1] + weights[-1], axis=1))


def _solve(x: Array, labels: NDArray[np.int64], classes: int, variance: float) -> Array:
    """Return the weights (F + 1, K) that maximise the likelihood less |W|^2 / (2 variance)."""
    count, features = x.shape
    wide = np.concatenate([x, np.ones((count, 1))], axis=1)
    truth = np.eye(classes)[labels]
    shrunken = np.concatenate([np.ones(features), [1e-6]])[:, None] / variance

    def loss(flat: Any) -> tuple[float, Any]:
        weights = flat.reshape(features + 1, classes)
        logs = log_softmax(wide @ weights, axis=1)
        gradient = wide.T @ (np.exp(logs) - truth) + shrunken * weights
        return float(-(logs * truth).sum() + 0.5 * (shrunken * weights**2).sum()), gradient.ravel()

    found = minimize(loss, np.zeros((features + 1) * classes), jac=True, method="L-BFGS-B", options={"maxiter": 500})
    return np.asarray(found.x, dtype=np.float64).reshape(features + 1, classes)
