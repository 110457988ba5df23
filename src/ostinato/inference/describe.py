"""inspect: a model in words."""

from __future__ import annotations

import math
from typing import Any

from ostinato.data.alphabet import Alphabet
from ostinato.data.amplitude import Amplitude
from ostinato.data.scaling import Scaling
from ostinato.description import Description
from ostinato.direct.model import DirectModel
from ostinato.layers.ar import AR
from ostinato.layers.front import InnovationFront, SymbolFront
from ostinato.model import SequenceModel
from ostinato.model_file import Model


def describe_model(model: Model) -> list[str]:
    """What the model is, how it was made and how good it was, a line a fact."""
    d = model.description
    if isinstance(model, DirectModel):
        return _describe_direct(model)
    parts, record = d.config["parts"], d.record
    backbone = "no memory beyond the closed form" if d.name == "ar" else f"memory: {d.name}, {parts['hidden']} units"
    lines = [f"a model of {d.kind}: {backbone}" + (f", {parts['depth']} layers" if parts["depth"] > 1 else "")]
    lines += [f"{what}: {words}" for what, words in facts(model)]
    if record:
        lines.append(f"fitted to {record['steps']:,} steps in {record['sequences']:,} sequences; {record['split']}")
        if "search" in record:
            lines.append(searched(record["search"]))
        lines += [f"held out, {r['name']}: {r['held_out']:.4f} nats a step" for r in record.get("table", [])]
        lines.append(f"seed {record['seed']}; " + ", ".join(f"{k} {v}" for k, v in record["versions"].items()))
    return lines


def searched(trials: list[dict[str, Any]]) -> str:
    """What a search tried, in words; its trials are kept best first."""
    whole = sum(trial["state"] == "complete" for trial in trials)
    many = "s" * (len(trials) != 1)
    ended = f", {len(trials) - whole} ended before they were done" if whole < len(trials) else ""
    return f"the likeliest on the validation part of {len(trials)} trial{many} of a search{ended}"


def _describe_direct(model: DirectModel) -> list[str]:
    record = model.description.record
    what = f"a direct forecaster of {model.description.kind}: quantiles of {model.horizon} steps ahead at once"
    lines = [f"{what}, by {model.name}", *(f"{what}: {words}" for what, words in facts(model))]
    for c in record["table"]:
        words = f"quantile loss {c['loss']:.4g} seasonal errors, {c['coverage']:.1%} in 95 % intervals"
        lines.append(f"held out, {c['name']}: {words}" + f" ({c['detail']})" * bool(c["detail"]))
    lines.append(f"fitted to {record['steps']:,} steps in {record['sequences']:,} sequences; {record['split']}")
    lines.append(f"seed {record['seed']}; " + ", ".join(f"{k} {v}" for k, v in record["versions"].items()))
    return lines


def facts(model: Model) -> list[tuple[str, str]]:
    """(what, words): what the model is made of, beside its memory."""
    d = model.description
    if isinstance(model, DirectModel):
        window, coverage = model.base.window, d.record["coverage"]
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
            ("weights", _weights(model)),
            ("input", _input(model)),
        ]
    if d.source.get("channels") and d.kind != "text":
        out.append(("channels", ", ".join(d.source["channels"])))
    if d.source.get("frequency"):
        out.append(("frequency", d.source["frequency"]))
    return out


def verdict(description: Description) -> str:
    """What was kept of the ladder in the record, and how it stands to the closed form."""
    table = description.record["table"]
    yardstick, kept = table[0], next(rung for rung in table if rung["name"] == description.name)
    unit = {"text": "symbol", "sound": "sample"}.get(description.kind, "step")
    bits = f" ({-kept['held_out'] / math.log(2):.4f} bits a {unit})" if unit != "step" else ""
    if kept is yardstick:
        beaten = ": nothing with a memory beats it on what was held out" if len(table) > 1 else ""
        return f"kept: {yardstick['detail']}, the closed form{beaten}{bits}"
    gain = kept["held_out"] - yardstick["held_out"]
    if gain > 0:
        return f"kept: {kept['name']}, ahead of {yardstick['detail']} by {gain:.4f} nats a {unit}{bits}"
    return f"kept: {kept['name']}, as asked; {yardstick['detail']} is likelier by {-gain:.4f} nats a {unit}{bits}"


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


def _weights(model: SequenceModel) -> str:
    """Return the number of all weights, and of those that are trained, which the table of the ladder gives."""
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
    return f"{sum(p.numel() for p in model.parameters()):,}, of which {trained:,} are trained"


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


def improved(record: dict[str, Any], name: str) -> bool | None:
    """Return whether training improved a network on the closed form that it started from, on the validation part.

    Args:
        record: The record of a fit of the ladder.
        name: The name of the network in the record.

    Returns:
        False if no later evaluation was better than the first one, at step 0. None if the record does not say.
    """
    curves = record["curves"] if "curves" in record else {name: record["curve"]} if "curve" in record else {}
    curve = curves.get(name, [])
    if not curve or curve[0][0] != 0:
        return None
    return max(validation for *_, validation in curve) > curve[0][3]
