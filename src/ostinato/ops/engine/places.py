"""The places of the steps of B sequences in a tensor: one description for padded, ragged and packed batches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from ostinato.errors import ConfigError


@dataclass(frozen=True)
class Places:
    """The layout of a batch: step t of row b is row ``base[t] + column[b]`` of x, (places, D), and of y.

    No two steps may lie in the same row.

    Attributes:
        lengths: The number of steps of each row, (B,) int64, 0 to T; None if every row has T steps.
        base: The first place of each step, (T,) int64; None for t B, the padded form.
        column: The offset of each row, (B,) int64; None for b.
        reverse: Whether each row is run from its own last step to its first.
    """

    lengths: Tensor | None = None
    base: Tensor | None = None
    column: Tensor | None = None
    reverse: bool = False

    @classmethod
    def ragged(cls, offsets: Tensor, *, reverse: bool = False) -> Self:
        """Return the layout of values that lie one sequence after the other, as SequenceSet holds them.

        Args:
            offsets: The borders of the sequences in the values (N, D), (B + 1,). A sequence may be empty.
            reverse: Whether each row is run from its last step to its first.
        """
        lengths = offsets.diff()
        steps = int(lengths.max()) if len(lengths) else 0
        return cls(lengths, torch.arange(steps), offsets[:-1].contiguous(), reverse)

    @classmethod
    def packed(cls, batch_sizes: Tensor, *, reverse: bool = False) -> Self:
        """Return the layout of the data of torch's PackedSequence: step after step, the longest row first.

        Args:
            batch_sizes: The number of rows that have step t, (T,), falling.
            reverse: Whether each row is run from its last step to its first.
        """
        rows = int(batch_sizes[0])
        # the length of row b is the number of steps that more than b rows have
        lengths = torch.searchsorted(-batch_sizes, -torch.arange(1, rows + 1), right=True)
        base = batch_sizes.cumsum(0) - batch_sizes
        return cls(lengths, base, None, reverse)

    def index(self, steps: int, rows: int) -> tuple[Tensor, Tensor]:
        """Return the places of the steps in the order in which they are run.

        Args:
            steps: The number of steps of the longest row, T.
            rows: The number of rows, B.

        Returns:
            The place of each step, (T, B) int64, and whether the row has this step, (T, B) bool. The place of a step
            that does not exist is 0.
        """
        t = torch.arange(steps)[:, None].expand(steps, rows)
        lengths = torch.full((rows,), steps) if self.lengths is None else self.lengths
        exists = t < lengths
        step = torch.where(exists, lengths - 1 - t if self.reverse else t, 0)
        base = torch.arange(steps) * rows if self.base is None else self.base
        column = torch.arange(rows) if self.column is None else self.column
        return torch.where(exists, base[step] + column, 0) if steps else step, exists

    def cut(self, resets: Tensor, steps: int, rows: int) -> Pieces:
        """Cut the rows before every marked step.

        Args:
            resets: The marks, bool, with the shape of x without its last axis: (T, B) or (places,).
            steps: The number of steps of the longest row, T.
            rows: The number of rows, B.

        Returns:
            The pieces of the rows.

        Raises:
            ConfigError: The batch is packed, or the marks are not bool.
        """
        if resets.dtype is not torch.bool:
            raise ConfigError(f"resets must be of torch.bool, got {resets.dtype}", fix="convert them with .bool()")
        distance = rows if self.base is None else 1
        if self.base is not None and (self.column is None or not torch.equal(self.base, torch.arange(steps))):
            raise ConfigError(
                "a packed batch cannot take resets: the distance between two steps of a row changes from step to step",
                fix="give the values and their offsets (Places.ragged), or a padded batch",
            )
        lengths = torch.full((rows,), steps) if self.lengths is None else self.lengths.cpu()
        column = torch.arange(rows) if self.column is None else self.column.cpu()
        place = resets.cpu().flatten().nonzero()[:, 0]
        row = place % rows if self.base is None else torch.searchsorted(column, place, right=True) - 1
        step = (place - column[row]) // distance
        exists = (step >= 0) & (step < lengths[row])
        # a piece is coded as row * span + first step, so that unique() sorts the pieces by row and then by step
        span = steps + 1
        marked = row[exists] * span + step[exists]
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
        base = torch.arange(int(length.max()) if rows else 0) * distance
        places = Places(length, base, column[row] + first * distance, self.reverse)
        return Pieces(places, row, takes, first_piece if self.reverse else last_piece)


@dataclass(frozen=True)
class Pieces:
    """The K pieces that the rows of a batch are cut into, row after row.

    Attributes:
        places: The layout of the pieces, each of which is a row of K.
        row: The row that each piece comes from, (K,) int64.
        takes: Whether a piece starts from the initial state of its row, (K,) bool; the others start from zero.
        last: The piece that ends with the last state of each row, (B,) int64.
    """

    places: Places
    row: Tensor
    takes: Tensor
    last: Tensor

    def initial(self, state: Tensor) -> Tensor:
        """Return the initial states of the pieces, (K, H), given the initial states of the rows, (B, H)."""
        return torch.where(self.takes[:, None], state[self.row], 0)
