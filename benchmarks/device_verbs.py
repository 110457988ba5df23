"""Every verb on a card: its numbers against those of the CPU, and the speed of a fit against torch.nn on the card.

    python benchmarks/device_verbs.py verbs          # each verb with each backbone and emission, CPU and card
    python benchmarks/device_verbs.py fits           # direct fits, bf16, --resume from the card to the CPU, auto
    python benchmarks/device_verbs.py text FOLDER    # names and tinyshakespeare: held-out nats, characters a second

The models of the first part are those of ``tests/zoo.py``. Without a card the script says so and ends.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

import ostinato
import zoo
from ostinato.evaluation.calibration import calibrate
from ostinato.fits.budget import Budget
from ostinato.fits.progress import TrainingProgress
from ostinato.gradients.methods import AdaptiveBPTT, CheckpointedBPTT, TruncatedBPTT
from ostinato.hardware import in_words
from ostinato.record import DirectRung

#: One kind of data for each emission and each form of a front.
KINDS = ("series", "series, normal", "series, mixture", "nonnegative", "channels", "counts", "prices", "lines", "sound")


def gap(one: Any, other: Any) -> float:
    """Return the greatest difference of two arrays, relative to 1 plus their size."""
    a, b = np.asarray(one, dtype=np.float64), np.asarray(other, dtype=np.float64)
    if a.shape != b.shape or (np.isnan(a) != np.isnan(b)).any():
        return float("inf")
    off = np.abs(a - b) / (1 + np.abs(a))
    return float(np.nanmax(off)) if off.size and not np.isnan(off).all() else 0.0


def score(model: Any, data: Any, device: str) -> Any:
    return ostinato.score(model, data, device=device).surprisal


def sample(model: Any, data: Any, device: str) -> Any:
    drawn = ostinato.sample(model, 20, n_samples=4, seed=4, device=device)
    if isinstance(drawn[0], str):
        return [[ord(c) for c in one.ljust(40)[:40]] for one in drawn]
    # continuous values are drawn by NumPy on the CPU and by torch on the card, so that only their number is the same
    return np.stack(drawn).shape if model.encoding.continuous else np.stack(drawn)


def forecast(model: Any, data: Any, device: str) -> Any:
    """Return the mean of the first step, which is the model's own; the paths after it are other draws on the card."""
    made = ostinato.forecast(model, data, 3, n_paths=100, device=device)
    first = made.frame["ostinato"].to_numpy()[::3]
    return first if model.encoding.continuous and model.description.kind == "series" else len(first)


def stream(model: Any, data: Any, device: str) -> Any:
    words = not model.description.traits.numeric
    step = 1.0 if data.step is None else float(data.step[0])
    followed = ostinato.Stream(model, data.ids[0], step=step, device=device)
    found = [followed.update(zoo.as_text(data[0]) if words else data[0]).surprisal]
    if not words and model.encoding.continuous:
        followed = ostinato.Stream(model, data.ids[0], robust=3.0, device=device)
        found.append(followed.update(data[0][:20]).surprisal)
        found.append(followed.quantiles([0.1, 0.9])[0])
    return np.concatenate(found)


def diagnose(model: Any, data: Any, device: str) -> Any:
    found = ostinato.diagnose(model, data, max_lag=6, positions=8, device=device)
    return [found.score, *found.scores, *(x for flow in found.flows for x in flow.median)]


def report(model: Any, data: Any, device: str) -> Any:
    """Return the PIT that a report judges by; the page itself needs packages for pictures."""
    from ostinato.device import computing_on, placed

    encoded = model.encoding.encode(data)
    with computing_on(device):
        return calibrate(placed(model), encoded, [(0, 0, int(encoded.lengths[0]))]).pit


def backtest(model: Any, data: Any, device: str) -> Any:
    found = ostinato.cross_validation(data.take([4]), model, horizon=2, n_windows=2, n_paths=50, device=device)
    return found.frame[found.table["model"][0]].to_numpy() * 0 + len(found.frame)


VERBS: dict[str, Callable[[Any, Any, str], Any]] = {
    f.__name__: f for f in (score, sample, forecast, stream, diagnose, report, backtest)
}
NUMBERS_ONLY = {"forecast", "backtest"}


def verbs(card: str) -> None:
    """Run every verb with every kind and backbone on both devices, and print the worst difference of each."""
    begun = time.time()
    for name, verb in VERBS.items():
        worst: list[tuple[float, str, str]] = []
        failed: list[str] = []
        for kind in KINDS:
            for backbone in zoo.BACKBONES:
                if (kind, backbone) == ("counts", "ar") or (kind in zoo.WORDS and name in NUMBERS_ONLY):
                    continue
                model, data = zoo.fitted(kind, backbone), zoo.made(kind)
                try:
                    worst.append((gap(verb(model, data, "cpu"), verb(model, data, card)), kind, backbone))
                except Exception as error:  # one that fails must not hide the others
                    at = [f for f in traceback.extract_tb(error.__traceback__) if "ostinato" in f.filename]
                    place = f"{Path(at[-1].filename).name}:{at[-1].lineno}" if at else "?"
                    failed.append(f"{kind}/{backbone} {place} {str(error).splitlines()[0][:90]}")
        top = ", ".join(f"{g:.1e} {k}/{b}" for g, k, b in sorted(worst, reverse=True)[:3])
        print(f"{name}: {len(worst)} cases agree, {len(failed)} failed; worst {top} ({time.time() - begun:.0f} s)")
        for line in failed[:6]:
            print("   FAILED", line)


def fits(card: str) -> None:  # noqa: C901 - a list of small attempts
    """Fit with every gradient method and both kinds of model, and continue a fit of the card on the CPU."""
    data = zoo.made("series")
    one: dict[str, Any] = {"budget": Budget(None, 40), "dropout": 0.0, "hidden": 16, "refit": True}

    def attempt(name: str, run: Callable[[], str]) -> None:
        try:
            print(f"{name}: {run()}")
        except Exception as error:
            print(f"FAILED {name}: {error}")
            traceback.print_exc(limit=-3)

    for kind in ("series", "channels", "prices", "counts", "lines"):
        for backbone in zoo.BACKBONES[1:]:

            def both(kind: str = kind, backbone: str = backbone) -> str:
                a, b = (
                    zoo.kept(ostinato.fit(zoo.made(kind), model=backbone, device=d, **one)).held_out
                    for d in ("cpu", card)
                )
                return f"held out {a:.5f} on the CPU, {b:.5f} on the card, {abs(a - b):.1e} apart"

            attempt(f"fit {kind} {backbone}", both)
    for method in (TruncatedBPTT(16), CheckpointedBPTT(segments=3), AdaptiveBPTT()):

        def through(method: Any = method) -> str:
            found = ostinato.fit(data, model="lstm", method=method, device=card, **{**one, "dropout": 0.2})
            return f"{zoo.kept(found).held_out:.4f}"

        attempt(f"fit {method}", through)

    def half() -> str:
        found = ostinato.fit(data, model="lstm", device=card, precision="bf16", **one)
        return f"{zoo.kept(found).held_out:.5f}; {found.notes[-1]}; {zoo.sequential(found.model).constant.dtype}"

    attempt("bf16", half)

    def resumed() -> str:
        with tempfile.TemporaryDirectory() as folder:
            stop: dict[str, Any] = {"checkpoint": folder, "checkpoint_every": 0.0, **one}

            def end(event: Any) -> None:
                if event.step == 20:
                    raise KeyboardInterrupt

            with contextlib.suppress(KeyboardInterrupt):
                ostinato.fit(data, model="gru", device=card, on_progress=end, **stop)
            found = ostinato.fit(data, model="gru", device="cpu", **stop)
            return "; ".join(n for n in found.notes if "continued" in n) or f"NO NOTE: {found.notes}"

    attempt("resume", resumed)

    def direct() -> str:
        rng = np.random.default_rng(0)
        frame = 50 + 9 * np.sin(np.arange(188) / 3) + rng.normal(size=188)
        a, b = (
            ostinato.fit(frame, model="direct", horizon=4, networks=1, budget=Budget(None, 60), device=d)
            for d in ("cpu", card)
        )
        loss = [[row.loss for row in found.table if isinstance(row, DirectRung)][-1] for found in (a, b)]
        p, q = (ostinato.forecast(b.model, frame, device=d).frame["ostinato"].to_numpy() for d in ("cpu", card))
        return f"loss {loss[0]:.4f} and {loss[1]:.4f}; forecasts of one model {gap(p, q):.1e} apart"

    attempt("direct", direct)

    def auto() -> str:
        small = ostinato.fit(data, model="gru", budget=Budget(None, 100), hidden=16)
        rng = np.random.default_rng(0)
        text = "".join(rng.choice(list("abcdefgh "), 300_000))
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
            file.write(text)
            file.flush()
            read = ostinato.read(file.name)
        large = ostinato.fit(
            read, model="lstm", hidden=512, budget=Budget(None, 30), max_order=1, batch_steps=8192, refit=False
        )
        notes = [[n for n in f.notes if "trained on" in n] or "no card considered" for f in (small, large)]
        return f"small: {notes[0]}; large: {notes[1]}"

    attempt("auto", auto)


def peer(card: str, vocabulary: int, hidden: int, rows: int, steps: int, name: str, half: bool) -> float:
    """Return the characters a second of torch.nn: embedding, recurrence, head, cross-entropy, AdamW."""
    embedding = nn.Embedding(vocabulary, 64, device=card)
    backbone = {"lstm": nn.LSTM, "gru": nn.GRU}[name](64, hidden, device=card)
    head = nn.Linear(hidden, vocabulary, device=card)
    weights = [p for module in (embedding, backbone, head) for p in module.parameters()]
    optimizer = torch.optim.AdamW(weights, lr=3e-3, fused=True)
    x = torch.randint(vocabulary, (steps + 1, rows), device=card)
    begun = 0.0
    for i in range(45):
        if i == 15:
            torch.cuda.synchronize()
            begun = time.perf_counter()
        with torch.autocast("cuda", torch.bfloat16, enabled=half):
            logits = head(backbone(embedding(x[:-1]))[0])
        loss = nn.functional.cross_entropy(logits.float().flatten(0, 1), x[1:].flatten())
        optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        optimizer.step()
    torch.cuda.synchronize()
    return 30 * rows * steps / (time.perf_counter() - begun)


def text(card: str, folder: Path, on: list[str]) -> None:
    """Fit the two texts under equal optimiser steps, and print held-out nats and characters a second."""
    plans = (
        ("names.txt", "gru", 192, 2048, 600, None),
        ("tinyshakespeare.txt", "lstm", 512, 64 * 256, 100, TruncatedBPTT(256)),
    )
    for file, name, hidden, batch, steps, method in plans:
        data = ostinato.read(folder / file)
        ways = {"cpu": ("cpu", "float32"), "cuda": (card, "float32"), "bf16": (card, "bf16")}
        for way in on:
            device, precision = ways[way]
            seen: dict[int, float] = {}

            def note(event: TrainingProgress, seen: dict[int, float] = seen, last: int = steps - 1) -> None:
                if event.step in (last // 2, last):
                    if torch.cuda.is_available():
                        torch.cuda.synchronize()  # the host runs ahead of the card
                    seen[event.step] = time.perf_counter()

            found = ostinato.fit(
                data,
                model=name,
                hidden=hidden,
                batch_steps=batch,
                method=method,
                budget=Budget(None, steps),
                evaluate_every=10 * steps,
                dropout=0.0,
                max_order=2,
                refit=False,
                device=device,
                precision=precision,
                on_progress=note,
            )
            row = zoo.kept(found)
            # the mean step after the first ones, which choose kernels and record graphs; without evaluations
            (begun, last), (first, until) = sorted(seen), sorted(seen.values())
            each = (until - first) / (last - begun)
            print(
                f"{file} {name} {hidden} {way}: held out {row.held_out:.5f} nats a character, "
                f"{batch / each:,.0f} characters a second ({1e3 * each:.2f} ms a step), {row.seconds:.1f} s in all"
            )
        if card != "cpu" and "cuda" in on:
            rows = batch // (256 if method else 8)
            for half in (False, True):
                speed = peer(card, 65 if method else 28, hidden, rows, 256 if method else 8, name, half)
                print(
                    f"{file} torch.nn {name} {hidden} {'bf16' if half else 'float32'}: {speed:,.0f} characters a second"
                )


def main() -> None:
    """Run the part that is named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", choices=("verbs", "fits", "text"))
    parser.add_argument("folder", type=Path, nargs="?", default=Path())
    parser.add_argument("--card", default="cuda")
    parser.add_argument("--on", nargs="+", default=["cuda", "bf16", "cpu"])
    given = parser.parse_args()
    if given.card.startswith("cuda") and not torch.cuda.is_available():
        print("no CUDA card here: nothing is measured")
        return
    if given.card.startswith("cuda"):
        print(f"torch {torch.__version__}, {in_words(f'{torch.device(given.card).type}:0')}")
    if given.part == "verbs":
        verbs(given.card)
    elif given.part == "fits":
        fits(given.card)
    else:
        text(given.card, given.folder, given.on)


if __name__ == "__main__":
    main()
