"""The fit of adaptive memories, and their likelihood on the held-out part while they go on learning."""

from __future__ import annotations

import torch
from torch import Tensor

from ostinato.data.encoded import Encoding
from ostinato.data.split import Part
from ostinato.inference.adapt import Learner
from ostinato.layers.counts import Counts
from ostinato.model import SequenceModel
from ostinato.training.build import Material
from ostinato.training.objective import Likelihood


def letters_of(encoding: Encoding) -> list[int]:
    """Return the number of the letter that each symbol is, equal for both of its cases; 0 for no letter or digit, (V,).

    A byte of a longer character counts as a letter.
    """
    of_bytes = encoding.to_json().get("of_bytes", False)
    out = []
    for point in encoding.vocabulary():
        if of_bytes and point >= 128:
            out.append(point + 1)
        elif point in (-1, 0xFFFD) or not (chr(point).isalnum() or chr(point) == "'"):
            out.append(0)
        else:
            out.append(ord(chr(point).lower()[0]) + 1)
    return out


def counts_of(material: Material, part: Part = "known") -> Counts:
    """Return counts that have learned a part of the data.

    Args:
        material: The data of the fit.
        part: The part of the data.
    """
    values, offsets, _ = material.joined(part)
    return Counts.fit(values[:, 0].numpy(), offsets, letters_of(material.encoding))


@torch.no_grad()
def adaptive_nats(model: SequenceModel, material: Material, part: Part = "held-out") -> Tensor:
    """Return the nats (n,) in model space of the observed steps of a part, each asserted before it is learned.

    Args:
        model: An adaptive model.
        material: The data of the fit.
        part: The part of the data.
    """
    encoded, spans = material.encoded, material.spans(part)
    found = [torch.zeros(0, encoded.values.shape[1]), *Learner(model).nats(encoded, spans)]
    at = encoded.offsets
    seen = [encoded.observed[at[b] + a : at[b] + z] for b, a, z in spans]
    return torch.cat(found)[torch.cat(seen)].double()


def adapted(model: SequenceModel, material: Material) -> Likelihood:
    """Return the log-likelihood of the held-out part in the units of the data while the model goes on learning.

    Args:
        model: An adaptive model.
        material: The data of the fit.
    """
    encoded, at = material.encoded, material.encoded.offsets
    nats, steps = float(adaptive_nats(model, material).sum()), 0
    for b, a, z in material.spans("held-out"):
        span = slice(at[b] + a, at[b] + z)
        seen = encoded.observed[span]
        nats += float(encoded.log_measure[span][seen].sum(dtype=torch.float64))
        steps += int(seen.any(-1).sum())
    return Likelihood(nats, steps)
