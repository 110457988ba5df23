"""Quantiles of a step ahead as those of a mixture: its distributions given each sample path up to the step before.

With S paths the empirical quantiles reach no farther than the probabilities 1 / S and 1 - 1 / S. The mean of the
conditional distributions is an estimate of the same distribution with less variance (Rao and Blackwell; Gelfand and
Smith 1990), and its tails go on. If the past of all paths is the same, as one step ahead, it is exact.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ostinato.emissions.conditional import Conditional
from ostinato.emissions.emission import Support

#: The greatest number of halvings of a bracket; float64 resolves no more.
_HALVINGS = 60
#: A quantile is found when its probability is right to this many normal deviates.
_CLOSE = 1e-7
#: The width of a bracket, as a share of its place, that float64 does not resolve.
_NARROW = 1e-15

#: The draws of the channels of one step that its quantiles are taken over if the channels are coupled.
DRAWS = 512


def marginal_quantiles(conditional: Conditional, support: Support, p: Tensor) -> Tensor:
    """Return the quantiles of each channel of the next step, (B, D, Q), given the past alone.

    Args:
        conditional: The distributions of the step, (B, D).
        support: The supports, (B, D).
        p: The probabilities, (Q,).
    """
    rows, draws = len(conditional.params), 1 if conditional.coupling is None else DRAWS
    many = conditional.each(lambda part: part.repeat_interleave(draws, 0))
    each = Support(*(s.repeat_interleave(draws, 0) for s in (support.unit, support.low, support.high)))
    x = many.sample(each, torch.Generator().manual_seed(0))
    return mixture_quantiles(many, each, x, torch.zeros_like(x), p, rows)[0]


def mixture_quantiles(
    conditional: Conditional, support: Support, x: Tensor, carried: Tensor, p: Tensor, rows: int
) -> tuple[Tensor, Tensor]:
    """Return the quantiles of one step, and how many paths carry the tail beyond each.

    Args:
        conditional: The distributions of the step given each path, (B * S, D), the paths of a sequence one after the
            other.
        support: The supports of the paths, (B * S, D).
        x: The values of the step on each path, (B * S, D): a channel is conditional on the channels before it.
        carried: What the earlier steps of a path add to the value of the step, (B * S, D), as for prices.
        p: The probabilities, (Q,).
        rows: The number of sequences, B.

    Returns:
        The quantiles, (B, D, Q), and the effective number of paths whose distributions make up the tail, (B, D, Q).
    """
    # in float32 the probabilities near 1 keep seven digits
    p, x, carried = p.double(), x.double(), carried.double()
    limits = Support(*(s.double() for s in (support.unit, support.low, support.high)))
    each = conditional.each(Tensor.double)
    parts = each.quantile(p, limits, x) + carried.unsqueeze(-1)
    quantiles, weights = [], []
    for d in range(x.shape[-1]):
        own = parts[:, d].reshape(rows, -1, len(p))  # (B, S, Q)
        unit = limits.unit[:, d].reshape(rows, -1)[:, :1]
        # the other channels are known: only this one is computed at each value that is tried
        alone = each.channel(d, x).each(lambda part: part.unsqueeze(1))
        many = Support(*(s[:, None, d : d + 1] for s in (limits.unit, limits.low, limits.high)))

        def tails(
            v: Tensor, d: int = d, unit: Tensor = unit, alone: Conditional = alone, many: Support = many
        ) -> Tensor:
            """Return the cdf of channel d on each path, (B, S, Q), at the values v (B, Q)."""
            at = v if not bool((unit > 0).any()) else torch.round(v / unit) * unit
            values = at.repeat_interleave(len(x) // rows, 0) - carried[:, d, None]
            return alone.cdf(values.unsqueeze(-1), many).reshape(rows, -1, len(p))

        v = _solve(tails, own.amin(1), own.amax(1), p, unit)
        v = torch.where(unit > 0, torch.round(v / torch.where(unit > 0, unit, 1.0)) * unit, v)
        share = torch.where(p < 0.5, tails(v), 1 - tails(v))
        quantiles.append(v)
        weights.append(share.sum(1).square() / share.square().sum(1).clamp(min=1e-300))
    return torch.stack(quantiles, 1), torch.stack(weights, 1)


def _solve(tails: Callable[[Tensor], Tensor], low: Tensor, high: Tensor, p: Tensor, unit: Tensor) -> Tensor:
    """Return the least v (B, Q) in [low, high] at which the mean over paths of the cdf reaches p (Q,).

    On a lattice of this unit (B, 1) the cdf has steps, and the bracket is halved to one of them.
    """
    goal = torch.special.ndtri(p)

    def gap(v: Tensor) -> Tensor:
        mean = tails(v).mean(1).clamp(1e-300, 1 - 1e-16)
        return torch.sub(torch.special.ndtri(mean), goal)

    if bool((low >= high).all()):
        return high
    if not bool((unit > 0).any()):
        return _root(gap, low, high)
    low = low - unit  # where the cdf may reach p at the low end itself
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        reached = gap(middle) >= 0
        low, high = torch.where(reached, low, middle), torch.where(reached, middle, high)
        if bool((high - low < unit).all()):
            break
    return high


def _root(gap: Callable[[Tensor], Tensor], low: Tensor, high: Tensor) -> Tensor:
    """Return a zero of each element of a rising function between low and high, by the method of Chandrupatla (1997).

    A parabola through the last three points says where the zero is, as far as it is known to be right; otherwise the
    bracket is halved. An element that is found stays, whatever the others need.
    """
    at, end, done = high, low, low >= high
    of_at, of_end, share = gap(at), gap(end), torch.full_like(low, 0.5)
    for _ in range(_HALVINGS):
        v = torch.where(done, at, at + share * (end - at))
        found = gap(v)
        same = found.sign() == of_at.sign()
        before, of_before = torch.where(same, at, end), torch.where(same, of_at, of_end)
        end, of_end = torch.where(same, end, at), torch.where(same, of_end, of_at)
        at, of_at = v, found
        # also where there is no number, and where the bracket has no number inside
        done = done | ~(found.abs() >= _CLOSE) | ((end - at).abs() <= _NARROW * at.abs())
        if bool(done.all()):
            break
        x, y = (at - end) / (before - end), (of_at - of_end) / (of_before - of_end)
        curved = of_at / (of_end - of_at) * (of_before / (of_end - of_before)) + (before - at) / (end - at) * (
            of_at / (of_before - of_at) * (of_end / (of_before - of_end))
        )
        inside = (y.square() < x) & ((1 - y).square() < 1 - x) & (curved > 0) & (curved < 1)
        share = torch.where(inside, curved, 0.5)
    return at
