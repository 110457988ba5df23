"""Every block of every page runs, and the Korean pages have the code, formulas and figures of the English pages."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pages
import pytest
from pages import run

import ostinato
from ostinato import scale
from warm import programs

DOCS = Path(__file__).resolve().parents[2] / "docs"
KOREAN = DOCS / "ko"
PAGES = sorted(p.relative_to(DOCS) for p in DOCS.rglob("*.md"))
#: Korean pages with blocks of their own, because their subject is a language.
OWN = {Path("guides/surprisal.md")}
TRANSLATED = sorted(p.relative_to(KOREAN) for p in KOREAN.rglob("*.md"))

BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
DISPLAYED = re.compile(r"^\$\$\n(.*?)^\$\$$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"\$([^$]+)\$")
LINK = re.compile(r"\]\(([^)\s]+)\)")
PORT = re.compile(r"port[= ]+[1-9]\d*|127\.0\.0\.1:\d+|localhost:\d+")


def parts(page: Path) -> dict[str, object]:
    """Return the parts that a translation must keep; inline formulas may change their order, so they are counted."""
    text = page.read_text(encoding="utf-8")
    blocks, prose = BLOCK.findall(text), BLOCK.sub("", text)
    displayed, prose = DISPLAYED.findall(prose), DISPLAYED.sub("", prose)
    return {
        "blocks": blocks,
        "displayed formulas": displayed,
        "inline formulas": Counter(" ".join(formula.split()) for formula in INLINE.findall(prose)),
        "links and figures": Counter(LINK.findall(prose)),
        "headings": [len(marks) for marks in re.findall(r"^(#+) ", prose, re.MULTILINE)],
        "rows of tables": len(re.findall(r"^\|", prose, re.MULTILINE)),
    }


# any other Korean page has the blocks of the English one, as the next test says
@pytest.mark.parametrize("page", [p for p in PAGES if p.parts[0] != "ko"] + ["ko" / p for p in sorted(OWN)], ids=str)
def test_every_block_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "PROGRAMS", f"{programs()}:{pages.PROGRAMS}")
    run(DOCS / page, tmp_path)
    figures = {f for f in LINK.findall((DOCS / page).read_text(encoding="utf-8")) if f.startswith("figures/")}
    assert {f"figures/{drawn.name}" for drawn in (tmp_path / "figures").iterdir()} == figures


@pytest.mark.parametrize("page", TRANSLATED, ids=str)
def test_the_korean_page_matches_the_english_page(page: Path) -> None:
    english, korean = parts(DOCS / page), parts(KOREAN / page)
    if page in OWN:
        assert korean.pop("blocks") != english.pop("blocks")
    for name, of_english in english.items():
        assert korean[name] == of_english, name


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_what_runs_takes_a_free_port(page: Path) -> None:
    """A block with a port of its own fails while another run of it, or any other program, has that port."""
    blocks = [
        code
        for language, code in BLOCK.findall((DOCS / page).read_text(encoding="utf-8"))
        if language in {"bash", "python"}
    ]
    assert not [found for code in blocks for found in PORT.findall(code)]


def test_the_whole_theory_is_translated() -> None:
    assert {p for p in PAGES if p.parts[0] == "theory"} <= set(TRANSLATED)


def test_a_wrong_output_is_detected(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("```python\nprint(1 + 1)\n```\n\n```text\n3\n```\n", encoding="utf-8")
    with pytest.raises(AssertionError, match=r"line 5: the block above it printed\n2"):
        run(page, tmp_path)


def test_a_block_that_waits_for_ever_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "LIMIT", 0.5)
    page = tmp_path / "page.md"
    page.write_text("```bash\nsleep 1000 & sleep 1000\n```\n", encoding="utf-8")
    with pytest.raises(AssertionError, match="line 1: not done in"):
        run(page, tmp_path)


def test_every_figure_has_a_text_for_those_who_do_not_see_it() -> None:
    for page in PAGES:
        texts = re.findall(r"!\[([^]]*)\]", (DOCS / page).read_text(encoding="utf-8"))
        assert all(len(text) > 30 for text in texts), page


def test_every_public_name_is_on_the_page_of_functions() -> None:
    shown = set(re.findall(r"^\.\. auto\w+:: (\w+)", (DOCS / "api.md").read_text(encoding="utf-8"), re.MULTILINE))
    assert {*ostinato._HOMES, *scale._HOMES} <= shown
