"""Nats a character of a text's last tenth: adaptive counts and mixtures beside ppmd, xz and zstd, told the rest first.

    python benchmarks/text.py tinyshakespeare.txt --steps 2000 --hidden 256

The compressors are given the first nine tenths, and what the last tenth adds to the size of the whole is counted.
Static and adaptive figures have columns of their own. Seconds are those of the processor, so that a busy machine
changes nothing. ppmd needs pyppmd, zstd needs zstandard; what is not installed is left out by name. An LSTM of torch is
trained for as many processor seconds as the network of the mixture took.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import lzma
import math
import time
from collections.abc import Callable
from pathlib import Path

import torch

import ostinato
from ostinato.record import DirectRung, Rung


def xz(data: bytes) -> int:
    """Return the size of data by xz, in bytes."""
    return len(lzma.compress(data, preset=9 | lzma.PRESET_EXTREME))


def ppmd(data: bytes) -> int:
    """Return the size of data by ppmd of order 8 with 64 MB, in bytes."""
    pyppmd = importlib.import_module("pyppmd")
    encoder = pyppmd.Ppmd7Encoder(8, 64 << 20)
    return len(encoder.encode(data) + encoder.flush())


def zstd(data: bytes) -> int:
    """Return the size of data by zstd of level 22, in bytes."""
    zstandard = importlib.import_module("zstandard")
    return len(zstandard.ZstdCompressor(level=22).compress(data))


def torch_lstm(text: str, hidden: int, seconds: float) -> float:
    """Return the nats a character of the last tenth by torch.nn.LSTM, trained for some processor seconds."""
    torch.manual_seed(0)
    symbols = sorted(set(text))
    at = {c: i for i, c in enumerate(symbols)}
    x = torch.tensor([at[c] for c in text])
    cut, V = len(x) * 9 // 10, len(symbols)
    lstm, table, head = torch.nn.LSTM(64, hidden), torch.nn.Embedding(V, 64), torch.nn.Linear(hidden, V)
    parameters = [*lstm.parameters(), *table.parameters(), *head.parameters()]
    optimiser = torch.optim.AdamW(parameters, lr=3e-3)
    rows = x[: cut // 8 * 8].reshape(8, -1).T
    begun, step, state = time.process_time(), 0, None
    while (spent := time.process_time() - begun) < seconds:
        start = step * 128 % (len(rows) - 129)
        h, state = lstm(table(rows[start : start + 128]), state)
        state = tuple(s.detach() for s in state)
        loss = torch.nn.functional.cross_entropy(head(h).flatten(0, 1), rows[start + 1 : start + 129].flatten())
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        for group in optimiser.param_groups:
            group["lr"] = 3e-3 * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * spent / seconds)))
        optimiser.step()
        step += 1
    nats, state = 0.0, None
    with torch.no_grad():
        for start in range(cut - 1, len(x) - 1, 4096):
            part = x[start : start + 4097]
            h, state = lstm(table(part[:-1, None]), state)
            nats += float(torch.nn.functional.cross_entropy(head(h[:, 0]), part[1:], reduction="sum"))
    return nats / (len(x) - cut)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path", type=Path)
    parser.add_argument("--steps", type=int, default=0, help="optimiser steps of the network; 0 for counts alone")
    parser.add_argument("--hidden", type=int, default=256)
    options = parser.parse_args()
    text = options.path.read_bytes().decode()
    cut = len(text) * 9 // 10
    known, whole = text[:cut].encode(), text.encode()
    print(f"{'':16} {'static':>8} {'adaptive':>8} {'seconds':>8}")
    compressors: list[tuple[str, Callable[[bytes], int]]] = [("xz", xz), ("pyppmd", ppmd), ("zstandard", zstd)]
    for name, size in compressors:
        if name != "xz" and importlib.util.find_spec(name) is None:
            print(f"{name:16} not installed")
            continue
        begun = time.process_time()
        nats = (size(whole) - size(known)) * 8 * math.log(2) / (len(text) - cut)
        print(f"{name:16} {'-':>8} {nats:8.4f} {time.process_time() - begun:8.1f}")
    last = time.process_time()
    spent: dict[str, float] = {}

    def show(rung: Rung | DirectRung) -> None:
        nonlocal last
        assert isinstance(rung, Rung)
        spent[rung.name], last = time.process_time() - last, time.process_time()
        static = rung.held_out if rung.static is None else rung.static
        adaptive = "-" if rung.static is None else f"{-rung.held_out:.4f}"
        print(f"{rung.name:16} {-static:8.4f} {adaptive:>8} {spent[rung.name]:8.1f}", flush=True)

    data, steps = ostinato.read(options.path, kind="text"), max(options.steps, 1)
    model = "mixture" if options.steps else "counts"
    budget = ostinato.Budget(None, steps)
    ostinato.fit(data, model=model, budget=budget, hidden=options.hidden, refit=False, threads=1, on_rung=show)
    if options.steps:
        nats = torch_lstm(text, options.hidden, spent["lstm"])
        print(f"{'torch.nn.LSTM':16} {nats:8.4f} {'-':>8} {spent['lstm']:8.1f}")


if __name__ == "__main__":
    main()
