"""The report on a model and its data: one HTML file that needs no other file."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import singledispatch
from pathlib import Path
from typing import Any

from ostinato.data.encoded import Encoded
from ostinato.data.extras import missing
from ostinato.data.future import with_future
from ostinato.data.sequences import SequenceSet
from ostinato.data.split import split
from ostinato.device import Device, on_device, placed
from ostinato.diagnosis.diagnose import diagnose
from ostinato.direct.model import DirectModel
from ostinato.errors import ConfigError, DataError
from ostinato.evaluation.calibration import Spans, calibrate, judged
from ostinato.forecasting.inputs import as_sequences
from ostinato.inference.describe import describe_model, verdict
from ostinato.kinds import Kind
from ostinato.model import SequenceModel
from ostinato.model_file import Model
from ostinato.numbers import counted
from ostinato.record import LadderRecord
from ostinato.report import checks, direct, flow, forecasts, run, sound, surprisal
from ostinato.settings import undisturbed
from ostinato.storage import atomic_write
from ostinato.threads import Threads, in_threads
from ostinato.training.objective import evaluate

#: The section of the page that shows examples, and what makes it, by the kind of the data.
_EXAMPLES: dict[Kind, tuple[str, Callable[[SequenceModel, SequenceSet, Spans, int], Any]]] = {
    "series": ("fans", forecasts.fans),
    "prices": ("fans", forecasts.fans),
    "text": ("text", surprisal.excerpt),
    "sound": ("sound", sound.recording),
}


@undisturbed
@in_threads
@on_device
def write_report(
    model: Model,
    data: SequenceSet | Any,
    path: str | Path,
    *,
    future: Any = None,
    seed: int = 0,
    threads: Threads = "auto",
    device: Device = "auto",
) -> None:
    """Write one self-contained HTML file on a model.

    Data that the model was fitted to judge it by their held-out part; other data judge it by all of their steps.

    Args:
        model: A fitted model.
        data: A SequenceSet, or anything that ``read`` takes.
        path: The file to write.
        future: The rows of the future covariates of the steps after the data, a file or a frame. Without them, a model
            that needs them is shown on the held-out part only.
        seed: The seed of the forecasts, the samples and the randomised PIT.
        threads: The number of threads that compute, or "auto" for the decision by the machine.
        device: Where the model computes: "cpu", "cuda", "cuda:1", "mps", or "auto", which takes a GPU if a timed step
            is faster there.

    Raises:
        ConfigError: The packages of ostinato[plot] are not installed.
        DataError: The data cannot be read.
        ModelFileError: The data do not fit the model.
        WriteError: The file cannot be written.
    """
    data = as_sequences(model, data)
    html = render(model, data if future is None else with_future(data, future), seed)
    # UTF-8 cannot hold a lone surrogate: it becomes a question mark
    atomic_write(path, html.encode("utf-8", "replace"))


def render(model: Model, data: SequenceSet, seed: int) -> str:
    """Return the page as HTML.

    Args:
        model: A fitted model.
        data: The data that judge it.
        seed: The seed of the page.

    Raises:
        ConfigError: jinja2 is not installed.
    """
    try:
        from jinja2 import Environment, FileSystemLoader, StrictUndefined
        from markupsafe import Markup
    except ImportError as error:
        raise missing("a report", "jinja2", "plot") from error
    page = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,  # ids, texts and commands come from the user: they are text, never HTML
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page.filters["svg"] = Markup  # our own drawings, without any text of the user
    return page.get_template("page.html.j2").render(contents(model, data, seed))


@singledispatch
def contents(model: Model, data: SequenceSet, seed: int) -> dict[str, Any]:
    """Return what the template shows of a model and data; each type of model has its own implementation below.

    Raises:
        TypeError: The model is of another type.
    """
    raise TypeError(f"model must be a SequenceModel or a DirectModel, got {type(model).__name__}")


contents.register(DirectModel, direct.contents)


@contents.register(SequenceModel)
def _contents(model: SequenceModel, data: SequenceSet, seed: int) -> dict[str, Any]:
    """Return the values of the template for a model with a likelihood."""
    description = model.eval().description
    record, traits = description.ladder_record, data.traits
    whole, model = model, placed(model.before_refit(data))
    encoded = model.encoding.encode(data)
    spans, raw, words = _judged(record, data, encoded)
    calibration = calibrate(model, encoded, spans, seed=seed)
    table = record.table
    fitted = record.data == data.digest
    kept = next((rung for rung in table if rung.name == description.name), None)
    score = kept.held_out if fitted and kept else evaluate(model, encoded, judged(spans)).per_step
    section, examples = _EXAMPLES[data.kind]
    return {
        "name": description.name,
        "title": (kept and kept.detail) or description.name,
        "kind": data.kind,
        "unit": traits.judged,
        "source": Path(str(data.meta.get("source", "data given in Python"))).name,
        "about": describe_model(whole)[0],
        "verdict": verdict(description) if table else "",
        "judged": f"The numbers below are measured on {words}.",
        "score": score,
        "bits": -score / math.log(2) if traits.in_bits else None,
        "table": table,
        "never_improved": [rung.name for rung in table if record.never_improved(rung.name)],
        **run.search(record),
        "notes": data.notes,
        "calibration": calibration if len(calibration.pit) else None,
        "chance": bool((encoded.unit > 0).any()),
        "calibration_verdict": checks.verdict(calibration) if len(calibration.pit) else "",
        "calibration_charts": [checks.pit(calibration), checks.coverage(calibration)] if len(calibration.pit) else [],
        **_how_far_back(model, data, record.held_out if fitted and record.held_out is not None else 0.1, seed),
        "curves": checks.curves(_curves(description.name, record), description.name, traits.judged),
        **dict.fromkeys(("fans", "text", "sound")),
        section: examples(whole, data, raw, seed),
        "fans_words": _fans_words(record, fitted),
        "edges": surprisal.EDGES,
        "run": [*whole.facts(), *run.facts(record, data, seed)],
        "command": record.command,
    }


def _judged(record: LadderRecord, data: SequenceSet, encoded: Encoded) -> tuple[Spans, Spans, str]:
    """Return the steps that judge the model, in model space and as read, and what they are in words."""
    if record.data == data.digest and record.held_out is not None:
        cut = split(data, record.held_out)
        spans = cut.spans("held-out", data.lengths, encoded.lengths)
        steps = sum(z - a for _, a, z in spans)
        raw = cut.spans("held-out", data.lengths, data.lengths)
        words = f"the {steps:,} held-out steps of the data, which {_judge(record)} not fitted to"
        if record.refit:
            words += f". The model was then {record.refitted}. Its file holds the weights before and after this step"
        return spans, raw, words
    spans, raw = ([(b, 0, int(n)) for b, n in enumerate(x.lengths) if n] for x in (encoded, data))
    steps = sum(z for _, _, z in spans)
    if record.data is not None:
        return (
            spans,
            raw,
            f"all {counted(steps, 'step')} of these data, which differ from the data that the model was fitted to",
        )
    what = "the file of the model does not say whether it was fitted to them"
    return spans, raw, f"all {counted(steps, 'step')} of these data; {what}"


def _judge(record: LadderRecord) -> str:
    """Return the model that the held-out part judges, in words: the one before the refit, if there was a refit."""
    return "the weights before the last fit were" if record.refit else "the model was"


def _fans_words(record: LadderRecord, fitted: bool) -> str:
    """Return in words whether the forecasts next to observed values are forecasts of unseen values."""
    line = "The dark line continues with the values that were observed later."
    if fitted:
        return f"These forecasts start inside the held-out part, which {_judge(record)} not fitted to. {line}"
    if record.data is not None:
        return (
            f"These forecasts start inside these data, which differ from the data that the model was fitted to. {line}"
        )
    return (
        "These forecasts start inside these data; the file of the model does not say whether it was fitted to "
        f"them. {line}"
    )


def _how_far_back(model: SequenceModel, data: SequenceSet, held_out: float | str, seed: int) -> dict[str, Any]:
    """Return the diagnosis and its charts, or the reason if it cannot be measured."""
    try:
        found = diagnose(model, data, held_out=held_out, seed=seed)
    except (ConfigError, DataError) as error:
        return {"diagnosis": None, "why_not": error.what}
    return {"diagnosis": found, "flow_facts": flow.facts(found), "flow_charts": flow.charts(found)}


def _curves(name: str, record: LadderRecord) -> dict[str, checks.Curve]:
    """Return the learning curves by network, with the training loss as a log-likelihood."""
    return {
        k: [(n, s, math.nan if t is None else -t, v) for n, s, t, v in curve]
        for k, curve in record.curves_of(name).items()
    }
