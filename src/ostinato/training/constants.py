"""The constants of an emission by maximum likelihood: what the solver is given, and when it has done enough."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from scipy.optimize import OptimizeResult, minimize
from torch import Tensor
from torch.nn.functional import softplus

from ostinato.emissions.constraints import LEAST_DF, inverse_softplus
from ostinato.emissions.emission import Emission
from ostinato.emissions.logistic_mixture import LogisticMixture
from ostinato.emissions.student_t import StudentT
from ostinato.shapes import Array

#: The fit of a mixture ends once ``PATIENCE`` steps of the solver together add less than ``GAIN`` nats to the log
#: likelihood, which is what Akaike (1974) asks of the three parameters of a component. Ten logistics for 60 values
#: would gain more by further steps, each on a single value, and lose it on others: on values of seven made
#: distributions, the stop is worth 0.13 nats a value for 60 values, 0.02 for 300, and nothing for 2,000.
PATIENCE, GAIN = 10, 3.0
#: The most degrees of freedom of a Student t. Beyond, nobody tells it from a normal distribution.
MOST_DF = 1e4
#: The bounds of the location, the raw scale, and 1 / df.
_BOUNDS = [(None, None), (None, None), (1 / MOST_DF, 1 / LEAST_DF - 1e-4)]


def likeliest_constants(
    emission: Emission, loss: Callable[[Tensor], Tensor], start: Tensor, count: int, centred: bool
) -> Tensor | None:
    """Return the parameters (D, P) of least loss, in nats a value, or None if the solver finds no number.

    Args:
        emission: The emission of the parameters.
        loss: The loss of parameters (D, P).
        start: The parameters to start from, (D, P).
        count: The number of values that the loss is the mean of.
        centred: Whether the locations stay as they are.
    """
    of, back, bounds = (_df, _tails, _BOUNDS * len(start)) if isinstance(emission, StudentT) else (_same, _same, None)

    def with_slope(flat: Array) -> tuple[float, Array]:
        asked = torch.from_numpy(flat).reshape(start.shape).requires_grad_()
        value = loss(of(asked))
        (slope,) = torch.autograd.grad(value, asked)
        if centred:
            slope[:, 0] = 0.0
        return float(value.detach()), slope.flatten().numpy()

    # the solver of scipy: importing that of torch loads a compiler and takes a second and a half
    solution = minimize(
        with_slope,
        back(start).flatten().numpy(),
        jac=True,
        method="L-BFGS-B",
        bounds=bounds,
        callback=_Patience(count) if isinstance(emission, LogisticMixture) else None,
    )
    if not (np.isfinite(solution.x).all() and np.isfinite(solution.fun)):
        return None
    return of(torch.from_numpy(solution.x).reshape(start.shape))


class _Patience:
    """Stops the solver once its steps add too little to the likelihood of so many values, of all channels."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._losses: list[float] = []

    def __call__(self, intermediate_result: OptimizeResult) -> None:
        """Note the loss of a step; raise StopIteration, as scipy asks, to end."""
        self._losses.append(float(intermediate_result.fun))
        before = self._losses[-1 - PATIENCE :][0]
        if len(self._losses) > PATIENCE and (before - self._losses[-1]) * self._count < GAIN:
            raise StopIteration


def _same(constant: Tensor) -> Tensor:
    return constant


def _tails(constant: Tensor) -> Tensor:
    """Return the parameters of a Student t, (D, 3), with 1 / df in the place of the raw degrees of freedom.

    The likelihood of values with light tails is nearly a line in it, so that the solver is done in a few steps.
    """
    return torch.cat([constant[:, :2], 1 / (softplus(constant[:, 2:]) + LEAST_DF)], dim=1)


def _df(tails: Tensor) -> Tensor:
    """Return the inverse of ``_tails``."""
    return torch.cat([tails[:, :2], inverse_softplus(1 / tails[:, 2:] - LEAST_DF)], dim=1)
