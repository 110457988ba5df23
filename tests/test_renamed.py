"""Old names of arguments: those that stay work in silence, those that go warn for one minor version."""

from __future__ import annotations

import pytest

import ostinato
from ostinato import renamed
from ostinato.renamed import DEPRECATED, deprecated


def test_a_deprecated_name_warns_where_it_is_used_and_works(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(renamed, "DEPRECATED", {})

    @deprecated("0.2", window="lookback")
    def fit(lookback: int) -> int:
        return lookback

    with pytest.warns(
        DeprecationWarning, match=r"fit\(window=...\) is called lookback since version 0.2; .* 0.3"
    ) as seen:
        assert fit(window=5) == 5  # type: ignore[call-arg]
    assert seen[0].filename == __file__
    with pytest.raises(TypeError, match="both"):
        fit(window=5, lookback=6)  # type: ignore[call-arg]
    assert list(renamed.DEPRECATED.values()) == ["0.2"]


def test_no_deprecated_name_is_due() -> None:
    """A name that was replaced in 0.2 is removed in 0.3."""
    now = tuple(map(int, ostinato.__version__.split(".")[:2]))
    due = {name: since for name, since in DEPRECATED.items() if tuple(map(int, since.split("."))) < now}
    assert due == {}
