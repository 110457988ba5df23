"""The page of a direct model: it has intervals and a table of quantile losses, and no likelihood."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ostinato.data.sequences import SequenceSet
from ostinato.direct.model import DirectModel
from ostinato.direct.windows import channels
from ostinato.direct_fit.panel import panel_of
from ostinato.evaluation.calibration import Spans
from ostinato.inference.describe import describe_model
from ostinato.record import DirectRecord
from ostinato.report import forecasts, run


def contents(model: DirectModel, data: SequenceSet, seed: int) -> dict[str, Any]:
    """Return the values of the template.

    Args:
        model: A direct model.
        data: The data of the page: those that the model was fitted to, or others.
        seed: The seed of the page.
    """
    record = model.description.direct_record
    fitted = record.data == data.digest
    return {
        "name": model.name,
        "title": f"{model.name}, direct",
        "kind": data.kind,
        "unit": data.traits.judged,
        "source": Path(str(data.meta.get("source", "data given in Python"))).name,
        "about": describe_model(model)[0],
        "verdict": record.verdict,
        "judged": "The numbers below were measured during the fit, on the held-out part of its data"
        + ("." if fitted else "; they are not measured on the data of this page."),
        "score": None,
        "bits": None,
        "table": [],
        "trials": None,
        "candidates": record.table,
        "coverage": record.coverage,
        "notes": data.notes,
        "calibration": None,
        "fans": forecasts.fans(model, data, _spans(model, data, fitted), seed, _reach(model, data)),
        "fans_words": _fans_words(record, fitted),
        "text": None,
        "sound": None,
        "run": [*model.facts(), *run.facts(record, data, seed)],
        "command": record.command,
    }


def _reach(model: DirectModel, data: SequenceSet) -> int | None:
    """Return the number of steps after the data whose future covariates are known; None if the model needs none."""
    effects, covariates = model.base.effects, data.covariates
    if not effects or not effects.form.known or not covariates:
        return None
    return min(len(rows) for rows in covariates.ahead)


def _spans(model: DirectModel, data: SequenceSet, fitted: bool) -> Spans:
    """Return the steps to compare forecasts with: the part that the fit held out, or all of other data."""
    if not fitted:
        return [(b, 0, int(n)) for b, n in enumerate(data.lengths) if n]
    held_out = model.description.direct_record.held_out
    assert isinstance(held_out, int | float)
    panel = panel_of(data, model.horizon, held_out, model.description.direct_record.held_horizons)
    keys = np.array(list(channels(data))).reshape(len(data), len(data.channels))
    spans = []
    for b, row in enumerate(keys):
        observed = [key for key in row if key in panel.series]
        # every channel of the sequence is held out from the last of their starts on
        start = max((panel.known[key] for key in observed), default=0)
        stop = max((len(panel.series[key]) for key in observed), default=0)
        if start < stop:
            spans.append((b, start, stop))
    return spans


def _fans_words(record: DirectRecord, fitted: bool) -> str:
    """Return in words whether the forecasts next to observed values are forecasts of unseen values."""
    line = "The dark line continues with the values that were observed later."
    if not fitted:
        return (
            f"These forecasts start inside these data, which differ from the data that the model was fitted to. {line}"
        )
    place = "These forecasts start inside the held-out part, which was used to choose the model"
    match record.refit:
        case False:
            return f"{place}; the weights were not fitted to any of it. {line}"
        case True:
            return (
                f"{place}. The kept model was then fitted again to all of the data. So these are no forecasts of "
                f"unseen values. {line}"
            )
        case _:
            return (
                f"{place}. The model may have been fitted again to all of the data, including this part; its file does "
                f"not say. {line}"
            )
