"""Where the steps of B sequences lie in memory: one description for padded, ragged and packed batches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from ostinato.errors import ConfigError


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

    def cut(self, resets: Tensor, steps: int, rows: int) -> Pieces:
        """The rows cut before every step that resets (as x without its last axis, bool) marks.

        Raises ConfigError for a packed batch, and for resets of another type.
        """
        if resets.dtype is not torch.bool:
            raise ConfigError(f"resets are of {resets.dtype}", fix="torch.bool: whether a row starts anew at this step")
        apart = rows if self.base is None else 1
        if self.base is not None and (self.column is None or not torch.equal(self.base, torch.arange(steps))):
            raise ConfigError(
                "a packed batch takes no resets: the distance between two steps of a row is not the same everywhere",
                fix="give the values and their offsets (Places.ragged), or a padded batch",
            )
        lengths = torch.full((rows,), steps) if self.lengths is None else self.lengths.cpu()
        column = torch.arange(rows) if self.column is None else self.column.cpu()
        place = resets.cpu().flatten().nonzero()[:, 0]
        row = place % rows if self.base is None else torch.searchsorted(column, place, right=True) - 1
        step = (place - column[row]) // apart
        there = (step >= 0) & (step < lengths[row])
        # a piece is a number, its row's times the span of a row and its first step: in order of both, each once
        span = steps + 1
        marked = row[there] * span + step[there]
        starts = torch.cat([torch.arange(rows) * span, marked]).unique()  # type: ignore[no-untyped-call]
        row, first = starts // span, starts % span
        count = torch.bincount(row, minlength=rows)
        last_piece = count.cumsum(0) - 1
        first_piece = last_piece - count + 1
        end = torch.cat([first[1:], first.new_zeros(1)])
        end[last_piece] = lengths
        if self.reverse:
            takes = torch.zeros(len(starts), dtype=torch.bool).index_fill(0, last_piece, True)
        else:
            takes = (first == 0) & ~torch.isin(starts, marked)
        length = end - first
        base = torch.arange(int(length.max()) if rows else 0) * apart
        places = Places(length, base, column[row] + first * apart, self.reverse)
        return Pieces(places, row, takes, first_piece if self.reverse else last_piece)


@dataclass(frozen=True)
class Pieces:
    """Rows cut into shorter ones, K in all, row after row.

    places  where the steps of the pieces lie
    row     (K,) int64, of which row each is a piece
    takes   (K,) bool, whether it starts from its row's initial state; the others start from zero
    last    (B,) int64, the piece after which a row's last state is
    """

    places: Places
    row: Tensor
    takes: Tensor
    last: Tensor

    def initial(self, state: Tensor) -> Tensor:
        """(B, H) of the rows -> (K, H) of the pieces."""
        return torch.where(self.takes[:, None], state[self.row], 0)
