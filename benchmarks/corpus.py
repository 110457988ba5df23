"""A text larger than memory: seconds to the first step, and the resident memory of each verb over time.

python benchmarks/corpus.py FILE... [--megabytes 200] [--folder /tmp] [--verbs read read fit score] [--budget 60]

The text is made of the files that are given, with noise. Each verb runs in a process of its own. A second ``read``
finds what the first one kept on disk. A verb is ended after the seconds of --limit: whether its memory grows shows
before. Resident memory is read from the system while a verb runs (Linux only), ten times spread over it, with the
greatest value last.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

#: What each verb does, as a program: it prints what happened as JSON.
_VERBS = {
    "fit": """
import ostinato
steps = []
def on_progress(p):
    if not steps:
        steps.append({"first step, wall s": time.perf_counter() - begun, "processor s": time.process_time() - spent})
        print(json.dumps(steps[0]), flush=True)
found = ostinato.fit(ostinato.read(text, kind="text"), model="lstm", budget=budget, threads=1, on_progress=on_progress)
found.model.save(model)
facts = {"first step": steps[0], "table": [(r.name, round(r.held_out, 4)) for r in found.table]}
""",
    "counts": """
import ostinato
found = ostinato.fit(ostinato.read(text, kind="text"), model="counts", budget=budget, threads=1)
found.model.save(model)
facts = {"table": [(r.name, round(r.held_out, 4)) for r in found.table]}
""",
    "read": """
import ostinato
data = ostinato.read(text, kind="text")
facts = {"symbols": len(data.values), "type": str(data.values.dtype)}
""",
    "score": """
import ostinato
scores = ostinato.score(ostinato.load_model(model), ostinato.read(text, kind="text"), threads=1)
facts = {"nats a character": scores.nats_per_unit, "symbols": scores.units}
""",
    "compress": """
from pathlib import Path
import ostinato
from ostinato.compression.originals import read_raw
from ostinato.compression.verbs import compressed
from ostinato.storage import atomic_write
packed, own = Path(text + ".osz"), ostinato.load_model(model)
atomic_write(packed, compressed(own, {"": read_raw(Path(text))}).parts())
facts = {"bytes": packed.stat().st_size, "of": Path(text).stat().st_size}
""",
    "decompress": """
from pathlib import Path
import hashlib
import ostinato
from ostinato.compression.originals import read_raw
from ostinato.compression.verbs import restored
digest = hashlib.sha256()
for part in restored(ostinato.load_model(model), read_raw(Path(text + ".osz")), "the file")[""]:
    digest.update(part)
same = hashlib.sha256()
with open(text, "rb") as file:
    while block := file.read(1 << 20):
        same.update(block)
facts = {"restored": digest.digest() == same.digest()}
""",
}
_FRAME = """
import json, sys, time
begun, spent = time.perf_counter(), time.process_time()
text, model, budget = sys.argv[1], sys.argv[2], float(sys.argv[3])
{verb}
facts["wall s"], facts["processor s"] = time.perf_counter() - begun, time.process_time() - spent
print(json.dumps(facts))
"""


def make(path: Path, sources: list[Path], megabytes: float) -> None:
    """Write a text of random stretches of others in turn, in which every fiftieth character is another."""
    rng = np.random.default_rng(0)
    texts = [np.frombuffer(p.read_text().encode("utf-32-le"), dtype=np.uint32) for p in sources]
    with path.open("wb") as file:
        while file.tell() < megabytes * 1e6:
            for text in texts:
                n = min(300_000, len(text) - 1)
                part = text[(at := int(rng.integers(len(text) - n))) : at + n].copy()
                noise = rng.random(n) < 0.02
                part[noise] = text[rng.integers(len(text), size=int(noise.sum()))]
                file.write(part.tobytes().decode("utf-32-le").encode())


def resident(process: int) -> tuple[float, float]:
    """Return the resident memory of a process now and at its greatest, in MB; 0 for one that ended."""
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except OSError:
        return 0.0, 0.0
    kilobytes = {line.split(":")[0]: int(line.split()[1]) for line in lines if line.startswith(("VmRSS", "VmHWM"))}
    return kilobytes.get("VmRSS", 0) / 1e3, kilobytes.get("VmHWM", 0) / 1e3


def watched(command: list[str], environment: dict[str, str], limit: float) -> dict[str, object]:
    """Run a verb, and return what it printed last and its resident memory over time."""
    begun, seen, greatest = time.monotonic(), list[tuple[int, int]](), 0.0
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        while process.poll() is None and (after := time.monotonic() - begun) < limit:
            now, most = resident(process.pid)
            seen, greatest = [*seen, (round(after), round(now))], max(greatest, most)
            time.sleep(0.5)
        ended = process.poll() is None
        process.kill()
        out, _ = process.communicate()
    if process.returncode and not ended:
        raise SystemExit(f"the verb ended with exit code {process.returncode}")
    facts: dict[str, object] = json.loads(out.splitlines()[-1]) if out else {}
    spread = seen[:: max(len(seen) // 10, 1)]
    return {**facts, "ended after s": limit if ended else None, "MB at s": spread, "greatest MB": round(greatest)}


def main() -> None:
    """Make the text, run each verb in a process of its own, and print what it took."""
    parser = argparse.ArgumentParser()
    parser.add_argument("sources", nargs="+", type=Path)
    parser.add_argument("--megabytes", type=float, default=200)
    parser.add_argument("--folder", type=Path, default=Path("/tmp"))
    parser.add_argument("--budget", type=float, default=60)
    parser.add_argument("--limit", type=float, default=float("inf"), help="end a verb after so many seconds")
    parser.add_argument("--verbs", nargs="+", choices=_VERBS, default=["read", "read", "fit", "counts", "score"])
    given = parser.parse_args()
    text = given.folder / f"made_{given.megabytes:g}.txt"
    if not text.exists():
        make(text, given.sources, given.megabytes)
    for verb in given.verbs:
        program = _FRAME.replace("{verb}", _VERBS[verb])
        command = [sys.executable, "-c", program, str(text), f"{text}.ost", str(given.budget)]
        environment = {**os.environ, "XDG_CACHE_HOME": str(given.folder / "corpus_cache")}
        print(f"{verb:10} {json.dumps(watched(command, environment, given.limit))}", flush=True)


if __name__ == "__main__":
    main()
