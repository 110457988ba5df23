"""Where an emission starts before the first gradient step: at the innovations that the closed form leaves."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ostinato.data.batching import Piece, bucketed
from ostinato.emissions.bounded import is_bounded, log_above
from ostinato.emissions.emission import Support
from ostinato.emissions.lattice import place
from ostinato.emissions.normal import Normal
from ostinato.emissions.student_t import StudentT
from ostinato.layers.front import Front, InnovationFront, SmoothingFront
from ostinato.model import SequenceModel
from ostinato.training.constants import likeliest_constants
from ostinato.training.material import Material
from ostinato.training.objective import JUDGED
from ostinato.training.scale_prior import ScalePrior, changes


@torch.no_grad()
def innovations(front: Front, material: Material) -> tuple[Tensor, Support, Tensor]:
    """Return the standardised one-step errors of the closed form on the known part, (N, D), and their support.

    The third result is the geometric mean, over the sequences, of the standard deviation of the last step, (D,).
    """
    values, offsets, rows = material.few()
    at = material.encoded
    out: list[Tensor] = [values] * len(rows)
    support: list[Tensor] = [values] * len(rows)
    ends: list[Tensor] = [values] * len(rows)
    each = [Piece(i, 0, 0, int(size)) for i, size in enumerate(np.diff(offsets))]
    for group in bucketed(each, JUDGED, None):
        spans = [values[offsets[i] : offsets[i + 1]] for i, *_ in group]
        padded = torch.nn.utils.rnn.pad_sequence(spans)
        lengths = torch.tensor([len(x) for x in spans])
        (_, loc, scale, *_), _ = front.unroll(padded, front.initial_state(len(group)), lengths)
        assert loc is not None
        assert scale is not None
        for b, ((i, *_), x) in enumerate(zip(group, spans, strict=True)):
            mu, deviation, row = loc[: len(x), b], scale[: len(x), b], rows[i]
            out[i], ends[i] = (x - mu) / deviation, deviation[-1]
            edges = at.unit[row].expand_as(mu), at.low[row] - mu, at.high[row] - mu
            support[i] = torch.stack([edge / deviation for edge in edges])
    joined = torch.cat(support, dim=1)
    return torch.cat(out), Support(joined[0], joined[1], joined[2]), torch.stack(ends).log().mean(0).exp()


@torch.no_grad()
def start(model: SequenceModel, material: Material, centred: bool) -> None:
    """Set the coupling of the channels and the constants of the emission; without a backbone by maximum likelihood."""
    if model.emission.needs_counts:
        values, _, rows = material.few()
        unit = material.encoded.unit[rows[0]]
        start = model.emission.initial(values, Support(unit, torch.zeros_like(unit), unit + torch.inf))
        start[:, 0] = 0.0
        model.constant.copy_(start)
        return
    e, support, deviation = innovations(model.front, material)
    if model.coupling is not None:
        u = model.coupling.fit(e)
        # what the channels before it explain of an innovation moves its bound too
        low = torch.where(support.unit > 0, support.low, support.low - (e - u))
        e, support = u, Support(support.unit, low, support.high)
    usual = Support(support.unit.mean(0), support.low.mean(0), support.high.mean(0))
    model.constant.copy_(model.emission.initial(e, usual))
    if model.backbone is None:
        values, offsets, _ = material.few()
        change = changes(values, offsets.tolist()) / deviation.double()
        at, seen = place(e, support), ~torch.isnan(e)
        inner = (seen & ~at.first & ~at.last).sum(0).double()
        few = ScalePrior(seen.sum(0).double(), parameters_of(model.front), change, inner)
        if few.silent or isinstance(model.emission, Normal | StudentT):
            _polish(model, e, support, centred, few)
        else:
            # the likeliest mixture of a few values is a point at each of them
            model.constant.copy_(model.emission.initial(torch.cat([e, few.seen_before().to(e.dtype)]), usual))


def parameters_of(front: Front) -> Tensor:
    """Return the number of parameters that each channel of a closed form has, with the location of the emission."""
    if isinstance(front, SmoothingFront):
        held = front.smoothing
        table = torch.cat([held.smoothing[:, :3], held.smoothing[:, 3:] - 1, held.spread], dim=1)
        return 1 + table.count_nonzero(-1)
    assert isinstance(front, InnovationFront)
    return 1 + front.ar.weight[:, -1].count_nonzero(-1)


@torch.enable_grad()
def _polish(model: SequenceModel, e: Tensor, support: Support, centred: bool, few: ScalePrior) -> None:
    """Set the constants of the emission of a model without a backbone by maximum likelihood, with a prior of few."""
    keep = ~torch.isnan(e).any(-1)
    if len(e) > 50_000:
        keep &= torch.arange(len(e)) % (len(e) // 50_000) == 0
    # in float32, the rounding of the likelihood costs the solver half as many evaluations again
    e, support = e[keep].double(), Support(*(x[keep].double() for x in (support.unit, support.low, support.high)))
    if not len(e):
        return
    # a prior of the scale is known for a normal and a Student t alone
    bound, told = is_bounded(support), isinstance(model.emission, Normal | StudentT) and not few.free
    below = torch.where(support.unit > 0, -torch.inf, support.low)
    first = few.start(model.constant.detach().double(), e) if told else model.constant.detach().double().clone()
    if centred:
        first[:, 0] = 0.0

    def loss(constant: Tensor) -> Tensor:
        # values above a bound may be the far tail of a distribution below it, which must not become heavier afterwards
        used = few.widened(constant) if told and bound else constant
        nats = model.emission.log_prob(used, e, support)
        if bound:
            nats = nats - log_above(model.emission, used.expand(*e.shape, -1), below)
        value = -nats.mean()
        return value + few.loss(used) / nats.numel() if told else value

    found = likeliest_constants(model.emission, loss, first, e.numel(), centred)
    if found is not None:
        with torch.no_grad():
            model.constant.copy_(few.widened(found) if told else found)
