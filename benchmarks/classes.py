"""Accuracy, log loss and calibration of Bayes' rule and of the head, on data with their own split.

    python benchmarks/classes.py --data DATA [--only vowels speakers digits reviews]

vowels: JapaneseVowels by the archive's split. speakers and digits: FSDD by its own split, recordings 0 to 4 of each
digit by each speaker to test, and 5 to 49 to train, or the first --each of these.
"""

from __future__ import annotations

import argparse
import gzip
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

import ostinato
from ostinato.classification.judgement import judge as judged
from ostinato.classification.labels import read_labelled


def vowels(folder: Path, part: str) -> tuple[ostinato.SequenceSet, list[str | None]]:
    """Return the sequences and the speakers of a part of JapaneseVowels."""
    rows, labels, on = [], list[str | None](), False
    with gzip.open(folder / "labelled" / f"JapaneseVowels_{part}.ts.gz", "rt", encoding="utf-8") as file:
        for line in file:
            if on and line.strip():
                *channels, label = line.strip().split(":")
                rows.append(np.array([[float(v) for v in channel.split(",")] for channel in channels]).T)
                labels.append(label)
            on = on or line.startswith("@data")
    frame = pl.concat(
        pl.DataFrame({"unique_id": f"{i:03}", "ds": range(len(row)), **{f"c{k}": row[:, k] for k in range(12)}})
        for i, row in enumerate(rows)
    )
    return ostinato.read(frame, kind="series"), labels


def judge(
    name: str,
    train: tuple[ostinato.SequenceSet, list[str | None]],
    test: tuple[ostinato.SequenceSet, list[str | None]],
    model: str = "auto",
    **options: Any,
) -> None:
    """Fit to one part and print how good both rules are on the other."""
    begun = time.process_time()
    fit = ostinato.fit_classifier(*train, model=model, **options)
    print(f"{name}: {len(train[1])} to train, {time.process_time() - begun:.0f} s, kept {fit.classifier.rule}")
    for rule in ("bayes", "head"):
        logs = fit.classifier.log_prob(test[0], rule=rule, prior=np.full(len(fit.classifier.classes), 1.0))
        y = np.array([fit.classifier.classes.index(str(label)) for label in test[1]])
        print(f"  {rule}: {'; '.join(judged(logs, y).words())}", flush=True)


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--only", nargs="*", default=["vowels", "speakers", "digits"])
    parser.add_argument("--each", type=int, default=45, help="recordings of each digit by each speaker to train on")
    parser.add_argument("--model", default="auto", help="the model of each class")
    parser.add_argument("--emission", help="the distribution of a step of sound; normal takes a tenth of the time")
    given = parser.parse_args()
    if "vowels" in given.only:
        judge("JapaneseVowels", vowels(given.data, "TRAIN"), vowels(given.data, "TEST"))
    with tempfile.TemporaryDirectory() as folder:
        for part, numbers in (("train", range(5, 5 + given.each)), ("test", range(5))):
            (Path(folder) / part).mkdir()
            for number in numbers:
                for file in (given.data / "sound" / "fsdd").glob(f"*_{number}.wav"):
                    (Path(folder) / part / file.name).symlink_to(file)
        for name, label in (("speakers", "_([a-z]+)_"), ("digits", "^([0-9])_")):
            if name in given.only:
                parts = [read_labelled(f"{folder}/{part}", label) for part in ("train", "test")]
                train, test = ((one.data, list(one.labels)) for one in parts)
                judge(f"FSDD, {name}", train, test, given.model, emission=given.emission)


if __name__ == "__main__":
    main()
