"""Whether a model is ahead of a simpler one by more than the uncertainty of the held-out part, and which is kept."""

from __future__ import annotations

import math

import torch
from scipy.special import stdtrit
from torch import Tensor

from ostinato.data.batching import bucketed, whole
from ostinato.data.spelled import texts_of
from ostinato.emissions.emission import Support
from ostinato.layers.build import SMOOTHED
from ostinato.model import SequenceModel
from ostinato.record import Rung
from ostinato.training.adaptive import adaptive_nats
from ostinato.training.epochs import judged_pieces
from ostinato.training.material import Material
from ostinato.training.objective import judged_together

#: A gain counts from this many standard errors on. With few values the bound is that of Student's t, which is higher.
ERRORS = 1.0
#: From this many held-out values on, a fit does not say how few they are.
ENOUGH = 10
#: Texts of more steps are not searched for repeated lines, which would take seconds.
_READ_FOR_REPEATS = 1_000_000


def chosen(climbed: list[tuple[Rung, SequenceModel]], material: Material) -> tuple[Rung, SequenceModel]:
    """Return the model that ``auto`` keeps: the likeliest, if it is ahead of each closed form that was kept before.

    Exponential smoothing must be ahead of the autoregression, and a network of the likelier of the two.

    Args:
        climbed: The rows of the table with their models, the closed form first.
        material: The data of the fit.
    """
    kept = climbed[0]
    closed = [pair for pair in climbed[1:] if pair[0].name in SMOOTHED]
    for other in (*closed, max(climbed, key=lambda pair: pair[0].held_out)):
        if other[0].held_out > kept[0].held_out and ahead(other[1], kept[1], material):
            kept = other
    return kept


def ahead(model: SequenceModel, closed_form: SequenceModel, material: Material) -> bool:
    """Return whether a model's mean gain over the closed form on the held-out part exceeds its standard error.

    A single held-out value shows no difference, however large the gain on it is.

    Args:
        model: A fitted model.
        closed_form: A simpler one, such as the fitted closed form.
        material: The data of the fit.
    """
    own = adaptive_nats(model, material) if model.adaptive else _nats(model, material)
    gains = own - _nats(closed_form, material)
    n = len(gains)
    if n < 2:
        return False
    share = 0.5 * (1 + math.erf(ERRORS / math.sqrt(2)))
    return bool(float(gains.mean()) > float(stdtrit(n - 1, share)) * float(gains.std()) / math.sqrt(n))


def note_on_few_held_out(material: Material) -> str:
    """Return a note on a held-out part that is too small for a claim; empty if it is large enough."""
    observed, at = material.encoded.observed, material.encoded.offsets
    count = sum(int(observed[at[b] + a : at[b] + z].any(dim=-1).sum()) for b, a, z in material.spans("held-out"))
    if count >= ENOUGH:
        return ""
    values = "one held-out value" if count == 1 else f"{count} held-out values"
    return f"the models were compared on {values} only, so their differences may be chance"


def note_on_repeats(material: Material) -> str:
    """Return a note on a held-out text that is mostly lines of the rest; empty for all other data.

    A model that has learned such lines by heart predicts them well, whatever it would say of a new line.
    """
    data, cut = material.data, material.split
    if data.kind != "text" or data.on_disk or len(data.values) > _READ_FOR_REPEATS:
        return ""
    known = {line for text in texts_of(cut.take("known", data)) for line in text.splitlines()}
    held = [line for text in texts_of(cut.take("held-out", data)) for line in text.splitlines() if line.strip()]
    total, repeated = sum(map(len, held)), sum(len(line) for line in held if line in known)
    if repeated <= total / 2:
        return ""
    return (
        f"{repeated / total:.0%} of the held-out text are lines that the rest of the text has too, so the figures show "
        "how well known lines are predicted. Expect lower figures for new lines"
    )


@torch.no_grad()
def _nats(model: SequenceModel, material: Material) -> Tensor:
    """Return the log-likelihood of every counted value of the held-out part in model space, (n,)."""
    training = model.training
    model.eval()
    out = []
    together = judged_together(model.encoding.vocabulary_size)
    for group in bucketed(judged_pieces(material, "held-out", model.front.reach), together, None):
        batch = whole(material.encoded, group).to(model.device)
        nats, _ = model.log_prob(batch.x, Support(batch.unit, batch.low, batch.high))
        out.append(nats[batch.weight].cpu().double())
    model.train(training)
    return torch.cat(out) if out else torch.zeros(0, dtype=torch.float64)
