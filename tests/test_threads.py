"""The decision on threads: what it sets, that it puts everything back, and that every verb takes it."""

from __future__ import annotations

import inspect
import os
import threading
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import pytest
import scipy.linalg  # noqa: F401 - brings the second BLAS, as in every verb
import torch
from threadpoolctl import threadpool_info

import ostinato
from ostinato import threads as rule
from ostinato.errors import ConfigError
from ostinato.scale.run import Here
from ostinato.scale.threads import each_worker
from ostinato.threads import computing, cores, decide, engine_limit

Numbers = tuple[int, int, tuple[int, ...]]


def in_force() -> Numbers:
    """Return the numbers of the engine, of torch, and of each BLAS, as the libraries themselves report them."""
    blas = tuple(int(one["num_threads"]) for one in threadpool_info() if one["user_api"] == "blas")
    return engine_limit(), torch.get_num_threads(), blas


@pytest.fixture
def before() -> Iterator[Numbers]:
    """Let torch have three threads before, and fail if a test leaves other numbers behind."""
    torch.set_num_threads(3)
    numbers = in_force()
    assert numbers[:2] == (3, 3)
    assert numbers[2]
    yield numbers
    assert in_force() == numbers


@pytest.fixture
def four_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(rule.VARIABLE, raising=False)
    monkeypatch.delenv(rule.GROUP, raising=False)
    monkeypatch.setattr(rule, "cores", lambda: (4, "this process may use 4 cores"))


@pytest.mark.usefixtures("four_cores")
def test_auto_gives_the_cores_to_the_engine_and_one_to_the_others(before: Numbers) -> None:
    with computing() as decision:
        assert in_force() == (4, 1, (1,) * len(before[2]))
        assert str(decision) == "4 for the engine, 1 for torch, 1 for each BLAS: auto; this process may use 4 cores"


def test_a_number_holds_for_all(before: Numbers) -> None:
    with computing(2):
        assert in_force() == (2, 2, (2,) * len(before[2]))


@pytest.mark.usefixtures("four_cores")
def test_auto_inside_of_a_number_keeps_it_and_a_number_inside_rules(before: Numbers) -> None:
    with computing(2):
        with computing("auto"):
            assert in_force()[:2] == (2, 2)
        with computing(5):
            assert in_force()[:2] == (5, 5)
        assert in_force() == (2, 2, (2,) * len(before[2]))


@pytest.mark.usefixtures("before")
def test_an_error_puts_the_numbers_back() -> None:
    with pytest.raises(ZeroDivisionError), computing(2):
        raise ZeroDivisionError


@pytest.mark.usefixtures("before")
def test_generators_that_end_in_another_order_put_the_numbers_back() -> None:
    first, second = computing(2), computing(4)
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert in_force()[:2] == (4, 4)
    second.__exit__(None, None, None)


def test_two_threads_of_python_that_overlap_put_the_numbers_back(before: Numbers) -> None:
    begun, may_end = threading.Event(), threading.Event()
    found: list[Numbers] = []

    def other() -> None:
        with computing(4):
            begun.set()
            may_end.wait(10)
            found.append(in_force())

    thread = threading.Thread(target=other)
    with computing(2):
        thread.start()
        begun.wait(10)
        assert in_force()[:2] == (2, 2)
    may_end.set()
    thread.join()
    assert found == [(4, 4, (4,) * len(before[2]))]


@pytest.mark.parametrize("variable", [rule.VARIABLE, rule.GROUP])
@pytest.mark.usefixtures("four_cores")
def test_auto_obeys_the_environment_of_a_worker(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    monkeypatch.setenv(variable, "1" if variable == rule.VARIABLE else "2")
    assert decide().engine == 1
    assert decide(3).engine == 3


@pytest.mark.usefixtures("four_cores")
def test_a_word_in_the_environment_is_no_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(rule.VARIABLE, "many")
    assert decide().engine == 4


@pytest.mark.parametrize(("text", "count"), [("150000 100000", 1), ("max 100000", 4), ("50000 100000", 1)])
def test_the_quota_of_a_container_counts(monkeypatch: pytest.MonkeyPatch, text: str, count: int) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2, 3}, raising=False)
    monkeypatch.setattr(rule, "_siblings", str)
    limit, period = text.split()
    monkeypatch.setattr(rule, "_quota", lambda: float(limit) / float(period) if limit.isdigit() else None)
    assert cores()[0] == count


def test_two_threads_of_a_core_are_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2, 3}, raising=False)
    monkeypatch.setattr(rule, "_siblings", lambda cpu: str(cpu % 2))
    monkeypatch.setattr(rule, "_quota", lambda: None)
    assert cores() == (2, "this process may use 2 cores")


@pytest.mark.parametrize("wrong", [0, -1, 1.5, "many", None, 1025, np.array([1, 2])])
def test_what_is_no_number_is_refused(wrong: Any) -> None:
    with pytest.raises(ConfigError, match="threads must be"):
        decide(wrong)


VERBS: tuple[Callable[..., Any], ...] = (
    ostinato.fit,
    ostinato.score,
    ostinato.forecast,
    ostinato.sample,
    ostinato.cross_validation,
    ostinato.diagnose,
    ostinato.write_report,
    ostinato.Stream,
)


@pytest.mark.parametrize("verb", VERBS, ids=lambda v: v.__name__)
def test_every_verb_has_the_option_and_its_default(verb: Callable[..., Any]) -> None:
    assert inspect.signature(verb).parameters["threads"].default == "auto"


@pytest.mark.usefixtures("four_cores")
def test_verbs_compute_with_the_decision(before: Numbers) -> None:
    """What is in force while a fit, a forecast and a stream compute, seen from inside of their models."""
    seen: list[Numbers] = []
    y = np.sin(np.arange(80.0))
    fit = partial(ostinato.fit, y, model="gru", hidden=4, budget=ostinato.Budget(None, 2))
    found = fit(on_progress=lambda _: seen.append(in_force()))
    assert set(seen) == {(4, 1, (1,) * len(before[2]))}
    assert found.model.description.ladder_record.threads == 4
    seen.clear()
    model = fit(threads=2, on_progress=lambda _: seen.append(in_force())).model
    assert set(seen) == {(2, 2, (2,) * len(before[2]))}
    unroll: Any = ostinato.SequenceModel.unroll
    seen_by: list[tuple[int, int]] = []

    def spy(self: Any, *args: Any, **options: Any) -> Any:
        seen_by.append(in_force()[:2])
        return unroll(self, *args, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ostinato.SequenceModel, "unroll", spy)
        ostinato.score(model, y)
        ostinato.score(model, y, threads=5)
        ostinato.Stream(model, threads=6).update(y)
    assert list(dict.fromkeys(seen_by)) == [(4, 1), (5, 5), (6, 6)]


def test_workers_have_one_thread_unless_a_number_is_given(before: Numbers) -> None:
    assert each_worker("auto") == 1
    assert each_worker(3) == 3
    with pytest.raises(ConfigError, match="threads must be"):
        each_worker(0)
    assert list(Here().map(lambda _: in_force(), [0])) == [(1, 1, (1,) * len(before[2]))]
    assert list(Here(2).map(lambda _: in_force()[0], [0])) == [2]
