"""Sound files, read through libsndfile as whole numbers, and samples written as a WAV file."""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from ostinato.data.chunks import broken_frame, finished, missing_bytes, uncounted_bytes
from ostinato.data.counted_frames import flac_without_count, padded_last_block
from ostinato.data.files import contents, formats, names_of
from ostinato.data.sequences import SequenceSet
from ostinato.data.sound_notes import Recording, notes_of
from ostinato.data.wave_form import in_containers
from ostinato.errors import DataError
from ostinato.numbers import counted
from ostinato.shapes import Array
from ostinato.wording import option

#: The number of frames that are read at a time.
_BLOCK = 1 << 20
#: The bits of a sample in the formats of whole numbers.
_BITS = {
    "PCM_S8": 8, "PCM_U8": 8, "PCM_16": 16, "PCM_24": 24, "PCM_32": 32,
    "ALAC_16": 16, "ALAC_20": 20, "ALAC_24": 24, "ALAC_32": 32,
    "DWVW_12": 12, "DWVW_16": 16, "DWVW_24": 24, "DPCM_8": 8, "DPCM_16": 16,
    "ULAW": 16, "ALAW": 16, "IMA_ADPCM": 16, "MS_ADPCM": 16, "GSM610": 16, "VOX_ADPCM": 16,
    "G721_32": 16, "G723_24": 16, "G723_40": 16, "NMS_ADPCM_16": 16, "NMS_ADPCM_24": 16, "NMS_ADPCM_32": 16,
}  # fmt: skip
#: The bytes of a sample in the formats whose frames are samples side by side.
_WIDTHS = {
    "PCM_S8": 1, "PCM_U8": 1, "ULAW": 1, "ALAW": 1, "PCM_16": 2, "PCM_24": 3, "PCM_32": 4, "FLOAT": 4, "DOUBLE": 8
}  # fmt: skip
#: The bits that are kept of floating point. All other formats, which are lossy, are decoded to 16 bits.
_REAL_BITS = {"FLOAT": 24, "DOUBLE": 24}
#: The share of samples beyond full scale above which floating point is refused: it then has another scale.
_MOST_BEYOND = 0.01
#: An empty tag of ID3: without one, libsndfile 1.2.0 does not recognise MP3 that has no file name.
_TAG = b"ID3\x04\0\0\0\0\0\x0a" + bytes(10)
_FIX = f"give a file of one of the formats {formats('sound')}"


class _Bytes(io.BytesIO):
    """The bytes of a file. A damaged header may send libsndfile out of them, which is then at their edge."""

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Move to a place, or to the nearest one that there is, and return it."""
        start = (0, self.tell(), self.getbuffer().nbytes)[whence]
        return super().seek(min(max(0, start + offset), self.getbuffer().nbytes))


class _Forward(soundfile.SoundFile):  # type: ignore[misc]
    """A sound file that is read from its beginning to its end, without a number of samples that soundfile relies on."""

    def seekable(self) -> bool:
        """Return False: soundfile then asks libsndfile for what is there."""
        return False


@dataclass(frozen=True)
class _Decoded:
    """What libsndfile finds in a file: the samples (T, D), their form and rate, and how many the header promises."""

    data: NDArray[Any]
    subtype: str
    rate: int
    promised: int


def from_files(paths: list[Path], *, channel: int | None = None, mix: bool = False) -> SequenceSet:
    """Read each sound file as one sequence of whole numbers.

    Args:
        paths: The files.
        channel: The channel to read, from 0; all channels if None.
        mix: Whether to read the mean of all channels.

    Returns:
        The sequences (T, D), with as many bits as the file with the most bits has.

    Raises:
        DataError: A file is not sound, is cut short, or has a sample that is not finite; or the files differ in sample
            rate or in the number of channels.
    """
    if mix and channel is not None:
        what = f"one channel, {channel}, and the mix of all channels are asked for"
        raise DataError(what, fix=f"use {option('--channel')} or {option('--mix')}, not both")
    recordings = [_decode(path) for path in paths]
    _check_alike(paths, {r.rate: p for r, p in zip(reversed(recordings), reversed(paths), strict=True)})
    bits = max(r.bits for r in recordings)
    taken = [
        _taken(path, r.samples << (bits - r.bits), channel, mix) for path, r in zip(paths, recordings, strict=True)
    ]
    widths = {s.shape[1]: p for (s, _), p in zip(taken, paths, strict=True)}
    if len(widths) > 1:
        several = ", ".join(f"{n} ({path.name})" for n, path in sorted(widths.items()))
        raise DataError(
            f"the files have different numbers of channels: {several}",
            where=f"{paths[0].parent}",
            fix=f"use {option('--mix')}, {option('--channel', 0)}, or only the files of one number of channels",
        )
    samples = [s for s, _ in taken]
    if not sum(map(len, samples)):
        raise DataError("the sound file holds no samples", where=str(paths[0]), fix="give a file that has samples")
    step = [max(1, int(np.gcd.reduce(s, axis=None))) if s.size else 1 for s in samples]
    coarse = [1 << ((s & -s).bit_length() - 1) for s in step]
    notes, channels = notes_of(paths, recordings, bits, coarse, sum(n for _, n in taken)), samples[0].shape[1]
    if channels > 1:
        notes += (
            f"a step has a sample of each of the {counted(channels, 'channel')}, and its nats and bits are their sums",
        )
    return SequenceSet(
        "sound",
        np.concatenate(samples).astype(np.int32),
        np.cumsum([0, *map(len, samples)], dtype=np.int64),
        tuple(names_of(paths)),
        _channel_names(channels),
        step=np.array(coarse, dtype=np.float64),
        meta={"sample_rate": recordings[0].rate, "bits": bits, "channel": channel, "mix": mix or None},
        notes=notes,
    )


def as_wav(samples: NDArray[Any], meta: dict[str, Any]) -> bytes:
    """Return samples as a WAV file.

    Args:
        samples: The samples as whole numbers, (T, D).
        meta: The sample rate and the bits, as in ``SequenceSet.meta``.

    Returns:
        The bytes of the file.
    """
    buffer = io.BytesIO()
    bits = int(meta.get("bits", 16))
    wide = (samples.astype(np.int64) << (32 - bits)).astype(np.int32)
    subtype = next((name for most, name in ((8, "PCM_U8"), (16, "PCM_16"), (24, "PCM_24")) if bits <= most), "PCM_32")
    soundfile.write(buffer, wide, int(meta.get("sample_rate", 8000)), subtype=subtype, format="WAV")
    return buffer.getvalue()


def _check_alike(paths: list[Path], rates: dict[int, Path]) -> None:
    if len(rates) > 1:
        several = ", ".join(f"{rate:,} Hz ({path.name})" for rate, path in sorted(rates.items()))
        raise DataError(
            f"the files have different sample rates: {several}",
            where=f"{paths[0].parent}",
            fix="resample the files to one rate, or give only the files of one rate",
        )


def _channel_names(count: int) -> tuple[str, ...]:
    if count == 1:
        return ("amplitude",)
    return ("left", "right") if count == 2 else tuple(f"channel {c}" for c in range(count))


def _decode(path: Path) -> Recording:
    """Return the samples of a file as whole numbers."""
    raw, unfinished = finished(contents(path))
    raw, valid = in_containers(raw)
    if not raw:
        raise DataError("the file is empty", where=str(path), fix=_FIX)
    try:
        decoded, uncounted_frames, open_ended = _frames(raw)
    except (soundfile.LibsndfileError, RuntimeError, TypeError, ValueError, OSError) as error:
        raise DataError(
            "cannot read the file as sound: it is damaged or has another format", where=str(path), fix=_FIX
        ) from error
    data, subtype, rate, promised = decoded.data, decoded.subtype, decoded.rate, decoded.promised
    lacking = missing_bytes(raw)
    if len(data) < promised or lacking:
        raise DataError(
            f"the sound file is cut short: {counted(lacking, 'byte')} {'is' if lacking == 1 else 'are'} missing"
            if lacking
            else "the sound file is cut short",
            where=str(path),
            fix="copy or download the file again",
        )
    if rate < 1:
        raise DataError(f"the sound has {counted(rate, 'sample')} a second", where=str(path), fix=_FIX)
    if data.dtype == np.float64:
        found = _rounded(path, data, _REAL_BITS.get(subtype, 16), rate, lossy=subtype not in _REAL_BITS)
    else:
        bits = _BITS[subtype]
        found = Recording(data.astype(np.int64) >> (0 if data.dtype == np.int16 else 32 - bits), bits, rate)
        found = _of_valid_bits(found, valid or bits)
    return replace(
        found,
        unfinished=unfinished or open_ended,
        uncounted=uncounted_bytes(raw),
        more=uncounted_frames,
        broken=broken_frame(raw, _WIDTHS.get(subtype, 1) * data.shape[1]),
    )


def _of_valid_bits(found: Recording, valid: int) -> Recording:
    """Return samples in the valid bits, which are their first; all their bits if the others hold something."""
    unused = found.bits - valid
    if unused <= 0:
        return found
    if (found.samples & ((1 << unused) - 1)).any():
        return replace(found, unused=unused)
    return replace(found, samples=found.samples >> unused, bits=valid)


def _frames(raw: bytes) -> tuple[_Decoded, int, bool]:
    """Return the samples of a file, how many frames the header does not count, and whether it counts none.

    Raises:
        soundfile.LibsndfileError: The file is not sound, or is damaged.
    """
    if (flac := flac_without_count(raw)) is not None:
        without, count = flac
        try:
            found = _blocks(without, _Forward)
        except soundfile.LibsndfileError:
            # what follows the samples that are counted is not sound
            if not count:
                raise
        else:
            return replace(found, promised=count), max(0, len(found.data) - count) if count else 0, not count
    found = _blocks(raw, soundfile.SoundFile)
    padding = padded_last_block(raw, len(found.data))
    return replace(found, data=found.data[: len(found.data) - padding], promised=found.promised - padding), 0, False


def _blocks(raw: bytes, kind: type[soundfile.SoundFile]) -> _Decoded:
    """Return all that libsndfile reads from a file, a block at a time."""
    if raw[:1] == b"\xff" and raw[1:2] >= b"\xe0":
        raw = _TAG + raw
    with kind(_Bytes(raw)) as file:
        rate, promised, subtype = int(file.samplerate), int(file.frames), str(file.subtype)
        dtype = "float64" if subtype not in _BITS else "int16" if _BITS[subtype] == 16 else "int32"
        # a damaged header may promise more frames than fit in memory, so the blocks are small
        blocks: list[NDArray[Any]] = [file.read(0, dtype=dtype, always_2d=True)]
        while len(block := file.read(_BLOCK, dtype=dtype, always_2d=True)):
            blocks.append(block)
        return _Decoded(np.concatenate(blocks), subtype, rate, promised)


def _rounded(path: Path, data: Array, bits: int, rate: int, *, lossy: bool) -> Recording:
    """Return samples (T, D) from -1 to 1 as whole numbers.

    Raises:
        DataError: A sample is not finite, or many are beyond full scale.
    """
    bad = np.argwhere(~np.isfinite(data))
    if len(bad):
        frame, channel = map(int, bad[0])
        word = "missing (NaN)" if np.isnan(data[frame, channel]) else "infinite"
        raise DataError(
            f"{len(bad):,} sample{'s are' if len(bad) > 1 else ' is'} not finite; the first is {word}",
            where=f"{path}, frame {frame} (from 0), at {frame / rate:.6f} s, channel {channel}",
            fix="repair the recording, or cut out the part",
        )
    full, size = 2.0 ** (bits - 1), np.abs(data)
    outside = size > 1.0
    beyond, peak = int(outside.sum()), float(size.max(initial=0.0))
    if not lossy and beyond > _MOST_BEYOND * data.size:
        frame = int(np.flatnonzero(outside.any(axis=1))[0])
        raise DataError(
            f"{beyond:,} of {counted(data.size, 'sample')} are beyond full scale: up to {peak:.6g}, expected at most 1",
            where=f"{path}, from frame {frame} (from 0) on, at {frame / rate:.6f} s",
            fix=f"divide the samples by {peak:.6g}, or save them as whole numbers",
        )
    # 1.0, full scale, is one step above the greatest whole number
    whole = np.clip(np.rint(data * full), -full, full - 1)
    rounded = 0 if lossy else int(((whole != data * full) & ~outside).sum())
    return Recording(whole.astype(np.int64), bits, rate, rounded, beyond, peak)


def _taken(path: Path, samples: NDArray[np.int64], wanted: int | None, mix: bool) -> tuple[NDArray[np.int64], int]:
    """Return the chosen channels (T, D) of samples, and how many samples were rounded."""
    channels = samples.shape[1]
    if wanted is not None and not 0 <= wanted < channels:
        what = f"there is no channel {wanted}: the file has {counted(channels, 'channel')}, counted from 0"
        raise DataError(what, where=str(path), fix=f"use a channel from 0 to {channels - 1}")
    if wanted is not None:
        return samples[:, wanted : wanted + 1], 0
    if not mix or channels == 1:
        return samples, 0
    total = samples.sum(axis=1, keepdims=True)
    return np.rint(total / channels).astype(np.int64), int((total % channels != 0).sum())
