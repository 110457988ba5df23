"""What a backtest says in words: whether a model beats the baselines, and what was left out or set aside."""

from __future__ import annotations

import polars as pl

from ostinato.data.sequences import SequenceSet
from ostinato.evaluation.baselines import BASELINES
from ostinato.evaluation.summary import Tally
from ostinato.evaluation.windows import BacktestPlan
from ostinato.forecasting.table import some_of
from ostinato.numbers import counted


def verdict(table: pl.DataFrame) -> str:
    """Return in words whether a model has a lower wQL than every baseline.

    Args:
        table: The table of ``summary``.
    """
    known = table.filter(pl.col("wql").is_finite()).sort("wql", maintain_order=True)
    is_baseline = pl.col("model").is_in(list(BASELINES))
    rest, reference = known.filter(~is_baseline), known.filter(is_baseline)
    if not len(reference):
        return _without_wql(table)
    name, least = reference["model"][0], reference["wql"][0]
    if not len(rest):
        return f"the best baseline is {name}, with a wQL of {least:.4g}"
    best, figure = rest["model"][0], rest["wql"][0]
    if figure < least:
        gain = f"{100 * (1 - figure / least):.1f} % less than {least:.4g}"
        return f"{best} beats every baseline: its wQL is {figure:.4g}, {gain} of the baseline {name}"
    if figure == least:
        return f"a tie: {best} and the baseline {name} have the same wQL, {least:.4g}"
    return f"nothing beats the baseline {name}: its wQL is {least:.4g}, and that of {best} is {figure:.4g}"


def _without_wql(table: pl.DataFrame) -> str:
    """Return in words why no wQL is known: the size of the values, by which it is divided, is 0 or not known."""
    if not table["smape"].is_finite().any():
        return "nothing could be measured: every value to forecast is missing"
    if (table["smape"] == 0).all():
        return "a tie: every value to forecast is 0, and every forecast is 0"
    return "no model can be compared: every value to forecast is 0, and wQL is relative to their size"


def against_last_season(table: pl.DataFrame, season: int) -> list[str]:
    """Return a note that compares the best model with the values of a season ago, if the verdict does not."""
    wql = dict(table.select("model", "wql").filter(pl.col("wql").is_finite()).sort("wql").rows())
    repeated, best = wql.get("seasonal_naive"), next((name for name in wql if name not in BASELINES), None)
    named = next((name for name in wql if name in BASELINES), None)  # in the verdict
    if season < 2 or not repeated or best is None or named == "seasonal_naive":
        return []
    gain = 1 - wql[best] / repeated
    less = f"{abs(gain):.1%} {'less' if gain >= 0 else 'more'}".replace("%", " %")
    past = f"the values of {counted(season, 'step')} ago (seasonal_naive)"
    return [f"{past} have a wQL of {repeated:.4g}, and {best} has {less}"]


def set_aside_by(tallies: dict[str, Tally]) -> list[str]:
    """Return a note on the series of which each method took values as missing."""
    return [
        f"{name} took values far from all others as missing, in {counted(tally.set_aside.total(), 'history')} of "
        f"{len(tally.set_aside):,} series: {some_of(list(tally.set_aside))}"
        for name, tally in tallies.items()
        if tally.set_aside
    ]


def left_out(plan: BacktestPlan, data: SequenceSet) -> list[str]:
    """Return a note on the series that are too short for some of the windows."""
    first, last = (int((~plan.fits(data, number)).sum()) for number in (0, plan.count - 1))
    if not first:
        return []
    every = f", and {last} of them for every window" if last else ""
    return [f"{first} series {'is' if first == 1 else 'are'} too short for the first window{every}"]
