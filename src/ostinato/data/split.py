"""The split into training, validation and held-out parts: by time within each series, or by whole sequences."""

from __future__ import annotations

import fnmatch
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ostinato.arguments import share
from ostinato.data.borders import Borders
from ostinato.data.corpus import blocks
from ostinato.data.sequences import SequenceSet
from ostinato.data.spelled import characters
from ostinato.data.spelling import spelling_of
from ostinato.errors import ConfigError, DataError
from ostinato.numbers import counted
from ostinato.shapes import Array, Span

#: The training part gives the gradients, the validation part decides when to stop, and the held-out part is used once,
#: for the table of results. "known" is training and validation together: the data of a fit in closed form.
Part = Literal["train", "validation", "known", "held-out"]
#: The parts that every step is in one of.
PARTS: tuple[Part, ...] = ("train", "validation", "held-out")

#: Fewer sequences than this are split by time, and not by whole sequences.
FEW = 20
#: Series without times of at most this many steps are short sequences, which are split as wholes.
SHORT_SERIES = 100
#: The number of steps that is enough for validation, if it is less than a tenth of the steps that are not held out.
ENOUGH = 60_000
#: The number of steps that are looked at together.
BLOCK = 1_000_000
#: The validation part of one text is cut into so many blocks at most, none shorter than so many steps. So each has a
#: past within the text, and several pieces are drawn from it.
BLOCKS, LEAST_BLOCK = 32, 1024


@dataclass(frozen=True)
class Split:
    """The borders between the parts in each sequence.

    Attributes:
        stops: The end of the training part and the end of the validation part of each sequence, (B, 2); the held-out
            part follows. -1 if the sequence has no step of the part, so that an empty sequence belongs to a part too.
        by_time: Whether the ends of the sequences are held out, and not whole sequences.
        blocks: The greatest number of blocks of the validation part in one sequence. They lie at equal distances, the
            last one at the end of the known part, and the training part is what is between them. With 1 the validation
            part is one stretch, at the end.
        borders: Where characters begin in a vocabulary that spells them: a border within one is moved back. None if
            every step may be one.
    """

    stops: NDArray[np.int64]
    by_time: bool
    blocks: int = 1
    borders: Borders | None = None

    def spans(self, part: Part, raw: NDArray[np.int64], lengths: NDArray[np.int64]) -> list[Span]:
        """Return the steps of a part as triples (sequence, first, stop), without empty ones.

        Args:
            part: The part.
            raw: The number of steps of each sequence as read, (B,).
            lengths: The number of steps of each sequence as modelled, (B,): one more than ``raw`` if the end is an
                event, which belongs to the part of the last step.

        Returns:
            The number of the sequence, its first step in the part, and the step after its last one.
        """
        spans = self._spans(part, raw, lengths)
        return spans if self.borders is None else self.borders.moved(spans)

    def _spans(self, part: Part, raw: NDArray[np.int64], lengths: NDArray[np.int64]) -> list[Span]:
        edges = np.where(self.stops >= raw[:, None], lengths[:, None], np.maximum(self.stops, 0))
        if self.blocks > 1 and part in ("train", "validation"):
            return [(b, *span) for b, (at, z) in enumerate(edges.tolist()) for span in self._spread(part, at, z)]
        zero = np.zeros_like(lengths)
        first, stop = {
            "train": (zero, edges[:, 0]),
            "validation": (edges[:, 0], edges[:, 1]),
            "known": (zero, edges[:, 1]),
            "held-out": (edges[:, 1], lengths),
        }[part]
        return [(b, int(first[b]), int(stop[b])) for b in np.flatnonzero(stop > first).tolist()]

    def _spread(self, part: Part, train: int, known: int) -> list[tuple[int, int]]:
        """Return the stretches of a part in one sequence, as pairs (first, stop), without empty ones.

        Args:
            part: The training or the validation part.
            train: The number of steps of the training part.
            known: The number of steps of both parts.
        """
        total = known - train
        # a sequence that is for validation alone stays whole
        count = max(1, min(self.blocks, total // LEAST_BLOCK)) if train else 1
        stops = [known * (i + 1) // count for i in range(count)]
        firsts = [z - (total * (i + 1) // count - total * i // count) for i, z in enumerate(stops)]
        spans = zip(firsts, stops, strict=True) if part == "validation" else zip([0, *stops[:-1]], firsts, strict=True)
        return [(a, z) for a, z in spans if z > a]

    def take(self, part: Part, data: SequenceSet) -> SequenceSet:
        """Return the steps of the data that are in the part, one sequence for each span, without empty ones."""
        return data.stretches(self.spans(part, data.lengths, data.lengths))

    def digest(self, data: SequenceSet) -> str:
        """Return a hash of the steps that each part has of the data."""
        found = hashlib.sha256()
        for part in PARTS:
            spans = np.array(self.spans(part, data.lengths, data.lengths), dtype=np.int64).reshape(-1, 3)
            found.update(f"{part} {len(spans)} ".encode() + spans.tobytes())
        return found.hexdigest()

    def words(self, data: SequenceSet) -> str:
        """Return the split in words."""
        train, validation, held = (self.spans(part, data.lengths, data.lengths) for part in PARTS)
        if self.by_time:
            before, at, unit = _observed_before(data), data.offsets, "steps"
            steps = [sum(z - a for _, a, z in spans) for spans in (train, validation, held)]
            if before is not None:
                unit = "observed steps"
                steps = [
                    sum(int(before[at[b] + z] - before[at[b] + a]) for b, a, z in spans)
                    for spans in (train, validation, held)
                ]
            spread = len(validation) > len({b for b, _, _ in validation})
            blocks = f" in {len(validation):,} blocks spread over the text" if spread else ""
            return (
                f"split by time: training {steps[0]:,} {unit}, validation {steps[1]:,}{blocks}, held out {steps[2]:,}"
            )
        return (
            f"split by sequence: held out {len(held):,} of {len(data):,} whole sequences, validation on "
            f"{len({b for b, _, _ in validation}):,} others"
        )


def split(data: SequenceSet, held_out: float | str = 0.1) -> Split:
    """Cut data into a training, a validation and a held-out part.

    A share of a few long sequences, or of a panel of series, is the end of each sequence. A share of many short
    sequences is whole sequences, drawn by a hash of their content: equal sequences fall into the same part, and the
    draw does not depend on the order of the file. The ends of series are counted in steps with an observed value.

    The validation part of a series is the end of what is left, because series drift. That of a long text is blocks
    spread over it. At its end it would be the chapter that the held-out part goes on with, and training would never
    meet the names in it. This was measured on the 60,000 characters of tinyshakespeare after such an end, with an LSTM
    of 256 units and 1,000 steps of 1,024 characters. It had 1.654 nats a character, 1.628 with blocks, and 1.630 when
    it was trained on the known part as a whole.

    Args:
        data: The sequences.
        held_out: A share between 0 and 1, or a pattern of ids such as "*_[0-4]" that selects whole sequences.

    Returns:
        The split.

    Raises:
        ConfigError: The share is not between 0 and 1, or the pattern matches no sequence or every sequence.
        DataError: A part would be empty.
    """
    blocks = BLOCKS if data.kind == "text" else 1
    if isinstance(held_out, str):
        chosen = np.array([fnmatch.fnmatchcase(key, held_out) for key in data.ids], dtype=bool)
        if not chosen.any() or chosen.all():
            which = "every sequence" if chosen.all() and len(data) else "no sequence"
            raise ConfigError(
                f"the held-out pattern {held_out!r} matches {which}",
                fix=f"use a pattern that matches some, but not all, of the ids: {', '.join(data.ids[:3])}"
                f"{' ...' if len(data.ids) > 3 else ''}; or a share such as 0.1",
            )
        return _checked(data, Split(_whole(data, chosen, _draws(data)), False, blocks, Borders.of(data)))
    held_out = share("the held-out share", held_out)
    if _many_short(data):
        draws = _draws(data)
        chosen = draws < held_out
        if chosen.any() and not chosen.all():
            return _checked(data, Split(_whole(data, chosen, (draws - held_out) / (1 - held_out)), by_time=False))
    seen = observed_lengths(data)
    known = _less_its_end(seen, held_out)
    train = _less_its_end(known, _validation_share(int(known.sum())))
    counts = np.stack([np.where(known < seen, train, seen), known], axis=1)
    return _checked(data, Split(_after(data, counts), True, blocks, Borders.of(data)))


def all_training(cut: Split, data: SequenceSet) -> Split:
    """Return the split of the same kind whose training part is all of the data; the other parts are empty."""
    return Split(np.stack([data.lengths, data.lengths], axis=1), cut.by_time)


def observed_lengths(data: SequenceSet) -> NDArray[np.int64]:
    """Return the number of steps with an observed value of each sequence, (B,)."""
    before = _observed_before(data)
    return data.lengths if before is None else np.diff(before[data.offsets])


def _observed_before(data: SequenceSet) -> NDArray[np.int64] | None:
    """Return the number of observed steps before each step of the joined sequences, (N + 1,); None if all are."""
    values = data.values
    # in blocks, because the values may be a file that is larger than RAM
    blocks = range(0, len(values) if values.dtype.kind == "f" else 0, BLOCK)
    if all(np.isfinite(values[at : at + BLOCK]).any(axis=-1).all() for at in blocks):
        return None
    return np.concatenate([[0], np.isfinite(values).any(axis=-1).cumsum(dtype=np.int64)])


def _after(data: SequenceSet, counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the step of each sequence before which a number of its steps are observed.

    Args:
        data: The sequences.
        counts: The numbers of observed steps, (B, 2).

    Returns:
        The observed step that follows them, or the length of the sequence if none does, (B, 2). Missing steps between
        two parts belong to the earlier part.
    """
    before = _observed_before(data)
    if before is None:
        return np.minimum(counts, data.lengths[:, None])
    wanted = before[data.offsets[:-1], None] + counts
    step = np.searchsorted(before[1:], wanted + 1) - data.offsets[:-1, None]
    return np.asarray(np.minimum(step, data.lengths[:, None]))


def _many_short(data: SequenceSet) -> bool:
    if len(data) < FEW:
        return False
    return not data.traits.tabular or (data.times is None and int(data.lengths.max()) <= SHORT_SERIES)


def _draws(data: SequenceSet) -> Array:
    """Return a number in [0, 1) for each sequence, (B,), from a hash of its content."""
    # texts in a vocabulary are drawn by their characters, so that each vocabulary is judged on the same ones
    rows: list[Iterable[bytes]]
    if "spelling" in data.meta:
        own = spelling_of(data.meta)
        rows = [(text.encode("utf-32-le") for text in characters(own, row[:, 0])) for row in data]
    elif data.on_disk:
        rows = [(block.astype(np.int32).tobytes() for block in blocks(row)) for row in data]
    else:
        rows = [[row.tobytes()] for row in data]
    return np.array([_draw(row) for row in rows]) / 2.0**32


def _draw(parts: Iterable[bytes]) -> int:
    digest = hashlib.blake2b(digest_size=4)
    for part in parts:
        digest.update(part)
    return int.from_bytes(digest.digest(), "big")


def _whole(data: SequenceSet, held: NDArray[np.bool_], draws: Array) -> NDArray[np.int64]:
    """Return stops (B, 2) that hold out whole sequences; a few of the others, or their ends, are for validation."""
    lengths, seen = data.lengths, observed_lengths(data)
    share = _validation_share(int(seen[~held].sum()))
    validation = ~held & (draws < share)
    known = np.where(held, -1, lengths)
    if validation.any() and (~held).sum() >= FEW:
        return np.stack([np.where(validation, -1, known), known], axis=1)
    train = _after(data, np.repeat(_less_its_end(seen, share)[:, None], 2, axis=1))[:, 0]
    return np.stack([np.where(held, -1, train), known], axis=1)


def _validation_share(known: int) -> float:
    return min(0.1, max(0.02, ENOUGH / max(known, 1)))


def _less_its_end(lengths: NDArray[np.int64], share: float) -> NDArray[np.int64]:
    """Return the number of steps before the last ``share`` of each sequence: at least one of two or more is last."""
    return np.where(lengths < 2, lengths, lengths - np.maximum(np.rint(lengths * share).astype(np.int64), 1))


def _checked(data: SequenceSet, cut: Split) -> Split:
    for tried in (cut, replace(cut, borders=None)):  # a part of a very short text may be shorter than a character
        if all(tried.spans(part, data.lengths, data.lengths) for part in PARTS):
            return tried
    total = int(data.lengths.sum())
    raise DataError(
        f"the data have {counted(total, data.traits.unit)}, too few for a training, a validation and a held-out part",
        where=data.meta.get("source"),
        fix=f"give a sequence of at least 3 {data.traits.unit}s",
    )
