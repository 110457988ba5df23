"""A Sphinx extension: the search of the Korean site finds a word whatever particle follows it.

Korean writes particles on to the word: 예측을 and 예측은 are 예측 with a particle. The index therefore
holds every beginning of a Korean word from two syllables on, and 예측 finds them all. English words are
stemmed as on the English site.
"""

from __future__ import annotations

import re

from sphinx.application import Sphinx
from sphinx.search.en import SearchEnglish

HANGUL = re.compile("[가-힣]+")


class SearchKorean(SearchEnglish):
    """The words of a page for the index of the search."""

    lang = "ko"

    def split(self, input: str) -> list[str]:  # noqa: A002, the name is Sphinx's
        """Return the words of a text, and every beginning of the Korean ones."""
        words = super().split(input)
        stems = [
            run[:end]
            for word in words
            for run in HANGUL.findall(word)
            for end in range(2, len(run) + 1)
        ]
        return words + stems


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the language; Sphinx calls this function."""
    app.add_search_language(SearchKorean)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
