"""The locks: every pin has hashes, they agree with one another and with what pyproject.toml allows."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

HOME = Path(__file__).resolve().parents[1]
FOLDER = HOME / "requirements"
PROJECT = tomllib.loads((HOME / "pyproject.toml").read_text())
HASHED = ("build", "run", "test")


def pins(name: str) -> dict[str, str]:
    """The version of each package in a lock."""
    found = re.findall(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", (FOLDER / f"{name}.txt").read_text(), re.MULTILINE)
    return {canonicalize_name(package): version for package, version in found}


@pytest.mark.parametrize("name", HASHED)
def test_every_pin_has_a_hash(name: str) -> None:
    blocks = re.split(r"\n(?=\S)", (FOLDER / f"{name}.txt").read_text())
    packages = [block for block in blocks if not block.startswith("#")]
    assert packages
    assert [block.split()[0] for block in packages if "--hash=sha256:" not in block] == []


@pytest.mark.parametrize("name", ["build", "run"])
def test_a_smaller_lock_is_a_part_of_that_of_the_tests(name: str) -> None:
    assert pins(name).items() <= pins("test").items()


def test_torch_is_pinned_apart_from_the_hashes() -> None:
    """Its builds for CPUs and for CUDA are different files of one version."""
    assert pins("torch").keys() == {"torch"}
    assert all("torch" not in pins(name) for name in HASHED)


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("run", [*PROJECT["project"]["dependencies"], *PROJECT["project"]["optional-dependencies"]["plot"]]),
        ("test", PROJECT["project"]["optional-dependencies"]["dev"]),
        ("build", PROJECT["build-system"]["requires"]),
    ],
)
def test_a_lock_has_what_pyproject_asks_for(name: str, wanted: list[str]) -> None:
    there = pins(name) | pins("torch")
    for words in wanted:
        one = Requirement(words)
        if one.name != "ostinato":
            assert one.specifier.contains(there[canonicalize_name(one.name)]), words
