"""Dropout whose mask costs little on the processor: four values share one random number of 64 bits."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor, nn

from ostinato import randomness
from ostinato.arguments import real

#: The bits of a random number that decide on one value, so that the share is exact to 1 / 2^16.
BITS = 16


@final
class Dropout(nn.Module):
    """Sets a share of the values to 0 in training, and divides the others by what is left (Hinton et al. 2012).

    torch draws a number in double precision for each value, which took an eighth of a training step of a text network.
    On a GPU torch's own operator is used: it draws within the kernel.

    Args:
        share: The probability of a value to be set to 0, from 0 to 1.
        locked: Whether all steps of a call have one mask, drawn for each row and unit (Gal and Ghahramani 2016); the
            first axis of the values is that of the steps.

    Raises:
        ConfigError: The share is not a number from 0 to 1.
    """

    def __init__(self, share: float, *, locked: bool = False) -> None:
        super().__init__()
        self.locked = locked
        self.share = real("dropout", share, least=0, most=1, fix="use a share such as 0.2")

    def extra_repr(self) -> str:
        """Return the share, for the printed module."""
        return f"share={self.share:g}" + ", locked" * self.locked

    def forward(self, x: Tensor) -> Tensor:
        """Return x (...) with a share of its values set to 0 in training, x itself otherwise."""
        if not self.training or not self.share:
            return x
        return x * self._dropped(torch.ones_like(x[:1])) if self.locked else self._dropped(x)

    def _dropped(self, x: Tensor) -> Tensor:
        """Return x (...) with a share of its values set to 0."""
        if x.device.type != "cpu":
            return nn.functional.dropout(x, self.share)
        most = 1 << BITS
        dropped = round(self.share * most)
        if dropped >= most:
            return x * 0
        draws = torch.empty(-(-x.numel() * BITS // 64), dtype=torch.int64, device=x.device)
        draws.random_(-(1 << 63), None, generator=randomness.generator())
        lanes = draws.view(torch.int16)[: x.numel()].view(x.shape)
        return x * (lanes >= dropped - most // 2).to(x.dtype).mul_(most / (most - dropped))
