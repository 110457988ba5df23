"""The report: one HTML file of a model and data, that needs nothing beside it."""

from __future__ import annotations

import math
from functools import singledispatch
from pathlib import Path
from typing import Any

from ostinato.data.encoded import Encoded
from ostinato.data.sequences import SequenceSet
from ostinato.data.split import split
from ostinato.diagnosis.diagnose import diagnose
from ostinato.direct.model import DirectModel
from ostinato.errors import ConfigError, DataError
from ostinato.evaluation.calibration import Spans, calibrate, judged
from ostinato.forecasting.inputs import as_sequences
from ostinato.inference.describe import describe_model, verdict
from ostinato.model import SequenceModel
from ostinato.model_file import Model
from ostinato.record import LadderRecord
from ostinato.report import checks, direct, flow, forecasts, run, sound, surprisal
from ostinato.storage import atomic_write
from ostinato.training.objective import evaluate

_UNITS = {"text": "symbol", "sound": "sample"}


def write_report(model: Model, data: SequenceSet | Any, path: str | Path, *, seed: int = 0) -> None:
    """Write one self-contained HTML file on model, judged by data: by the held-out part of what it was fitted to, or
    by all of other data.

    data  a SequenceSet, or anything that ``read`` takes; seed  of forecasts, samples and the randomised PIT

    Raises ConfigError where the packages of ostinato[plot] are not installed; what ``as_sequences`` raises; WriteError.
    """
    html = render(model, as_sequences(model, data), seed)
    # a lone surrogate, which no file can hold, becomes a question mark
    atomic_write(path, html.encode("utf-8", "replace"))


def render(model: Model, data: SequenceSet, seed: int) -> str:
    """The page as HTML."""
    try:
        from jinja2 import Environment, FileSystemLoader, StrictUndefined
        from markupsafe import Markup
    except ImportError as error:
        raise ConfigError("a report needs jinja2", fix="pip install 'ostinato[plot]'") from error
    page = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,  # ids, texts and commands are the user's: they are words here, never HTML
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page.filters["svg"] = Markup  # drawn here, of numbers and words of ours alone
    return page.get_template("page.html.j2").render(contents(model, data, seed))


@singledispatch
def contents(model: Model, data: SequenceSet, seed: int) -> dict[str, Any]:
    """Return what the template shows of a model and data; each type of model has its own implementation below."""
    raise TypeError(f"model must be a SequenceModel or a DirectModel, got {type(model).__name__}")


contents.register(DirectModel, direct.contents)


@contents.register(SequenceModel)
def _contents(model: SequenceModel, data: SequenceSet, seed: int) -> dict[str, Any]:
    """Return what the template shows of a SequenceModel."""
    description = model.eval().description
    record, kind = description.ladder_record, description.kind
    encoded = model.encoding.encode(data)
    spans, raw, words = _judged(record, data, encoded)
    found = calibrate(model, encoded, spans, seed=seed)
    table = record.table
    fitted = record.data == data.digest
    kept = next((rung for rung in table if rung.name == description.name), None)
    reached = kept.held_out if fitted and kept else evaluate(model, encoded, judged(spans)).per_step
    return {
        "name": description.name,
        "called": (kept and kept.detail) or description.name,
        "kind": kind,
        "unit": _UNITS.get(kind, "step"),
        "source": Path(str(data.meta.get("source", "data given in Python"))).name,
        "about": describe_model(model)[0],
        "verdict": verdict(description) if table else "",
        "judged": words,
        "reached": reached,
        "bits": -reached / math.log(2) if kind in _UNITS else None,
        "table": table,
        **run.search(record),
        "notes": data.notes,
        "calibration": found if len(found.pit) else None,
        "chance": bool((encoded.unit > 0).any()),
        "calibration_verdict": checks.verdict(found) if len(found.pit) else "",
        "calibration_charts": [checks.pit(found), checks.coverage(found)] if len(found.pit) else [],
        **_how_far_back(model, data, record.held_out if fitted and record.held_out is not None else 0.1, seed),
        "curves": checks.curves(_curves(description.name, record), description.name),
        "fans": forecasts.fans(model, data, raw, seed) if kind in ("series", "prices") else None,
        "text": surprisal.excerpt(model, data, raw, seed) if kind == "text" else None,
        "edges": surprisal.EDGES,
        "sound": sound.recording(model, data, raw, seed) if kind == "sound" else None,
        "run": [*model.facts(), *run.facts(record, data, seed)],
        "command": record.command,
    }


def _judged(record: LadderRecord, data: SequenceSet, encoded: Encoded) -> tuple[Spans, Spans, str]:
    """The steps that judge the model, in model space and as read, and what they are in words."""
    if record.data == data.digest and record.held_out is not None:
        cut = split(data, record.held_out)
        spans = cut.spans("held-out", data.lengths, encoded.lengths)
        steps = sum(z - a for _, a, z in spans)
        raw = cut.spans("held-out", data.lengths, data.lengths)
        return spans, raw, f"the {steps:,} steps held out of the data that it was fitted to"
    spans, raw = ([(b, 0, int(n)) for b, n in enumerate(x.lengths) if n] for x in (encoded, data))
    steps = sum(z for _, _, z in spans)
    new = "data that it was not fitted to" if record.data is not None else "the data given, new to it or not"
    return spans, raw, f"all {steps:,} steps of {new}"


def _how_far_back(model: SequenceModel, data: SequenceSet, held_out: float | str, seed: int) -> dict[str, Any]:
    """The diagnosis and its charts; where there can be none, why."""
    try:
        found = diagnose(model, data, held_out=held_out, seed=seed)
    except (ConfigError, DataError) as error:
        return {"diagnosis": None, "why_not": error.what}
    return {
        "diagnosis": found,
        "flowing": flow.flowing(found),
        "flow_facts": flow.facts(found),
        "flow_charts": flow.charts(found),
    }


def _curves(name: str, record: LadderRecord) -> dict[str, checks.Curve]:
    """Return the evaluations of every network, with the training loss as a log-likelihood."""
    # training is kept as a loss
    return {
        k: [(n, s, math.nan if t is None else -t, v) for n, s, t, v in curve]
        for k, curve in record.curves_of(name).items()
    }
