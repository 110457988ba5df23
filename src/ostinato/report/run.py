"""The record of a run, as facts for the page."""

from __future__ import annotations

from typing import Any

from ostinato.data.sequences import SequenceSet
from ostinato.description import search_fact
from ostinato.numbers import counted, shown
from ostinato.record import LadderRecord, RunRecord


def facts(record: RunRecord, data: SequenceSet, seed: int) -> list[tuple[str, str]]:
    """Return how the model was made and how the page was made, as pairs of a name and its words.

    Args:
        record: The record of the fit in the model file.
        data: The data of the page.
        seed: The seed of the page.
    """
    out = []
    if record.data is not None:
        out.append(("data it was fitted to", f"SHA-256 of the sequences as read: {record.data}"))
        if record.data != data.digest:
            out.append(("data of this page", f"SHA-256 of the sequences as read: {data.digest}"))
    if record.sequences is not None:
        count = record.sequences
        out.append(("size of the data", f"{counted(record.steps or 0, 'step')} in {counted(count, 'sequence')}"))
        out.append(("parts of the data", str(record.split)))
        if record.refitted is not None:
            out.append(("after the choice", record.refitted))
        out.append(("seed", f"{record.seed} for the fit, {seed} for this page"))
    if record.budget is not None:
        out.append(("budget", _budget(record.budget)))
        if isinstance(record, LadderRecord) and record.method is not None:
            out.append(("gradient method", record.method))
        out.append(("threads", str(record.threads)))
    for values, what in ((record.config, "configuration"), (record.versions, "versions")):
        if values:
            out.append((what, ", ".join(f"{k} {v}" for k, v in sorted(values.items()) if v is not None)))
    return out


def search(record: LadderRecord) -> dict[str, Any]:
    """Return the trials of a search for the template, the best and kept one first; no rows if there was no search.

    Args:
        record: The record of the fit in the model file.
    """
    trials = record.search
    names = sorted({name for trial in trials for name in trial.asked} - {"model"})
    rows = [{**vars(trial), "settings": [_setting(trial.asked.get(name)) for name in names]} for trial in trials]
    return {"trials": rows, "settings": names, "searched": search_fact(trials) if trials else ""}


def _setting(value: object) -> str:
    """Return the value of a setting as text; an empty text if the trial does not have the setting."""
    return shown(value, 3) if isinstance(value, float) else "" if value is None else str(value)


def _budget(budget: dict[str, Any]) -> str:
    """Return the budget of a fit in words, and whether the fit can be repeated exactly."""
    seconds, steps = budget["seconds"], budget["steps"]
    parts = [f"{seconds:g} seconds in all"] if seconds else []
    parts += [f"{steps:,} optimiser steps a model"] if steps else []
    exact = "" if seconds else "; without a limit in seconds, the same command gives the same weights"
    return (" and ".join(parts) or "none given") + exact
