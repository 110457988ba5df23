"""The launches of the kernels for GPUs, computed on the CPU from the bytes of their arguments.

It reads and writes memory by the addresses in the structures, as the kernels do, so that the order of the arguments,
the layouts and the padding are tested without a card. It does not depend on the wrapper above it.
"""

from __future__ import annotations

import ctypes
from typing import Any

import torch
from torch import Tensor

from ostinato.ops.cuda.contract import BACKWARD, CELLS, FORWARD, Variant
from ostinato.ops.cuda.linear import ARGUMENTS


def at(address: int, dtype: torch.dtype, *shape: int) -> Tensor | None:
    """Return the memory at an address as a tensor, None for 0."""
    count = int(torch.Size(shape).numel())
    if not address or not count:
        return torch.zeros(shape, dtype=dtype) if address else None
    size = torch.empty(0, dtype=dtype).element_size()
    return torch.frombuffer((ctypes.c_char * (count * size)).from_address(address), dtype=dtype).view(shape)


class Layout:
    """The structure Layout."""

    def __init__(self, fields: tuple[int, ...], hidden: int) -> None:
        lengths, base, column, order, self.stride, self.places, self.T, self.B, self.reverse, _ = fields
        self.n = hidden
        self.lengths, self.column, self.order = (at(p, torch.int64, self.B) for p in (lengths, column, order))
        self.base = at(base, torch.int64, self.T)

    def length(self, row: int) -> int:
        return self.T if self.lengths is None else min(max(int(self.lengths[row]), 0), self.T)

    def place(self, row: int, s: int) -> int:
        t = self.length(row) - 1 - s if self.reverse else s
        first = t * self.stride if self.base is None else int(self.base[t])
        return first + (row if self.column is None else int(self.column[row]))

    def rows(self) -> list[int]:
        """The rows in the order of the launch; each must be there once."""
        found = list(range(self.B)) if self.order is None else [int(i) for i in self.order]
        assert sorted(found) == list(range(self.B))
        if self.order is not None:
            lengths = [self.length(row) for row in found]
            assert lengths == sorted(lengths, reverse=True)
        return found


class Emulated:
    """What ``recurrence.Kernels`` is, on the CPU."""

    def __init__(self, variant: Variant) -> None:
        self.variant, self.form = variant, CELLS[variant.cell]
        self.launches: list[str] = []

    def forward(self, arguments: bytes, rows: int, *, save: bool) -> None:
        self.launches.append("run_and_save" if save else "run")
        x, w, bias, h0, c0, y, h_n, c_n, kept, h_before, c_before, m, c_last, *layout = FORWARD.unpack(arguments)
        g, f, dt = Layout(tuple(layout), self.variant.hidden), self.form, self.variant.dtype
        n, G, wide = g.n, f.gates, torch.float32
        assert rows == g.B
        gx, weights = at(x, dt, g.places, G, n), at(w, dt, G, n, n)
        assert gx is not None
        assert weights is not None
        b = at(bias, dt, G, n)
        start, cell = at(h0, dt, g.B, n), at(c0, dt, g.B, n)
        out: dict[str, Any] = {
            "y": at(y, dt, g.places, n),
            "h_n": at(h_n, dt, g.B, n),
            "c_n": at(c_n, dt, g.B, n),
        }
        if save:
            out |= {
                "kept": at(kept, dt, g.places, f.kept, n),
                "h_before": at(h_before, dt, g.places, n),
                "c_before": at(c_before, wide, g.places, n),
                "m": at(m, dt, g.places, n),
                "c_last": at(c_last, wide, g.B, n),
            }
        assert start is not None
        for row in g.rows():
            h, c = start[row].float(), None if cell is None else cell[row].float()
            for s in range(g.length(row)):
                p = g.place(row, s)
                sums = torch.einsum("guk,k->gu", weights.float(), h) + (0 if b is None else b.float())
                new_h, new_c, keep, m_now = self._step(gx[p].float(), sums, h, c, weights.float(), b)
                if save:
                    out["kept"][p], out["h_before"][p] = keep, h
                    if c is not None:
                        out["c_before"][p] = c
                    if f.late:
                        out["m"][p] = m_now
                h, c = new_h, new_c
                out["y"][p] = h
            out["h_n"][row] = h
            if c is not None:
                out["c_n"][row] = c
                if save:
                    out["c_last"][row] = c

    def _step(self, x: Tensor, s: Tensor, h: Tensor, c: Any, w: Tensor, b: Any) -> tuple[Tensor, Any, Tensor, Any]:
        cell = self.variant.cell
        if cell == "lstm":
            i, f, g, o = (s[0] + x[0]).sigmoid(), (s[1] + x[1]).sigmoid(), (s[2] + x[2]).tanh(), (s[3] + x[3]).sigmoid()
            c = f * c + i * g
            return o * c.tanh(), c, torch.stack([i, f, g, o]), None
        if cell.startswith("rnn"):
            h = (s[0] + x[0]).tanh() if cell == "rnn_tanh" else (s[0] + x[0]).relu()
            return h, None, h[None], None
        r, z = (s[0] + x[0]).sigmoid(), (s[1] + x[1]).sigmoid()
        if cell == "gru":
            n = (x[2] + r * s[2]).tanh()
            return n + z * (h - n), None, torch.stack([r, z, n, s[2]]), None
        m = r * h
        n = (x[2] + w[2] @ m + (0 if b is None else b[2].float())).tanh()
        return n + z * (h - n), None, torch.stack([r, z, n]), m

    def backward(self, arguments: bytes, rows: int) -> None:
        self.launches.append("differentiate")
        dy, dh_n, dc_n, w, kept, h_before, c_before, c_last, dg, db, dh0, dc0, *layout = BACKWARD.unpack(arguments)
        g, f, dt, wide = Layout(tuple(layout), self.variant.hidden), self.form, self.variant.dtype, torch.float32
        n, G = g.n, f.gates
        assert rows == g.B
        weights = at(w, dt, G, n, n)
        given, of_h, of_c = at(dy, dt, g.places, n), at(dh_n, dt, g.B, n), at(dc_n, dt, g.B, n)
        keep, before = at(kept, dt, g.places, f.kept, n), at(h_before, dt, g.places, n)
        cell, last = at(c_before, wide, g.places, n), at(c_last, wide, g.B, n)
        out: dict[str, Any] = {
            "dg": at(dg, dt, g.places, f.gradients, n),
            "db": at(db, wide, g.B, f.gradients, n),
            "dh0": at(dh0, dt, g.B, n),
            "dc0": at(dc0, dt, g.B, n),
        }
        assert weights is not None
        assert keep is not None
        assert before is not None
        for row in g.rows():
            dh = torch.zeros(n) if of_h is None else of_h[row].float()
            dc = torch.zeros(n) if of_c is None else of_c[row].float()
            c_now = None if last is None else last[row]
            sums = torch.zeros(f.gradients, n)
            for s in reversed(range(g.length(row))):
                p = g.place(row, s)
                d = dh + (0 if given is None else given[p].float())
                c = None if cell is None else cell[p]
                e, apart, dh, dc = self._back(keep[p].float(), before[p].float(), c, c_now, d, dc, weights.float())
                found = e if apart is None else torch.cat([e[:-1], apart[None], e[-1:]])
                out["dg"][p] = found
                sums += found
                c_now = c
            out["db"][row], out["dh0"][row] = sums, dh
            if f.cell_state:
                out["dc0"][row] = dc

    def _back(self, k: Tensor, h: Tensor, c: Any, c_now: Any, d: Tensor, dc: Tensor, w: Tensor) -> tuple[Any, ...]:
        cell = self.variant.cell
        apart = None
        if cell == "lstm":
            i, f, g, o = k
            tc = c_now.tanh()
            dc = dc + d * o * (1 - tc * tc)
            e = torch.stack([dc * g * i * (1 - i), dc * c * f * (1 - f), dc * i * (1 - g * g), d * tc * o * (1 - o)])
            hold, dc = torch.zeros_like(d), dc * f
        elif cell.startswith("rnn"):
            e = (d * (1 - k[0] ** 2) if cell == "rnn_tanh" else d * (k[0] > 0))[None]
            hold = torch.zeros_like(d)
        elif cell == "gru":
            r, z, n, q = k
            apart = d * (1 - z) * (1 - n * n)
            e = torch.stack([apart * q * r * (1 - r), d * (h - n) * z * (1 - z), apart * r])
            hold = d * z
        else:
            r, z, n = k
            dn = d * (1 - z) * (1 - n * n)
            dm = w[2].t() @ dn
            e = torch.stack([dm * h * r * (1 - r), d * (h - n) * z * (1 - z), dn])
            return e, None, d * z + dm * r + torch.einsum("guk,gu->k", w[:2], e[:2]), dc
        return e, apart, hold + torch.einsum("guk,gu->k", w, e), dc


class EmulatedLinear:
    """What ``linear.Kernels`` is, on the CPU."""

    def __init__(self, paired: bool) -> None:
        self.dtype = torch.complex64 if paired else torch.float32

    def launch(self, name: str, blocks: int, arguments: bytes) -> None:
        *addresses, T, B, H = ARGUMENTS.unpack(arguments)
        assert blocks == B * -(-H // 32)
        shapes = (T, B, H), (T, B, H), (B, H), (H,), (B, H), (T, B, H), (B, H), (B, H)
        first, h, h0, a, dlast, out, end, da = (
            at(p, self.dtype, *shape) for p, shape in zip(addresses, shapes, strict=False)
        )
        given = at(addresses[8], torch.int64, B)
        lengths = torch.full((B,), T) if given is None else given
        assert h0 is not None
        assert a is not None
        assert out is not None
        assert end is not None
        for b in range(B):
            n = int(lengths[b])
            out[n:, b] = 0
            if name == "linear_forward":
                state = h0[b]
                assert first is not None
                for t in range(n):
                    state = a * state + first[t, b]
                    out[t, b] = state
                end[b] = state
                continue
            assert h is not None
            assert da is not None
            d, slope = torch.zeros_like(h0[b]), torch.zeros_like(h0[b])
            for t in reversed(range(n)):
                d = a.conj() * d + (0 if first is None else first[t, b])
                if t == n - 1 and dlast is not None:
                    d = d + dlast[b]
                out[t, b] = d
                slope = slope + d * (h[t - 1, b] if t else h0[b]).conj()
            zero = torch.zeros_like(d) if dlast is None else dlast[b]
            end[b], da[b] = (a.conj() * d if n else zero), slope
