"""The time and the memory of exact BPTT with and without checkpoints, for a GRU at B = 1.

Run from the repository root: python benchmarks/checkpointed.py [--hidden 128] [--threads 1]

The loss is on the last state. Every line of the table is a separate process. Its memory is the peak resident memory
(VmHWM) minus the memory in use once the input and the weights exist and short runs are done. At T = 100,000 the
gradients are compared in float64 with the gradients of stored states: the table shows the greatest difference over all
weights as a share of the greatest entry. In float32 both methods differ from those gradients by the rounding of sums
over 100,000 steps.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
from torch import Tensor

from ostinato.gradients.checkpointed import last_state
from ostinato.gradients.methods import CheckpointedBPTT
from ostinato.layers.gru import GRU

INPUTS = 16
METHODS = {
    "stored": CheckpointedBPTT(segments=1),
    "sqrt(T) segments": CheckpointedBPTT(segments=1000),
    "memory 200MB": CheckpointedBPTT(memory_limit="200MB"),
    "memory 20MB": CheckpointedBPTT(memory_limit="20MB"),
}
CASES = [
    (100_000, "stored", torch.float64),
    (100_000, "sqrt(T) segments", torch.float64),
    (100_000, "stored", torch.float32),
    (100_000, "sqrt(T) segments", torch.float32),
    (100_000, "memory 20MB", torch.float32),
    (1_000_000, "sqrt(T) segments", torch.float32),
    (1_000_000, "memory 200MB", torch.float32),
]


def resident(field: str) -> float:
    """Return a memory figure of this process in MB (10^6 bytes)."""
    words = Path("/proc/self/status").read_text().split(f"{field}:")[1].split()
    return int(words[0]) * 1024 / 1e6


def gradient(gru: GRU, x: Tensor, method: CheckpointedBPTT) -> tuple[Tensor, ...]:
    (h,) = last_state(gru, x, method=method)
    return torch.autograd.grad(h.square().sum(), tuple(gru.parameters()))


def measure(steps: int, name: str, dtype: torch.dtype, hidden: int, threads: int, out: Path) -> None:
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    gru, x = GRU(INPUTS, hidden).to(dtype), torch.randn(steps, 1, INPUTS).to(dtype)
    with torch.no_grad():
        gru.bias_ih_l0[hidden : 2 * hidden] += 10  # a large update gate lets the gradient reach back 20,000 steps
    for warm in (CheckpointedBPTT(segments=2), CheckpointedBPTT(memory_limit="1MB")):
        gradient(gru, x[:200], warm)
    Path("/proc/self/clear_refs").write_text("5")  # resets VmHWM
    held, begun = resident("VmRSS"), time.perf_counter()
    found = gradient(gru, x, METHODS[name])
    took = time.perf_counter() - begun
    print(
        f"T {steps:>9,d}  {name:17s} {str(dtype)[6:]} {took:7.2f} s  {resident('VmHWM') - held:7.1f} MB",
        end="",
        flush=True,
    )
    torch.save(found, out)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hidden", type=int, default=128)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--case", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.case is not None:
        steps, name, dtype = CASES[args.case]
        return measure(steps, name, dtype, args.hidden, args.threads, args.out)
    with tempfile.TemporaryDirectory() as folder:
        true: list[Tensor] = []
        for case, (steps, _, _) in enumerate(CASES):
            out = Path(folder) / f"{case}.pt"
            command = [sys.executable, __file__, "--case", str(case), "--out", str(out)]
            subprocess.run([*command, "--hidden", str(args.hidden), "--threads", str(args.threads)], check=True)
            found = torch.load(out, weights_only=True)
            true = true or found
            apart = max(float((f - t).abs().max() / t.abs().max()) for f, t in zip(found, true, strict=True))
            print(f"  {apart:.1e}" if steps == CASES[0][0] else "", flush=True)
    return None


if __name__ == "__main__":
    main()
