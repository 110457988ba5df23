"""How many steps of sound and series a closed form is fitted to: timed on stretches, so that a budget is kept."""

from __future__ import annotations

import math
import time
from contextlib import suppress
from dataclasses import replace
from functools import partial

import torch

from ostinato.errors import OstinatoError
from ostinato.fits.budget import Budget
from ostinato.numbers import counted
from ostinato.training.build import build
from ostinato.training.closed_form import closed_form
from ostinato.training.config import LadderOptions
from ostinato.training.material import ENOUGH, Material
from ostinato.training.setup import Setup

#: The share of the budget that the autoregression may take, which is fitted once and once more to all of the data.
SHARE = 0.2
#: For each second of the budget, the steps from which on the fit is timed, and the fewest steps that it takes.
RATE, LEAST = 5_000, 1 << 14
#: The steps of the two fits that are timed. The seconds are a power of the steps: with what is done once, and steps
#: side by side, 400,000 steps of speech took 4 times as long as 16,384, which took twice as long as 4,096.
SAMPLES, POWERS = (1 << 12, 1 << 14), (0.5, 1.0)
#: How often the autoregression is fitted.
TIMES = 2


def enough_within(setup: Setup, limits: Budget) -> int:
    """Return the greatest number of steps that a closed form of sound or series is fitted to within a budget.

    Data that are short for the budget, by ``RATE``, are not timed.

    Args:
        setup: The data and the options of the fit. The estimate of the first of the workers is that of all, and the
            checkpoint keeps it.
        limits: The budget. Without a limit in seconds it allows everything.
    """
    material, options, keep, workers = setup.material, setup.options, setup.keep, setup.workers
    known = sum(z - a for _, a, z in material.spans("known"))
    if not material.data.traits.numeric or limits.seconds is None:
        return ENOUGH
    if min(known, ENOUGH) <= max(RATE * limits.seconds, LEAST):
        return ENOUGH
    parts = [0.0, 0.0]
    if workers.leads:
        works = {n: partial(seconds_of, material, options, n) for n in SAMPLES}
        parts = [keep.measured(f"closed.{n}.seconds", w) if keep else w() for n, w in works.items()]
    first, second = (max(workers.first(part), 1e-9) for part in parts)
    power = min(max(math.log(second / first) / math.log(SAMPLES[1] / SAMPLES[0]), POWERS[0]), POWERS[1])
    left = SHARE * limits.seconds / TIMES
    steps: float = SAMPLES[1] * (left / second) ** (1 / power)
    return round(min(max(steps, LEAST), ENOUGH))


def seconds_of(material: Material, options: LadderOptions, steps: int) -> float:
    """Return the seconds in which the autoregression and its emission are fitted to so many steps.

    They are those of the processor, or of the clock if several cores compute, whichever is less.
    """
    sample = replace(material, enough=steps)
    clock, processor = time.monotonic(), time.process_time()
    # a stretch that cannot be fitted alone took what it took
    with torch.random.fork_rng([]), suppress(OstinatoError):
        base, _ = closed_form(sample, options)
        build("ar", sample, base, options)
    return min(time.monotonic() - clock, time.process_time() - processor)


def note(steps: int, known: int) -> str:
    """Return in words how many of the known steps a closed form was fitted to."""
    return (
        f"fitting the autoregression to more of the {counted(known, 'known step')} would take more than a fifth of the "
        f"budget, so it was fitted to {steps:,}: stretches spread over the data; a larger budget takes more"
    )
