"""A stereo recording: both channels in one model, a click that surprises it, and new sound written as WAV.

Run: python examples/stereo.py [SAMPLES]
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np
import soundfile

import ostinato
from ostinato.data.sound import as_wav

RATE = 4_000


def main(samples: int = 600) -> None:
    rng = np.random.default_rng(0)
    hiss = rng.normal(0, 1, samples)
    left = np.convolve(hiss, [1.0, 0.6, 0.2])[:samples]
    right = 0.7 * left + 0.3 * rng.normal(0, 1, samples)  # the same room, heard from the other side
    room = np.rint(np.stack([left, right], axis=1) * 2_000).astype(np.int16)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "room.wav"
        soundfile.write(path, room, RATE, subtype="PCM_16")
        data = ostinato.read(path)
        print(f"channels: {', '.join(data.channels)}; {data.values.shape[0]:,} frames of {data.meta['bits']} bits")
        print(
            f"mixed: {ostinato.read(path, mix=True).channels}; one channel: {ostinato.read(path, channel=1).channels}"
        )

        model = ostinato.fit(data, model="ar").model
        clicked = room.copy()
        clicked[samples // 2] = (20_000, -20_000)
        soundfile.write(path, clicked, RATE, subtype="PCM_16")
        scores = ostinato.score(model, path)
        (_, frame, nats, _), *_ = scores.most_surprising(1)
        print(f"{scores.bits_per_step:.2f} bits a frame; most surprising: frame {frame}, {nats:.0f} nats")

        drawn = ostinato.sample(model, RATE // 4, seed=1)[0]
        path.write_bytes(as_wav(drawn, model.description.source))
        again, rate = soundfile.read(path, dtype="int16")
        print(f"drawn: {len(again):,} frames of {again.shape[1]} channels at {rate:,} Hz")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
