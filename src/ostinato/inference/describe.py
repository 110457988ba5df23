"""inspect: a model in words."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ostinato.data.alphabet import Alphabet
from ostinato.data.amplitude import Amplitude
from ostinato.data.scaling import Scaling
from ostinato.description import Description
from ostinato.direct.model import DirectModel
from ostinato.layers.ar import AR
from ostinato.layers.front import InnovationFront, SymbolFront
from ostinato.model import SequenceModel
from ostinato.model_file import Model
from ostinato.record import Trial


def describe_model(model: Model) -> list[str]:
    """What the model is, how it was made and how good it was, a line a fact."""
    d = model.description
    if isinstance(model, DirectModel):
        return _describe_direct(model)
    parts, record = d.config["parts"], d.ladder_record
    backbone = "no memory beyond the closed form" if d.name == "ar" else f"memory: {d.name}, {parts['hidden']} units"
    lines = [f"a model of {d.kind}: {backbone}" + (f", {parts['depth']} layers" if parts["depth"] > 1 else "")]
    lines += [f"{what}: {words}" for what, words in facts(model)]
    if record.steps is not None:
        lines.append(f"fitted to {record.steps:,} steps in {record.sequences:,} sequences; {record.split}")
        if record.search:
            lines.append(searched(record.search))
        lines += [f"held out, {rung.name}: {rung.held_out:.4f} nats a step" for rung in record.table]
        lines.append(f"seed {record.seed}; " + ", ".join(f"{k} {v}" for k, v in record.versions.items()))
    return lines


def searched(trials: Sequence[Trial]) -> str:
    """What a search tried, in words; its trials are kept best first."""
    whole = sum(trial.state == "complete" for trial in trials)
    many = "s" * (len(trials) != 1)
    ended = f", {len(trials) - whole} ended before they were done" if whole < len(trials) else ""
    return f"the likeliest on the validation part of {len(trials)} trial{many} of a search{ended}"


def _describe_direct(model: DirectModel) -> list[str]:
    record = model.description.direct_record
    what = f"a direct forecaster of {model.description.kind}: quantiles of {model.horizon} steps ahead at once"
    lines = [f"{what}, by {model.name}", *(f"{what}: {words}" for what, words in facts(model))]
    for rung in record.table:
        words = f"quantile loss {rung.loss:.4g} seasonal errors, {rung.coverage:.1%} in 95 % intervals"
        lines.append(f"held out, {rung.name}: {words}" + f" ({rung.detail})" * bool(rung.detail))
    lines.append(f"fitted to {record.steps:,} steps in {record.sequences:,} sequences; {record.split}")
    lines.append(f"seed {record.seed}; " + ", ".join(f"{k} {v}" for k, v in record.versions.items()))
    return lines


def facts(model: Model) -> list[tuple[str, str]]:
    """(what, words): what the model is made of, beside its memory."""
    d = model.description
    if isinstance(model, DirectModel):
        window, coverage = model.base.window, d.direct_record.coverage
        of = "logarithms, " if window.log else ""
        out = [
            ("sees", f"the last {window.lookback} steps, of {of}seasons of {window.season}"),
            ("own weights", f"of {len(model.base.own):,} of {len(model.ids):,} series"),
            ("networks", str(len(model.networks))),
            (
                "95 % intervals",
                f"held {coverage['held_out']:.1%} of held-out values, {coverage['calibrated']:.1%} calibrated",
            ),
        ]
    else:
        out = [
            ("asserts", d.config["parts"]["emission"].replace("_", " ") + _coupled(model)),
            ("stands on", _base(model)),
            ("weights", f"{sum(p.numel() for p in model.parameters()):,}"),
            ("input", _input(model)),
        ]
    if d.source.get("channels") and d.kind != "text":
        out.append(("channels", ", ".join(d.source["channels"])))
    if d.source.get("frequency"):
        out.append(("frequency", d.source["frequency"]))
    return out


def verdict(description: Description) -> str:
    """Return which model of the ladder was kept, and how far it is from the closed form on the held-out part."""
    record = description.ladder_record
    closed, kept = record.table[0], next(rung for rung in record.table if rung.name == description.name)
    unit = {"text": "symbol", "sound": "sample"}.get(description.kind, "step")
    bits = f" ({-kept.held_out / math.log(2):.4f} bits a {unit})" if unit != "step" else ""
    if kept is closed:
        beaten = ": no network is likelier on the held-out part" if len(record.table) > 1 else ""
        return f"kept: {closed.detail}, the closed form{beaten}{bits}"
    gain = kept.held_out - closed.held_out
    start = "the closed form" if description.traits.numeric else "the untrained network"
    still = f"; training never improved on its start, {start}" if record.never_improved(kept.name) else ""
    if gain > 0:
        return f"kept: {kept.name}, ahead of {closed.detail} by {gain:.4f} nats a {unit}{bits}{still}"
    return f"kept: {kept.name}, as requested; {closed.detail} is likelier by {-gain:.4f} nats a {unit}{bits}{still}"


def _coupled(model: SequenceModel) -> str:
    return "" if model.coupling is None else ", of each channel given those before it at the same step"


def _base(model: SequenceModel) -> str:
    match model.front:
        case InnovationFront(ar=AR(order=order, volatility=volatility)):
            changing = "" if volatility is None else " with the variance of a GARCH(1,1)"
            return f"an autoregression of order {order}{changing}, fitted in closed form"
        case SymbolFront(markov=markov) if markov is not None:
            return f"a Markov chain of order {markov.order}, fitted by counting"
        case _:
            return "nothing"


def _input(model: SequenceModel) -> str:
    match model.encoding:
        case Alphabet() as a:
            return f"{len(a.code_points):,} {'bytes' if a.of_bytes else 'characters'}, and an unknown one" + (
                ", and the end of a sequence" if a.terminated else ""
            )
        case Amplitude(scale=scale, bits=bits):
            return f"{bits}-bit samples over {scale:.4g}"
        case Scaling(returns=True):
            return "log returns over their standard deviation"
        case Scaling(per_id=per_id) if per_id:
            return f"values less their mean over their standard deviation, of each of {len(per_id):,} series"
        case Scaling(counts=True):
            return "counts over their mean"
        case _:
            return "values less their mean over their standard deviation"
