"""The verbs compress and decompress: files in, one container out, and back to the bit."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from ostinato.compression.coder import Decoder, Encoder
from ostinato.compression.container import VERSION, Container
from ostinato.compression.drive import Values
from ostinato.compression.facts import Facts, Remembered
from ostinato.compression.lanes import drive_of
from ostinato.compression.originals import Originals, Raw
from ostinato.compression.portable import check
from ostinato.compression.refusals import other_probabilities
from ostinato.compression.sound_originals import SoundOriginals
from ostinato.compression.text_originals import TextOriginals
from ostinato.data.alphabet import Alphabet
from ostinato.data.amplitude import Amplitude
from ostinato.data.corpus import forget
from ostinato.errors import ConfigError, DataError
from ostinato.forecasting.protocol import fitted
from ostinato.model import SequenceModel
from ostinato.model_file import Model
from ostinato.settings import undisturbed
from ostinato.threads import Threads, in_threads


@undisturbed
@in_threads
def compress(model: Model, files: Mapping[str, bytes], *, threads: Threads = 1) -> bytes:
    """Compress files without loss by an arithmetic coder that a model drives.

    The result takes the bits that ``score`` reports for the files. Checks and lengths take about 10 bytes more, and 2
    for each further file. So a tiny file takes 10 bytes, however likely it is. Names take what is new in them: a model
    that was fitted to several files remembers up to 128 of their names and lengths. Six names of recordings, such as
    ``0_jackson_38.wav``, take 9 bytes if the model knows such names, and 20 if it does not. An adaptive model learns
    here too: it codes each value by its prediction, and then learns the value. ``decompress`` needs the same model.

    Args:
        model: A fitted SequenceModel of text or sound.
        files: The bytes of each file by its name: text in UTF-8, or WAV files of whole numbers. A name may be empty.
        threads: The number of threads that compute. More than one hardly help, because a model codes a step at a time,
            and a network may then add up in another order than where the file is restored.

    Returns:
        The bytes of the container.

    Raises:
        ConfigError: The model was fitted to another kind of data, or a package is not installed.
        DataError: A file is not of the model's kind, or cannot be restored exactly.
    """
    return b"".join(compressed(model, files).parts())


def compressed(model: Model, files: Mapping[str, Raw]) -> Container:
    """Return files as a container (see ``compress``). Large texts that are mapped take no memory.

    Raises:
        DataError: A file cannot be restored exactly from the values of the model.
    """
    sequence_model = fitted(model).likelihood("compress")
    check()
    originals, drive, coder = originals_of(sequence_model), drive_of(sequence_model, VERSION), Encoder()
    given: list[Values] = []
    lengths: list[int] = []
    extra: list[int] = []
    told: list[Any] = []
    digest = hashlib.blake2b(digest_size=8)
    for name, raw in files.items():
        rows, beside, left = originals.apart(raw, name)
        at = 0
        for part in originals.together(rows, left):
            if bytes(raw[at : at + len(part)]) != part:
                at = -1
                break
            digest.update(part)
            at += len(part)
            forget(raw)
        if at != len(raw):
            raise DataError(
                "the model does not read every byte of the file, so the file could not be restored exactly",
                where=name,
                fix="keep the file as it is",
            )
        digest.update(at.to_bytes(8, "little"))
        given, lengths, extra = [*given, *rows], [*lengths, *map(len, rows)], [*extra, *beside]
        told.append([name, *left])
    Facts(coder, originals.usual, remembered_by(sequence_model, originals)).files(told)
    facts_bytes = coder.bytes_so_far()
    drive.run(coder, given, lengths, extra)
    return Container(digest_of_model(sequence_model), coder.coded(digest.digest()), facts_bytes=facts_bytes)


@undisturbed
@in_threads
def decompress(model: Model, container: bytes, *, where: str = "the file", threads: Threads = 1) -> dict[str, bytes]:
    """Return the files of a container, by name.

    Args:
        model: The model that compressed them.
        container: The bytes that ``compress`` returned.
        where: The name of the container, for an error.
        threads: The number of threads that compute, as in ``compress``.

    Raises:
        DataError: The bytes are not a container, or were cut short or altered; or this machine computes other
            probabilities than the one that wrote them.
        ModelFileError: The container was written by another model.
    """
    return {name: b"".join(parts) for name, parts in restored(model, container, where).items()}


def restored(model: Model, container: Raw, where: str) -> dict[str, Iterator[bytes]]:
    """Return the bytes of each file of a container, in parts (see ``decompress``).

    They are checked before the first one is returned. Large texts are kept in a mapped file meanwhile.

    Raises:
        ModelFileError: Another model compressed the files.
        DataError: The container is damaged, or the model computes other probabilities on this machine.
    """
    sequence_model = fitted(model).likelihood("decompress")
    held = Container.from_bytes(container, where, digest_of_model(sequence_model))
    check()
    originals, drive = originals_of(sequence_model), drive_of(sequence_model, held.version)
    coder = Decoder(held.coded, where)
    try:
        told = held.facts(coder, originals.usual, remembered_by(sequence_model, originals))
        shapes = [originals.shape(left) for _, *left in told]
        lengths, extra = ([n for shape in shapes for n in shape[i]] for i in range(2))
        sequences = drive.run(coder, None, lengths, extra)
    except ValueError as error:  # no symbol has the place of the code, before the digest of a block could differ
        raise other_probabilities(where) from error
    own: list[tuple[str, list[Values], list[Any]]] = []
    for (name, *left), (rows, _) in zip(told, shapes, strict=True):
        own.append((name, sequences[: len(rows)], left))
        sequences = sequences[len(rows) :]
    digest, earlier = hashlib.blake2b(digest_size=8), b""
    for _, found, left in own:
        size, each = 0, hashlib.blake2b(digest_size=8)
        for part in originals.together(found, left):
            digest.update(part)
            if held.original is not None:  # version 1 digests each file by itself
                each.update(part)
            size += len(part)
        digest.update(size.to_bytes(8, "little"))
        earlier += each.digest()
    coder.finish(digest.digest() if held.original is None else None)
    if held.original not in (None, hashlib.blake2b(earlier, digest_size=8).digest()[:4]):
        raise DataError(
            "the restored files are not those that were compressed", where=where, fix="use another copy of it"
        )
    return {name: originals.together(found, left) for name, found, left in own}


def originals_of(model: SequenceModel) -> Originals:
    """Return how the files of a model are taken apart.

    Raises:
        ConfigError: The model is one of another kind of data.
    """
    match model.encoding:
        case Alphabet() as alphabet:
            return TextOriginals(alphabet)
        case Amplitude() as amplitude:
            return SoundOriginals(amplitude, model.channels, model.description.source.get("sample_rate"))
        case _:
            raise ConfigError(
                f"compress is for models of text and sound, and the model is one of {model.description.kind}",
                fix="give a model that was fitted to text or sound",
            )


def remembered_by(model: SequenceModel, originals: Originals) -> Remembered:
    """Return what a model remembers of the files that it was fitted to; nothing of a model of an earlier version."""
    files = model.description.source.get("files", {})
    return Remembered(
        [name + originals.suffix for name in files.get("names", [])], [files.get(field, []) for field in originals.kept]
    )


def digest_of_model(model: SequenceModel) -> bytes:
    """Return a digest of everything that the probabilities of a model follow from, 8 bytes."""
    tensors, document = model.to_parts()
    told = {k: v for k, v in asdict(model.description).items() if k != "record"}
    digest = hashlib.blake2b(json.dumps([document, told], sort_keys=True).encode(), digest_size=8)
    for name, tensor in sorted(tensors.items()):
        whole = tensor.detach().cpu().contiguous()
        digest.update(f"{name} {whole.dtype} {tuple(whole.shape)}".encode() + whole.numpy().tobytes())
    return digest.digest()
