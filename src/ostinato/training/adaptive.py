"""The fit of adaptive memories, and their likelihood on a part of the data with and without learning from it."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ostinato.assemble import Architecture, assemble
from ostinato.data.alphabet import Alphabet
from ostinato.data.batching import Piece, whole
from ostinato.data.encoded import Encoding
from ostinato.data.split import Part
from ostinato.inference.adapt import PAST, Learner
from ostinato.layers.ar import AR
from ostinato.layers.counts import Counts
from ostinato.layers.markov import Markov
from ostinato.layers.mixture import Mixture
from ostinato.model import SequenceModel
from ostinato.shapes import State
from ostinato.training.build import build
from ostinato.training.config import LadderOptions
from ostinato.training.epochs import judged_pieces
from ostinato.training.material import Material
from ostinato.training.objective import Likelihood, judged_together, ratio_error


def letters_of(encoding: Encoding) -> list[int]:
    """Return the number of the letter that each symbol is, equal for both of its cases; 0 for no letter or digit, (V,).

    A byte of a longer character counts as a letter.
    """
    assert isinstance(encoding, Alphabet)
    points = encoding.vocabulary()
    return [0, *(0 if point == -1 else encoding.spelling.letter(point) for point in points[1:])]


def begins_of(encoding: Encoding) -> list[bool]:
    """Return whether a character begins with each symbol, (V,); an unknown one is a character."""
    assert isinstance(encoding, Alphabet)
    points = np.array(encoding.vocabulary()[1:])
    return [True, *((encoding.spelling.characters(points) > 0) | (points == -1)).tolist()]


def counts_of(material: Material, part: Part = "known", *, network: bool = False) -> Counts:
    """Return counts that have learned a part of the data, whole sequences in a random order.

    Args:
        material: The data of the fit.
        part: The part of the data.
        network: Whether a network will be mixed in.
    """
    values, offsets, _ = material.joined(part, None if material.within is None else material.within.learned)
    symbols = values[:, 0].numpy()
    if not material.split.by_time:
        # a list in alphabetical order would leave the counts with the habits of its last letter
        order = np.random.default_rng(0).permutation(len(offsets) - 1)
        symbols = np.concatenate([symbols[offsets[i] : offsets[i + 1]] for i in order])
        offsets = np.cumsum([0, *np.diff(offsets)[order]], dtype=np.int64)
    encoding = material.encoding
    known, begins = unknown_if_once(symbols, encoding), begins_of(encoding)
    return Counts.fit(known, offsets, letters_of(encoding), begins=begins, network=network)


def unknown_if_once(symbols: NDArray[Any], encoding: Encoding) -> NDArray[Any]:
    """Return symbols (N,) with the unknown one, 0, in the place of each character that came once.

    So the probability of the unknown symbol is that of new characters (Good 1953), and follows where they come. What is
    in every alphabet, such as a byte, cannot be new.
    """
    assert isinstance(encoding, Alphabet)
    if encoding.spelling.closed:
        return symbols
    points = np.array(encoding.vocabulary())
    once = np.bincount(symbols[symbols >= 0], minlength=len(points)) == 1
    once &= (points >= 0) & ~np.isin(points, encoding.spelling.always)
    return np.where((symbols >= 0) & once[symbols], 0, symbols)


@torch.no_grad()
def mixed_nats(
    network: SequenceModel, counts: Counts, state: State, material: Material, part: Part
) -> Iterator[Tensor]:
    """Yield the nats of the steps of a part, in their order, while the counts learn and the network does not.

    The network runs over pieces of the part side by side, each with a past, as it is judged; the counts run over the
    steps one after the other.

    Args:
        network: A fitted network.
        counts: Counts that take a network.
        state: The state of the counts for one row, from ``owned``; it moves on in place.
        material: The data of the fit.
        part: The part of the data.
    """
    encoded, spans = material.encoded, material.spans(part)
    begins, ends = {(b, a) for b, a, _ in spans}, {(b, z) for b, _, z in spans}
    V, rate = counts.output_size, state[0]
    learns = rate[:, 0].clone()

    def symbols(first: int, stop: int) -> Tensor:
        own = encoded.values[first:stop, 0]
        return torch.where(own < 0, V, own)

    for group in _in_order(judged_pieces(material, part, 0), judged_together(V)):
        batch = whole(encoded, group)
        given = network.unroll(batch.x)[0].params[..., 0, :].log_softmax(-1)
        for b, piece in enumerate(group):
            at = int(encoded.offsets[piece.row])
            own = given[piece.counted - piece.first : piece.stop - piece.first, b, None]
            before = symbols(at + piece.counted - 1, at + piece.counted) if piece.counted else torch.tensor([V])
            x = torch.cat([before, symbols(at + piece.counted, at + piece.stop - 1)])[:, None]
            if (piece.row, piece.counted) in begins:
                rate[:, 0] = 0  # the past was learned in its own part
                past = symbols(at + max(0, piece.counted - PAST), at + max(0, piece.counted - 1))[:, None]
                counts.settle_(torch.cat([past.new_tensor([[V]]), past]), state)
                counts.settle_(x[:1], state, own[:1])
                rate[:, 0] = learns
                x, own = x[1:], own[1:]
            yield counts.settle_(x, state, own)[:, 0]
            if (piece.row, piece.stop) in ends:
                yield counts.settle_(symbols(at + piece.stop - 1, at + piece.stop)[:, None], state)[:, 0]


def _in_order(items: list[Piece], most: int) -> Iterator[list[Piece]]:
    """Yield neighbouring pieces together, of at most some padded steps."""
    group: list[Piece] = []
    longest = 0
    for piece in items:
        longest = max(longest, piece.stop - piece.first)
        if group and longest * (len(group) + 1) > most:
            yield group
            group, longest = [], piece.stop - piece.first
        group.append(piece)
    if group:
        yield group


@torch.no_grad()
def adaptive_nats(model: SequenceModel, material: Material, *, learns: bool = True) -> Tensor:
    """Return the nats (n,) in model space of the observed held-out steps, each predicted before it is learned.

    Args:
        model: An adaptive model.
        material: The data of the fit.
        learns: Whether the model learns from them.
    """
    encoded, spans = material.encoded, material.spans("held-out")
    at = encoded.offsets
    if isinstance(model.backbone, Mixture):
        counts = model.backbone.counts
        state = counts.owned(counts.initial_state(1), learns=learns)
        found = [*mixed_nats(network_in(model), counts, state, material, "held-out")]
    else:
        found = [nats[:, 0] for nats in Learner(model, learns=learns).nats(encoded, spans)]
    observed = encoded.observed
    seen = [observed[at[b] + a : at[b] + z, 0] for b, a, z in spans]
    return torch.cat(found)[torch.cat(seen)].double()


@torch.no_grad()
def learn_for_good(model: SequenceModel, material: Material, part: Part) -> None:
    """Let an adaptive model learn a part of the data for good.

    Args:
        model: An adaptive model; what it starts from changes in place.
        material: The data of the fit.
        part: The part of the data.
    """
    if isinstance(model.backbone, Mixture):
        counts = model.backbone.counts
        state = counts.owned(counts.initial_state(1), learns=True)
        for _ in mixed_nats(network_in(model), counts, state, material, part):
            pass
    else:
        assert isinstance(model.backbone, Counts)
        counts, learner = model.backbone, Learner(model)
        for _ in learner.nats(material.encoded, material.spans(part)):
            pass
        state = model.parts(learner.state).backbone
    counts.absorb(state)


def network_in(model: SequenceModel) -> SequenceModel:
    """Return the network of a mixture as a model of its own, which shares the weights."""
    mixture = model.backbone
    assert isinstance(mixture, Mixture)
    parts = Architecture(**{**model.description.config["parts"], "adaptive": {}})
    network = assemble(parts, model.encoding, model.description, None)
    network.front.load_state_dict(model.front.state_dict())
    network.backbone, network.head = mixture.network, mixture.head
    return network.eval()


def adapted(model: SequenceModel, material: Material, *, learns: bool = True) -> Likelihood:
    """Return the log-likelihood of the held-out part in the units of the data, and whether the model learns from it.

    Args:
        model: An adaptive model.
        material: The data of the fit.
        learns: Whether the model learns from the held-out part.
    """
    encoded, at = material.encoded, material.encoded.offsets
    nats, first, parts = adaptive_nats(model, material, learns=learns), 0, list[tuple[float, int]]()
    observed, judged = encoded.observed, encoded.judged
    for b, a, z in material.spans("held-out"):
        span = slice(at[b] + a, at[b] + z)
        seen = observed[span]
        stop = first + int(seen[:, 0].sum())
        own = float(nats[first:stop].sum()) + float(encoded.log_measure[span][seen].sum(dtype=torch.float64))
        parts.append((own, int(judged[span].sum())))
        first = stop
    error = ratio_error(parts) if material.share("held-out") < 1 else None
    return Likelihood(sum(x for x, _ in parts), sum(n for _, n in parts), error)


def mixture_of(
    network: SequenceModel, material: Material, base: AR | Markov, options: LadderOptions, counts: Counts
) -> SequenceModel:
    """Return the mixture of a fitted network and counts.

    Args:
        network: The network.
        material: The data of the fit.
        base: The closed form.
        options: The options of the models.
        counts: Counts that have learned how much the network is worth.
    """
    model = build("mixture", material, base, options, memory=counts, network=network.description.name)
    mixture = model.backbone
    assert isinstance(mixture, Mixture)
    assert network.head is not None
    assert network.backbone is not None
    mixture.network, mixture.head.weight = network.backbone, network.head.weight
    mixture.head.bias.data.copy_(network.constant[0].detach())
    model.front.load_state_dict(network.front.state_dict())
    return model.requires_grad_(False)


def fit_mixture(network: SequenceModel, material: Material, base: AR | Markov, options: LadderOptions) -> SequenceModel:
    """Return the mixture of a network and counts, with weights learned on the validation part.

    On the training part the network looks better than it is, because it was trained on it.

    Args:
        network: The network, which was trained on the training part.
        material: The data of the fit.
        base: The closed form.
        options: The options of the models.
    """
    # a copy, because the counts are on the processor, and the network may be on a GPU and stays a model of its own
    network = copy.deepcopy(network).cpu()
    counts = counts_of(material, "train", network=True)
    state = counts.owned(counts.initial_state(1), learns=True)
    for _ in mixed_nats(network, counts, state, material, "validation"):
        pass
    counts.absorb(state)
    return mixture_of(network, material, base, options, counts)
