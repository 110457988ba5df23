"""Sequences of text in another spelling."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from ostinato.data.corpus import Source, blocks, kept
from ostinato.data.sequences import SequenceSet, opening_of
from ostinato.data.spelling import Points, Spelling, spelling_of

#: The end of a line between two characters that are not spaces.
_PARAGRAPH = re.compile(r"(?<=\S)\n(?=\S)")
#: The characters that are searched for such an end.
FAR = 1 << 16


def texts_of(data: SequenceSet) -> list[str]:
    """Return the text of each sequence."""
    spelling = spelling_of(data.meta)
    return [spelling.text(row[:, 0].tolist()) for row in data]


def respelled(data: SequenceSet, spelling: Spelling) -> SequenceSet:
    """Return the same texts in another spelling.

    Args:
        data: Text.
        spelling: The spelling.
    """
    said = spelling.to_json()
    if data.meta.get("spelling") == said:
        return data
    if data.on_disk:
        return _on_disk(data, spelling)
    rows = [spelling.points(text) for text in texts_of(data)]
    return replace(
        data,
        values=np.concatenate([np.zeros(0, dtype=np.int32), *rows]).reshape(-1, 1),
        offsets=np.cumsum([0, *map(len, rows)], dtype=np.int64),
        meta={**data.meta, "spelling": said},
    )


def _on_disk(data: SequenceSet, spelling: Spelling) -> SequenceSet:
    """Return texts on disk in another spelling, which is kept in the cache too."""
    own = spelling_of(data.meta)

    def texts() -> Iterator[Iterable[Points]]:
        for row in data:
            yield map(spelling.points, in_paragraphs(characters(own, row[:, 0])))

    def digest() -> str:
        return data.digest

    key = ["respelled", data.meta.get("source"), list(data.ids), spelling.to_json()]
    source = Source(key, [[data.digest]], digest, opening_of("text", data.ids, data.channels))
    values, lengths, _ = kept(source, texts, lambda: spelling.most)
    offsets = np.cumsum([0, *lengths], dtype=np.int64)
    return replace(data, values=values, offsets=offsets, meta={**data.meta, "spelling": spelling.to_json()})


def characters(spelling: Spelling, points: Points) -> Iterator[str]:
    """Yield the text of points (N,) in parts."""
    reader = spelling.reader()
    for block in blocks(points):
        yield "".join(map(reader.feed, block.tolist()))
    yield reader.close()


def in_paragraphs(texts: Iterable[str]) -> Iterator[str]:
    r"""Yield a text that comes in parts in others: they end after a "\n" between two characters that are not spaces.

    No piece of a byte-pair encoding goes on there. A text without such a place is cut every so often.
    """
    rest = ""
    for part in texts:
        text = rest + part
        ends = [m.end() for m in _PARAGRAPH.finditer(text, max(0, len(text) - FAR))]
        cut = ends[-1] if ends else len(text) if len(text) > FAR else 0
        yield text[:cut]
        rest = text[cut:]
    yield rest


def in_spelling(data: SequenceSet, source: dict[str, Any]) -> SequenceSet:
    """Return texts in the spelling of a model.

    Args:
        data: Text.
        source: How the training data of the model were read and spelled.
    """
    spelling = spelling_of(source)
    # the same object, if every vocabulary is that of the reading
    return data if spelling is spelling_of(data.meta) else respelled(data, spelling)
