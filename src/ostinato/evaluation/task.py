"""What the models of a backtest are fitted to, and how."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ostinato.data.sequences import SequenceSet
from ostinato.evaluation.windows import BacktestPlan


@dataclass(frozen=True)
class Task:
    """What a forecaster is fitted to, and how.

    Attributes:
        history: The steps that the model may be fitted to.
        plan: The windows of the backtest.
        season: The season in steps.
        own_season: The season that was given, for local methods and the ladder; None to follow the calendar.
        n_paths: The number of sample paths of a forecast.
        options: The options of ``fit``.
    """

    history: SequenceSet
    plan: BacktestPlan
    season: int
    own_season: int | None
    n_paths: int
    options: dict[str, Any]

    @property
    def sampling(self) -> dict[str, int]:
        """The number of sample paths and their seed, as keywords of ``fitted``."""
        return {"n_paths": self.n_paths, "seed": self.options.get("seed", 0)}

    def ladder_season(self) -> dict[str, Any]:
        """Return the season that was given as an option of the ladder; none for prices, which have no season there."""
        given = self.own_season is not None and self.history.kind == "series"
        return {"season": self.own_season} if given else {}
