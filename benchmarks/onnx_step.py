"""The time of one live step: an exported graph in onnxruntime, and the Stream of the library.

Run from the repository root: python benchmarks/onnx_step.py [--hidden 64] [--steps 2000]

Processor time of one thread, interleaved in blocks of 100 steps; the lowest of all blocks.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np

import ostinato
from ostinato.export.check import Runtime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hidden", type=int, default=64)
    parser.add_argument("--steps", type=int, default=2000)
    given = parser.parse_args()
    rng = np.random.default_rng(0)
    real = 20 + np.sin(np.arange(3000) / 8) + 0.2 * rng.standard_normal(3000)
    counts = rng.poisson(5 + 3 * np.sin(np.arange(3000) / 8)).astype(float)
    print("| data | model | onnxruntime, us | Stream, us | greatest difference of 500 surprisals |")
    print("| --- | --- | --- | --- | --- |")
    for data, values in (("real", real), ("counts", counts)):
        for name in ("ar", "linear", "rnn", "gru", "lstm", "conv"):
            if (data, name) == ("counts", "ar"):
                continue  # the ladder has no closed form of counts alone
            compare(data, values, name, given.hidden, given.steps)


def compare(data: str, values: np.ndarray, name: str, hidden: int, steps: int) -> None:
    budget = ostinato.Budget(None, 20)
    fitted = ostinato.fit(values[:1000], model=name, budget=budget, hidden=hidden, refit=False, max_order=24).model
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        done = ostinato.export_onnx(fitted, path, check=500)
        runtime = Runtime(str(path))
    stream, live = ostinato.Stream(fitted), np.resize(values[1000:], steps)
    times: dict[str, list[float]] = {"onnx": [], "stream": []}
    for start in range(0, steps, 100):
        block = live[start : start + 100]
        began = time.process_time()
        for y in block:
            runtime.step(np.array([[y]]))
        times["onnx"].append(time.process_time() - began)
        began = time.process_time()
        for y in block.tolist():
            stream.update([y])
        times["stream"].append(time.process_time() - began)
    onnx, own = (1e4 * min(times[one]) for one in ("onnx", "stream"))
    print(f"| {data} | {name} | {onnx:.0f} | {own:.0f} | {done.worst:.1e} |", flush=True)


if __name__ == "__main__":
    main()
