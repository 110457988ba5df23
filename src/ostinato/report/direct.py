"""What the page says of a direct model: it has intervals and a table of quantile losses, and no likelihood."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ostinato.data.sequences import SequenceSet
from ostinato.direct.model import DirectModel
from ostinato.inference.describe import describe_model
from ostinato.report import forecasts, run


def contents(model: DirectModel, data: SequenceSet, seed: int) -> dict[str, Any]:
    """The template's values."""
    record = model.description.direct_record
    fitted = record.data == data.digest
    held = record.held_out
    assert isinstance(held, int | float)
    stops = [int(n) for n in data.lengths]
    holds = [int(held) if held >= 1 else max(model.horizon, int(n * held)) for n in stops]
    starts = [max(n - hold, 0) if fitted else 0 for n, hold in zip(stops, holds, strict=True)]
    spans = [(b, a, z) for b, (a, z) in enumerate(zip(starts, stops, strict=True)) if z > a]
    return {
        "name": model.name,
        "called": f"{model.name}, direct",
        "kind": data.kind,
        "unit": "step",
        "source": Path(str(data.meta.get("source", "data given in Python"))).name,
        "about": describe_model(model)[0],
        "verdict": record.verdict,
        "judged": "the steps held out of the data that it was fitted to",
        "reached": None,
        "bits": None,
        "table": [],
        "trials": None,
        "candidates": record.table,
        "coverage": record.coverage,
        "notes": data.notes,
        "calibration": None,
        "fans": forecasts.fans(model, data, spans, seed),
        "text": None,
        "sound": None,
        "run": [*model.facts(), *run.facts(record, data, seed)],
        "command": record.command,
    }
