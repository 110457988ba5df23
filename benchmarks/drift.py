"""A process that changes half-way: an adaptive memory, the same one frozen, and a model that is refitted.

python benchmarks/drift.py [--laws series speaker language] prints nats after the change, a step or a character, and
seconds of processor. The speakers and the languages are those of the public data.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from public_data import FOLDER, present

from ostinato import fit, read, score
from ostinato.data.sequences import SequenceSet
from ostinato.data.text import from_strings
from ostinato.inference.stream import Stream
from ostinato.model_file import Model

#: The steps of each of the two laws, the steps that are learned from first, and those between two fits.
STEPS, AGAIN = 6_000, 1_000
#: The same of a text, in characters.
KNOWN, JUDGED, AGAIN_TEXT = 50_000, 25_000, 5_000


def regime(coefficients: tuple[float, ...], steps: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return a path of an autoregression with unit innovations, (T,)."""
    y = np.zeros(steps + len(coefficients))
    for t in range(len(coefficients), len(y)):
        y[t] = sum(c * y[t - 1 - i] for i, c in enumerate(coefficients)) + rng.standard_normal()
    return y[len(coefficients) :]


def as_set(y: NDArray[np.float64]) -> SequenceSet:
    """Return a path as one series."""
    return SequenceSet("series", y[:, None], np.array([0, len(y)], dtype=np.int64), ("drift",), ("y",))


def nats_of(model: Model, y: NDArray[np.float64], start: int, *, learns: bool = True) -> float:
    """Return the mean surprisal from ``start`` on; a frozen memory learned up to the change of the law alone."""
    stream = Stream(model)
    stream.update(y[:STEPS])
    if not learns:
        freeze(stream)
    before = stream.update(y[STEPS:start]).surprisal if start > STEPS else np.zeros(0)
    after = stream.update(y[start:]).surprisal
    return float(np.nanmean(np.concatenate([before, after])))


def freeze(stream: Stream) -> None:
    """Set the rate of the memory to 0: it goes on remembering values, and learns nothing."""
    state = list(stream._state)
    at = next(i for i, s in enumerate(state) if s.shape == (1, 1) and s.dtype == torch.float32 and float(s) == 1.0)
    state[at] = torch.zeros(1, 1)
    stream._state = tuple(state)


def fitted_again(y: NDArray[np.float64]) -> float:
    """Return the mean surprisal of an autoregression that is fitted to the last steps each 1,000 steps."""
    out = []
    for start in range(STEPS, len(y), AGAIN):
        model = fit(as_set(y[start - STEPS : start]), model="ar", budget=20).model
        piece = y[max(0, start - 200) : start + AGAIN]
        scores = score(model, as_set(piece))
        out.append(scores.surprisal[-AGAIN:])
    return float(np.mean(np.concatenate(out)))


def timed(name: str, run: Callable[[], float], unit: str = "step") -> None:
    """Print a figure and the seconds of processor that it took."""
    begun = time.process_time()
    nats = run()
    print(f"  {name:44} {nats:8.4f} nats a {unit} {time.process_time() - begun:8.2f} s", flush=True)


def series() -> None:
    """Print the figures of an autoregression whose coefficients change."""
    rng = np.random.default_rng(0)
    y = np.concatenate([regime((1.2, -0.5), STEPS, rng), regime((-0.6, 0.3), STEPS, rng)])
    filters = fit(as_set(y[:STEPS]), model="filter", budget=20).model
    frozen = fit(as_set(y[:STEPS]), model="ar", budget=20).model
    print(f"AR(2) whose coefficients change at step {STEPS:,}; the entropy is {0.5 * np.log(2 * np.pi * np.e):.4f}")
    timed("adaptive filters, which go on learning", lambda: nats_of(filters, y, STEPS))
    timed("the same, frozen at the change", lambda: nats_of(filters, y, STEPS, learns=False))
    timed("AR, fitted once before the change", lambda: nats_of(frozen, y, STEPS))
    timed(f"AR, fitted again each {AGAIN:,} steps", lambda: fitted_again(y))
    live = Stream(filters)
    live.update(y[:200])
    begun = time.process_time()
    for value in y[200:1200]:
        live.update([value])
    print(f"  a live update of the adaptive filters: {(time.process_time() - begun) / 1000 * 1e6:.0f} microseconds")


def speaker() -> None:
    """Print the figures of a stream in which another person begins to speak half-way."""
    data = read(present(str(FOLDER / "sound" / "fsdd")))
    names = sorted({key.split("_")[1] for key in data.ids})[:2]
    first, second = (data.take([b for b, key in enumerate(data.ids) if key.split("_")[1] == name]) for name in names)
    model = fit(first, model="filter", budget=20).model
    y = np.concatenate([first.values[-STEPS:, 0], second.values[:STEPS, 0]]).astype(np.float64)
    print(f"speech: {names[0]}, then {names[1]}")
    timed("adaptive filters, which go on learning", lambda: nats_of(model, y, STEPS))
    timed("the same, frozen at the change", lambda: nats_of(model, y, STEPS, learns=False))
    ar = fit(first, model="ar", budget=20).model
    timed("AR, fitted to the first speaker", lambda: nats_of(ar, y, STEPS))


def text_of(name: str) -> str:
    """Return the beginning of a public text, with what is judged and what is known of it."""
    return present(str(FOLDER / "text" / name)).read_text(encoding="utf-8")[: KNOWN + JUDGED]


def as_text(text: str) -> SequenceSet:
    """Return a string as one text."""
    return from_strings([("drift", text)], "the text", alphabet="characters", terminated=False)


def language() -> None:
    """Print the figures of a text whose language changes half-way, by vocabulary."""
    english, korean = text_of("tinyshakespeare.txt"), text_of("ko_ud_kaist_dev_sentences.txt")
    for first, then, name in ((english, korean, "English, then Korean"), (korean, english, "Korean, then English")):
        known, judged = first[:KNOWN], then[:JUDGED]
        print(f"{name}; counts know {len(known):,} characters and are judged on {len(judged):,}")
        for vocabulary in ("character", "byte", "jamo"):
            model = fit(as_text(known), model="counts", vocabulary=vocabulary).model
            timed(f"{vocabulary}: goes on learning", partial(nats_of_text, model, judged), "character")
            timed("  frozen", partial(nats_of_text, model, judged, learns=False), "character")
            timed(f"  fitted again each {AGAIN_TEXT:,}", partial(text_again, known, judged, vocabulary), "character")


def nats_of_text(model: Model, text: str, *, learns: bool = True) -> float:
    """Return the nats a character of a text by counts, which go on learning or not."""
    return score(model, as_text(text), adapt=learns).nats_per_unit


def text_again(known: str, judged: str, vocabulary: str) -> float:
    """Return the nats a character of counts that learn nothing, and are fitted to the last text each 5,000."""
    text, nats = known + judged, 0.0
    for start in range(len(known), len(text), AGAIN_TEXT):
        model = fit(as_text(text[start - KNOWN : start]), model="counts", vocabulary=vocabulary).model
        piece = text[start : start + AGAIN_TEXT]
        nats += nats_of_text(model, piece, learns=False) * len(piece)
    return nats / len(judged)


LAWS = {"series": series, "speaker": speaker, "language": language}


def main() -> None:
    """Print a table for each law."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--laws", nargs="+", choices=LAWS, default=[*LAWS])
    for name in parser.parse_args().laws:
        LAWS[name]()


if __name__ == "__main__":
    main()
