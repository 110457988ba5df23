"""Bad inputs: text and sound."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import soundfile
from bad_inputs import Bad

TONE = (np.sin(np.arange(900) / 9) * 9000).astype(np.int16)


def sound(samples: Any = TONE, rate: int = 8000, form: str = "WAV") -> bytes:
    """A sound file."""
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, rate, format=form)
    return buffer.getvalue()


STEREO = sound(np.stack([TONE, TONE], axis=1))
WAV, FLAC, TXT, CSV = (f"fit bad.{end} -o m.ost" for end in ("wav", "flac", "txt", "csv"))
REVIEWS = "film,review\n1,good\n2,bad\n3,so so\n"

ROWS: tuple[Bad, ...] = (
    Bad("a sound file of no bytes", WAV, ("the file is empty", "bad.wav"), {"bad.wav": b""}),
    Bad("a sound file of no samples", WAV, ("holds no samples", "bad.wav"), {"bad.wav": sound(TONE[:0])}),
    Bad("a sound file of one sample", WAV, ("too few", "bad.wav"), {"bad.wav": sound(TONE[1:2])}),
    Bad("a header cut short", WAV, ("damaged", "bad.wav"), {"bad.wav": sound()[:30]}),
    Bad("a WAV file cut short", WAV, ("cut short: 844 bytes", "bad.wav"), {"bad.wav": sound()[:1000]}),
    Bad("a FLAC file cut short", FLAC, ("damaged", "bad.flac"), {"bad.flac": sound(form="FLAC")[:200]}),
    Bad("text called .wav", WAV, ("cannot read the file as sound", "bad.wav"), {"bad.wav": "do re mi"}),
    Bad("a channel and the mix", f"{WAV} --channel 0 --mix", ("--channel or --mix",), {"bad.wav": STEREO}),
    Bad("a channel that is not there", f"{WAV} --channel 2", ("no channel 2", "from 0 to 1"), {"bad.wav": STEREO}),
    Bad("a channel below 0", f"{WAV} --channel -1", ("--channel must be at least 0, got '-1'",), {"bad.wav": STEREO}),
    Bad(
        "sounds of different rates", "fit d -o m.ost", ("rates: 8,000 Hz (a.wav), 16,000 Hz (b.wav)", "resample"),
        {"d/a.wav": sound(), "d/b.wav": sound(rate=16_000)},
    ),
    Bad("sound as a series", f"{WAV} --kind series", ("a sound file cannot be read as series",), {"bad.wav": sound()}),
    Bad("an empty text", TXT, ("there is no text", "bad.txt"), {"bad.txt": ""}),
    Bad("text in bad UTF-8", TXT, ("byte 0xff", "bad.txt, line 2, byte 4"), {"bad.txt": b"do\nre \xff\n"}),
    Bad("a binary file called .txt", TXT, ("the file is binary", "bad.txt"), {"bad.txt": bytes(300)}),
    Bad("one character", TXT, ("too few", "bad.txt"), {"bad.txt": "x"}),
    Bad("an unknown alphabet", f"{TXT} --alphabet morse", ("'morse'", "characters or bytes"), {"bad.txt": "do re"}),
    Bad("a column of words and numbers", f"{CSV} --kind text --target x", ("no column 'x'",), {"bad.csv": REVIEWS}),
    Bad(
        "two columns of words as one text", f"{CSV} --kind text --target film --target review",
        ("text is read from one column of a table, got film, review",),
        {"bad.csv": REVIEWS},
    ),
)  # fmt: skip
