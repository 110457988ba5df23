"""Train, validation, held-out: by time within a series, by whole sequence among many short ones; never both at once."""

from __future__ import annotations

import fnmatch
import hashlib
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ostinato.data.sequences import SequenceSet
from ostinato.errors import ConfigError, DataError

#: "train" gives the gradients, "validation" says when to stop, "held-out" is looked at once, for the table.
#: "known" is the first two together: what a closed form, which has nothing to stop, is fitted to.
Part = Literal["train", "validation", "known", "held-out"]

#: Fewer sequences than this, and each one gives its end to be held out.
FEW = 20
#: Series without times, of at most so many steps, are a set of short sequences and no panel.
SHORT_SERIES = 100
#: Validation takes a tenth of what is not held out, and less where this many steps are enough to see progress by.
ENOUGH = 60_000


@dataclass(frozen=True)
class Split:
    """Where each sequence passes from one part to the next.

    stops    (B, 2): trained on up to the first, validation from there to the second, held out from there to the end;
             -1 where no step before it belongs to that part, so that an empty sequence has a part too
    by_time  whether what is held out is the end of each sequence, and not whole sequences
    """

    stops: NDArray[np.int64]
    by_time: bool

    def spans(self, part: Part, raw: NDArray[np.int64], lengths: NDArray[np.int64]) -> list[tuple[int, int, int]]:
        """(sequence, first, stop) of the part, without empty ones; raw (B,) steps as read, lengths (B,) as modelled.

        The two differ by the end of a sequence where that is an event: it goes with the last step.
        """
        edges = np.where(self.stops >= raw[:, None], lengths[:, None], np.maximum(self.stops, 0))
        zero = np.zeros_like(lengths)
        first, stop = {
            "train": (zero, edges[:, 0]),
            "validation": (edges[:, 0], edges[:, 1]),
            "known": (zero, edges[:, 1]),
            "held-out": (edges[:, 1], lengths),
        }[part]
        return [(b, int(first[b]), int(stop[b])) for b in np.flatnonzero(stop > first).tolist()]

    def take(self, part: Part, data: SequenceSet) -> SequenceSet:
        """The steps of data that are in the part, without sequences that have none."""
        rows, first, stop = np.array(self.spans(part, data.lengths, data.lengths), dtype=np.int64).reshape(-1, 3).T
        return data.take(rows).cut(first, stop)

    def words(self, data: SequenceSet) -> str:
        """The split in a sentence."""
        parts: tuple[Part, ...] = ("train", "validation", "held-out")
        train, validation, held = (self.spans(part, data.lengths, data.lengths) for part in parts)
        if self.by_time:
            steps = [sum(z - a for _, a, z in spans) for spans in (train, validation, held)]
            return f"trained on {steps[0]:,} steps, stopped by the next {steps[1]:,}, held out the last {steps[2]:,}"
        return (
            f"held out {len(held):,} of {len(data):,} whole sequences; training stopped by {len(validation):,} others"
        )


def split(data: SequenceSet, held_out: float | str = 0.1) -> Split:
    """Cut data into train, validation and held-out.

    held_out: a share in (0, 1), or a pattern of ids such as "*_[0-4]" that names whole sequences. A share of a few long
    sequences, or of a panel of series, is the end of each; of many short sequences it is whole ones, drawn by a hash of
    the content, so that equal sequences fall into the same part and no draw depends on the order of the file.

    Raises ConfigError for a share outside (0, 1) or a pattern that matches no sequence or all; DataError where a part
    would be empty.
    """
    lengths = data.lengths
    if isinstance(held_out, str):
        chosen = np.array([fnmatch.fnmatchcase(key, held_out) for key in data.ids], dtype=bool)
        if not chosen.any() or chosen.all():
            which = "every sequence" if chosen.all() and len(data) else "no sequence"
            raise ConfigError(
                f"the held-out pattern {held_out!r} matches {which}",
                fix=f"match some of the ids: {', '.join(data.ids[:3])} ...",
            )
        return _checked(data, Split(_whole(data, chosen, _draws(data)), by_time=False))
    if not 0 < held_out < 1:
        raise ConfigError(f"a held-out share of {held_out} cannot be", fix="use a number between 0 and 1, such as 0.1")
    if _many_short(data):
        draws = _draws(data)
        chosen = draws < held_out
        if chosen.any() and not chosen.all():
            return _checked(data, Split(_whole(data, chosen, (draws - held_out) / (1 - held_out)), by_time=False))
    known = _less_its_end(lengths, held_out)
    train = _less_its_end(known, _validation_share(int(known.sum())))
    return _checked(data, Split(np.stack([np.where(known < lengths, train, lengths), known], axis=1), by_time=True))


def _many_short(data: SequenceSet) -> bool:
    if len(data) < FEW:
        return False
    return data.kind in ("text", "sound") or (data.times is None and int(data.lengths.max()) <= SHORT_SERIES)


def _draws(data: SequenceSet) -> NDArray[np.float64]:
    """(B,): a number in [0, 1) for each sequence, from its content."""
    hashes = [int.from_bytes(hashlib.blake2b(row.tobytes(), digest_size=4).digest(), "big") for row in data]
    return np.array(hashes) / 2.0**32


def _whole(data: SequenceSet, held: NDArray[np.bool_], draws: NDArray[np.float64]) -> NDArray[np.int64]:
    """Stops (B, 2) where ``held`` sequences are held out whole; of the others a few, or their ends, are validation."""
    lengths = data.lengths
    share = _validation_share(int(lengths[~held].sum()))
    validation = ~held & (draws < share)
    known = np.where(held, -1, lengths)
    if validation.any() and (~held).sum() >= FEW:
        return np.stack([np.where(validation, -1, known), known], axis=1)
    return np.stack([np.where(held, -1, _less_its_end(lengths, share)), known], axis=1)


def _validation_share(known: int) -> float:
    return min(0.1, max(0.02, ENOUGH / max(known, 1)))


def _less_its_end(lengths: NDArray[np.int64], share: float) -> NDArray[np.int64]:
    """Where the last ``share`` of each sequence begins, at least one step; a sequence of one step gives none."""
    return np.where(lengths < 2, lengths, lengths - np.maximum(np.rint(lengths * share).astype(np.int64), 1))


def _checked(data: SequenceSet, cut: Split) -> Split:
    parts: tuple[Part, ...] = ("train", "validation", "held-out")
    if not all(cut.spans(part, data.lengths, data.lengths) for part in parts):
        raise DataError(
            f"{int(data.lengths.sum())} steps are too few to learn from some, stop by others and be judged on the rest",
            where=data.meta.get("source"),
            fix="give at least 3 steps in one sequence",
        )
    return cut
