"""The local methods by name: every one is fitted to a panel, and forecasts each series of it."""

from __future__ import annotations

from ostinato.local.ar import fit_ar
from ostinato.local.combine import Combination, combine
from ostinato.local.ets import fit_ets
from ostinato.local.intermittent import fit_croston, fit_sba, fit_tsb
from ostinato.local.naive import fit_drift, fit_naive, fit_naive2, fit_seasonal_naive
from ostinato.local.panel import Fit, Panel
from ostinato.local.theta import fit_dot, fit_theta

#: The members of ``auto``.
MEMBERS: dict[str, Fit] = {
    "seasonal_naive": fit_seasonal_naive,
    "drift": fit_drift,
    "theta": fit_theta,
    "dot": fit_dot,
    "ets": fit_ets,
}


def fit_auto(panel: Panel) -> Combination:
    """Fit the combination of ``MEMBERS``.

    Args:
        panel: The series.
    """
    return combine(panel, MEMBERS)


#: Every local method by its name, the simplest first.
METHODS: dict[str, Fit] = {
    "naive": fit_naive,
    "seasonal_naive": fit_seasonal_naive,
    "naive2": fit_naive2,
    "drift": fit_drift,
    "theta": fit_theta,
    "dot": fit_dot,
    "ar": fit_ar,
    "ets": fit_ets,
    "croston": fit_croston,
    "sba": fit_sba,
    "tsb": fit_tsb,
    "auto": fit_auto,
}
