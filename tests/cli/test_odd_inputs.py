"""Unusual but valid input works, with a note if the user should know something."""

from __future__ import annotations

from pathlib import Path

import pytest
from bad_inputs import Bad, run
from bad_media import FLAC, STEREO, TONE, WAV, sound
from bad_tables import DAYS, FIT, GOOD, csv

EUROPEAN = "Tag;Menge\n" + "".join(f"{d:02}.01.2024;{d % 7},5\n" for d in range(1, 31))

ROWS = (
    csv("a constant series", "y\n" + "7\n" * 40, "note: series whose values never change: 1 (y)"),
    csv("three rows", "y\n1.5\n2.5\n1\n", "held out"),
    csv("series of one step among others", "id,y\na,1\n" + "b,1.5\nb,2.5\n" * 9 + "c,3\n", "held out"),
    csv("a third of the values missing", "y\n" + "1.5\n\n2\n" * 20, "held out"),
    csv("days left out", "ds,y\n" + "".join(f"{d},{i}.5\n" for i, d in enumerate(DAYS) if i % 9), "read as missing"),
    csv("decimal commas", EUROPEAN, "held out"),
    csv("prices of which one is zero", "price\n5\n0\n6\n7\n", "read as series and not as prices", "line 3"),
    csv("words in a column", "film,said\n" + "1,gut\n2,so so\n" * 30, "held out", command=f"{FIT} --target said"),
    Bad("one of two channels", f"{WAV} --channel 1", ("held out",), {"bad.wav": STEREO}),
    Bad("FLAC", FLAC, ("held out",), {"bad.flac": sound(TONE, form="FLAC")}),
    Bad("OGG", "fit bad.ogg -o m.ost", ("held out",), {"bad.ogg": sound(TONE, form="OGG")}),
    Bad("a folder as one panel", "fit d -o m.ost", ("held out",), {"d/a.csv": GOOD, "d/b.csv": GOOD}),
)


@pytest.mark.parametrize("odd", ROWS, ids=lambda odd: odd.name)
def test_odd_input(odd: Bad, tmp_path: Path) -> None:
    outcome = run(Bad(odd.name, f"{odd.command} --model ar", odd.says, odd.files), tmp_path, tmp_path)
    assert outcome.code == 0, outcome.err
    for words in odd.says:
        assert words in outcome.err
    assert outcome.after.keys() - outcome.before.keys() <= {"stdin"}
    assert outcome.after["m.ost"] != outcome.before["m.ost"]
