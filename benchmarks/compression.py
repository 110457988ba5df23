"""Proof by compression: bytes against the bits that score reports, exact restoration, symbols a second, and damage.

python benchmarks/compression.py MODEL FILE... [--corruptions 1000]
"""

from __future__ import annotations

import argparse
import math
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from ostinato import compress, decompress, load_model, read, score
from ostinato.errors import OstinatoError
from ostinato.ops.engine.extension import sets
from ostinato.ops.variables import INSTRUCTION_SET


def main() -> None:
    """Print a line for the files together, one for each instruction set, and one for the corruptions."""
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--corruptions", type=int, default=1000)
    given = parser.parse_args()
    model = load_model(given.model)
    # one file is called as its container is, as the command does it
    raw = {p.name if len(given.files) > 1 else "": p.read_bytes() for p in given.files}
    bits, steps = 0.0, 0
    for path in given.files:
        scores = score(model, read(path, kind=model.description.kind))
        bits, steps = bits - float(scores.log_prob.sum()) / math.log(2), steps + int(scores.steps.sum())
    begun = time.process_time()
    whole = compress(model, raw)
    coded = time.process_time() - begun
    print(f"{len(whole):,} bytes; score says {bits / 8:,.0f}: {100 * (8 * len(whole) / bits - 1):+.3f} %")
    begun = time.process_time()
    same = decompress(model, whole) == raw
    seconds = time.process_time() - begun
    how = "to the bit" if same else "WRONGLY"
    print(f"restored {how}; {steps / coded:,.0f} and {steps / seconds:,.0f} symbols a second")
    elsewhere(given.model, whole, raw)
    print(f"{refused(model, whole, given.corruptions):,} of {given.corruptions:,} corruptions refused")


def elsewhere(model: str, whole: bytes, raw: dict[str, bytes]) -> None:
    """Restore the files on one thread under every instruction set that this processor has."""
    with tempfile.TemporaryDirectory() as folder:
        packed = Path(folder) / "all.osz"  # the name of a single file without one
        packed.write_bytes(whole)
        for name in sets():
            out = Path(folder) / name
            out.mkdir()
            command = [
                sys.executable,
                "-m",
                "ostinato",
                "decompress",
                model,
                str(packed),
                "-o",
                str(out),
                "--threads",
                "1",
            ]
            subprocess.run(command, env={**os.environ, INSTRUCTION_SET: name}, check=True, capture_output=True)
            same = all((out / (key or "all")).read_bytes() == value for key, value in raw.items())
            print(f"{name}, one thread: {'the same bits' if same else 'OTHER BITS'}")


def refused(model: object, whole: bytes, count: int) -> int:
    """Return how many of some corruptions are refused: cuts, flips of one bit, bytes added, and other versions."""
    rng, found = np.random.default_rng(0), 0
    for i in range(count):
        at = int(rng.integers(len(whole)))
        flipped = whole[:at] + bytes([whole[at] ^ (1 << int(rng.integers(8)))]) + whole[at + 1 :]
        version = whole[:1] + bytes([0x80 | (4 + i % 12) << 3]) + whole[2:]
        damaged = (whole[:at], flipped, whole + bytes([at % 256]), version)[i % 4]
        try:
            decompress(model, damaged)  # type: ignore[arg-type]
        except OstinatoError:
            found += 1
    return found


if __name__ == "__main__":
    main()
