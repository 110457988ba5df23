"""The keywords of a page reach the index of the search, word by word, and the function that scores its results."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from docutils import nodes
from docutils.frontend import get_default_settings
from docutils.utils import new_document
from keywords import SCORER, keywords, words_of, write

DOCS = Path(__file__).resolve().parents[2] / "docs"


def test_the_words_of_a_keyword_are_indexed_one_by_one() -> None:
    document = new_document("page", get_default_settings())
    document += nodes.meta("", name="keywords", content="out of memory, csv")
    app: Any = None
    words_of(app, document)
    (meta,) = document.findall(nodes.meta)
    assert meta["content"].split(", ") == ["out of memory", "csv", "out", "of", "memory"]


def test_the_function_of_the_scores_holds_the_keywords_of_every_page(tmp_path: Path) -> None:
    for folder in (DOCS, DOCS / "ko"):
        app: Any = SimpleNamespace(srcdir=folder, doctreedir=tmp_path)
        config: Any = SimpleNamespace()
        write(app, config)
        text = Path(config.html_search_scorer).read_text(encoding="utf-8")
        table = json.loads(text.split("const KEYWORDS = ", 1)[1].split(";\n", 1)[0])
        assert table["reading"] == keywords(folder / "reading.md")
        assert text.replace(json.dumps(table, ensure_ascii=False), "%s") == SCORER.replace("%%", "%")


def test_a_korean_page_has_the_keywords_of_its_subject_in_both_languages() -> None:
    """Who reads Korean types csv and GPU too."""
    for page in [*DOCS.glob("*.md"), *DOCS.glob("guides/*.md"), *DOCS.glob("theory/*.md")]:
        english, korean = keywords(page), keywords(DOCS / "ko" / page.relative_to(DOCS))
        assert bool(english) == bool(korean), page.name
        assert not [word for word in english if word.lower() not in map(str.lower, korean)], page.name
