"""Bits a character of Korean texts by vocabulary: adaptive counts against ppmd, xz and zstd, given the rest first.

    python benchmarks/vocabularies.py --data DATA [--texts reviews sentences ...]

DATA holds ``text/``. What is not installed (pyppmd, zstandard, tokenizers) is left out. The held-out part is that of
``ostinato.fit``; a line end counts as a character everywhere.
"""

from __future__ import annotations

import argparse
import importlib.util
import math
import time
from pathlib import Path

from text import ppmd, xz, zstd

import ostinato
from ostinato.data.spelled import texts_of
from ostinato.data.spelling import VOCABULARIES
from ostinato.data.split import Part, split

TEXTS = {
    "reviews": ("ko_nsmc_reviews.tsv.gz", {"target": "review"}),
    "sentences, one a line": ("ko_ud_kaist_dev_sentences.txt", {"per_line": True}),
    "sentences, one text": ("ko_ud_kaist_dev_sentences.txt", {"per_line": False}),
    "web sentences, one a line": ("ko_ud_gsd_dev_sentences.txt", {"per_line": True}),
    "web sentences, one text": ("ko_ud_gsd_dev_sentences.txt", {"per_line": False}),
}


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--texts", nargs="*", default=list(TEXTS))
    parser.add_argument("--vocabularies", nargs="*", default=list(VOCABULARIES))
    given = parser.parse_args()
    for name in given.texts:
        file, reading = TEXTS[name]
        data = ostinato.read(str(given.data / "text" / file), kind="text", **reading)  # type: ignore[arg-type]
        end = "\n" if data.terminated else ""

        def part(which: Part, data: ostinato.SequenceSet = data, end: str = end) -> str:
            return "".join(text + end for text in texts_of(split(data).take(which, data)))

        known, judged = part("known"), part("held-out")
        new = sum(c not in set(known) for c in judged)
        print(
            f"{name}: {len(known):,} characters known, {len(set(known)):,} different; {len(judged):,} judged, {new} new"
        )
        for package, size in (("pyppmd", ppmd), ("lzma", xz), ("zstandard", zstd)):
            if importlib.util.find_spec(package):
                bits = 8 * (size((known + judged).encode()) - size(known.encode())) / len(judged)
                print(f"  {size.__name__:10} {bits:.3f}")
        for vocabulary in given.vocabularies:
            if vocabulary == "bpe" and not importlib.util.find_spec("tokenizers"):
                continue
            begun = time.process_time()
            kept = ostinato.fit(data, model="counts", vocabulary=vocabulary, refit=False, max_order=1).kept
            assert isinstance(kept, ostinato.Rung)
            adaptive, static = (-x / math.log(2) for x in (kept.held_out, kept.static or math.nan))
            spent = time.process_time() - begun
            print(
                f"  {vocabulary:10} {adaptive:.3f} adaptive, {static:.3f} static, {spent:.0f} s of processor",
                flush=True,
            )


if __name__ == "__main__":
    main()
