"""The closed form that a model corrects, for each kind of data: it is fitted before the first gradient step."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, TypeAlias

import torch

from ostinato.data.amplitude import Amplitude
from ostinato.layers.ar import AR
from ostinato.layers.autoregression import PERFECT
from ostinato.layers.filter import AdaptiveFilter
from ostinato.layers.front import InnovationFront, SmoothingFront
from ostinato.layers.lag_choice import fit_dense_or_sparse, name_of
from ostinato.layers.markov import Markov
from ostinato.layers.smoothing import Smoothing
from ostinato.layers.volatility import Volatility, fit_volatility
from ostinato.ops.filter.form import FilterForm
from ostinato.ops.filter.reference import APART
from ostinato.training.config import LadderOptions, most_orders
from ostinato.training.innovations import innovations, parameters_of
from ostinato.training.material import Material
from ostinato.training.scale_prior import with_scale_prior
from ostinato.training.smoothing import fit_smoothing, season_of

#: What suits sound, whose law changes all the time, in place of the usual rates of adaptive filters: quicker least
#: squares over the predictions, quicker weights, wider logistics, and a cascade of twice the rate. Chosen on 90 files
#: of spoken digits from the training part and on 20 French prompts. Held-out digits had 6.757 bits a sample, and 6.770
#: with the usual rates; the other 80 prompts had 8.643, and 8.667.
SOUND: Mapping[str, Any] = {
    "stack_forget": 0.995,
    "share": 0.015,
    "width": 0.7,
    "prior": 0.002,
    "rates": (0.006, 0.006, 0.006),
}
#: The mean step from a value to the next, in units of an adaptive filter of continuous values.
RESOLUTION = 20.0

#: The variance of a weight of adaptive filters of series before the first step: a walk needs one weight, and one that
#: is freer learns noise.
SERIES: Mapping[str, Any] = {"prior": 1e-4}
#: The wide logistics of series: the widest has 64^3 times the scale of the usual one, half a deviation.
WIDER = 3
#: The closed form that a model corrects.
Base: TypeAlias = AR | Markov | AdaptiveFilter | Smoothing


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
    material: Material, options: LadderOptions, order: int | None = None
) -> tuple[AR | Markov, tuple[str, ...]]:
    """Return the closed form with its order chosen: an AR for values, a Markov chain for symbols.

    Args:
        material: The data of the fit.
        options: The options, of which the greatest order is used.
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
                options.max_order,
                (validation[:, 0].numpy(), validation_offsets),
            ).order
        values, offsets, _ = material.joined(limit=most)
        return Markov.fit(values[:, 0].numpy(), offsets, vocabulary, order, criterion="given"), ()
    values, offsets, _ = material.few()
    z = values.double().numpy()
    order = min(options.max_order, most_orders(material.data, options.season))
    fits = fit_dense_or_sparse(z, offsets, order, options.max_order)
    base = AR.from_fits(fits)
    notes = [note for fit in fits for note in fit.notes]
    with torch.no_grad():
        known, unit = 1 + base.weight.count_nonzero(-1), material.encoded.unit.amin(0)
        log_scale = with_scale_prior(base.log_sigma, known, values, offsets.tolist(), unit)
        if bool((log_scale[:, -1] != base.log_sigma[:, -1]).any()):
            # the notes name the raised scale of a perfect fit, which the prior has changed since
            notes = [note for note in notes if not note.startswith(PERFECT)]
        base.log_sigma.copy_(log_scale)
    if material.data.traits.log_returns:
        e = innovations(InnovationFront(base), material)[0].double().numpy()
        pairs = [fit_volatility(column, offsets) for column in e.T]
        if any(pairs):
            base.volatility = Volatility.of([pair or (0.0, 0.0) for pair in pairs])
    return base, tuple(dict.fromkeys(notes))


def smoothing(material: Material, options: LadderOptions, name: str) -> tuple[Smoothing, list[str]]:
    """Return the likeliest exponential smoothing of the known part, and notes on it.

    Args:
        material: The data of the fit.
        options: The options, of which the season is used.
        name: "ets" or "theta".
    """
    season, note = season_of(material.data, options.season)
    values, offsets, _ = material.few()
    found, notes = fit_smoothing(name, values.double().numpy(), offsets, season)
    known, unit = parameters_of(SmoothingFront(found)), material.encoded.unit.amin(0)
    found.log_sigma.copy_(with_scale_prior(found.log_sigma, known, values, offsets.tolist(), unit))
    return found, [*([note] if note else []), *notes]


def adaptive_filter(material: Material) -> AdaptiveFilter:
    """Return adaptive filters that have learned nothing; the data give the unit that their values are counted in."""
    values, _, _ = material.few()
    z = values.double()
    units = material.encoded.unit[material.encoded.unit > 0]
    lattice = len(units) == material.encoded.unit.numel()
    steps = z.diff(dim=0).abs()
    usual = float(steps[steps.isfinite()].mean()) if len(z) > 1 else 1.0
    unit = float(units.min()) if lattice else max(usual, 1e-6) / RESOLUTION
    channels = z.shape[1]
    # of two channels each has 16 lags of the other; more channels share the 16
    cross = 0 if channels == 1 else max(1, 16 // (channels - 1))
    suited, wider, wide = SERIES, WIDER, 0.5
    if isinstance(material.encoding, Amplitude):
        # the widest logistic reaches the loudest sample that there is
        full = 2.0 ** (material.encoding.bits - 1) / material.encoding.scale
        suited, wider = SOUND, max(1, math.ceil(math.log(full / wide, APART)))
    form = FilterForm(
        channels=channels,
        cross=cross,
        unit=unit,
        wide=wide / unit,
        lattice=lattice,
        wider=wider,
        grounded=True,
        **suited,
    )
    return AdaptiveFilter(form)
