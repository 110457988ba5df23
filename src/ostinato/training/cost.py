"""What the memories of a text that no gradient fits cost: estimated by stretches of it, so that a budget is kept."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from functools import partial

import numpy as np

from ostinato.fits.budget import Budget
from ostinato.layers.contexts import Ints
from ostinato.layers.counts import Counts
from ostinato.layers.markov import Markov
from ostinato.training.adaptive import begins_of, letters_of
from ostinato.training.config import ADAPTIVE, LadderOptions
from ostinato.training.material import Material
from ostinato.training.setup import Setup
from ostinato.training.within import LEAST, RATES, Within

#: The symbols of a stretch that is timed, and the number of stretches. The quickest of them counts, so that a moment in
#: which the machine was busy does not make a text too large.
STRETCH, STRETCHES = 1 << 15, 2
#: The shares of the budget that the chain and the counts may take. The chain is what the other models are measured by,
#: and the counts are the better model, so they take more.
SHARES = (0.15, 0.35)


def affordable(setup: Setup, names: tuple[str, ...], limits: Budget) -> Within | None:
    """Return how many steps of a text in memory its fit looks at, if the budget does not allow all; else None.

    A text that takes a tenth of the budget by the rates of two cores is not timed.

    Args:
        setup: The data and the options of the fit. The data are looked at in full, the estimate of the first of the
            workers is that of all, and the checkpoint keeps it.
        names: The models to fit.
        limits: The budget. Without a limit in seconds it allows everything.
    """
    material, options, keep, workers = setup.material, setup.options, setup.keep, setup.workers
    total = len(material.encoded.values)
    if material.encoding.vocabulary_size is None or limits.seconds is None:
        return None
    if total <= max(RATES["chain"][0] * limits.seconds, LEAST["chain"]):
        return None
    times = {"chain": 0.0, "counts": 0.0}
    if workers.leads:
        works = {name: partial(seconds_of, name, material, options, names) for name in times}
        times = {name: keep.measured(f"{name}.seconds", w) if keep else w() for name, w in works.items()}
    chain, counts = (workers.first(seconds) for seconds in times.values())
    if chain + counts <= sum(SHARES) * limits.seconds:
        return None
    shares = [min(1.0, a * limits.seconds / max(b, 1e-9)) for a, b in zip(SHARES, (chain, counts), strict=True)]
    return Within.shares_of(total, *shares)


def seconds_of(memory: str, material: Material, options: LadderOptions, names: tuple[str, ...]) -> float:
    """Return the estimated seconds in which a memory is fitted to all steps of a text and judged.

    Args:
        memory: "chain" or "counts".
        material: The data of the fit.
        options: The options of the models.
        names: The models to fit.
    """
    encoding, total = material.encoding, len(material.encoded.values)
    vocabulary = encoding.vocabulary_size
    assert vocabulary is not None
    starts = np.linspace(0, max(total - STRETCH, 0), STRETCHES, dtype=np.int64)
    stretches = [material.encoded.values[a : a + STRETCH, 0].numpy() for a in starts.tolist()]
    n = len(stretches[0])
    offsets = np.array([0, n], dtype=np.int64)
    if memory == "chain":
        found = _quickest(lambda s: Markov.fit(s, offsets, vocabulary, options.max_order), stretches)
    else:
        # they learn the known part, for a mixture also the training part, and are judged with and without learning
        times = 1.2 * sum(name in ADAPTIVE for name in names)
        if not times:
            return 0.0
        letters, begins = letters_of(encoding), begins_of(encoding)
        found = times * _quickest(lambda s: Counts.fit(s, offsets, letters, begins=begins), stretches)
    # a sort takes n log n, and larger tables miss the caches of the processor more often
    return found * total / n * math.log(total) / math.log(n)


def _quickest(work: Callable[[Ints], object], stretches: list[Ints]) -> float:
    """Return the least of the seconds that some work takes with one of several stretches."""
    seconds = []
    for stretch in stretches:
        begun = time.monotonic()
        work(stretch)
        seconds.append(time.monotonic() - begun)
    return min(seconds)
