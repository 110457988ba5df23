"""What a launch of recurrence.cu takes: the variant, the grid, the shared memory, and the order of the arguments."""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

import torch


class CellTraits(NamedTuple):
    """The facts about a cell that the kernels need; the constants are those of the cell in recurrence.cu.

    Attributes:
        name: The name of the cell in the source.
        gates: The number of gates, G.
        kept: How many numbers a step keeps for backward, per unit.
        apart: Whether backward writes one gradient more: the last gate's sum has another one than its input.
        late: Whether the last gate takes the product with r h, which needs an exchange of its own.
        unbounded: Whether h has no bound.
        cell_state: Whether there is a second state, c.
    """

    name: str
    gates: int
    kept: int
    apart: bool = False
    late: bool = False
    unbounded: bool = False
    cell_state: bool = False

    @property
    def gradients(self) -> int:
        """How many gradients a step has, per unit."""
        return self.gates + self.apart


#: The cells of the kernels, by their names in the engine.
CELLS: Final = {
    "rnn_tanh": CellTraits("RnnTanh", 1, 1),
    "rnn_relu": CellTraits("RnnRelu", 1, 1, unbounded=True),
    "gru": CellTraits("Gru", 3, 4, apart=True),
    "gru_before": CellTraits("GruBefore", 3, 3, late=True),
    "lstm": CellTraits("Lstm", 4, 4, cell_state=True),
}

#: The types of the tensors, as the source names them.
TYPES: Final = {torch.float32: "float", torch.bfloat16: "bf16", torch.float16: "f16"}

#: The rows of a cluster.
ROWS: Final = 8

#: The most hidden units for which operands of float32 are split, by the number of gates. Up to about these sizes cuDNN
#: computes the recurrent products in float32, although TF32 is on; beyond, it rounds the operands to TF32, as we do.
SPLIT_MOST: Final = {1: 256, 3: 128, 4: 128}

#: The most hidden units: 16 blocks of 32 are the largest cluster.
MOST: Final = 512


_LAYOUT = "4Q6i"
#: The structure Forward of the source: x, w, bias, h0, c0; y, h_n, c_n, kept, h_before, c_before, m, c_last.
FORWARD: Final = struct.Struct("=13Q" + _LAYOUT)
#: The structure Backward of the source: dy, dh_n, dc_n, w, kept, h_before, c_before, c_last; dg, db, dh0, dc0.
BACKWARD: Final = struct.Struct("=12Q" + _LAYOUT)


class Variant(NamedTuple):
    """One compiled form of a cell.

    Attributes:
        cell: The name of the cell in the engine.
        hidden: The number of hidden units, H.
        dtype: The type of the tensors.
        split: Whether each operand of float32 is two numbers of float16, which together have its precision.
        owned: The units of a block: 32 or 64.
    """

    cell: str
    hidden: int
    dtype: torch.dtype
    split: bool = False
    owned: int = 32

    @classmethod
    def of(cls, cell: str, hidden: int, dtype: torch.dtype, rows: int = 1) -> Variant:
        """Return the variant for H hidden units, at most MOST, and so many rows."""
        split = dtype == torch.float32 and hidden <= SPLIT_MOST[CELLS[cell].gates]
        # split weights leave room for one block a processor: blocks of 64 units then run all clusters at once
        wide = split and 64 < hidden <= 128 and rows > 192 and CELLS[cell].gates > 1
        return cls(cell, hidden, dtype, split, 64 if wide else 32)

    @property
    def units(self) -> int:
        """The hidden units that it has room for: 32, 64, 128, 256 or 512."""
        return max(self.owned, 1 << (self.hidden - 1).bit_length())

    @property
    def definitions(self) -> dict[str, object]:
        """The macros of the source."""
        return {
            "CELL": CELLS[self.cell].name,
            "HIDDEN": self.hidden,
            "UNITS": self.units,
            "OWNED": self.owned,
            "SPLIT_OPERANDS": int(self.split),
            "SHARED_FORWARD": self.shared(backward=False),
            "SHARED_BACKWARD": self.shared(backward=True),
            "FORWARD_BYTES": FORWARD.size,
            "BACKWARD_BYTES": BACKWARD.size,
            "TYPE": TYPES[self.dtype],
        }

    @property
    def blocks(self) -> int:
        """The blocks of a cluster."""
        return self.units // self.owned

    @property
    def threads(self) -> int:
        """The threads of a block: one for each of its units, for each row."""
        return self.owned * ROWS

    def grid(self, rows: int) -> int:
        """Return the number of blocks for so many rows."""
        return -(-rows // ROWS) * self.blocks

    def shared(self, *, backward: bool) -> int:
        """Return the shared memory of a block, in bytes: two buffers of the slices of all units."""
        traits = CELLS[self.cell]
        scaled = self.split or (self.dtype != torch.bfloat16 and (backward or traits.unbounded))
        # the numbers of a unit in an exchange: h, or the gradients of the gates in the larger of the two exchanges
        entries = (2 if traits.late else traits.gates) if backward else 1
        return 2 * self.units // 32 * (512 * entries * (1 + self.split) + 32 * scaled)
