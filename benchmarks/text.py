"""Nats a character of the last tenth of a text: counts and mixtures against ppmd, xz and zstd, given the rest first.

    python benchmarks/text.py --seconds 180
    python benchmarks/text.py --steps 2000 --hidden 256
    python benchmarks/text.py --seconds 180 --alone lstm
    python benchmarks/text.py --torch 180 --hidden 320

The text is tinyshakespeare, or that of a path that is given first.
With --seconds the fit has so many seconds of wall time on the cores of this machine, counts, judging and mixing
included, and its width follows from that; --alone gives all of it to one static network, and --torch trains
torch.nn.LSTM alone for so many, on all of the first nine tenths. A fit keeps 60,000 characters of them to choose by, in
blocks spread over them. They are not the last ones, which are of the play that the last tenth goes on with: after 88
seconds, torch.nn.LSTM 512 had 1.635 nats with these, and 1.762 without. The compressors are given the first nine
tenths, and what the last tenth adds to the size of the whole is counted. Static and adaptive figures have columns of
their own. Seconds in the table are those of the processor, so that a busy machine changes nothing. ppmd needs pyppmd,
zstd needs zstandard; what is not installed is left out by name. With --steps an LSTM of torch is trained for as many
seconds as the network of the mixture took. A published figure has no seconds.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import lzma
import math
import time
from collections.abc import Callable
from typing import Any

import torch
from public_data import FOLDER, present

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


#: Published figures for this text and this split, in nats a character: a transformer of 10.7 million weights, on a GPU.
PUBLISHED = {"nanoGPT (GPU)": 1.4697}


def torch_lstm(text: str, hidden: int, seconds: float, clock: Callable[[], float] = time.process_time) -> float:
    """Return the nats a character of the last tenth by torch.nn.LSTM, trained for some seconds of a clock."""
    torch.manual_seed(0)
    symbols = sorted(set(text))
    at = {c: i for i, c in enumerate(symbols)}
    x = torch.tensor([at[c] for c in text])
    cut, V = len(x) * 9 // 10, len(symbols)
    lstm, table, head = torch.nn.LSTM(64, hidden), torch.nn.Embedding(V, 64), torch.nn.Linear(hidden, V)
    parameters = [*lstm.parameters(), *table.parameters(), *head.parameters()]
    optimiser = torch.optim.AdamW(parameters, lr=3e-3)
    rows = x[: cut // 8 * 8].reshape(8, -1).T
    begun, step, state = clock(), 0, None
    while (spent := clock() - begun) < seconds:
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
    parser.add_argument("path", nargs="?", type=present, default=str(FOLDER / "text" / "tinyshakespeare.txt"))
    parser.add_argument("--steps", type=int, default=0, help="optimiser steps of the network; 0 for counts alone")
    parser.add_argument("--hidden", type=int)
    parser.add_argument("--seconds", type=float, help="the wall time of a fit of the mixture, in place of steps")
    parser.add_argument("--torch", type=float, help="train torch.nn.LSTM alone, for so many seconds of wall time")
    parser.add_argument("--alone", choices=("rnn", "gru", "lstm"), help="fit this network alone, with --seconds")
    options = parser.parse_args()
    text = options.path.read_bytes().decode()
    cut = len(text) * 9 // 10
    if options.torch:
        hidden, cores = options.hidden or 256, torch.get_num_threads()
        nats = torch_lstm(text, hidden, options.torch, time.monotonic)
        print(f"torch.nn.LSTM {hidden}, {options.torch:.0f} s on {cores} threads: {nats:.4f}")
        return
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
    for name, nats in PUBLISHED.items():
        print(f"{name:16} {nats:8.4f} {'-':>8} {'-':>8}")
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
    model = options.alone or ("mixture" if options.steps or options.seconds else "counts")
    budget = ostinato.Budget(options.seconds) if options.seconds else ostinato.Budget(None, steps)
    width: dict[str, Any] = {} if options.hidden is None else {"hidden": options.hidden}
    threads: Any = "auto" if options.seconds else 1
    begun = time.monotonic()
    ostinato.fit(data, model=model, budget=budget, refit=False, threads=threads, on_rung=show, **width)
    if options.seconds:
        print(f"the fit took {time.monotonic() - begun:.1f} s of {options.seconds:.0f} s of wall time")
    if options.steps:
        nats = torch_lstm(text, options.hidden or 256, spent["lstm"])
        print(f"{'torch.nn.LSTM':16} {nats:8.4f} {'-':>8} {spent['lstm']:8.1f}")


if __name__ == "__main__":
    main()
