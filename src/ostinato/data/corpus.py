"""A corpus larger than memory: the points of its texts in one file, of which a process maps what it looks at.

points, 1, 2 or 4 bytes each | facts, JSON | length of the facts (4) | magic and version (8)

The file is written once, atomically, to the user's cache folder. It belongs to files of one size and time of change, or
of one content, and to one spelling; otherwise it is written again. What needs a look at every point is found while it
is written and kept among the facts, so that a fit need not look at every point again.
"""

from __future__ import annotations

import hashlib
import json
import mmap
import struct
import tempfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ostinato.storage import atomic_write, cache_folder

#: Texts of more bytes than this are kept on disk.
LARGE = 32 << 20
#: The bytes that are read together, and the points that are looked at together.
READ, BLOCK = 8 << 20, 1 << 20
#: The bytes of mapped pages that a process holds before it lets go of them.
HELD = 64 << 20
#: What a look at single places maps: the kernel brings their neighbours in too.
_AROUND = 64 << 10

_MAGIC, _TAIL = b"OSTPNT\0\2", struct.Struct("<I8s")
#: The most places of points that are kept among the facts.
_PLACES = 1 << 20

Points = NDArray[Any]


def is_mapped(values: Points) -> bool:
    """Return whether values are a file that is mapped into memory, or a view of one."""
    return getattr(values, "_mmap", None) is not None


def forget(values: Points | bytes) -> None:
    """Let go of the pages of a mapped file, which stay in the file; other values stay as they are."""
    mapped = getattr(values, "_mmap", None)
    if mapped is not None and hasattr(mmap, "MADV_DONTNEED"):
        mapped.madvise(mmap.MADV_DONTNEED)


def blocks(values: Points, size: int = BLOCK) -> Iterator[Points]:
    """Yield values block by block; of a mapped file, a process then holds one block at a time."""
    for i, at in enumerate(range(0, len(values), size)):
        yield values[at : at + size]
        if i % 16 == 15:
            forget(values)
    forget(values)


class Look:
    """Values at places, read from a file that is mapped, of which few pages are held at a time.

    Args:
        values: The values, (N, ...).
    """

    def __init__(self, values: Points) -> None:
        self._values, self._held = values, 0

    def at(self, key: Any) -> Points:
        """Return a copy of the values at a slice, or at places (T, B) in B rows, or (N,)."""
        found = np.array(self._values[key if isinstance(key, slice) else np.asarray(key)])
        self._held += max(found.nbytes, 0 if isinstance(key, slice) else found.shape[-1] * _AROUND)
        if self._held > HELD:
            forget(self._values)
            self._held = 0
        return found


def scratch(count: int, dtype: Any) -> Points:
    """Return an array (count,) in a file that vanishes with it; what is written there takes no memory."""
    folder = _folder()
    with tempfile.TemporaryFile(dir=folder) as file:
        file.truncate(max(count, 1) * np.dtype(dtype).itemsize)
        return np.memmap(file, dtype=dtype, mode="r+", shape=(count,))


def joined(parts: Iterable[Points], count: int, like: Points) -> Points:
    """Return parts of a mapped array one after the other, (count, D), mapped too."""
    out, at = scratch(count * like.shape[1], like.dtype), 0
    for part in parts:
        for block in blocks(part):
            out[at : at + block.size] = block.ravel()
            at += block.size
            forget(out)
    return out.reshape(count, like.shape[1])


class Told(NamedTuple):
    """What was found about the points of a corpus while they were written.

    Attributes:
        opening: What the digest begins with: everything about the sequences but their points and lengths.
        digest: The digest of the sequences (see ``SequenceSet.digest``).
        firsts: The points of each text, and the place in the text where each of them comes first; None if there are
            very many.
    """

    opening: str
    digest: str
    firsts: list[tuple[list[int], list[int]]] | None


def told_of(values: Points) -> Told | None:
    """Return what was found about points while they were written; None for points in memory, and for some of them."""
    told: Told | None = getattr(values, "_told", None)
    return told


@dataclass(frozen=True)
class Source:
    """What a corpus is made from.

    Attributes:
        key: What names it, besides its content: paths, and how they are spelled.
        marks: What changes when the content does, and is quick to look at: sizes and times.
        digest: Returns a digest of the content, in hexadecimal.
        opening: What the digest of the sequences begins with (see ``opening_of``).
    """

    key: list[Any]
    marks: list[Any]
    digest: Callable[[], str]
    opening: str

    @staticmethod
    def of_files(paths: list[Path], spelled: Any, opening: str) -> Source:
        """Return the source of texts in files.

        Args:
            paths: The files.
            spelled: How they are spelled, as JSON.
            opening: What the digest of the sequences begins with.
        """
        found = [(p.resolve(), p.stat()) for p in paths]
        marks = [[s.st_size, s.st_mtime_ns] for _, s in found]
        return Source([[str(p) for p, _ in found], spelled], marks, lambda: digest_of_files(paths), opening)


def digest_of_files(paths: list[Path]) -> str:
    """Return a digest of the content of files, in hexadecimal."""
    digest = hashlib.sha256()
    for path in paths:
        digest.update(struct.pack("<Q", path.stat().st_size))
        for block in raw_blocks(path):
            digest.update(block)
    return digest.hexdigest()


def raw_blocks(path: Path) -> Iterator[bytes]:
    """Yield the bytes of a file in blocks."""
    with path.open("rb") as file:
        while block := file.read(READ):
            yield block


def kept(
    source: Source, texts: Callable[[], Iterable[Iterable[Points]]], most: Callable[[], int]
) -> tuple[Points, list[int], Path]:
    """Return the points of texts from the cache, where they are written first if they are not there.

    Args:
        source: What the texts are made from.
        texts: Returns the points of each text, in parts.
        most: Returns a bound of the points; called only if the file is written.

    Returns:
        The points of all texts, (N, 1), mapped (``told_of`` returns what is known of them); the number of points of
        each text; and the file.

    Raises:
        WriteError: The cache cannot be written.
    """
    name = hashlib.blake2b(json.dumps(source.key).encode(), digest_size=12).hexdigest()
    path = _folder() / f"{name}.points"
    facts = _facts(path)
    if facts is None or not _belongs(facts, source) or _check_of(path, facts) != facts["check"]:
        facts = _write(path, source, texts(), most())
    lengths = [int(n) for n in facts["lengths"]]
    values = np.memmap(path, dtype=facts["dtype"], mode="r", shape=(sum(lengths), 1))
    # of these points alone: a view of some of them does not have it
    vars(values)["_told"] = Told(facts["opening"], facts["sha256"], facts["firsts"])
    return values, lengths, path


def _folder() -> Path:
    return cache_folder("tokens")


def _narrowest(most: int) -> str:
    return "u1" if most < 1 << 8 else "<u2" if most < 1 << 16 else "<i4"


def _write(path: Path, source: Source, texts: Iterable[Iterable[Points]], most: int) -> dict[str, Any]:
    """Write the points of texts, and return the facts about them."""
    facts: dict[str, Any] = {"key": source.key, "marks": source.marks, "dtype": _narrowest(most)}
    facts["opening"] = source.opening
    lengths: list[int] = []

    def parts() -> Iterator[bytes]:
        check, sha = 0, hashlib.sha256(source.opening.encode())
        firsts: list[tuple[list[int], list[int]]] = []
        for text in texts:
            first = _Firsts()
            for points in text:
                raw = points.astype(facts["dtype"]).tobytes()
                check = zlib.crc32(raw, check)
                sha.update(np.ascontiguousarray(points, dtype=np.int32).data)
                first.see(points)
                yield raw
            lengths.append(first.count)
            firsts.append((first.points, first.places))
        sha.update(np.cumsum([0, *lengths], dtype=np.int64).data)
        facts.update(lengths=lengths, check=check, digest=source.digest(), sha256=sha.hexdigest())
        facts["firsts"] = firsts if sum(len(points) for points, _ in firsts) <= _PLACES else None
        words = json.dumps(facts).encode()
        yield words + _TAIL.pack(len(words), _MAGIC)

    atomic_write(path, parts())
    return facts


class _Firsts:
    """Where each point of a text comes first.

    Attributes:
        points: The points, in the order in which they come first.
        places: The place of each.
        count: The points that were seen, each as often as it came.
    """

    def __init__(self) -> None:
        self.points: list[int] = []
        self.places: list[int] = []
        self.count = 0
        self._new = np.ones(0, dtype=bool)

    def see(self, points: Points) -> None:
        """Take the next points of the text, (N,)."""
        most = int(points.max(initial=-1))
        if most >= len(self._new):
            self._new = np.concatenate([self._new, np.ones(most + 1 - len(self._new), dtype=bool)])
        new = np.flatnonzero(self._new[points])
        found, at = np.unique(points[new], return_index=True)
        order = np.argsort(at)
        self.points += found[order].tolist()
        self.places += (self.count + new[at[order]]).tolist()
        self._new[found] = False
        self.count += len(points)


def _facts(path: Path) -> dict[str, Any] | None:
    """Return the facts about a file; None if it is not there or is not one that was written here."""
    try:
        with path.open("rb") as file:
            end = file.seek(0, 2)
            file.seek(max(0, end - _TAIL.size))
            size, magic = _TAIL.unpack(file.read(_TAIL.size))
            if magic != _MAGIC or size > end:
                return None
            file.seek(end - _TAIL.size - size)
            facts = json.loads(file.read(size))
            whole = sum(facts["lengths"]) * np.dtype(facts["dtype"]).itemsize + size + _TAIL.size
            return facts if whole == end and facts["dtype"] in ("u1", "<u2", "<i4") else None
    except (OSError, ValueError, KeyError, TypeError, struct.error):
        return None


def _belongs(facts: dict[str, Any], source: Source) -> bool:
    """Return whether a file was made from this source, by its marks or by its content."""
    # as JSON, in which a tuple is a list
    if json.dumps(facts.get("key")) != json.dumps(source.key) or facts.get("opening") != source.opening:
        return False
    sizes = [[size for size, *_ in marks] for marks in (facts.get("marks", []), source.marks)]
    return facts["marks"] == source.marks or (sizes[0] == sizes[1] and facts.get("digest") == source.digest())


def _check_of(path: Path, facts: dict[str, Any]) -> int:
    """Return the checksum of the points in a file, which a damaged disk would change."""
    left, check = sum(facts["lengths"]) * np.dtype(facts["dtype"]).itemsize, 0
    for block in raw_blocks(path):
        check = zlib.crc32(block[:left], check)
        left -= len(block[:left])
        if not left:
            break
    return check
