"""The number of steps of sound or series that a closed form is fitted to within a budget, by timing short fits."""

from __future__ import annotations

import math
import time
from contextlib import suppress
from dataclasses import replace
from functools import partial

from ostinato import randomness
from ostinato.errors import OstinatoError
from ostinato.fits.budget import Budget
from ostinato.numbers import counted
from ostinato.training.build import build
from ostinato.training.closed_form import closed_form
from ostinato.training.config import LadderOptions
from ostinato.training.material import MOST_STEPS, Material
from ostinato.training.setup import Setup

#: The share of the budget that the autoregression may take. It is fitted twice, the second time to all of the data.
SHARE = 0.2
#: The number of steps a second of the budget above which the fit is timed, and the least number of steps of a fit.
RATE, LEAST = 5_000, 1 << 14
#: The steps of the two fits that are timed. The seconds are a power of the steps. With what is done once, and steps
#: side by side, 400,000 steps of speech took 4 times as long as 16,384. These took twice as long as 4,096.
SAMPLES, POWERS = (1 << 12, 1 << 14), (0.5, 1.0)
#: How often the autoregression is fitted.
TIMES = 2


def closed_form_steps(setup: Setup, limits: Budget) -> int:
    """Return the greatest number of steps that a closed form of sound or series is fitted to within a budget.

    Data that are short for the budget, by ``RATE``, are not timed.

    Args:
        setup: The data and the options of the fit. All workers use the estimate of the first one, and the checkpoint
            keeps it.
        limits: The budget. Without a limit in seconds, all steps are allowed.
    """
    material, options, keep, workers = setup.material, setup.options, setup.keep, setup.workers
    known = sum(z - a for _, a, z in material.spans("known"))
    if not material.data.traits.numeric or limits.seconds is None:
        return MOST_STEPS
    if min(known, MOST_STEPS) <= max(RATE * limits.seconds, LEAST):
        return MOST_STEPS
    parts = [0.0, 0.0]
    if workers.leads:
        works = {n: partial(seconds_of, material, options, n) for n in SAMPLES}
        parts = [keep.measured(f"closed.{n}.seconds", w) if keep else w() for n, w in works.items()]
    first, second = (max(workers.first(part), 1e-9) for part in parts)
    power = min(max(math.log(second / first) / math.log(SAMPLES[1] / SAMPLES[0]), POWERS[0]), POWERS[1])
    left = SHARE * limits.seconds / TIMES
    steps: float = SAMPLES[1] * (left / second) ** (1 / power)
    return round(min(max(steps, LEAST), MOST_STEPS))


def seconds_of(material: Material, options: LadderOptions, steps: int) -> float:
    """Return how many seconds it takes to fit the autoregression and its emission to this number of steps.

    The smaller one of processor time and elapsed time counts, because several cores may compute.
    """
    sample = replace(material, fitted_steps=steps)
    clock, processor = time.monotonic(), time.process_time()
    # if a stretch cannot be fitted, the time until the failure counts
    with randomness.fork(), suppress(OstinatoError):
        base, _ = closed_form(sample, options)
        build("ar", sample, base, options)
    return min(time.monotonic() - clock, time.process_time() - processor)


def note(steps: int, known: int) -> str:
    """Return a note on how many of the known steps a closed form was fitted to."""
    return (
        f"the autoregression was fitted to {steps:,} of the {counted(known, 'known step')}, in stretches spread over "
        "the data. More of them would take more than a fifth of the budget (a larger budget takes more)"
    )
