"""Whether the windows of a backtest hold values that a fitted model was fitted to."""

from __future__ import annotations

from functools import singledispatch

import numpy as np
from numpy.typing import NDArray

from ostinato.data.sequences import SequenceSet
from ostinato.data.split import split
from ostinato.direct.model import DirectModel
from ostinato.direct.windows import channels
from ostinato.direct_fit.panel import panel_of
from ostinato.evaluation.windows import BacktestPlan
from ostinato.model import SequenceModel
from ostinato.model_file import Model
from ostinato.numbers import counted
from ostinato.record import RunRecord


def unseen(name: str, model: Model, data: SequenceSet, plan: BacktestPlan) -> tuple[Model, str]:
    """Return the weights of a fitted model that saw the least of the windows, and what they saw, in words.

    For the data of its own fit, these are the weights before the refit, if the model holds them.

    Args:
        name: The name of the model in the table.
        model: A fitted model.
        data: The data of the backtest.
        plan: The windows of the backtest.
    """
    record = RunRecord.from_json(model.description.record)
    if record.data is None or record.held_out is None:
        return model, f"{name} may have seen these windows: the model does not say which data it was fitted to"
    if record.data != data.digest:
        return model, (f"{name} was fitted to other data than these, and has seen the values that are in both")
    earlier = model.before_refit(data)
    stops = _stops(earlier, data, record, again=bool(record.refit) and earlier is model)
    free = sum(plan.after(data, number, stops) for number in range(plan.count))
    when = "its weights before the refit" if earlier is not model else "its weights"
    if free == plan.count:
        return earlier, f"{name} was fitted to these data; {when} make the forecasts, and they never saw these windows"
    fix = "to fit a model to the steps before the windows, give its name"
    if not free:
        return (
            earlier,
            f"{name} was fitted to the values of these windows, so it has seen what it forecasts ({fix})",
        )
    return earlier, (
        f"{name} was fitted to these data; {when} make the forecasts, and they saw the values of "
        f"{plan.count - free} of the {counted(plan.count, 'window')} ({fix})"
    )


@singledispatch
def _stops(model: Model, data: SequenceSet, record: RunRecord, again: bool) -> NDArray[np.int64]:
    """Return the first step of each sequence that the weights were not fitted to, (B,)."""
    raise TypeError(f"model must be a SequenceModel or a DirectModel, got {type(model).__name__}")


@_stops.register(SequenceModel)
def _(model: SequenceModel, data: SequenceSet, record: RunRecord, again: bool) -> NDArray[np.int64]:
    assert record.held_out is not None
    return data.lengths if again else np.maximum(split(data, record.held_out).stops[:, 1], 0)


@_stops.register(DirectModel)
def _(model: DirectModel, data: SequenceSet, record: RunRecord, again: bool) -> NDArray[np.int64]:
    # a file of an early version does not say whether the model was fitted again
    if again or record.refit is None:
        return data.lengths
    assert isinstance(record.held_out, int | float)
    horizons = model.description.direct_record.held_horizons
    known = panel_of(data, model.horizon, record.held_out, horizons).known
    stops = [known.get(key, 0) for key in channels(data)]
    return np.asarray(np.array(stops, dtype=np.int64).reshape(len(data), -1).max(axis=1))
