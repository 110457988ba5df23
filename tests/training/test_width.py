"""The network of a text is as wide as its text and its budget allow, and what is seen often is dropped more."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from ostinato import fit, read
from ostinato.data.sequences import SequenceSet
from ostinato.data.spelled import respelled
from ostinato.data.spelling import spelling_from_json
from ostinato.fits.budget import Budget
from ostinato.training.config import LadderOptions, defaults, ladder_of
from ostinato.training.setup import Setup
from ostinato.training.text_network import MOST_DROPPED, dropout_for, width_for


def text(length: int) -> SequenceSet:
    points = np.full((length, 1), 97, dtype=np.int32)
    return SequenceSet("text", points, np.array([0, length]), ("a",), meta={"alphabet": "characters"})


@pytest.mark.parametrize(
    ("length", "seconds", "hidden"),
    [
        (1_100_000, 60, 320),
        (1_100_000, 180, 512),
        (1_100_000, 600, 512),
        (1_100_000, 6000, 512),
        (230_000, 600, 256),
        (1000, 600, 128),
    ],
)
def test_the_width_follows_the_text_and_the_budget(length: int, seconds: float, hidden: int) -> None:
    assert defaults(text(length), Budget(seconds)).hidden == hidden


def test_more_time_and_more_text_never_make_a_network_narrower() -> None:
    for length in (10_000, 10_000_000):
        widths = [width_for(length, operations) for operations in np.geomspace(1e9, 1e18, 30)]
        assert widths == sorted(widths)
        assert set(widths) <= set(range(128, 769, 64))


def test_a_wider_network_is_never_trained_faster() -> None:
    budgets = [Budget(seconds) for seconds in (30, 60, 180, 6000)]
    options = [defaults(text(length), budget) for length in (1_000_000, 9_000_000) for budget in budgets]
    rates = [o.learning_rate for o in sorted(options, key=lambda o: o.hidden)]
    assert rates == sorted(rates, reverse=True)
    assert rates[0] > rates[-1]


def test_dropout_grows_with_the_budget_up_to_its_most() -> None:
    shares = [defaults(text(1_000_000), Budget(None, steps)).dropout for steps in (10, 5_000, 10_000, 1_000_000)]
    assert shares == sorted(shares)
    assert shares[0] == 0 < shares[1] < shares[2] < shares[-1] == MOST_DROPPED


@pytest.mark.parametrize("passes", [1, 2, 4, 8, 16])
def test_a_text_that_takes_fewer_weights_or_steps_to_learn_is_dropped_no_less(passes: int) -> None:
    steps, dense = np.geomspace(100, 1e6, 9), np.geomspace(0.01, 10, 9)
    table = np.array([[dropout_for(s, passes, d) for d in dense] for s in steps])
    assert (np.diff(table, axis=0) >= 0).all()
    assert (np.diff(table, axis=1) >= 0).all()
    assert (np.diff([dropout_for(1e4, p, 1.0) for p in range(1, passes + 2)]) >= 0).all()
    assert table.min() == 0
    assert table.max() <= MOST_DROPPED


def test_a_text_far_larger_than_its_network_is_not_dropped() -> None:
    assert defaults(text(9_000_000), Budget(600)).dropout == 0


def test_only_a_long_text_is_trained_by_gradients_of_one_size() -> None:
    lines = SequenceSet("text", text(100).values, np.array([0, 50, 100]), ("a", "b"), terminated=True)
    assert defaults(text(100_000), Budget(None, 10)).clip < defaults(lines, Budget(None, 10)).clip == 1.0


def test_the_weights_of_a_long_text_decay_faster_than_those_of_short_ones() -> None:
    lines = SequenceSet("text", text(100).values, np.array([0, 50, 100]), ("a", "b"), terminated=True)
    long, short = (defaults(data, Budget(None, 10)).weight_decay for data in (text(100_000), lines))
    assert long > short == LadderOptions().weight_decay


def test_a_text_has_one_network_between_counts_and_mixture() -> None:
    assert ladder_of("text") == ("ar", "counts", "lstm", "mixture")


class StoppedError(Exception):
    """The options that a fit had chosen when it was stopped."""


def options_of(data: SequenceSet, monkeypatch: pytest.MonkeyPatch, **how: Any) -> LadderOptions:
    def stopped(setup: Setup, *_: object) -> None:
        raise StoppedError(setup.options)

    monkeypatch.setattr("ostinato.training.ladder.Ladder", stopped)
    with pytest.raises(StoppedError) as found:
        fit(data, model="lstm", **how)
    options: LadderOptions = found.value.args[0]
    return options


@pytest.mark.parametrize("vocabulary", ["byte", "jamo"])
def test_the_network_follows_the_symbols_of_its_vocabulary(vocabulary: str, monkeypatch: pytest.MonkeyPatch) -> None:
    data, budget = read(["나는 너를 본다. " * 6_000], kind="text"), Budget(None, 20_000)
    symbols = respelled(data, spelling_from_json({"name": vocabulary}))
    found = options_of(data, monkeypatch, vocabulary=vocabulary, budget=budget)
    assert found == replace(defaults(symbols, budget), vocabulary=vocabulary)
    assert found.hidden > defaults(data, budget).hidden
    assert options_of(data, monkeypatch, vocabulary=vocabulary, budget=budget, hidden=64).hidden == 64
    own = LadderOptions(hidden=64, dropout=0.5, vocabulary=vocabulary)
    assert options_of(data, monkeypatch, options=own, budget=budget) == own
