"""The verb alarm_rule: a rule that gives alarms at a stated rate, calibrated on data that the model has not seen."""

from __future__ import annotations

from typing import Any

import numpy as np

from ostinato.arguments import share, whole
from ostinato.data.sequences import SequenceSet
from ostinato.errors import ConfigError, DataError
from ostinato.forecasting.protocol import fitted
from ostinato.inference.alarm import LEAST
from ostinato.inference.calibrated import COOL_DOWN, RAREST, CalibratedRule
from ostinato.inference.evidence import evidence_of
from ostinato.inference.response import level_response
from ostinato.model_file import Model
from ostinato.numbers import counted
from ostinato.settings import undisturbed


@undisturbed
def alarm_rule(
    model: Model,
    rate: float,
    reference: SequenceSet | Any = None,
    *,
    held_out: float | str | None = None,
    cool_down: int | None = None,
) -> CalibratedRule:
    """Return the rule that gives alarms at a rate on data that the model was not fitted to.

    Args:
        model: A fitted SequenceModel.
        rate: The share of ordinary events that may give an alarm, such as 1e-3.
        reference: Data that the model was not fitted to, a SequenceSet or anything that ``read`` takes. Of the data of
            the fit itself only the held-out part is used, by the weights from before the refit.
        held_out: The share of the reference at its end that is used; None is all of newer data, and the held-out part
            of the data of the fit.
        cool_down: The number of events after an alarm that give none, unless they are far rarer than it. None is 10, or
            fewer if the rate leaves no room.

    Raises:
        ConfigError: The rate is not between 0 and 1, or the model is a DirectModel.
        DataError: There is no reference, it has fewer than 50 observed events, or too few for the rate.
    """
    sequential = fitted(model).likelihood("give alarms")
    rate = share("alarm", rate)
    usual = int(min(COOL_DOWN, 0.1 / rate))
    cool_down = usual if cool_down is None else whole("cool_down", cool_down, least=0)
    if rate * (cool_down + 1) >= 1:
        raise ConfigError(
            f"alarms at {rate:g} of events are impossible, because an alarm is followed by "
            f"{counted(cool_down, 'event')} without one",
            fix=f"ask for a rate below {1 / (cool_down + 1):.3g}",
        )
    if reference is None:
        raise DataError(
            "an alarm needs data that the model was not fitted to, got none",
            fix="give them as the reference: the held-out part of the training data, or newer data",
        )
    evidence, weights, data, judge = evidence_of(sequential, reference, held_out)
    events = sum(len(one.surprisal) for one in evidence)
    if events < LEAST:
        raise DataError(
            f"{events} held-out values are too few for the threshold of an alarm, expected at least {LEAST}",
            fix="give more data that the model was not fitted to as the reference",
        )
    numeric, response = sequential.description.traits.numeric, np.zeros(0)
    if numeric:
        spread = np.nanstd(np.concatenate([one.values - one.expected for one in evidence]), axis=0)
        response = level_response(judge, data, spread) if (spread > 0).all() else response
    rule = CalibratedRule(
        evidence,
        rate,
        cool_down=cool_down,
        warm=sequential.front.reach,
        numeric=numeric,
        weights=weights,
        response=response,
    )
    if rule.tens > RAREST:
        raise DataError(
            f"{events:,} held-out values are too few for alarms at {rate:g} of events, if an alarm is followed by "
            f"{counted(cool_down, 'event')} without one",
            fix=f"ask for a rate near {1 / events:.1g}, or give more data that the model was not fitted to",
        )
    return rule
