"""Train and held-out: by time within a series, by whole sequence among many short ones; never a mix of the two."""

from __future__ import annotations

import fnmatch
import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ostinato.data.sequences import SequenceSet
from ostinato.errors import ConfigError, DataError

#: Fewer sequences than this, and each one gives its end to be held out.
FEW = 20


@dataclass(frozen=True)
class Split:
    """Which steps are trained on and which are held out.

    train_stop  (B,): sequence b is trained on up to this step, and held out from it on
    whole       (B) bool: which sequences are held out whole; None where each gives its end instead
    """

    train_stop: NDArray[np.int64]
    whole: NDArray[np.bool_] | None = None

    @property
    def by_time(self) -> bool:
        """Whether what is held out is the end of each sequence."""
        return self.whole is None

    def train(self, data: SequenceSet) -> SequenceSet:
        """The training part, without sequences that have none."""
        stops = self.train_stop
        return data.cut(np.zeros_like(stops), stops).take(np.flatnonzero(self.kept))

    @property
    def kept(self) -> NDArray[np.bool_]:
        """(B): which sequences are trained on, at least in part."""
        return self.train_stop > 0 if self.whole is None else ~self.whole

    def words(self, data: SequenceSet) -> str:
        """The split in a sentence."""
        if self.by_time:
            held = int((data.lengths - self.train_stop).sum())
            return f"held out: the last {held:,} of {int(data.lengths.sum()):,} steps"
        return f"held out: {int((~self.kept).sum()):,} of {len(data):,} whole sequences"


def split(data: SequenceSet, held_out: float | str = 0.1) -> Split:
    """Cut data into train and held-out.

    held_out: a share in (0, 1), or a pattern of ids such as "*_[0-4]" that names whole sequences. A share of a few long
    sequences, or of a panel of series, is the end of each; of many sequences (texts, sounds) it is whole ones, drawn by
    a hash of the content, so that equal sequences fall on the same side and no draw depends on the order of the file.

    Raises ConfigError for a share outside (0, 1) or a pattern that matches no sequence or all; DataError where either
    part would be empty.
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
        return Split(np.where(chosen, 0, lengths), chosen)
    if not 0 < held_out < 1:
        raise ConfigError(f"a held-out share of {held_out} cannot be", fix="use a number between 0 and 1, such as 0.1")
    if data.kind in ("text", "sound") and len(data) >= FEW:
        limit = int(held_out * 2**32)
        hashes = [int.from_bytes(hashlib.blake2b(row.tobytes(), digest_size=4).digest(), "big") for row in data]
        chosen = np.array(hashes) < limit
        if chosen.any() and not chosen.all():
            return Split(np.where(chosen, 0, lengths), chosen)
    stops = np.maximum(lengths - np.maximum(np.rint(lengths * held_out).astype(np.int64), 1), 0)
    stops = np.where(lengths < 2, lengths, stops)
    if stops.sum() < 1 or (lengths - stops).sum() < 1:
        raise DataError(
            f"{int(lengths.sum())} steps are too few to learn from some and be judged on others",
            where=data.meta.get("source"),
            fix="give at least 2 steps in one sequence",
        )
    return Split(stops)
