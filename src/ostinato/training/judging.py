"""What judging the models of sound and series costs: timed on a sample, so that long data do not pass their budget."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch

from ostinato.device import asked, devices
from ostinato.fits.budget import Budget
from ostinato.layers.build import BACKBONES
from ostinato.training.build import build
from ostinato.training.closed_form import Base
from ostinato.training.config import VALIDATED, LadderOptions
from ostinato.training.epochs import judged_pieces
from ostinato.training.material import Judged, Material
from ostinato.training.objective import evaluate
from ostinato.training.setup import Setup

#: The share of the budget that judging may take, and the fewest steps that each part that judges has.
SHARE, LEAST = 0.3, 1 << 14
#: For each second of the budget, the steps of a part that judges from which on judging is timed.
RATE = 2_000
#: The judged steps of a sample, and the number of times that it is judged. The quickest counts, as the first also
#: pays for what is done once.
SAMPLE, TIMES = 1 << 12, 2


@dataclass(frozen=True)
class Passes:
    """How often steps are judged in a fit, for n networks whose costs of a step add up to 1.

    Attributes:
        held: The steps of the held-out part. Each network is judged on it, and the likeliest of them and the closed
            form once more, to see whether it is ahead.
        watched: The steps of the validation part that each network is judged on, at least before its training and after
            it.
        networks: The number n of networks.
    """

    held: int
    watched: int
    networks: int

    def cost(self, most: int) -> float:
        """Return the number of judged steps, if each part has at most so many."""
        return (1 + 2 / self.networks) * min(self.held, most) + 2 * min(self.watched, most)

    def most(self, cost: float) -> int:
        """Return the greatest number of steps in each part for which ``cost`` is at most this, at least 0."""
        low, high = 0, max(self.held, self.watched)
        while low < high:
            middle = (low + high + 1) // 2
            low, high = (middle, high) if self.cost(middle) <= cost else (low, middle - 1)
        return low


def judged_within(
    setup: Setup, base_of: Callable[[str], Base], names: tuple[str, ...], limits: Budget
) -> Judged | None:
    """Return how many steps of the parts that judge are looked at, if the budget does not allow all; else None.

    Parts that are short for the budget, by ``RATE``, are not timed. Nor are those of a fit that may use a GPU: the
    sample is judged on the processor, which would say little about it.

    Args:
        setup: The data and the options of the fit. The data are looked at in full, the estimate of the first of the
            workers is that of all, and the checkpoint keeps it.
        base_of: Returns the closed form that a network corrects, by the name of the network.
        names: The models to fit.
        limits: The budget. Without a limit in seconds it allows everything.
    """
    material, options, keep, workers = setup.material, setup.options, setup.keep, setup.workers
    networks = [name for name in names if name in BACKBONES]
    if not material.data.traits.numeric or limits.seconds is None or not networks:
        return None
    held, watched = (sum(z - a for _, a, z in material.spans(part)) for part in ("held-out", "validation"))
    passes = Passes(held, min(watched, VALIDATED), len(networks))
    if max(held, watched) <= max(RATE * limits.seconds, LEAST):
        return None
    if asked() != "cpu" and len(devices()) > 1:
        return None
    each = 0.0
    if workers.leads:

        def work() -> float:
            return sum(seconds_of(name, material, base_of(name), options) for name in networks)

        each = keep.measured("judging.seconds", work) if keep else work()
    each = max(workers.first(each) / workers.size, 1e-12)
    if passes.cost(max(held, watched)) * each <= SHARE * limits.seconds:
        return None
    return Judged(max(passes.most(SHARE * limits.seconds / each), LEAST))


def seconds_of(name: str, material: Material, base: Base, options: LadderOptions) -> float:
    """Return the estimated seconds in which a network judges one step, before its training.

    The time is that of the processor, or that of the clock if several cores compute, whichever is less: a machine that
    is busy with other work does not make the data too large.

    Args:
        name: The backbone.
        material: The data of the fit.
        base: The closed form that it corrects.
        options: The options of the models.
    """
    sample = replace(material, judged=Judged(SAMPLE))
    with torch.random.fork_rng([]):
        model = build(name, material, base, options)
    items = judged_pieces(sample, "held-out", model.front.reach)
    seconds = []
    for _ in range(TIMES):
        clock, processor = time.monotonic(), time.process_time()
        evaluate(model, material.encoded, items)
        seconds.append(min(time.monotonic() - clock, time.process_time() - processor))
    return min(seconds) / max(sum(p.stop - p.counted for p in items), 1)
