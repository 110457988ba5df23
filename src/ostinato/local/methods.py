"""The local methods by name: every one is fitted to a panel, and forecasts each series of it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ostinato.local.ar import fit_ar
from ostinato.local.combine import Parts, combine_by_kind
from ostinato.local.ets import STABLE, fit_ets
from ostinato.local.events import are_counts, fit_events
from ostinato.local.intermittent import fit_croston, fit_sba, fit_tsb, is_intermittent
from ostinato.local.naive import fit_drift, fit_naive, fit_naive2, fit_seasonal_naive
from ostinato.local.panel import Fit, Panel
from ostinato.local.seasons import fit_seasons
from ostinato.local.smoothing.search import NEAR
from ostinato.local.theta import fit_dot, fit_theta
from ostinato.shapes import Array
from ostinato.spread import is_quiet

#: Forms with additive errors take 0.4 of the time of all forms. In the combination they are as good: the mean OWA over
#: six groups of short series is .834 with either.
_ADDITIVE = tuple(form for form in STABLE if form.error == "A")
#: The members of ``auto`` for series of sizes, the simplest first.
MEMBERS: dict[str, Fit] = {
    "seasonal_naive": fit_seasonal_naive,
    "drift": fit_drift,
    "seasons": fit_seasons,
    "dot": fit_dot,
    "ets": lambda panel: fit_ets(panel, _ADDITIVE, NEAR),
}


def _shortest(fit: Fit) -> Fit:
    """Return a method that sees the shortest season of a panel alone."""
    return lambda panel: fit(Panel(panel.values, panel.seasons[:1]))


#: The members for panels of several seasons, of which a series may follow the shortest alone: in a week with a holiday
#: the day before says more than the week before. On one window of the training part of M4's hourly series, OWA is .49;
#: without the first two members it is .53, and with the day as the only season .58.
SEVERAL: dict[str, Fit] = {
    "short_seasonal_naive": _shortest(fit_seasonal_naive),
    "short_seasons": _shortest(fit_seasons),
    **MEMBERS,
}
#: Those for series of which many steps are 0.
DEMAND: dict[str, Fit] = {"croston": fit_croston, "sba": fit_sba, "tsb": fit_tsb}
#: Those for such series of counts: one method that is itself a mean over models. Without a season in it and with the
#: three members above next to it, wQL was .584 in place of .575 over 400 made series, and .907 in place of .895 over 23
#: windows of monthly prescriptions.
EVENTS: dict[str, Fit] = {"events": fit_events}
#: The mean up to which counts that are seldom 0 have that method as one more member. On made monthly counts of mean 4
#: with a season wQL falls by 1 % in a panel and by 10 % alone. Larger ones are as good as continuous.
_SMALL = 10.0


def kind(y: Array, seasons: Sequence[int] = ()) -> str:
    """Return the kind of a series (T,) with seasons: counts or demand if intermittent, else quiet, small or moving.

    A series is quiet if its value hardly ever changes or is stuck for long (see ``is_quiet``), and small if it is of
    counts about at most ``_SMALL``.

    A quiet series has nothing to say about how series that move are forecast, and how sure that is.
    """
    if is_intermittent(y, seasons):
        return "counts" if are_counts(y) else "demand"
    if is_quiet(y):
        return "quiet"
    return "small" if are_counts(y) and y[np.isfinite(y)].mean() <= _SMALL else "moving"


def fit_auto(panel: Panel) -> Parts:
    """Fit the combination of the members of its kind to each series.

    Args:
        panel: The series.
    """
    moving = SEVERAL if len(panel.seasons) > 1 else MEMBERS
    members = {"moving": moving, "quiet": moving, "small": {**moving, **EVENTS}, "counts": EVENTS, "demand": DEMAND}
    return combine_by_kind(panel, kind, members)


#: Every local method by its name, the simplest first.
METHODS: dict[str, Fit] = {
    "naive": fit_naive,
    "seasonal_naive": fit_seasonal_naive,
    "naive2": fit_naive2,
    "drift": fit_drift,
    **DEMAND,
    "events": fit_events,
    "theta": fit_theta,
    "dot": fit_dot,
    "ar": fit_ar,
    "seasons": fit_seasons,
    "ets": fit_ets,
    "auto": fit_auto,
}
