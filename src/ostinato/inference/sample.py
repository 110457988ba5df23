"""The verb sample: new sequences from the model, from their start or after a prompt."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from ostinato.arguments import seed as checked_seed
from ostinato.arguments import whole
from ostinato.data.sequences import SequenceSet
from ostinato.device import Device, on_device, placed
from ostinato.emissions.constraints import sampling_options
from ostinato.emissions.emission import Support
from ostinato.errors import ConfigError
from ostinato.inference.rollout import one_step, paths, state_after
from ostinato.model import SequenceModel
from ostinato.model_file import Model
from ostinato.renamed import renamed
from ostinato.threads import Threads, in_threads


@renamed(n="n_samples")
@in_threads
@on_device
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
    threads: Threads = "auto",
    device: Device = "auto",
) -> list[Any]:
    """Draw n_samples sequences of up to ``length`` steps.

    Args:
        model: A fitted SequenceModel.
        length: The number T of steps to draw. A sequence is shorter if its end is an event and is drawn.
        n_samples: The number of sequences.
        prompt: The text, or the first sequence of a SequenceSet, that every sequence continues.
        temperature: Below 1 the draws keep to likely values; above 1 they vary more. 0 gives the likeliest value of
            each step.
        top_p: Draw only from the likeliest symbols that have this probability together.
        seed: The seed of the draws.
        threads: The number of threads that compute, or "auto" for the decision by the machine.
        device: Where the model computes: "cpu", "cuda", "cuda:1", "mps", or "auto", which takes a card if a timed step
            says that it pays.

    Returns:
        Strings for text, each after its prompt; otherwise arrays (T, D) in the units of the data.

    Raises:
        ConfigError: length, n_samples, temperature or top_p is out of range, the prompt has characters that the
            model does not know, or the model is a DirectModel.
    """
    sequence_model = model.likelihood("draw samples")
    length, n_samples = whole("length", length), whole("n_samples", n_samples)
    temperature, top_p = sampling_options(temperature, top_p, symbols=not sequence_model.description.traits.numeric)
    start = _prompt(sequence_model, prompt)
    generator = torch.Generator().manual_seed(checked_seed(seed))
    encoding = sequence_model.encoding
    encoded = encoding.encode(start)
    sequence_model = placed(sequence_model, one_step(n_samples), length)
    state = sequence_model.repeated(state_after(sequence_model, encoded, [0]), n_samples)
    support = Support(*(s[:1] for s in (encoded.unit, encoded.low, encoded.high))).to(sequence_model.device)
    drawn = paths(
        sequence_model,
        state,
        support,
        length,
        generator,
        temperature=temperature,
        top_p=top_p,
        end=encoding.end_symbol,
    )
    z = drawn.transpose(0, 1)
    steps = z.double().numpy() if z.is_floating_point() else z.numpy()
    return encoding.samples(steps, start, prompt if isinstance(prompt, str) else "")


def _prompt(model: SequenceModel, prompt: str | SequenceSet | None) -> SequenceSet:
    """Return the sequence that samples continue."""
    if isinstance(prompt, SequenceSet):
        return prompt.take([0])
    description, encoding = model.description, model.encoding
    if prompt is not None and description.traits.numeric:
        raise ConfigError(
            f"a model of {description.kind} cannot continue the text {prompt[:20]!r}",
            fix="remove the prompt, or give data as the prompt",
        )
    values = encoding.prompt(prompt or "", model.channels)
    return SequenceSet(
        description.kind,
        values,
        np.array([0, len(values)], dtype=np.int64),
        ("sample",),
        tuple(description.source.get("channels", ("y",))),
        step=None if encoding.spacing is None else np.array([encoding.spacing]),
        meta=description.source,
    )
