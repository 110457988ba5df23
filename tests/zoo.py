"""Small models of every kind of sequence with every backbone: the table over which the laws of the verbs run.

The models are built, not trained: their closed form is fitted, and every other weight is a draw far from its start.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ostinato.assemble import Architecture, assemble
from ostinato.data.alphabet import Alphabet
from ostinato.data.encoded import Encoded
from ostinato.data.encoding import fit_encoding
from ostinato.data.sequences import SequenceSet
from ostinato.description import Description
from ostinato.direct.model import DirectModel
from ostinato.emissions.emission import Support
from ostinato.fits.result import Fit, Rung
from ostinato.inference.stream import Stream
from ostinato.layers.ar import AR
from ostinato.layers.autoregression import fit_ar
from ostinato.layers.filter import AdaptiveFilter
from ostinato.layers.markov import Markov
from ostinato.layers.smoothing import Parameters, Smoothing
from ostinato.layers.volatility import Volatility
from ostinato.model import SequenceModel
from ostinato.ops.filter.form import FilterForm

LENGTHS = (60, 1, 37, 0, 90)
BACKBONES = ("ar", "linear", "rnn", "gru", "lstm", "conv")


@dataclass(frozen=True)
class Kind:
    """A kind of test data.

    Attributes:
        make: Returns the data for a generator, a number N of steps and offsets.
        emission: The name of the emission.
        panel: Whether each series is scaled by its own values.
        bounded: Whether values below 0 have no probability.
    """

    make: Callable[[np.random.Generator, int, dict[str, Any]], SequenceSet]
    emission: str
    panel: bool = False
    bounded: bool = False


def _wave(rng: np.random.Generator, n: int) -> NDArray[np.float64]:
    return np.sin(np.arange(n) / 3)[:, None] + 0.3 * rng.standard_normal((n, 1))


def _series(rng: np.random.Generator, n: int, where: dict[str, Any]) -> SequenceSet:
    values = 50 + 9 * _wave(rng, n)
    values[[5, 6, 70]] = np.nan
    return SequenceSet("series", values, **where)


def _channels(rng: np.random.Generator, n: int, where: dict[str, Any]) -> SequenceSet:
    wave = _wave(rng, n)
    values = np.hstack([wave, -3 * wave + rng.standard_normal((n, 1))])
    values[8] = np.nan
    values[9, 1] = np.nan
    return SequenceSet("series", values, channels=("u", "v"), **where)


def _cut(data: SequenceSet, least: float) -> SequenceSet:
    """Return data less a value, and 0 where that is below 0."""
    return replace(data, values=np.maximum(data.values - least, 0.0))


def _counts(rng: np.random.Generator, n: int, where: dict[str, Any]) -> SequenceSet:
    rate = 3 + 2 * np.sin(np.arange(n) / 3)[:, None]
    return SequenceSet("series", rng.poisson(rate).astype(float), count=True, **where)


def _prices(rng: np.random.Generator, n: int, where: dict[str, Any]) -> SequenceSet:
    values = 90 * np.exp(0.01 * rng.standard_normal((n, 1)).cumsum(0))
    values[12] = np.nan
    return SequenceSet("prices", values, **where)


def _text(rng: np.random.Generator, n: int, where: dict[str, Any], **how: Any) -> SequenceSet:
    points = rng.choice([97, 98, 99, 0xAC00], size=(n, 1), p=[0.5, 0.2, 0.2, 0.1]).astype(np.int32)
    return SequenceSet("text", points, meta={"alphabet": "characters"}, **how, **where)


def _bytes(rng: np.random.Generator, n: int, where: dict[str, Any]) -> SequenceSet:
    points = rng.integers(97, 100, size=(n, 1)).astype(np.int32)
    return SequenceSet("text", points, meta={"alphabet": "bytes"}, **where)


def _sound(rng: np.random.Generator, n: int, where: dict[str, Any], *, step: int = 1, bits: int = 16) -> SequenceSet:
    amplitude = 0.1 * 2 ** (bits - 1) / step
    samples = ((amplitude * _wave(rng, n)).round() * step).astype(np.int32)
    meta = {"bits": bits, "sample_rate": 8000, "channel": None}
    spacing = np.full(len(where["ids"]), float(step))
    return SequenceSet("sound", samples, step=spacing, channels=("amplitude",), meta=meta, **where)


KINDS: dict[str, Kind] = {
    "series": Kind(_series, "student_t"),
    "series, normal": Kind(_series, "normal"),
    "series, mixture": Kind(_series, "logistic_mixture"),
    "nonnegative": Kind(lambda *a: _cut(_series(*a), 48.0), "student_t", bounded=True),
    "nonnegative, mixture": Kind(lambda *a: _cut(_series(*a), 48.0), "logistic_mixture", bounded=True),
    "nonnegative channels": Kind(lambda *a: _cut(_channels(*a), 0.0), "normal", bounded=True),
    "panel": Kind(_series, "student_t", panel=True),
    "channels": Kind(_channels, "student_t"),
    "counts": Kind(_counts, "negative_binomial"),
    "counts, normal": Kind(_counts, "normal"),
    "prices": Kind(_prices, "student_t"),
    "price panel": Kind(_prices, "student_t", panel=True),
    "text": Kind(_text, "categorical"),
    "lines": Kind(lambda *a: _text(*a, terminated=True), "categorical"),
    "bytes": Kind(_bytes, "categorical"),
    "sound": Kind(_sound, "logistic_mixture"),
    "coarse sound": Kind(lambda *a: _sound(*a, step=256), "logistic_mixture"),
    "small sound": Kind(lambda *a: _sound(*a, bits=8), "logistic_mixture"),
}
#: a linear prediction may be negative, so the closed form never stands alone under a negative binomial
PAIRS = [(kind, name) for kind in KINDS for name in BACKBONES if (kind, name) != ("counts", "ar")]
#: adaptive filters, alone and under a network
FILTERED = ("series", "nonnegative", "panel", "channels", "sound", "coarse sound", "small sound")
PAIRS += [(kind, "filter") for kind in FILTERED]
#: exponential smoothing, on which no network stands
SMOOTHED = ("series", "nonnegative", "panel", "channels", "counts, normal", "prices")
PAIRS += [(kind, "ets") for kind in SMOOTHED]
WORDS = ("text", "lines", "bytes")
NUMBERS = [pair for pair in PAIRS if pair[0] not in WORDS]


@cache
def made(kind: str) -> SequenceSet:
    """Return five sequences of uneven lengths, one empty and one of one step, with missing values if possible."""
    offsets = np.cumsum([0, *LENGTHS], dtype=np.int64)
    where = {"offsets": offsets, "ids": tuple("abcde")}
    return KINDS[kind].make(np.random.default_rng(7), int(offsets[-1]), where)


@cache
def fitted(kind: str, name: str) -> SequenceModel:
    """Return the model of this kind with this backbone."""
    one = KINDS[kind]
    return build(made(kind), name, one.emission, panel=one.panel, bounded=one.bounded)


def build(
    data: SequenceSet, name: str, emission: str, *, panel: bool = False, bounded: bool = False, order: int = 3
) -> SequenceModel:
    """Return a model of data with random weights, on a fitted closed form of this order."""
    encoding = fit_encoding(data, by_id=panel, nonnegative=(bounded,) * len(data.channels))
    encoded = encoding.encode(data)
    base: AR | Markov | AdaptiveFilter | Smoothing | None
    if isinstance(encoding, Alphabet):
        symbols = encoded.values[:, 0].numpy()
        base = Markov.fit(symbols, encoded.offsets, encoding.size, 2, criterion="given") if name == "ar" else None
        shape = {"markov": base.config()} if base else {}
    else:
        z = encoded.values[:].double().numpy()
        base = AR.from_fits([fit_ar(column, encoded.offsets, order, order=order) for column in z.T])
        changing = data.kind == "prices"
        if changing:
            base.volatility = Volatility.of([(0.2, 0.7)] * base.output_size)
        shape = {"ar": {"order": base.order, "channels": base.output_size, "trend": False, "volatility": changing}}
    components = 3
    if name == "filter":
        unit, D = float(encoded.unit.max()) or 0.05, len(data.channels)
        small: dict[str, Any] = {"orders": (6, 3), "forgets": (0.998, 0.97), "taps": (8, 4), "rates": (0.003, 0.003)}
        form = FilterForm(
            channels=D, cross=2 * (D > 1), unit=unit, wide=0.5 / unit, lattice=bool(encoded.unit.any()), **small
        )
        base, components = AdaptiveFilter(form), form.mixed
        emission, shape = "logistic_mixture", {"filter": form.to_json()}
    if name == "ets":
        D = len(data.channels)
        smoothing = torch.tensor([[0.3, 0.1, 0.2, 0.9], [0.6, 0.0, 0.0, 1.0]][:D], dtype=torch.float64)
        spread = torch.tensor([[2.0, 0.4, 1.5]] * D, dtype=torch.float64)
        sigma = torch.full((D,), 0.4, dtype=torch.float64)
        base = Smoothing.of("ETS(A,Ad,A)", 3, Parameters(smoothing, spread), sigma)
        shape = {"smoothing": base.to_json()}
    parts = Architecture(name, emission, len(data.channels), 8, 1, 0.3, 6, components, shape)
    source = {**data.meta, "kind": data.kind, "channels": list(data.channels), "count": data.count}
    torch.manual_seed(1)
    model = assemble(parts, encoding, Description(name, data.kind, {"parts": parts.to_json()}, source), base)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad and name != "filter":
                parameter.add_(0.15 * torch.randn_like(parameter))
        if model.coupling is not None:
            model.coupling.weight.sub_(0.8)  # the channels of a step move against each other
    return model.eval()


def as_text(values: NDArray[Any]) -> str:
    """Return code points (T, 1), or bytes under 128, as a string."""
    return "".join(map(chr, values[:, 0].tolist()))


def live(model: SequenceModel, data: SequenceSet, row: int) -> Stream:
    """Return a stream for one sequence of data, with the same spacing that ``score`` uses."""
    return Stream(model, data.ids[row], step=1.0 if data.step is None else float(data.step[row]))


def rungs(found: Fit) -> tuple[Rung, ...]:
    """The table of a fit by the ladder."""
    assert all(isinstance(row, Rung) for row in found.table)
    return tuple(row for row in found.table if isinstance(row, Rung))


def kept(found: Fit) -> Rung:
    """The line of the model that a fit by the ladder kept."""
    assert isinstance(found.kept, Rung)
    return found.kept


def sequential(model: SequenceModel | DirectModel) -> SequenceModel:
    """The model, which has to be one of the ladder."""
    assert isinstance(model, SequenceModel)
    return model


def direct(model: SequenceModel | DirectModel) -> DirectModel:
    """The model, which has to be a direct one."""
    assert isinstance(model, DirectModel)
    return model


def of_every_symbol(model: SequenceModel, encoded: Encoded, rows: int) -> Support:
    """Return the support of the first sequence for some rows, with the unknown symbol, which a sample leaves out."""
    low = encoded.low if model.description.traits.numeric else torch.zeros_like(encoded.low)
    return Support(*(s[:1].expand(rows, -1) for s in (encoded.unit, low, encoded.high)))
