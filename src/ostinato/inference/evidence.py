"""What an alarm is judged by: the surprisals, values and expected values of events that the weights have not seen."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ostinato.data.sequences import SequenceSet
from ostinato.data.split import split
from ostinato.forecasting.inputs import as_sequences
from ostinato.inference.score import score
from ostinato.inference.stream import Stream
from ostinato.model import SequenceModel
from ostinato.shapes import Array


class Evidence(NamedTuple):
    """What the events of one sequence say.

    Attributes:
        surprisal: The surprisals in nats, (T,).
        values: The values in the units of the data, (T, D).
        expected: The values that were expected, (T, D).
        past: The observed events before these, which the model had seen when these came.
    """

    surprisal: Array
    values: Array
    expected: Array
    past: int = 0


def evidence_of(
    model: SequenceModel, reference: SequenceSet | Any, held_out: float | str | None
) -> tuple[list[Evidence], str, SequenceSet, SequenceModel]:
    """Return the evidence of a reference, by weights that have not seen it if there are such.

    The refit has seen the held-out part of the data of the fit, where the surprisal of its weights is too small.

    Returns:
        The observed events of the reference, or of its held-out part; which weights gave them, in words; the reference;
        and the model with these weights.
    """
    data, record = as_sequences(model, reference), model.description.ladder_record
    judge, weights, same = model.before_refit(data), "", record.data == data.digest
    if judge is not model:
        weights = "The held-out values were scored with the weights before the refit, which had not seen these values"
    elif record.refit and same:
        weights = "the weights were fitted to these values too, so the threshold may be too low"
    elif record.refit and held_out is not None:
        weights = "these data differ from those of the fit; values in both were seen, and the threshold may be too low"
    if held_out is None and same:
        held_out = record.held_out
    whole_ones = [_followed(judge, data, b) for b in range(len(data))]
    spans = [(b, 0, len(one.surprisal)) for b, one in enumerate(whole_ones)]
    if held_out is not None:
        steps = np.array([len(one.surprisal) for one in whole_ones], dtype=np.int64)
        spans = split(data, held_out).spans("held-out", data.lengths, steps)
    parts = [_observed(whole_ones[b], first, stop) for b, first, stop in spans]
    return [one for one in parts if len(one.surprisal)], weights, data, judge


def _followed(model: SequenceModel, data: SequenceSet, row: int) -> Evidence:
    """Return the events of one sequence as a live stream gives them.

    A live stream does not know the spacing of the amplitudes of a sound, so its samples are whole numbers here too.
    """
    stream = Stream(model, data.ids[row])
    if model.description.traits.numeric:
        values = np.asarray(data[row], dtype=np.float64)
        seen = stream.update(values)
        return Evidence(seen.surprisal, values, seen.prediction)
    surprisal = score(model, data.take([row])).surprisal
    none = np.zeros((len(surprisal), 1))
    return Evidence(surprisal, none, none)


def _observed(one: Evidence, first: int, stop: int) -> Evidence:
    known = np.isfinite(one.surprisal)
    seen, past = known[first:stop], int(known[:first].sum())
    surprisal, values, expected = (part[first:stop][seen] for part in (one.surprisal, one.values, one.expected))
    return Evidence(surprisal, values, expected, past)
