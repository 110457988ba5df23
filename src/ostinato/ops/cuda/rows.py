"""The rows of a batch as the kernels see them: the places of the steps, in tensors on the device."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from ostinato.errors import ConfigError
from ostinato.numbers import counted
from ostinato.ops.cuda.contract import ROWS
from ostinato.ops.engine.places import Places


class Rows(NamedTuple):
    """The layout of a batch on the device; see Places.

    Attributes:
        lengths: The number of steps of each row, (B,) int64; None if every row has T steps.
        base: The first place of each step, (T,) int64; None for a padded batch.
        column: The offset of each row, (B,) int64; None for the number of the row.
        order: The rows, the longest first, (B,) int64; None for the order in which they lie. The rows of a cluster run
            as long as the longest of them.
        steps: The number of steps of the longest row, T.
        number: The number of rows, B.
        reverse: Whether each row is run from its last step to its first.
    """

    lengths: Tensor | None
    base: Tensor | None
    column: Tensor | None
    order: Tensor | None
    steps: int
    number: int
    reverse: bool

    @classmethod
    def of(cls, places: Places, x: Tensor, count: int) -> Rows:
        """Return the layout on the device of the inputs x, (T, B, D) or (places, D), for B rows.

        Raises:
            ConfigError: A length or a place lies outside of x. Numbers that lie on the device are not looked at, which
                would stop it: there the kernels cut a length to 0..T.
        """
        steps = len(x) if places.base is None else len(places.base)
        lengths, base, column = places.lengths, places.base, places.column
        order = None
        if lengths is not None:
            if lengths.device.type == "cpu":
                _check(lengths, steps)
            if count > ROWS:
                order = torch.argsort(lengths, descending=True, stable=True)
        lengths, base, column, order = _moved(x.device, (lengths, base, column, order))
        return cls(lengths, base, column, order, steps, count, places.reverse)

    def arguments(self, places: int) -> tuple[int, ...]:
        """Return the structure Layout of the source, for tensors of so many places."""
        addresses = (0 if t is None else t.data_ptr() for t in (self.lengths, self.base, self.column, self.order))
        return *addresses, self.number, places, self.steps, self.number, int(self.reverse), 0

    def padding(self) -> Tensor | None:
        """Return which places of a padded batch hold no step, (T, B) bool; None if all places hold one."""
        if self.lengths is None or self.base is not None or self.column is not None:
            return None
        return torch.arange(self.steps, device=self.lengths.device)[:, None] >= self.lengths


def _moved(device: torch.device, tensors: Sequence[Tensor | None]) -> list[Tensor | None]:
    """Return whole numbers on the device, those that lie on the host by one copy for all."""
    on_host = [t.to(torch.int64) for t in tensors if t is not None and t.device.type == "cpu"]
    joined = torch.cat(on_host).to(device, non_blocking=True) if on_host else torch.empty(0)
    found: list[Tensor | None] = []
    first = 0
    for t in tensors:
        if t is None:
            found.append(None)
        elif t.device.type == "cpu":
            found.append(joined[first : first + len(t)])
            first += len(t)
        else:
            found.append(t.to(device, torch.int64).contiguous())
    return found


def _check(lengths: Tensor, steps: int) -> None:
    """Raise ConfigError if a length on the host lies outside of 0 .. T."""
    if len(lengths) and not 0 <= int(lengths.min()) <= int(lengths.max()) <= steps:
        raise ConfigError(
            f"lengths of {int(lengths.min())} to {counted(int(lengths.max()), 'step')} do not fit "
            f"{counted(steps, 'step')}",
            fix="give lengths of 0 to T steps, and places that are rows of x",
        )
