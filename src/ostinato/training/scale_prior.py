"""The scale of the innovations of a few values, with a prior.

The likeliest scale of three innovations after two parameters is about 0. So the scale has a prior, as if innovations of
the size of the changes from one value to the next had been seen before (the scaled inverse chi-squared distribution;
Gelman et al. 2013, section 2.6).

The p parameters that were fitted take their degrees of freedom, so the mean square is that of n - p innovations. The
next value differs from its prediction also by the errors of the parameters, which add about p / n of the variance of
an innovation (the final prediction error; Akaike 1970). The scale itself is uncertain too: a value that is normal given
its scale has Student's t distribution with n - p degrees of freedom (Gelman et al. 2013, section 14.2), so the tails
become heavier by as much.

All of it fades as values are added. The prior ends at ``ENOUGH`` degrees of freedom. What the parameters take, and the
tails, count in full up to half of ``MANY``, and from ``MANY`` on the likelihood alone decides.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import torch
from scipy.special import ndtri, stdtrit
from torch import Tensor

from ostinato.emissions.constraints import LEAST_DF, inverse_softplus, raw_scale, scale_of

#: The degrees of freedom from which on a prior says nothing.
ENOUGH = 10.0
#: The degrees of freedom from which on the likelihood alone decides. There, 20 parameters are worth 5 % of a variance.
MANY = 400.0
#: How many innovations the changes of the series count as.
BEFORE = 2.0


@dataclass(frozen=True)
class ScalePrior:
    """The prior of the scales of D channels.

    Attributes:
        count: The number of innovations, (D,).
        parameters: The number of parameters that were fitted to them, (D,).
        change: The size of the changes, in units of the innovations, (D,). Without a change the prior says nothing.
        inner: The number of innovations that do not stand for a tail, as the cells at the edges of a lattice do, (D,).
            Only these become unlikely as the scale grows. None is all of them.
    """

    count: Tensor
    parameters: Tensor
    change: Tensor
    inner: Tensor | None = None

    @cached_property
    def freedom(self) -> Tensor:
        """The degrees of freedom that the innovations leave for their scale, (D,)."""
        return (self.count - self.parameters).clamp(min=0.0)

    @cached_property
    def weight(self) -> Tensor:
        """How much the prior counts, (D,): 1 without a degree of freedom, and 0 from ``ENOUGH`` on."""
        return torch.where(self.change > 0, (1 - self.freedom / ENOUGH).clamp(min=0.0), 0.0)

    @cached_property
    def bound(self) -> Tensor:
        """How much tails and parameters count, (D,): 1 up to half of ``MANY`` degrees of freedom, and 0 from it on."""
        return torch.where(self.change > 0, 2 * (1 - self.freedom / MANY).clamp(min=0.0, max=0.5), 0.0)

    @cached_property
    def silent(self) -> bool:
        """Whether the prior has no weight in the scale of any channel."""
        return not bool(self.weight.any())

    @cached_property
    def free(self) -> bool:
        """Whether the prior has no weight in the scale or the tails of any channel."""
        return not bool(self.bound.any())

    @cached_property
    def before(self) -> Tensor:
        """How many innovations the prior adds, less those that the parameters take and miss, (D,).

        The scale is that of the next value about its prediction, whose variance is larger by the errors of the
        parameters: the innovations count as fewer by this factor. At least one is left, or else no scale would be too
        large.
        """
        inner = self.count if self.inner is None else self.inner
        wider = 1 + self.bound * self.parameters / self.count.clamp(min=1.0)
        kept = (self.count + self.weight * BEFORE - self.bound * self.parameters) / wider
        return torch.maximum(kept - self.count, 1.0 - inner)

    def scale(self, squares: Tensor) -> Tensor:
        """Return the likeliest scale, (D,), of innovations with these sums of squares (D,)."""
        return ((squares + self.weight * BEFORE * self.change.square()) / (self.count + self.before)).sqrt()

    def seen_before(self) -> Tensor:
        """Return two innovations of the size of the changes, one of each sign, (2, D); NaN without a prior."""
        size = self.weight.sqrt() * self.change
        return torch.where(self.weight > 0, torch.stack([-size, size]), torch.nan)

    def start(self, constant: Tensor, e: Tensor) -> Tensor:
        """Return parameters of a normal or Student t (D, 2 or 3) with the scale of innovations (N, D) and prior."""
        scale = raw_scale(self.scale(torch.nan_to_num(e).square().sum(0)).clamp(min=1e-3))
        out = constant.clone()
        out[:, 1] = torch.where(self.bound > 0, scale, constant[:, 1])
        return out

    def widened(self, constant: Tensor) -> Tensor:
        """Return parameters (D, 2 or 3) of a distribution that allows for the uncertainty of the scale.

        The degrees of freedom of a Student t become fewer: the inverses of its own and of those of the scale are added,
        and so are the excess kurtosis of the innovations and that which the unknown scale gives to a normal value. A
        normal has no such tails, so its scale grows until its 95 % interval is that of Student's t.
        """
        freedom = (self.freedom + self.weight * BEFORE).clamp(min=LEAST_DF)
        out = constant.clone()
        if constant.shape[-1] == 3:
            df = 1 / (1 / (torch.nn.functional.softplus(constant[:, 2]) + LEAST_DF) + self.bound / freedom)
            out[:, 2] = inverse_softplus((df - LEAST_DF).clamp(min=1e-3))
        else:
            wider = torch.as_tensor(stdtrit(freedom.numpy(), 0.975) / ndtri(0.975))
            out[:, 1] = raw_scale(scale_of(constant[:, 1]) * (1 + self.bound * (wider - 1)))
        return torch.where(self.bound[:, None] > 0, out, constant)

    def loss(self, constant: Tensor) -> Tensor:
        """Return minus the log prior, in nats, of parameters (D, 2 or 3), up to a constant."""
        scale = scale_of(constant[:, 1])
        nats = self.before * scale.log() + 0.5 * self.weight * BEFORE * (self.change / scale).square()
        return torch.where(self.bound > 0, nats, 0.0).sum()


def with_scale_prior(log_sigma: Tensor, parameters: Tensor, values: Tensor, spans: list[int], unit: Tensor) -> Tensor:
    """Return the logarithms of standard deviations of innovations, (D,) or (D, L), with the prior.

    A closed form that passes through every value has one of about 0. Other models stand on it, and the scale of an
    emission that counts in such units cannot be found. Rounding alone has the deviation of unit / sqrt(12).

    Args:
        log_sigma: The logarithms of the likeliest standard deviations, (D,), or (D, L) of L forms for each channel.
        parameters: The number of parameters of each, in the same shape.
        values: The values of sequences, joined, (N, D). NaN where a value is missing.
        spans: Where the sequences begin and end in values, (B + 1,).
        unit: The spacing of the values of each channel, (D,); 0 for continuous values.
    """
    count, change = (~torch.isnan(values)).sum(0).double(), changes(values, spans)
    if log_sigma.ndim > 1:
        count, change, unit = count[:, None], change[:, None], unit[:, None]
    few = ScalePrior(count, parameters, change)
    scale = few.scale(count * (2 * log_sigma.double()).exp())
    log_scale = torch.where(few.bound > 0, scale.log().to(log_sigma.dtype), log_sigma)
    return torch.maximum(log_scale, (unit.to(log_sigma) / math.sqrt(12)).log())


def changes(values: Tensor, spans: list[int]) -> Tensor:
    """Return the size of the changes from one value to the next, (D,): the mean change counts as one of them.

    A steady rise is not an error, but two changes cannot show that a rise is steady.

    Args:
        values: The values of sequences, joined, (N, D). NaN where a value is missing.
        spans: Where the sequences begin and end, (B + 1,).
    """
    each = torch.cat([values[a:z].diff(dim=0) for a, z in pairwise(spans)]).double()
    seen = ~torch.isnan(each)
    count = seen.sum(0).clamp(min=1)
    mean = torch.where(seen, each, 0.0).sum(0) / count
    squares = torch.where(seen, each - mean, 0.0).square().sum(0) + mean.square()
    return (squares / count).sqrt()
