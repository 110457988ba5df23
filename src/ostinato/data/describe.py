"""The description of data in words, for ``ostinato inspect``."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ostinato.data.corpus import blocks
from ostinato.data.sequences import SequenceSet
from ostinato.data.spelling import spelling_of
from ostinato.data.time_form import TimeForm
from ostinato.kinds import Kind
from ostinato.numbers import counted
from ostinato.wording import option


def describe(data: SequenceSet) -> list[str]:
    """Return the facts about the data, one in each line."""
    lengths = data.lengths
    unit = f"{data.traits.unit}s"
    what = f"{data.kind}" + (" of counts" if data.count else "")
    lines = [f"{what}: {counted(len(data), 'sequence')}, {int(lengths.sum()):,} {unit}"]
    if len(data) > 1:
        spread = f"{lengths.min():,} to {lengths.max():,}, median {int(np.median(lengths)):,}"
        lines += [f"lengths: {spread}", f"ids: {', '.join(data.ids[:5])}{' ...' if len(data) > 5 else ''}"]
    lines += _DESCRIBERS[data.kind](data)
    if data.times is not None and len(data.times):
        ends = np.array([data.times.min(), data.times.max()])
        first, last = (data.time_form or TimeForm()).words(ends)
        lines.append(f"times: {first} to {last}, frequency {data.frequency or 'irregular'}")
    return [*lines, *(f"note: {note}" for note in data.notes)]


def when(data: SequenceSet, row: int, step: int) -> str:
    """Return when a step was, for a person: its time, or of sound its second; "" if neither is known.

    Args:
        data: The sequences.
        row: The number of the sequence.
        step: The number of the step, from 0. The end of a text, one step more, has no time.
    """
    if data.kind == "sound":
        return f"{step / data.meta['sample_rate']:.4f} s" if data.meta.get("sample_rate") else ""
    times = data.times_of(row)
    return "" if times is None else (data.time_form or TimeForm()).words(times[step : step + 1])[0]


def _describe_text(data: SequenceSet) -> list[str]:
    end = "each line is one sequence, and its end is an event"
    if not data.terminated:
        end = "each file is one sequence" + f" ({option('--per-line')} makes each line a sequence)" * (len(data) == 1)
    seen: set[int] = set()
    for block in blocks(data.values):
        seen.update(np.unique(block).tolist())
    return [f"alphabet: {len(seen):,} different {spelling_of(data.meta).plural}", end]


def _describe_sound(data: SequenceSet) -> list[str]:
    rate = data.meta.get("sample_rate", 1)
    return [
        f"{counted(rate, 'sample')} a second, {data.meta.get('bits')} bits, {data.lengths.sum() / rate:,.1f} s in all"
    ]


def _describe_table(data: SequenceSet) -> list[str]:
    lines = [f"channels: {', '.join(data.channels)}"]
    for d, name in enumerate(data.channels):
        column = data.values[:, d]
        seen = column[np.isfinite(column)]
        if len(seen):
            lines.append(f"  {name}: {seen.min():.6g} to {seen.max():.6g}, mean {seen.mean():.6g}")
    return [*lines, f"missing: {counted(int(np.isnan(data.values).sum()), 'value')}"]


_DESCRIBERS: dict[Kind, Callable[[SequenceSet], list[str]]] = {
    "series": _describe_table,
    "prices": _describe_table,
    "text": _describe_text,
    "sound": _describe_sound,
}
