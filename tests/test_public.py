"""The public names: each one imports, is listed, and is on the page of functions."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import ostinato
import ostinato.client

DOCS = Path(__file__).parents[1] / "docs"


@pytest.mark.parametrize("name", ostinato.__all__)
def test_name_is_there(name: str) -> None:
    assert getattr(ostinato, name) is not None
    assert name in dir(ostinato)


@pytest.mark.parametrize("page", ["api.md", "ko/api.md"])
def test_every_name_is_documented(page: str) -> None:
    text = (DOCS / page).read_text(encoding="utf-8")
    shown = set(re.findall(r"^\.\. auto\w+:: (\w+)", text, re.MULTILINE))
    assert set(ostinato.__all__) - {"datasets", "nn", "scale", "__version__"} <= shown
    assert set(ostinato.client.__all__) <= shown


@pytest.mark.parametrize("folder", ["", "ko/"])
def test_every_picture_of_a_guide_is_in_the_gallery(folder: str) -> None:
    gallery = (DOCS / folder / "gallery.md").read_text(encoding="utf-8")
    guides = [path.read_text(encoding="utf-8") for path in (DOCS / folder / "guides").glob("*.md")]
    shown = {one for text in guides for one in re.findall(r"\]\(figures/([\w-]+\.png)\)", text)}
    assert shown
    assert not [one for one in shown if f"guides/figures/{one}" not in gallery]


@pytest.mark.parametrize(("name", "meant"), [("Forcast", "'Forecast'"), ("load", "'load_model'"), ("sharpen", "")])
def test_a_name_that_is_not_there_is_answered_with_the_nearest(name: str, meant: str) -> None:
    with pytest.raises(AttributeError, match=f"has no attribute '{name}'") as error:
        getattr(ostinato, name)
    assert str(error.value).partition("did you mean ")[2] == (meant and f"{meant}?")


def test_all_lists_every_name() -> None:
    assert set(ostinato.__all__) == {*ostinato._HOMES, *ostinato._ALIASES, *ostinato._PACKAGES, "__version__"}


def test_aliases_are_the_same_functions() -> None:
    for alias, name in ostinato._ALIASES.items():
        assert getattr(ostinato, alias) is getattr(ostinato, name)


def test_packages_are_lazy_and_complete() -> None:
    assert ostinato.nn.GRU.__name__ == "GRU"
    assert ostinato.datasets.__name__ == "ostinato.datasets"
    assert all(getattr(ostinato.scale, name) for name in ostinato.scale._HOMES)
