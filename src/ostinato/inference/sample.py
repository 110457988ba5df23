"""sample: new sequences from the model, from nothing or from a prompt."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from ostinato.data.alphabet import Alphabet
from ostinato.data.amplitude import Amplitude
from ostinato.data.sequences import SequenceSet
from ostinato.emissions.emission import Support
from ostinato.errors import ConfigError
from ostinato.inference.inputs import likelihood
from ostinato.inference.rollout import paths, repeat, state_after
from ostinato.model import SequenceModel
from ostinato.model_file import Model
from ostinato.renamed import renamed


@renamed(n="n_samples")
@torch.inference_mode()
def sample(
    model: Model,
    length: int = 200,
    *,
    n_samples: int = 1,
    prompt: str | SequenceSet | None = None,
    temperature: float = 1.0,
    top_p: float = 1.0,
    seed: int = 0,
) -> list[Any]:
    """Draw n_samples sequences of up to ``length`` steps: strings for text (the prompt before them), else arrays (T, D).

    prompt       text, or a SequenceSet whose first sequence is gone on from
    temperature  under 1 keeps to the likely, over 1 strays; top_p keeps the likeliest symbols of that total probability

    Raises ConfigError for a length, temperature or top_p that cannot be, or a prompt of characters the model never saw.
    """
    model = likelihood(model, "draw samples")
    if length < 1 or n_samples < 1:
        raise ConfigError(f"{n_samples} samples of {length} steps cannot be", fix="use 1 or more of each")
    if not temperature > 0 or not 0 < top_p <= 1:
        raise ConfigError(
            f"temperature {temperature:g} and top-p {top_p:g} cannot be", fix="use temperature > 0 and 0 < top-p <= 1"
        )
    start = _prompt(model, prompt)
    generator = torch.Generator().manual_seed(seed)
    encoding = model.encoding
    end = encoding.end if isinstance(encoding, Alphabet) else -1
    encoded = encoding.encode(start)
    state = repeat(state_after(model, encoded, [0]), n_samples)
    support = Support(*(s[:1] for s in (encoded.unit, encoded.low, encoded.high)))
    z = paths(model, state, support, length, generator, temperature=temperature, top_p=top_p, end=end)
    z = z.transpose(0, 1)
    if isinstance(encoding, Alphabet):
        return [(prompt if isinstance(prompt, str) else "") + encoding.text(row[:, 0].numpy()) for row in z]
    return list(encoding.decode(z.double().numpy(), start, 0))


def _prompt(model: SequenceModel, prompt: str | SequenceSet | None) -> SequenceSet:
    source, kind = model.description.source, model.description.kind
    if isinstance(prompt, SequenceSet):
        return prompt.take([0])
    encoding = model.encoding
    values: np.ndarray
    if isinstance(encoding, Alphabet):
        points = list((prompt or "").encode()) if encoding.of_bytes else [ord(c) for c in prompt or ""]
        unknown = sorted({chr(p) for p in points if p not in set(encoding.code_points)})
        if unknown:
            raise ConfigError(
                f"the prompt has characters the model never saw: {' '.join(map(repr, unknown[:5]))}",
                fix="leave them out, or fit the model to text that has them",
            )
        values = np.array(points, dtype=np.int32).reshape(-1, 1)
    elif prompt is not None:
        raise ConfigError(f"a model of {kind} cannot go on from words", fix="leave out the prompt, or give it data")
    else:
        # prices start at 100, for want of another
        values = np.full((1, model.channels), 100.0) if kind == "prices" else np.zeros((0, model.channels))
    return SequenceSet(
        model.description.kind,
        values,
        np.array([0, len(values)], dtype=np.int64),
        ("sample",),
        tuple(source.get("channels", ("y",))),
        step=np.array([encoding.usual_step]) if isinstance(encoding, Amplitude) else None,
        meta=source,
    )
