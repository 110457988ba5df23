"""Ours on the same windows: one fit to what comes before the first, as the package does it by itself."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from forecast.cases import Case
from forecast.files import Said
from ostinato.data.read import read
from ostinato.training.direct import fit_direct


def ostinato(case: Case, **options: Any) -> Said:
    """fit_direct, its season the shortest that models are told; options are its own."""
    begun = time.perf_counter()
    fit = fit_direct(read(case.before(case.backs[0])), case.horizon, season=case.seasons[0], **options)
    seconds, points, quantiles, spent = time.perf_counter() - begun, [], [], []
    for back in case.backs:
        begun = time.perf_counter()
        point, q = fit.model.predict(case.before(back))
        spent.append(time.perf_counter() - begun)
        points.append(point)
        quantiles.append(q)
    notes = (*fit.notes, *(f"{name}: {value}" for name, value in options.items()))
    return Said(np.stack(points), np.stack(quantiles), seconds, float(np.mean(spent)), notes=notes)
