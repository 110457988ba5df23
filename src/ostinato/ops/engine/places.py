"""Where the steps of B sequences lie in memory: one description for padded, ragged and packed batches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor


@dataclass(frozen=True)
class Places:
    """Step t of row b is row ``base[t] + column[b]`` of x (places, D), and of everything else that has steps.

    lengths  (B,) int64, 0 to T each; None: all rows are T long
    base     (T,) int64; None: t B, the padded form
    column   (B,) int64; None: b
    reverse  each row is run from its own last step to its first
    """

    lengths: Tensor | None = None
    base: Tensor | None = None
    column: Tensor | None = None
    reverse: bool = False

    @classmethod
    def ragged(cls, offsets: Tensor, *, reverse: bool = False) -> Self:
        """Values (N, D) one sequence after the other, offsets (B + 1): as SequenceSet holds them. Rows may be empty."""
        lengths = offsets.diff()
        steps = int(lengths.max()) if len(lengths) else 0
        return cls(lengths, torch.arange(steps), offsets[:-1].contiguous(), reverse)

    @classmethod
    def packed(cls, batch_sizes: Tensor, *, reverse: bool = False) -> Self:
        """The data of torch's PackedSequence: step after step, the longest row first."""
        rows = int(batch_sizes[0])
        # row b has as many steps as there are steps of more than b rows
        lengths = torch.searchsorted(-batch_sizes, -torch.arange(1, rows + 1), right=True)
        base = batch_sizes.cumsum(0) - batch_sizes
        return cls(lengths, base, None, reverse)

    def index(self, steps: int, rows: int) -> tuple[Tensor, Tensor]:
        """(T, B) the place of each step in the order in which it is run, and (T, B) bool whether there is one."""
        t = torch.arange(steps)[:, None].expand(steps, rows)
        lengths = torch.full((rows,), steps) if self.lengths is None else self.lengths
        there = t < lengths
        step = torch.where(there, lengths - 1 - t if self.reverse else t, 0)
        base = torch.arange(steps) * rows if self.base is None else self.base
        column = torch.arange(rows) if self.column is None else self.column
        return torch.where(there, base[step] + column, 0) if steps else step, there
