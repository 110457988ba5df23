"""The section on sound: the waveform, the spectrogram and the surprisal of a recording, and a continuation of it."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any

import numpy as np

from ostinato.data.sequences import SequenceSet
from ostinato.data.sound import as_wav
from ostinato.evaluation.calibration import Spans
from ostinato.inference.sample import sample
from ostinato.inference.score import score
from ostinato.model import SequenceModel
from ostinato.report.chart import BLUE, INK, Chart, Table, chart, plain
from ostinato.shapes import Array

#: The seconds of a recording that are shown, the seconds that the model continues, and the seconds that it adds.
SHOWN, GIVEN, DRAWN = 2.0, 0.25, 0.5
#: The seconds over which the surprisal is averaged.
MOMENT = 0.01
#: The number of parts that the shown time is divided into. For each part the least and the greatest sample and one
#: spectrum are drawn.
PARTS = 600


@dataclass(frozen=True)
class Recording:
    """One recording on the page.

    Attributes:
        chart: The waveform, the spectrogram and the surprisal.
        recorded: The recording, as a data URI.
        drawn: The first part of the recording and its continuation by the model, as a data URI.
    """

    chart: Chart
    recorded: str
    drawn: str


def recording(model: SequenceModel, data: SequenceSet, spans: Spans, seed: int) -> Recording:
    """Return the judged recording of median length.

    Args:
        model: A model of sound.
        data: The recordings.
        spans: The judged steps (sequence, first, stop), as read.
        seed: The seed of the continuation.
    """
    rate = float(data.meta.get("sample_rate", 8000))
    b, a, z = sorted(spans, key=lambda span: span[2] - span[1])[len(spans) // 2]
    first = 0 if a == 0 else max(0, a - int(MOMENT * rate))
    shown = data.take([b]).cut(np.array([first]), np.array([min(z, first + int(SHOWN * rate))]))
    surprisal = score(model.before_refit(data), shown).surprisal / np.log(2)
    samples = shown.values[:, 0].astype(np.float64) / 2.0 ** (int(data.meta.get("bits", 16)) - 1)
    given = shown.cut(np.array([0]), np.minimum(shown.lengths, int(GIVEN * rate)))
    drawn = sample(model, int(DRAWN * rate), prompt=given, seed=seed)[0]
    return Recording(
        _chart(samples, surprisal, rate, shown.ids[0]),
        _uri(as_wav(shown.values, data.meta)),
        _uri(as_wav(np.concatenate([given.values, drawn]), data.meta)),
    )


def _uri(wav: bytes) -> str:
    """Return a WAV file as a data URI."""
    return "data:audio/wav;base64," + base64.b64encode(wav).decode()


def _chart(samples: Array, surprisal: Array, rate: float, name: str) -> Chart:
    """Return the chart of samples (T,) in -1 .. 1 and their surprisal (T,) in bits."""
    seconds = len(samples) / rate
    moments = _moments(surprisal, max(1, int(MOMENT * rate)))
    when = (np.arange(len(moments)) + 0.5) * seconds / max(len(moments), 1)

    def draw(figure: Any) -> None:
        wave, spectrum, bits = figure.subplots(3, 1, sharex=True, height_ratios=(2, 3, 2))
        parts = np.array_split(samples, min(PARTS, len(samples)))
        at = (np.arange(len(parts)) + 0.5) * seconds / len(parts)
        wave.fill_between(at, [p.min() for p in parts], [p.max() for p in parts], color=INK, linewidth=0.6)
        wave.set_ylabel("amplitude")
        _spectrogram(spectrum, samples, rate)
        bits.plot(when, moments, color=BLUE)
        bits.set_ylabel("bits a sample")
        bits.set_xlabel("seconds")
        for axes in (wave, spectrum, bits):
            plain(axes)
            axes.set_xlim(0, seconds)
        spectrum.grid(visible=False)
        figure.align_ylabels()

    loud = float(np.sqrt((samples**2).mean()))
    peak = float(when[np.nanargmax(moments)]) if np.isfinite(moments).any() else 0.0
    words = (
        f"The waveform, the spectrogram and the surprisal of {seconds:.2f} seconds at {rate:,.0f} samples a second. "
        f"The average level is {20 * np.log10(max(loud, 1e-9)):.0f} dB relative to full scale. The average surprisal "
        f"is {np.nanmean(surprisal):.2f} bits a sample, and it is greatest at {peak:.2f} seconds."
    )
    rows = tuple((f"{t:.2f}", f"{m:.2f}") for t, m in zip(when[::5], moments[::5], strict=True))
    return chart(
        "A recording and its surprisal",
        words,
        draw,
        height=420,
        wide=True,
        name=name,
        table=Table(("seconds", "bits a sample"), rows),
    )


def _moments(surprisal: Array, width: int) -> Array:
    """Return the means over ``width`` samples each; a shorter last part is left out."""
    whole = surprisal[: max(1, len(surprisal) // width) * width]
    return np.asarray(whole.reshape(-1, min(width, len(whole))).mean(axis=1))


def _spectrogram(axes: Any, samples: Array, rate: float) -> None:
    """Draw the power in decibels, from Hann windows of 32 ms."""
    width, hop = max(16, int(0.032 * rate)), max(1, len(samples) // PARTS)
    around = np.pad(samples, width // 2)
    frames = np.lib.stride_tricks.sliding_window_view(around, width)[::hop] * np.hanning(width)
    power = np.abs(np.fft.rfft(frames, axis=1)) ** 2
    # power that is more than 70 dB below the greatest is not audible
    decibels = 10 * np.log10(np.maximum(power, power.max() * 1e-7 + 1e-20))
    extent = (0.0, len(samples) / rate, 0.0, rate / 2000)
    axes.imshow(decibels.T, origin="lower", aspect="auto", extent=extent, cmap="magma", interpolation="bilinear")
    axes.set_ylabel("kHz")
