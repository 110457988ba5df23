"""A model before its first gradient step: the closed form is fitted, and the emission starts from its innovations."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize
from torch import Tensor

from ostinato.assemble import Architecture, assemble
from ostinato.data.batching import Piece, bucketed
from ostinato.data.encoded import Encoded, Encoding
from ostinato.data.encoding import fit_encoding
from ostinato.data.sequences import SequenceSet
from ostinato.data.split import Part, Split
from ostinato.description import Description
from ostinato.emissions.bounded import is_bounded, log_above
from ostinato.emissions.build import default_emission, emission_class
from ostinato.emissions.emission import Support
from ostinato.emissions.lattice import place
from ostinato.emissions.normal import Normal
from ostinato.emissions.student_t import StudentT
from ostinato.errors import DataError
from ostinato.layers.ar import AR
from ostinato.layers.autoregression import PERFECT
from ostinato.layers.build import SMOOTHED, depth_for
from ostinato.layers.counts import Counts
from ostinato.layers.filter import AdaptiveFilter
from ostinato.layers.front import Front, InnovationFront, SmoothingFront
from ostinato.layers.lag_choice import fit_dense_or_sparse, name_of
from ostinato.layers.markov import Markov
from ostinato.layers.smoothing import Smoothing
from ostinato.layers.volatility import Volatility, fit_volatility
from ostinato.model import SequenceModel
from ostinato.ops.filter.form import Form
from ostinato.training.config import LadderOptions, most_orders
from ostinato.training.few import Few, changes, settled
from ostinato.training.objective import JUDGED
from ostinato.training.smoothing import fit_smoothing, season_of
from ostinato.training.within import Within, spread

#: The greatest number of steps that a closed form is fitted to: enough for a few dozen coefficients.
ENOUGH = 400_000
#: The mean step from a value to the next, in units of an adaptive filter of continuous values.
RESOLUTION = 20.0

#: What a model stands on.
Base: TypeAlias = AR | Markov | AdaptiveFilter | Smoothing


@dataclass(frozen=True)
class Material:
    """The data of a fit.

    Attributes:
        data: The sequences as read.
        encoded: The sequences in model space.
        encoding: The map from the sequences as read to model space.
        split: The training, validation and held-out parts.
        within: How many steps of data on disk are looked at; None is all of them.
    """

    data: SequenceSet
    encoded: Encoded
    encoding: Encoding
    split: Split
    within: Within | None = None

    def spans(self, part: Part) -> list[tuple[int, int, int]]:
        """Return the spans of a part as (sequence, first, stop), in steps of model space, as far as they are looked at.

        Stretches of data on disk stand for their part.
        """
        spans = self.split.spans(part, self.data.lengths, self.encoded.lengths)
        if self.within is None or part == "known":
            return spans
        return spread(spans, self.within.trained if part == "train" else self.within.judged)

    def joined(self, part: Part = "known", limit: int | None = None) -> tuple[Tensor, NDArray[np.int64], list[int]]:
        """Return the spans of a part joined: values (N, D), the offsets of the spans, and the sequence of each span.

        Args:
            part: The part of the data.
            limit: The greatest number of steps, drawn at random from all spans; of data on disk, spread over them.
        """
        spans = self.spans(part)
        if limit is not None and self.within is not None:
            spans = spread(spans, limit)
        elif limit is not None and sum(z - a for _, a, z in spans) > limit:
            order, kept, total = np.random.default_rng(0).permutation(len(spans)), [], 0
            for i in order:
                if total >= limit:
                    break
                b, a, z = spans[i]
                kept.append((b, a, min(z, a + limit - total)))
                total += kept[-1][2] - a
            spans = sorted(kept)
        at = self.encoded.offsets
        values = torch.cat([self.encoded.values[at[b] + a : at[b] + z] for b, a, z in spans])
        return values, np.cumsum([0, *(z - a for _, a, z in spans)], dtype=np.int64), [b for b, _, _ in spans]


def material_of(data: SequenceSet, cut: Split, support: str | None = None, within: Within | None = None) -> Material:
    """Return the data in model space, with a scale or an alphabet of the known part only.

    Args:
        data: The sequences as read.
        cut: The parts.
        support: "nonnegative", "real" or None, as in ``LadderOptions``.
        within: How many steps of data on disk are looked at; None is all of them.
    """
    bound = nonnegative(data, support)
    encoding = fit_encoding(cut.take("known", data), by_id=cut.by_time, nonnegative=bound)
    return Material(data, encoding.encode(data), encoding, cut, within if data.on_disk else None)


def nonnegative(data: SequenceSet, support: str | None) -> tuple[bool, ...]:
    """Return whether each channel has no probability below 0; empty if none is bounded.

    What the values can be is a fact about their unit, as it is for counts, so that the whole of the data declares it:
    a channel that is never below 0, and whose values are at least as far apart as the least of them is from 0.

    Args:
        data: The sequences as read.
        support: "nonnegative", "real" or None, which decides by the data.

    Raises:
        DataError: The support is "nonnegative", and a value is below 0.
    """
    if data.kind != "series" or data.count or support == "real":
        return ()
    values = np.asarray(data.values, dtype=np.float64)
    never = tuple(bool(np.isfinite(x).any() and not (x < 0).any()) for x in values.T)
    if support == "nonnegative" and (values < 0).any():
        least = float(np.nanmin(values))
        raise DataError(
            f"the least value is {least:g}, and the support is nonnegative",
            where=data.meta.get("source"),
            fix="remove --support, or leave such values empty",
        )
    if support is None:
        # a bound farther below the least value than the values are apart is none that the data speak of
        never = tuple(n and np.nanmin(x) <= np.nanmax(x) - np.nanmin(x) for n, x in zip(never, values.T, strict=True))
    return tuple(map(bool, never)) if any(never) else ()


def closed_form_name(base: Base) -> str:
    """Return the closed form with its order or its lags, such as "AR(21)" or "AR(lags 1, 12)"."""
    if isinstance(base, AdaptiveFilter):
        return f"filters({', '.join(map(str, (*base.form.orders, *base.form.taps)))})"
    if isinstance(base, Smoothing):
        return base.name
    if isinstance(base, AR):
        return name_of(base.lags) + ("" if base.volatility is None else "-GARCH(1,1)")
    return f"Markov({base.order})"


def closed_form(
    material: Material, config: LadderOptions, order: int | None = None
) -> tuple[AR | Markov, tuple[str, ...]]:
    """Return the closed form with its order chosen: an AR for values, a Markov chain for symbols.

    Args:
        material: The data of the fit.
        config: The options, of which the greatest order is used.
        order: The order of the Markov chain. None chooses it on the validation part. The lags of an AR are always
            chosen by ``fit_dense_or_sparse``.

    Returns:
        The closed form, fitted to the known part, and notes on it.
    """
    vocabulary = material.encoding.vocabulary_size
    if vocabulary is not None:
        most = None if material.within is None else material.within.chain
        if order is None:
            train, train_offsets, _ = material.joined("train", most)
            validation, validation_offsets, _ = material.joined("validation")
            order = Markov.fit(
                train[:, 0].numpy(),
                train_offsets,
                vocabulary,
                config.max_order,
                (validation[:, 0].numpy(), validation_offsets),
            ).order
        values, offsets, _ = material.joined(limit=most)
        return Markov.fit(values[:, 0].numpy(), offsets, vocabulary, order, criterion="given"), ()
    values, offsets, _ = material.joined(limit=ENOUGH)
    z = values.double().numpy()
    order = min(config.max_order, most_orders(material.data, config.season))
    fits = fit_dense_or_sparse(z, offsets, order, config.max_order)
    base = AR.from_fits(fits)
    notes = [note for fit in fits for note in fit.notes]
    with torch.no_grad():
        known, unit = 1 + base.weight.count_nonzero(-1), material.encoded.unit.amin(0)
        told = settled(base.log_sigma, known, values, offsets.tolist(), unit)
        if bool((told[:, -1] != base.log_sigma[:, -1]).any()):
            # what a perfect fit was raised to is not what it has now
            notes = [note for note in notes if not note.startswith(PERFECT)]
        base.log_sigma.copy_(told)
    if material.data.traits.log_returns:
        e = _innovations(InnovationFront(base), material)[0].double().numpy()
        pairs = [fit_volatility(column, offsets) for column in e.T]
        if any(pairs):
            base.volatility = Volatility.of([pair or (0.0, 0.0) for pair in pairs])
    return base, tuple(dict.fromkeys(notes))


def smoothing(material: Material, config: LadderOptions, name: str) -> tuple[Smoothing, list[str]]:
    """Return the likeliest exponential smoothing of the known part, and notes on it.

    Args:
        material: The data of the fit.
        config: The options, of which the season is used.
        name: "ets" or "theta".
    """
    season, note = season_of(material.data, config.season)
    values, offsets, _ = material.joined(limit=ENOUGH)
    found, notes = fit_smoothing(name, values.double().numpy(), offsets, season)
    known, unit = _parameters(SmoothingFront(found)), material.encoded.unit.amin(0)
    found.log_sigma.copy_(settled(found.log_sigma, known, values, offsets.tolist(), unit))
    return found, [*([note] if note else []), *notes]


def adaptive_filter(material: Material) -> AdaptiveFilter:
    """Return adaptive filters that have learned nothing; the data give the unit that their values are counted in."""
    values, _, _ = material.joined(limit=ENOUGH)
    z = values.double()
    units = material.encoded.unit[material.encoded.unit > 0]
    lattice = len(units) == material.encoded.unit.numel()
    steps = z.diff(dim=0).abs()
    usual = float(steps[steps.isfinite()].mean()) if len(z) > 1 else 1.0
    unit = float(units.min()) if lattice else max(usual, 1e-6) / RESOLUTION
    channels = z.shape[1]
    # two channels tell most of each other; more share the places
    cross = 0 if channels == 1 else max(1, 16 // (channels - 1))
    return AdaptiveFilter(Form(channels=channels, cross=cross, unit=unit, wide=0.5 / unit, lattice=lattice))


def build(
    name: str,
    material: Material,
    base: Base,
    config: LadderOptions,
    *,
    centred: bool = False,
    memory: Counts | None = None,
    network: str = "",
) -> SequenceModel:
    """Return a model before its training.

    Args:
        name: "ar", "filter", "ets", "theta", "counts", "mixture" or a backbone.
        material: The data of the fit.
        base: The closed form that the model corrects.
        config: The options of the model.
        centred: Whether the location of a model without a backbone stays at the prediction of the closed form.
        memory: The fitted counts of an adaptive model.
        network: The backbone of the network of a mixture.
    """
    data = material.data
    emission = config.emission or default_emission(data.kind, data.count)
    if name in ("ar", *SMOOTHED) and emission_class(emission).needs_counts:
        # a linear prediction may be negative: the closed form asserts a normal on the whole numbers instead
        emission = "normal"
    stands_on: Base | None = base
    components = config.components
    if isinstance(base, AdaptiveFilter):
        # what the filters assert is a mixture of logistics, and a network moves its parameters
        emission, components, shape = "logistic_mixture", base.form.mixed, {"filter": base.form.to_json()}
    elif isinstance(base, Smoothing):
        shape = {"smoothing": base.to_json()}
    elif isinstance(base, AR):
        changing = base.volatility is not None
        ar = {"order": base.order, "lags": list(base.lags), "channels": base.output_size}
        shape = {"ar": {**ar, "trend": False, "volatility": changing}}
    elif name == "ar":
        shape = {"markov": base.config()}
    else:
        # the chain has counted the steps that a network is trained on, so there it would seem better than it is
        shape, stands_on = {}, None
    channels = len(data.channels)
    parts = Architecture(
        network or name,
        emission,
        channels,
        config.hidden,
        config.depth if isinstance(base, AdaptiveFilter | Smoothing) else depth_for(name, config.depth, base.order),
        config.dropout,
        config.embedding,
        components,
        shape,
        {} if memory is None else memory.config(),
    )
    source = {**data.meta, "channels": list(data.channels), "frequency": data.frequency, "count": data.count}
    description = Description(name, data.kind, {"parts": parts.to_json()}, source)
    # a copy, because the model may move to a card, and the next model is built on the same closed form
    model = assemble(parts, material.encoding, description, copy.deepcopy(stands_on), memory)
    if isinstance(base, AR | Smoothing):
        _start(model, material, centred)
    return model


@torch.no_grad()
def _innovations(front: Front, material: Material) -> tuple[Tensor, Support, Tensor]:
    """Return the standardised one-step errors of the closed form on the known part, (N, D), and their support.

    The third result is the geometric mean, over the sequences, of the standard deviation of the last step, (D,).
    """
    values, offsets, rows = material.joined(limit=ENOUGH)
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
def _start(model: SequenceModel, material: Material, centred: bool) -> None:
    """Set the coupling of the channels and the constants of the emission; without a backbone by maximum likelihood."""
    if model.emission.needs_counts:
        values, _, rows = material.joined(limit=ENOUGH)
        unit = material.encoded.unit[rows[0]]
        start = model.emission.initial(values, Support(unit, torch.zeros_like(unit), unit + torch.inf))
        start[:, 0] = 0.0
        model.constant.copy_(start)
        return
    e, support, deviation = _innovations(model.front, material)
    if model.coupling is not None:
        u = model.coupling.fit(e)
        # what the channels before it explain of an innovation moves its bound too
        low = torch.where(support.unit > 0, support.low, support.low - (e - u))
        e, support = u, Support(support.unit, low, support.high)
    usual = Support(support.unit.mean(0), support.low.mean(0), support.high.mean(0))
    model.constant.copy_(model.emission.initial(e, usual))
    if model.backbone is None:
        values, offsets, _ = material.joined(limit=ENOUGH)
        change = changes(values, offsets.tolist()) / deviation.double()
        at, seen = place(e, support), ~torch.isnan(e)
        inner = (seen & ~at.first & ~at.last).sum(0).double()
        few = Few(seen.sum(0).double(), _parameters(model.front), change, inner)
        if few.silent or isinstance(model.emission, Normal | StudentT):
            _polish(model, e, support, centred, few)
        else:
            # the likeliest mixture of a few values is a point at each of them
            model.constant.copy_(model.emission.initial(torch.cat([e, few.seen_before().to(e.dtype)]), usual))


def _parameters(front: Front) -> Tensor:
    """Return the number of parameters that each channel of a closed form has, with the location of the emission."""
    if isinstance(front, SmoothingFront):
        held = front.smoothing
        table = torch.cat([held.smoothing[:, :3], held.smoothing[:, 3:] - 1, held.spread], dim=1)
        return 1 + table.count_nonzero(-1)
    assert isinstance(front, InnovationFront)
    return 1 + front.ar.weight[:, -1].count_nonzero(-1)


@torch.enable_grad()
def _polish(model: SequenceModel, e: Tensor, support: Support, centred: bool, few: Few) -> None:
    """Set the constants of the emission of a model without a backbone by maximum likelihood, with a prior of few."""
    keep = ~torch.isnan(e).any(-1)
    if len(e) > 50_000:
        keep &= torch.arange(len(e)) % (len(e) // 50_000) == 0
    e, support = e[keep], Support(support.unit[keep], support.low[keep], support.high[keep])
    if not len(e):
        return
    bound, told = is_bounded(support), not few.free
    below = torch.where(support.unit > 0, -torch.inf, support.low)
    first = few.start(model.constant.detach().double(), e.double()) if told else model.constant.detach().double()
    shape, start = model.constant.shape, first.numpy().copy()
    if centred:
        start[:, 0] = 0.0

    def loss(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        constant = torch.tensor(flat, dtype=e.dtype).reshape(shape).requires_grad_()
        used = few.within(constant) if told else constant
        nats = model.emission.log_prob(used, e, support)
        if bound:
            nats = nats - log_above(model.emission, used.expand(*e.shape, -1), below)
        value = -nats.mean()
        if told:
            value = value + few.loss(used) / nats.numel()
        (slope,) = torch.autograd.grad(value, constant)
        if centred:
            slope[:, 0] = 0.0
        return float(value.detach()), slope.flatten().double().numpy()

    # the solver of scipy: importing that of torch loads a compiler and takes a second and a half
    solution = minimize(loss, start.flatten(), jac=True, method="L-BFGS-B")
    if np.isfinite(solution.x).all() and np.isfinite(solution.fun):
        with torch.no_grad():
            kept = torch.from_numpy(solution.x).reshape(shape)
            model.constant.copy_(few.within(kept) if told else kept)
