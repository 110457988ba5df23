"""What judging the models of sound and series costs: timed on a sample, so that long data do not pass their budget."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial

from ostinato import randomness
from ostinato.device import asked
from ostinato.fits.budget import Budget
from ostinato.hardware import devices
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


#: How often a model without a network is judged on the held-out part: once, and again where it is compared with others
#: or fitted again to all of the data.
BARE_TIMES = {"ar": 3, "filter": 2}


@dataclass(frozen=True)
class Passes:
    """The cost of judging the models of a fit.

    Attributes:
        held: The steps of the held-out part.
        watched: The steps of the validation part that networks are judged on.
        seconds_held_out: The seconds for each step of the held-out part, all models together.
        seconds_validation: The seconds for each step of the validation part.
    """

    held: int
    watched: int
    seconds_held_out: float
    seconds_validation: float

    @staticmethod
    def of(held: int, watched: int, seconds: Mapping[str, float]) -> Passes:
        """Return the cost of judging some models.

        Each network is judged on the held-out part, and the likeliest of them and the closed form once more, to see
        whether it is ahead. Each is also judged on the validation part, at least before its training and after it.

        Args:
            held: The steps of the held-out part.
            watched: The steps of the validation part that networks are judged on.
            seconds: The seconds in which each model judges one step, by its name.
        """
        networks = [each for name, each in seconds.items() if name in BACKBONES]
        bare = sum(BARE_TIMES[name] * each for name, each in seconds.items() if name not in BACKBONES)
        again = 2 * sum(networks) / max(len(networks), 1)
        return Passes(held, watched if networks else 0, sum(networks) + again + bare, 2 * sum(networks))

    def cost(self, most: int) -> float:
        """Return the cost in seconds, if each part has at most this number of steps."""
        return self.seconds_held_out * min(self.held, most) + self.seconds_validation * min(self.watched, most)

    def most(self, seconds: float) -> int:
        """Return the greatest number of steps in each part for which ``cost`` is at most this, at least 0."""
        low, high = 0, max(self.held, self.watched)
        while low < high:
            middle = (low + high + 1) // 2
            low, high = (middle, high) if self.cost(middle) <= seconds else (low, middle - 1)
        return low


def judged_within(
    setup: Setup, base_of: Callable[[str], Base], names: tuple[str, ...], limits: Budget
) -> Judged | None:
    """Return how many steps of the parts that judge are looked at, if the budget does not allow all; else None.

    Parts that are short for the budget, by ``RATE``, are not timed. Nor are those of a fit that may use a GPU: the
    sample is judged on the processor, which would say little about it. Exponential smoothing, which long series do not
    have, is not timed either.

    Args:
        setup: The data and the options of the fit. The data are looked at in full, the estimate of the first of the
            workers is that of all, and the checkpoint keeps it.
        base_of: Returns the closed form that a model stands on, by the name of the model.
        names: The models to fit.
        limits: The budget. Without a limit in seconds it allows everything.
    """
    material, options, keep, workers = setup.material, setup.options, setup.keep, setup.workers
    timed = [name for name in names if name in BACKBONES or name in BARE_TIMES]
    if not material.data.traits.numeric or limits.seconds is None:
        return None
    held, watched = (sum(z - a for _, a, z in material.spans(part)) for part in ("held-out", "validation"))
    if not any(name in BACKBONES for name in timed):
        watched = 0
    if max(held, watched) <= max(RATE * limits.seconds, LEAST):
        return None
    if asked() != "cpu" and len(devices()) > 1:
        return None
    seconds = dict.fromkeys(timed, 0.0)
    for name in timed if workers.leads else ():
        work = partial(_timed, name, material, base_of, options)
        seconds[name] = keep.measured(f"judging.{name}.seconds", work) if keep else work()
    seconds = {name: max(workers.first(each) / workers.size, 1e-12) for name, each in seconds.items()}
    passes = Passes.of(held, min(watched, VALIDATED), seconds)
    if passes.cost(max(held, watched)) <= SHARE * limits.seconds:
        return None
    return Judged(max(passes.most(SHARE * limits.seconds), LEAST))


def _timed(name: str, material: Material, base_of: Callable[[str], Base], options: LadderOptions) -> float:
    return seconds_of(name, material, base_of(name), options)


def seconds_of(name: str, material: Material, base: Base, options: LadderOptions) -> float:
    """Return the estimated seconds in which a model judges one step, before its training.

    The time is that of the processor, or that of the clock if several cores compute, whichever is less: a machine that
    is busy with other work does not make the data too large.

    Args:
        name: The model.
        material: The data of the fit.
        base: The closed form that it stands on.
        options: The options of the models.
    """
    sample = replace(material, judged=Judged(SAMPLE))
    with randomness.fork():
        model = build(name, material, base, options)
    items = judged_pieces(sample, "held-out", model.front.reach)
    seconds = []
    for _ in range(TIMES):
        clock, processor = time.monotonic(), time.process_time()
        evaluate(model, material.encoded, items)
        seconds.append(min(time.monotonic() - clock, time.process_time() - processor))
    return min(seconds) / max(sum(p.stop - p.counted for p in items), 1)
