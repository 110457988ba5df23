"""inspect: data in words."""

from __future__ import annotations

import numpy as np

from ostinato.data.checks import stamp
from ostinato.data.sequences import SequenceSet


def describe(data: SequenceSet) -> list[str]:
    """What the data are, a line a fact."""
    lengths = data.lengths
    unit = {"text": "symbols", "sound": "samples"}.get(data.kind, "steps")
    what = f"{data.kind}" + (" of counts" if data.count else "")
    lines = [f"{what}: {len(data):,} sequence{'s' * (len(data) != 1)}, {int(lengths.sum()):,} {unit}"]
    if len(data) > 1:
        spread = f"{lengths.min():,} to {lengths.max():,}, median {int(np.median(lengths)):,}"
        lines += [f"lengths: {spread}", f"ids: {', '.join(data.ids[:5])}{' ...' if len(data) > 5 else ''}"]
    if data.kind == "text":
        lines.append(f"alphabet: {len(np.unique(data.values)):,} different {data.meta.get('alphabet', 'characters')}")
        lines.append("one sequence a line, its end an event" if data.terminated else "each file one sequence")
    elif data.kind == "sound":
        rate = data.meta.get("sample_rate", 1)
        lines.append(f"{rate:,} samples a second, {data.meta.get('bits')} bits, {lengths.sum() / rate:,.1f} s in all")
    else:
        lines.append(f"channels: {', '.join(data.channels)}")
        for d, name in enumerate(data.channels):
            column = data.values[:, d]
            seen = column[np.isfinite(column)]
            if len(seen):
                lines.append(f"  {name}: {seen.min():.6g} to {seen.max():.6g}, mean {seen.mean():.6g}")
        lines.append(f"missing: {int(np.isnan(data.values).sum()):,} values")
    if data.times is not None and len(data.times):
        lines.append(
            f"times: {stamp(data.times.min())} to {stamp(data.times.max())}, frequency {data.frequency or 'irregular'}"
        )
    return [*lines, *(f"note: {note}" for note in data.notes)]
