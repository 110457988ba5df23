"""A Sphinx extension: a page that names a searched word among its keywords comes before pages that only mention it.

The search of Sphinx gives every page that has a word the same score, and then sorts by title. Each page of this site
says in its front matter what it answers (``keywords``), the most important first. The extension writes the function
with which the search scores its results, and lets the index hold each word of a keyword of several words.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.config import Config

LINE = re.compile(r"^ +keywords: (.+)$", re.MULTILINE)
#: The numbers are those of Sphinx. A keyword counts more than any of them, and the first keyword of a page most.
SCORER = """
const KEYWORDS = %s;
const stemsOf = (() => {
  const known = new Map();
  return (text) => {
    if (!known.has(text)) {
      const words = text.toLowerCase().match(/[\\p{L}\\p{N}]+/gu) || [];
      known.set(text, words.filter((word) => !stopwords.has(word)).map((word) => new Stemmer().stemWord(word)));
    }
    return known.get(text);
  };
})();
var Scorer = {
  objNameMatch: 11, objPartialMatch: 6, objPrio: { 0: 15, 1: 5, 2: -5 }, objPrioDefault: 0,
  title: 15, partialTitle: 7, term: 5, partialTerm: 2,
  score: ([page, , , , score]) => {
    const asked = stemsOf(new URLSearchParams(location.search).get("q") || "");
    const keywords = (KEYWORDS[page] || []).map(stemsOf);
    const whole = keywords.findIndex((words) => words.join() === asked.join());
    if (!asked.length || !keywords.length) return score;
    if (whole >= 0) return score + 200 - whole;
    const places = asked.map((word) => keywords.findIndex((words) => words.includes(word)));
    return places.includes(-1) ? score : score + 100 - Math.max(...places);
  },
};
"""


def keywords(page: Path) -> list[str]:
    """Return the keywords of a page, the most important first."""
    found = LINE.search(page.read_text(encoding="utf-8"))
    return [word.strip() for word in found.group(1).split(",")] if found else []


def write(app: Sphinx, config: Config) -> None:
    """Write the scores of the search, which the index reads when it is built."""
    root, target = Path(app.srcdir), Path(app.doctreedir) / "scorer.js"
    pages = {
        str(page.relative_to(root).with_suffix("")): keywords(page)
        for page in sorted(root.rglob("*.md"))
    }
    target.parent.mkdir(parents=True, exist_ok=True)
    named = {name: words for name, words in pages.items() if words}
    target.write_text(SCORER % json.dumps(named, ensure_ascii=False), encoding="utf-8")
    config.html_search_scorer = str(target)


def words_of(_app: Sphinx, doctree: nodes.document) -> None:
    """Let the index hold each word of a keyword of several words."""
    for meta in doctree.findall(nodes.meta):
        if meta.get("name") == "keywords":
            phrases = [phrase.strip() for phrase in meta["content"].split(",")]
            words = [word for phrase in phrases for word in phrase.split()]
            meta["content"] = ", ".join(dict.fromkeys([*phrases, *words]))


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the extension; Sphinx calls this function."""
    app.connect("config-inited", write)
    app.connect("doctree-read", words_of)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
