"""Characters a second of processor that `sample` draws from an LSTM, next to a loop over torch's LSTMCell.

Run from the repository root: python benchmarks/generate.py

The model has random weights and 512 hidden units. First the likeliest text of both must be the same. Then both draw n
texts of T characters, in turn, and the best of the rounds counts: one thread, in one process, on the clock of this
process. The loop is the one that people write: an embedding, LSTMCell, a linear layer, softmax and multinomial.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch

import ostinato
from ostinato.data.sequences import SequenceSet
from ostinato.model import SequenceModel

ALPHABET = 64


def built(hidden: int) -> SequenceModel:
    """Return a model of text with random weights, whose likeliest text is not one character for ever."""
    rng = np.random.default_rng(0)
    points = rng.integers(33, 33 + ALPHABET, (4000, 1)).astype(np.int32)
    data = SequenceSet("text", points, np.array([0, len(points)]), ("a",), meta={"alphabet": "characters"})
    options: dict[str, Any] = {"model": "lstm", "hidden": hidden, "budget": ostinato.Budget(None, 1), "refit": False}
    model = ostinato.fit(data, threads=1, device="cpu", **options).model
    assert isinstance(model, SequenceModel)
    assert model.head is not None
    torch.manual_seed(0)
    torch.nn.init.normal_(model.head.weight, std=0.5)
    return model.eval()


class Loop:
    """The weights of the model in torch's own modules."""

    def __init__(self, model: SequenceModel) -> None:
        weights: dict[str, Any] = dict(model.named_parameters())
        found: dict[str, Any] = {name.rsplit(".", 1)[-1]: w for name, w in weights.items() if name.endswith("_l0")}
        front: Any = model.front
        self.embedding: Any = front.embedding
        hidden, width = found["weight_hh_l0"].shape[1], self.embedding.weight.shape[1]
        self.cell = torch.nn.LSTMCell(width, hidden)
        self.cell.load_state_dict({name.removesuffix("_l0"): w.detach() for name, w in found.items()})
        head: Any = model.head
        self.head = torch.nn.Linear(hidden, head.weight.shape[0])
        self.head.load_state_dict({"weight": head.weight.detach(), "bias": model.constant.detach()[0]})
        self.start, self.hidden = len(self.embedding.weight) - 1, hidden

    @torch.inference_mode()
    def __call__(self, rows: int, length: int, *, greedy: bool = False) -> torch.Tensor:
        """Return symbols, (T, B)."""
        x, out = torch.full((rows,), self.start), []
        h = c = torch.zeros(rows, self.hidden)
        for _ in range(length):
            h, c = self.cell(self.embedding(x), (h, c))
            logits = self.head(h)
            logits[:, 0] = -torch.inf  # the unknown symbol
            x = logits.argmax(-1) if greedy else torch.multinomial(logits.softmax(-1), 1)[:, 0]
            out.append(x)
        return torch.stack(out)


def best(tasks: dict[str, Callable[[], Any]], rounds: int) -> dict[str, float]:
    """Return the least seconds of processor of each task."""
    found = dict.fromkeys(tasks, float("inf"))
    for _ in range(rounds):
        for name, task in tasks.items():
            start = time.process_time()
            task()
            found[name] = min(found[name], time.process_time() - start)
    return found


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hidden", type=int, default=512)
    parser.add_argument("--length", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    torch.set_num_threads(1)
    model = built(options.hidden)
    loop, length = Loop(model), options.length
    ours = ostinato.sample(model, length, temperature=0, threads=1, device="cpu")[0]
    points = model.encoding.decode(loop(1, length, greedy=True)[:, 0].numpy(), None, 0)  # type: ignore[arg-type]
    if ours != (theirs := "".join(map(chr, points.tolist()))):
        raise SystemExit(f"the likeliest texts differ:\n{ours}\n{theirs}")
    print(f"the likeliest {length} characters are the same: {ours[:20]} ... ({len(set(ours))} different ones)")
    for rows in (1, 64):
        steps = length if rows == 1 else length // 8
        seconds = best(
            {
                "LSTMCell": partial(loop, rows, steps),
                "sample": partial(ostinato.sample, model, steps, n_samples=rows, threads=1, device="cpu"),
                "int8": partial(
                    ostinato.sample, model, steps, n_samples=rows, threads=1, device="cpu", precision="int8"
                ),
            },
            options.rounds,
        )
        rates = {name: rows * steps / s for name, s in seconds.items()}
        print(
            f"n={rows}: " + ", ".join(f"{name} {rate:,.0f}" for name, rate in rates.items()),
            f"characters a second, {rates['sample'] / rates['LSTMCell']:.2f} times; with weights of 8 bits "
            f"{rates['int8'] / rates['LSTMCell']:.2f} times",
        )


if __name__ == "__main__":
    main()
