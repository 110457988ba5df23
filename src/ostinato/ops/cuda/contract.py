"""What a launch of recurrence.cu takes: the variant, the grid, the shared memory, and the order of the arguments."""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

import torch


class Form(NamedTuple):
    """What the kernels need to know of a cell; the constants are those of the cell in recurrence.cu.

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
FORMS: Final = {
    "rnn_tanh": Form("RnnTanh", 1, 1),
    "rnn_relu": Form("RnnRelu", 1, 1, unbounded=True),
    "gru": Form("Gru", 3, 4, apart=True),
    "gru_before": Form("GruBefore", 3, 3, late=True),
    "lstm": Form("Lstm", 4, 4, cell_state=True),
}

#: The types of the tensors, as the source names them.
TYPES: Final = {torch.float32: "float", torch.bfloat16: "bf16"}

#: The rows of a cluster.
ROWS: Final = 8

#: The most hidden units: 16 blocks of 32 are the largest cluster.
MOST: Final = 512


class Variant(NamedTuple):
    """One compiled form of a cell.

    Attributes:
        cell: The name of the cell in the engine.
        units: The hidden units that it has room for: 32, 64, 128, 256 or 512.
        owned: The units of a block: 32 or 64.
        dtype: The type of the tensors.
    """

    cell: str
    units: int
    owned: int
    dtype: torch.dtype

    @classmethod
    def of(cls, cell: str, hidden: int, dtype: torch.dtype) -> Variant:
        """Return the variant for H hidden units, at most MOST."""
        units = max(32, 1 << (hidden - 1).bit_length())
        return cls(cell, units, 32, dtype)

    @property
    def definitions(self) -> dict[str, object]:
        """The macros of the source."""
        return {
            "CELL": FORMS[self.cell].name,
            "UNITS": self.units,
            "OWNED": self.owned,
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
        """Return the shared memory of a block, in bytes: two buffers of all slices, and two of its own."""
        form, scaled = FORMS[self.cell], self.dtype == torch.float32
        # the numbers of a unit in an exchange: h, or the gradients of the gates in the larger of the two exchanges
        entries = (2 if form.late else form.gates) if backward else 1
        slice_ = 512 * entries + 32 * (scaled and (backward or form.unbounded))
        own = self.owned // 32 * slice_
        return 2 * self.blocks * own + (2 * own if self.blocks > 1 else 0)


_LAYOUT = "4Q2q4i"
#: The structure Forward of the source: x, w, bias, h0, c0; y, h_n, c_n, kept, h_before, c_before, m, c_last.
FORWARD: Final = struct.Struct("=13Q" + _LAYOUT)
#: The structure Backward of the source: dy, dh_n, dc_n, w, kept, h_before, c_before, c_last; dg, db, dh0, dc0.
BACKWARD: Final = struct.Struct("=12Q" + _LAYOUT)
