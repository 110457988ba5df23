"""Which steps a network is trained on and judged on: pieces of the data, in the order in which epochs draw them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from ostinato.data.batching import WARM, Batch, Piece, aligned, apart, bucketed, pieces, whole
from ostinato.data.split import Part
from ostinato.gradients.methods import AdaptiveBPTT, FullBPTT, Method
from ostinato.shapes import Span
from ostinato.training.config import SHORT, LadderOptions
from ostinato.training.material import Material

#: The greatest number of judged steps in a piece, and the fewest steps before them.
LONGEST, LEAST_PAST = 2048, 256


class Epochs:
    """The pieces of the training part, and the order in which each epoch draws them.

    Args:
        material: The data of the fit.
        method: How the error is sent back through time.
        options: The options of the training.
        reach: The number of steps before a step that the closed form of the model needs.
        seen: The spans that the weights of the model were trained on already. Each epoch draws what is not in them
            first.

    Attributes:
        steps: The number of steps of the training part.
        turns: The pieces that an epoch draws, part by part.
        pieces: All of them.
    """

    def __init__(
        self, material: Material, method: Method, options: LadderOptions, reach: int, seen: list[Span]
    ) -> None:
        self.material, self.method, self.options = material, method, options
        #: the steps that warm up the state of a piece: at least those that the closed form needs
        self.warm = max(WARM, reach)
        spans = material.spans("train")
        self.steps = sum(z - a for _, a, z in spans)
        if isinstance(method, FullBPTT):
            longest = max(SHORT, *(z - a for _, a, z in spans))
        else:
            # enough rows to fill the batch, but no row that is mostly warm-up; and none so long that training hardly
            # meets the start that each judged piece has, because a state that is carried for ever drifts away from it
            least = method.shortest if isinstance(method, AdaptiveBPTT) else method.window
            longest = max(4 * self.warm, min(-(-self.steps * least // options.batch_steps), LONGEST - self.warm))
        self.turns = [pieces(part, longest, self.warm) for part in self._in_turns(spans, seen)]
        self.pieces = [piece for part in self.turns for piece in part]

    def batches(self, epoch: int, position: int, window: Callable[[int], int]) -> Iterator[Batch]:
        """Yield the batches of an epoch; their order follows from the seed and the epoch alone.

        Args:
            epoch: The number of the epoch.
            position: The number of its first batches that are left out.
            window: Returns the truncation window of a batch from its number in the epoch.
        """
        rng = np.random.default_rng((self.options.seed, epoch))
        if isinstance(self.method, FullBPTT):
            batches = [b for part in self.turns for b in bucketed(part, self.options.batch_steps, rng)]
            yield from (whole(self.material.encoded, b) for b in batches[position:])
            return
        order = [part[i] for part in self.turns for i in rng.permutation(len(part))]
        chunks = aligned(self.material.encoded, order, self.options.batch_steps, window, self.warm)
        for i, chunk in enumerate(chunks):
            if i >= position:
                yield chunk

    def _in_turns(self, spans: list[Span], seen: list[Span]) -> list[list[Span]]:
        """Return the spans that an epoch draws first, which were not seen, and the rest.

        Full BPTT takes whole sequences, of which those with a step that was not seen come first.
        """
        new, old = apart(spans, seen)
        if isinstance(self.method, FullBPTT):
            rows = {row for row, _, _ in new}
            new, old = ([span for span in spans if (span[0] in rows) is first] for first in (True, False))
        return [new, old]


def judged_pieces(material: Material, part: Part, reach: int) -> list[Piece]:
    """Return the steps of a part in pieces, each with the steps before it as its past.

    Args:
        material: The data of the fit.
        part: The part of the data.
        reach: The number of steps before a step that the closed form of the model needs.
    """
    return pieces(material.spans(part), LONGEST, max(LEAST_PAST, reach + WARM))
