"""The verb sample: new sequences from the model, from their start or after a prompt."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import torch
from numpy.typing import NDArray

from ostinato.arguments import seed as checked_seed
from ostinato.arguments import whole
from ostinato.choices import unknown
from ostinato.data.alphabet import Alphabet
from ostinato.data.lines import plain
from ostinato.data.sequences import SequenceSet
from ostinato.device import Device, on_device, placed
from ostinato.emissions.choice import Choice
from ostinato.emissions.emission import Support
from ostinato.errors import ConfigError
from ostinato.forecasting.inputs import as_sequences
from ostinato.forecasting.protocol import fitted
from ostinato.inference.raw import raw_sequences
from ostinato.inference.rollout import generators, one_step, paths, state_after
from ostinato.inference.writing import Writing, stop_strings, until
from ostinato.layers.cell import Cell
from ostinato.model import SequenceModel
from ostinato.model_file import Model
from ostinato.numbers import counted
from ostinato.renamed import renamed
from ostinato.settings import undisturbed
from ostinato.threads import Threads, in_threads

#: The bytes that a step and a value take at least, while sequences are drawn.
_STEP, _VALUE = 100, 24
#: How the weights of a text are held while it is drawn.
PRECISIONS = ("float32", "int8")


@renamed(n="n_samples")
@undisturbed
@in_threads
@on_device
@torch.inference_mode()
def sample(  # noqa: PLR0913 - each argument is an option of a draw, given by name
    model: Model,
    length: int = 200,
    *,
    n_samples: int = 1,
    prompt: str | SequenceSet | None = None,
    temperature: float = 1.0,
    top_p: float = 1.0,
    top_k: int | None = None,
    min_p: float = 0.0,
    stop: str | Sequence[str] = (),
    seed: int = 0,
    threads: Threads = "auto",
    device: Device = "auto",
    precision: str = "float32",
    on_text: Callable[[str], None] | None = None,
) -> list[Any]:
    """Draw n_samples sequences of up to ``length`` steps.

    Args:
        model: A fitted SequenceModel.
        length: The number T of steps to draw. A sequence is shorter if its end is an event and is drawn.
        n_samples: The number of sequences.
        prompt: The text, or the first sequence of a SequenceSet, that every sequence continues. A character that the
            model does not know is the unknown symbol, as in ``score``.
        temperature: Below 1 the draws keep to likely values; above 1 they vary more. 0 gives the likeliest value of
            each step: the symbol, count or amplitude of greatest probability, given the channels before it. Of
            continuous values it is the place of greatest density, for a mixture among the means of its components.
        top_p: Draw only from the fewest of the likeliest symbols that have this total probability.
        top_k: Draw only from this many of the likeliest symbols; None for all.
        min_p: Draw only symbols that have at least this share of the probability of the likeliest one.
        stop: A string, or several: a text ends after the first that it has drawn.
        seed: The seed of the draws. Each sequence has random numbers of its own. So with the same seed, the first
            sequences of a larger n_samples are those of a smaller one, for numbers to the rounding of the arithmetic.
        threads: The number of threads that compute, or "auto" for the decision by the machine.
        device: Where the model computes: "cpu", "cuda", "cuda:1", "mps", or "auto", which takes a GPU if a timed step
            is faster there.
        precision: "float32", or "int8" for a network of text: each row of its recurrent weights is rounded to 255
            places, and its state to 16 bits. Texts are drawn about twice as fast, from the distributions of the rounded
            network, whose copy is kept with the model. A seed gives other texts than in float32.
        on_text: What is called with each piece of a text while it is made, the prompt first. For one sequence of text.

    Returns:
        Strings for text, each after its prompt; otherwise arrays (T, D) in the units of the data.

    Raises:
        ConfigError: An option is out of range or not one for the values of the model, the model is a DirectModel, or
            the memory cannot hold so many steps.
        ModelFileError: The prompt is a SequenceSet of another kind than the model.
    """
    sequence_model = fitted(model).likelihood("draw samples")
    length, n_samples = whole("length", length), whole("n_samples", n_samples)
    symbols = not sequence_model.description.traits.numeric
    choice = Choice.of(temperature, top_p, top_k, min_p, symbols=symbols)
    strings, encoding = stop_strings(stop, symbols=symbols), sequence_model.encoding
    _check_room(sequence_model, strings, length, n_samples)
    start = _prompt(sequence_model, prompt)
    told = None if on_text is None else _passing_on(sequence_model, n_samples, prompt, strings, on_text)
    on_symbols = None if told is None else told[0]
    writing = Writing(encoding, strings, on_symbols) if isinstance(encoding, Alphabet) else None
    generator = generators(sequence_model, checked_seed(seed), n_samples)
    encoded = encoding.encode(start)
    sequence_model = placed(_in_precision(sequence_model, precision), one_step(n_samples), length)
    state = sequence_model.repeated(state_after(sequence_model, encoded, [0]), n_samples)
    support = Support(*(s[:1] for s in (encoded.unit, encoded.low, encoded.high))).to(sequence_model.device)
    drawn = paths(
        sequence_model,
        state,
        support,
        length,
        generator,
        choice=choice,
        writing=writing,
    )
    if told is not None:
        told[1]()
    z = drawn.transpose(0, 1)
    steps = z.double().numpy() if z.is_floating_point() else z.numpy()
    words = plain(prompt, "the prompt") if isinstance(prompt, str) else ""
    samples = encoding.samples(steps, start, words)
    return [words + until(text[len(words) :], strings) for text in samples] if strings else samples


def _check_room(model: SequenceModel, stop: tuple[str, ...], length: int, n_samples: int) -> None:
    """Refuse sequences that the memory of this machine cannot hold. Those that may end earlier are not refused.

    Raises:
        ConfigError: They would take more than all of the memory.
    """
    ends = bool(stop) or (isinstance(model.encoding, Alphabet) and model.encoding.terminated)
    if ends or not hasattr(os, "sysconf"):  # Windows does not tell its memory in this way
        return
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    needed = length * (_STEP + _VALUE * n_samples * model.channels)
    if needed > memory:
        raise ConfigError(
            f"{counted(n_samples, 'sequence')} of {counted(length, 'step')} would take about {needed / 1e9:,.0f} GB, "
            f"and this machine has {memory / 1e9:,.0f} GB of memory",
            fix="use a smaller length, and continue what was drawn by giving it as the prompt",
        )


def _cells(model: SequenceModel) -> list[Cell]:
    return [] if model.backbone is None else [m for m in model.backbone.modules() if isinstance(m, Cell)]


def _in_precision(model: SequenceModel, precision: str) -> SequenceModel:
    """Return the model, or a copy of it whose recurrent weights are rounded to 8 bits.

    Raises:
        ConfigError: The precision is unknown, or the model has no recurrent weights of text.
    """
    if precision not in PRECISIONS:
        raise unknown("precision", precision, PRECISIONS)
    if precision == "float32":
        return model
    if not _cells(model) or model.description.traits.numeric:
        raise ConfigError(
            f"the model is {model.description.name!r} of {model.description.kind}, and precision int8 needs an RNN, a "
            "GRU or an LSTM of text",
            fix="remove precision",
        )
    made = tuple((p.data_ptr(), p._version) for p in model.parameters() if not p.is_inference())
    kept = _ROUNDED.get(model)
    if kept is None or kept[0] != made or not made:
        rounded = copy.deepcopy(model)
        for cell in _cells(rounded):
            cell.round_()
        kept = _ROUNDED[model] = made, rounded
    return kept[1]


#: The rounded copies of models, which are made once, each with the versions of the weights that it was made of.
_ROUNDED: WeakKeyDictionary[SequenceModel, tuple[tuple[tuple[int, int], ...], SequenceModel]] = WeakKeyDictionary()


def _passing_on(
    model: SequenceModel,
    n_samples: int,
    prompt: str | SequenceSet | None,
    stop: tuple[str, ...],
    on_text: Callable[[str], None],
) -> tuple[Callable[[NDArray[np.int64]], None], Callable[[], None]]:
    """Pass the prompt of one text to on_text, and return the two functions that pass its characters on.

    Returns:
        A function of the symbols of each step, and one to call at the end, for what is left.

    Raises:
        ConfigError: The values are numbers, or there is more than one text.
    """
    alphabet = model.encoding
    if not isinstance(alphabet, Alphabet):
        raise ConfigError(
            f"only text can be printed while it is drawn, got a model of {model.description.kind}",
            fix="write the sequences to a file",
        )
    if n_samples > 1:
        raise ConfigError(
            f"one text can be printed while it is drawn, got n_samples {n_samples}", fix="use n_samples 1"
        )
    if isinstance(prompt, str):
        on_text(plain(prompt, "the prompt"))
    points, reader = alphabet.vocabulary(), alphabet.spelling.reader()
    tail, longest = "", max(map(len, stop), default=1)

    def pass_on(piece: str) -> None:
        nonlocal tail
        if piece:
            on_text(until(tail + piece, stop)[len(tail) :])
            tail = (tail + piece)[max(0, len(tail + piece) - longest + 1) :]

    def take(symbols: NDArray[np.int64]) -> None:
        point = points[int(symbols[0])]
        pass_on(reader.feed(point) if point >= 0 else reader.close())

    def close() -> None:
        pass_on(reader.close())

    return take, close


def _prompt(model: SequenceModel, prompt: str | SequenceSet | None) -> SequenceSet:
    """Return the sequence that samples continue."""
    if isinstance(prompt, SequenceSet):
        # the sequence goes on, so its end is not an event
        return replace(as_sequences(model, prompt.take([0])), terminated=False)
    description, encoding = model.description, model.encoding
    if prompt is not None and not isinstance(prompt, str):
        raise ConfigError(
            f"a prompt must be a string or a SequenceSet, got {prompt!r}", fix="use text, or what ostinato.read returns"
        )
    if prompt is not None and description.traits.numeric:
        raise ConfigError(
            f"a model of {description.kind} cannot continue the text {prompt[:20]!r}",
            fix="give data as the prompt: a SequenceSet, or on the command line the path of a file",
        )
    values = encoding.prompt(prompt or "", model.channels)
    return raw_sequences(model, ["sample"], values, [len(values)], spacing=None)
