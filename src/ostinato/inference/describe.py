"""A model and the result of its fit in words."""

from __future__ import annotations

import math

from ostinato.description import Description
from ostinato.forecasting.protocol import ForecastModel, fitted
from ostinato.settings import undisturbed


@undisturbed
def describe_model(model: ForecastModel) -> list[str]:
    """Return what the model is, how it was made and how good it was, one fact a line.

    Args:
        model: A fitted model.
    """
    fitted(model)
    return [model.title(), *(f"{name}: {words}" for name, words in model.facts()), *model.results()]


def verdict(description: Description) -> str:
    """Return which model of the ladder was kept, and how it compares with the closed form.

    Args:
        description: The description of a SequenceModel whose record has a table.
    """
    record, traits = description.ladder_record, description.traits
    closed_form, kept = record.table[0], next(rung for rung in record.table if rung.name == description.name)
    bits = f" ({-kept.held_out / math.log(2):.4f} bits a {traits.judged})" if traits.in_bits else ""
    if kept is closed_form:
        best = max(record.table, key=lambda rung: rung.held_out)
        better = ": no other model was better on the held-out part" if len(record.table) > 1 else ""
        if best is not kept:
            better = f": the held-out part is too small to say that {best.name} is better"
        return f"kept: {closed_form.detail}, the closed form{better}{bits}"
    gain, nats = kept.held_out - closed_form.held_out, f"nats a {traits.judged}{bits}"
    start = "the closed form" if traits.numeric else "the untrained network"
    still = f"; training never improved on its start, {start}" if record.never_improved(kept.name) else ""
    if gain > 0:
        return f"kept: {kept.name}, better than {closed_form.detail} by {gain:.4f} {nats}{still}"
    return f"kept: {kept.name}, as requested, though {closed_form.detail} is better by {-gain:.4f} {nats}{still}"
