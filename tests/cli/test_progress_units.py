"""What a mean likelihood is for is said in the display of a fit and in the report: of text it is a character."""

from __future__ import annotations

import math

import pytest

from ostinato.cli.progress import LadderDisplay
from ostinato.kinds import Kind
from ostinato.record import Rung
from ostinato.report import checks


@pytest.mark.parametrize(("kind", "unit"), [("series", "step"), ("text", "character"), ("sound", "sample")])
def test_the_display_names_what_the_likelihood_is_for(
    kind: Kind, unit: str, capsys: pytest.CaptureFixture[str]
) -> None:
    LadderDisplay(kind).rung(Rung("lstm", -1.25, 2.0, 10, 100))
    assert f"held out -1.2500 nats a {unit}, 2.0 s" in capsys.readouterr().err


def test_the_learning_curves_do_too() -> None:
    pytest.importorskip("matplotlib")
    curve = [(0, 0.0, math.nan, -2.0), (10, 1.0, -1.5, -1.75)]
    charts = checks.curves({"lstm": curve}, "lstm", "character")
    assert ["nats a character" in chart.words for chart in charts] == [True, True]
