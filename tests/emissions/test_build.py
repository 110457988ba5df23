"""Emissions by name."""

from __future__ import annotations

import pytest
import torch

from ostinato.emissions.build import EMISSIONS, build_emission, default_emission
from ostinato.emissions.emission import Support
from ostinato.errors import ConfigError


@pytest.mark.parametrize("name", list(EMISSIONS))
def test_each_name_builds_its_emission(name: str) -> None:
    assert build_emission(name, symbols=4).name == name


@pytest.mark.parametrize(("typo", "meant"), [("student", "student_t"), ("negativ_binomial", "negative_binomial")])
def test_a_wrong_name_is_answered_with_the_closest(typo: str, meant: str) -> None:
    with pytest.raises(ConfigError, match=f"did you mean '{meant}'"):
        build_emission(typo)


def test_sizes() -> None:
    assert build_emission("categorical", symbols=7).parameters == 7
    assert build_emission("logistic_mixture", components=4).parameters == 13
    with pytest.raises(ConfigError, match="number of symbols, got none"):
        build_emission("categorical")
    with pytest.raises(ConfigError, match="at least 1 component, got 0"):
        build_emission("logistic_mixture", components=0)


@pytest.mark.parametrize(
    ("kind", "count", "name"),
    [
        ("series", False, "student_t"),
        ("series", True, "negative_binomial"),
        ("prices", False, "student_t"),
        ("text", False, "categorical"),
        ("sound", False, "logistic_mixture"),
    ],
)
def test_defaults(kind: str, count: bool, name: str) -> None:
    assert default_emission(kind, count) == name


def test_an_unknown_kind_has_no_default() -> None:
    with pytest.raises(ConfigError, match="unknown kind of data 'picture'"):
        default_emission("picture", False)


@pytest.mark.parametrize("name", ["normal", "student_t", "logistic_mixture"])
@pytest.mark.parametrize("how", [{"temperature": -1.0}, {"temperature": float("nan")}, {"top_p": 0.0}, {"top_p": 0.9}])
def test_sampling_options_that_cannot_be_used_are_refused(name: str, how: dict[str, float]) -> None:
    emission = build_emission(name)
    with pytest.raises(ConfigError, match=f"^{next(iter(how))} "):
        emission.sample(torch.zeros(1, emission.parameters), Support.real(), torch.Generator(), **how)


def test_unsuitable_supports_are_refused() -> None:
    lattice = Support(torch.ones(1), torch.zeros(1), torch.full((1,), torch.inf))
    with pytest.raises(ConfigError, match="lattice"):
        build_emission("student_t").log_prob(torch.zeros(1, 3), torch.zeros(1), lattice)
    with pytest.raises(ConfigError, match="counts"):
        build_emission("negative_binomial").log_prob(torch.zeros(1, 2), torch.zeros(1), Support.real())
    with pytest.raises(ConfigError, match="one channel"):
        build_emission("categorical", symbols=3).log_prob(torch.zeros(2, 3), torch.zeros(2), lattice)
