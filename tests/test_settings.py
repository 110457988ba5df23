"""Verbs do not follow the settings of the program around them, and leave its settings and random numbers alone."""

from __future__ import annotations

import decimal
import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch

import ostinato
from ostinato import Budget, DirectOptions, LadderOptions
from ostinato import settings as ostinato_settings
from ostinato.randomness import drawing, own_draws, seed
from ostinato.settings import undisturbed
from ostinato.shapes import Array

Y = 10 + 3 * np.sin(np.arange(90) * 2 * np.pi / 7) + np.random.default_rng(0).normal(size=90).round(2)
LINES = ostinato.read(["anna", "bella", "carla", "dora", "emma"] * 4, kind="text")
LADDER = LadderOptions(hidden=4, embedding=4, dropout=0.3, refit=False)
FEW = Budget(60, max_steps=3)


def middle(found: ostinato.Forecast) -> Array:
    """The forecast itself, which stands behind the id and the time."""
    return found.frame.to_series(2).to_numpy()


def network() -> Array:
    model = ostinato.fit(Y, model="gru", options=LADDER, budget=FEW).model
    stream = ostinato.Stream(model)
    seen = stream.update(Y[:20]).surprisal
    ahead = middle(ostinato.forecast(model, Y, horizon=2, n_paths=20))
    return np.concatenate([ostinato.score(model, Y).surprisal, seen, stream.quantiles([0.1]).ravel(), ahead])


def closed_form() -> Array:
    model = ostinato.fit(Y, model="ar").model
    return np.concatenate([ostinato.score(model, Y).surprisal, middle(ostinato.forecast(model, Y, horizon=2))])


def direct() -> Array:
    options = DirectOptions(networks=1, hidden=8, dropout=0.5)
    model = ostinato.fit({"a": Y, "b": Y[::-1]}, horizon=3, model="direct", options=options, budget=FEW).model
    return middle(ostinato.forecast(model, {"a": Y}))


def text() -> Array:
    model = ostinato.fit(LINES, model="lstm", options=LADDER, budget=FEW).model
    drawn = "".join(ostinato.sample(model, 8, seed=3))
    return np.concatenate([ostinato.score(model, LINES).surprisal, [float(ord(c)) for c in drawn]])


def classes() -> Array:
    rows = [Y[i : i + 20] for i in range(12)]
    found = ostinato.fit_classifier(rows, ["p", "q"] * 6, model="ar", max_order=2).classifier
    return ostinato.classify(found, rows[:3]).log_prob


def by_method() -> Array:
    return middle(ostinato.forecast([*Y[:40].tolist(), decimal.Decimal("10.125")], horizon=2))


VERBS: dict[str, Callable[[], Array]] = {
    f.__name__: f for f in (network, closed_form, direct, text, classes, by_method)
}


@cache
def usual(name: str) -> Array:
    return VERBS[name]()


@contextmanager
def default_type(dtype: torch.dtype) -> Any:
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def closed_in(*settings: Callable[[], AbstractContextManager[Any]]) -> AbstractContextManager[Any]:
    stack = ExitStack()
    for enter in settings:
        stack.enter_context(enter())
    return stack


SETTINGS: dict[str, Callable[[], AbstractContextManager[Any]]] = {
    "float64 by default": lambda: default_type(torch.float64),
    "bfloat16 by default": lambda: default_type(torch.bfloat16),
    "inference mode": torch.inference_mode,
    "without gradients": torch.no_grad,
    "another device": lambda: torch.device("meta"),
    "autocast": lambda: torch.autocast("cpu", torch.bfloat16),
    "NumPy raises": lambda: np.errstate(all="raise"),
    "decimal raises": lambda: decimal.localcontext(decimal.Context(prec=2, traps=[decimal.Inexact])),
    "all at once": lambda: closed_in(
        lambda: default_type(torch.float64), torch.inference_mode, lambda: torch.device("meta"),
        lambda: np.errstate(all="raise"),
    ),
}  # fmt: skip


def settings() -> tuple[Any, ...]:
    """What a program has set, and the states of its random numbers."""
    numbers = np.random.get_state(legacy=False)  # noqa: NPY002 - a caller may use it
    assert isinstance(numbers, dict)
    drawn = torch.get_rng_state().numpy().tobytes(), str(numbers), random.getstate()
    modes = torch.is_grad_enabled(), torch.is_inference_mode_enabled(), torch.is_autocast_enabled("cpu")
    context = decimal.getcontext()
    return (
        *drawn, *modes, torch.get_default_dtype(), torch.get_default_device(), torch.get_num_threads(),
        np.geterr(), context.prec, context.traps,
    )  # fmt: skip


# a classifier, which takes the longest, meets all settings at once alone
@pytest.mark.parametrize(
    ("setting", "name"), [(s, name) for s in SETTINGS for name in VERBS if name != "classes" or s == "all at once"]
)
def test_results_do_not_follow_the_settings_of_the_program(setting: str, name: str) -> None:
    expected = usual(name)
    with SETTINGS[setting]():
        before = settings()
        found = VERBS[name]()
        assert settings() == before
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("name", [name for name in VERBS if name != "classes"])
def test_random_numbers_are_the_callers(name: str) -> None:
    expected = usual(name)
    torch.manual_seed(11)
    before = settings()
    np.testing.assert_array_equal(VERBS[name](), expected)
    assert settings() == before


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_verbs_in_several_threads_do_not_disturb_each_other(dtype: torch.dtype) -> None:
    names = ("network", "direct", "text", "closed_form", "network", "direct")
    expected = [usual(name) for name in names]
    with default_type(dtype), ThreadPoolExecutor(6) as pool:
        found = list(pool.map(lambda name: VERBS[name](), names))
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_verb_that_ends_takes_no_type_from_one_that_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    """The last verb with another type puts the caller's back, and may not do so while another asks what holds."""
    asked = []

    def default() -> torch.dtype:
        asked.append(guard.locked())
        return torch.float32

    guard = ostinato_settings._lock
    monkeypatch.setattr(torch, "get_default_dtype", default)
    assert ostinato_settings.are_usual()
    assert asked == [True]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_settings_come_back_after_an_error(error: type[BaseException]) -> None:
    @undisturbed
    def verb() -> None:
        assert torch.get_default_dtype() == torch.float32
        raise error

    with SETTINGS["all at once"]():
        before = settings()
        with pytest.raises(error):
            verb()
        assert settings() == before
    assert ostinato_settings.are_usual()


#: The package without its types, which refuse such calls too.
LIBRARY: Any = ostinato


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (lambda: LIBRARY.forecast(Y, levels=[80]), r"forecast\(\) got an unexpected(.|\n)*did you mean 'level'\?"),
        (lambda: LIBRARY.forecast("a.csv", target="y"), r"'target'\nfix: use one of(.|\n)*read\(path, target"),
        (lambda: LIBRARY.read(Y, knd="text"), r"'knd'\nfix: did you mean 'kind'\?"),
        (lambda: LIBRARY.Stream(None, treads=2), r"Stream.__init__\(\) got(.|\n)*did you mean 'threads'\?"),
    ],
)
def test_an_argument_of_another_name_is_refused_with_the_nearest(given: Callable[[], Any], says: str) -> None:
    with pytest.raises(TypeError, match=says):
        given()


def test_the_numbers_of_a_fit_are_those_of_its_seed_in_torch() -> None:
    @own_draws
    def drawn() -> torch.Tensor:
        seed(5)
        with drawing():
            first = torch.randn(3)
        with drawing():
            return torch.cat([first, torch.randn(3)])

    found = drawn()
    torch.manual_seed(5)
    assert torch.equal(found, torch.cat([torch.randn(3), torch.randn(3)]))
