"""fit_direct: a panel of series in, a direct multi-horizon forecaster out, never one that the naive method beats."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, fields, replace
from typing import Any

from ostinato.data.read import read
from ostinato.data.seasons import season_length
from ostinato.data.sequences import SequenceSet
from ostinato.description import Description
from ostinato.direct.model import DirectModel
from ostinato.direct_fit.closed_form import naives, solve, words
from ostinato.direct_fit.panel import panel_of
from ostinato.direct_fit.search import candidates, search
from ostinato.direct_fit.selection import Selection, calibrate
from ostinato.direct_fit.train import NetworkConfig, ensemble
from ostinato.errors import ConfigError, DataError
from ostinato.fits.budget import Budget
from ostinato.fits.record import record
from ostinato.fits.result import Candidate, Fit
from ostinato.fits.threads import threads as use_threads
from ostinato.layers.build import BACKBONES

#: The share of a series that is held out to choose by and to calibrate.
SHARE = 0.1
#: What ``fit_direct`` can be told beside the data, by name.
OPTIONS = frozenset(
    {"season", "window", "memory", "networks", "held_out", "budget", "refit", "seed", "threads"}
    | {f.name for f in fields(NetworkConfig)}
)
#: Those that the ladder does not know.
ONLY_DIRECT = frozenset({"season", "window", "memory", "networks", "refit"})


def fit_direct(
    data: SequenceSet | Any,
    horizon: int | None,
    *,
    season: int | None = None,
    window: int | None = None,
    backbone: str | None = "gru",
    networks: int = 3,
    held_out: float | str = SHARE,
    budget: Budget | float | None = None,
    refit: bool = True,
    seed: int = 0,
    threads: int = 1,
    on_rung: Callable[[Candidate], None] | None = None,
    **options: Any,
) -> Fit:
    """Fit a direct forecaster of up to ``horizon`` steps to every channel of every series of data.

    Tried in turn, each to beat the one before on held-out windows: the naive forecast, the seasonal naive, direct least
    squares (its memory, penalty and scale searched), and networks upon it, whose quantiles are averaged. The intervals
    of the one that is kept are calibrated on the same windows.

    season    steps; from the frequency of the data if left out
    window    steps of the past that are seen; searched if left out
    memory    of the networks, as ``fit`` names it; None leaves them out;  networks  how many, a seed each
    held_out  the share of every series at its end that is held out, though never less than the horizon; or steps, from
              the horizon up
    budget    seconds for the networks, or a Budget; without one they are shown every window a few times
    refit     what is chosen is fitted again, to everything
    options   fields of Network: hidden, batch, learning_rate, ...

    Raises ConfigError for options that cannot be, DataError where no series is long enough, or for text and
    sound, NonFiniteLossError where training diverges.
    """
    data = data if isinstance(data, SequenceSet) else read(data)
    horizon, share = _checked(data, horizon, window, backbone, networks, held_out)
    config = _network(backbone, options)
    limits = budget if isinstance(budget, Budget) else Budget(None if budget is None else float(budget))
    season, why = season_length(data, season)
    notes = [*data.notes, f"season: {season} step{'s' * (season != 1)}, {why}"]
    panel = panel_of(data, horizon, share)
    ids = tuple(panel.series)
    each = range(seed, seed + networks), Budget(limits.seconds and limits.seconds / (1 + refit), limits.steps)
    ladder = Selection(panel, ids, on_rung)
    with use_threads(threads):
        chosen = search(panel, candidates(panel, season, window))
        for choice in [*naives(chosen, horizon, season), chosen]:
            direct, crossed = solve(choice, panel)
            ladder.judge(choice, direct, (), words(choice))
        if backbone and networks:
            nets, taken = ensemble(direct, crossed, ids, config, *each)
            ladder.judge(replace(chosen, name=backbone), direct, nets, f"{taken}, on {words(chosen)}")
        kept, choice, direct, nets = ladder.kept
        factors, before, after = calibrate(panel, direct, nets, ids)
        if refit:
            direct, crossed = solve(choice, panel, whole=True)
            nets = ensemble(direct, crossed, ids, config, *each)[0] if nets else ()
    verdict = ladder.verdict()
    notes.append(verdict)
    notes.append(f"95 % intervals held {before:.1%} of the held-out values, and calibrated on half of them {after:.1%}")
    asked = {"held_out": share, "refit": refit, "threads": threads, "budget": asdict(limits), "horizon": horizon}
    found = {
        "table": [asdict(c) for c in ladder.table],
        "verdict": verdict,
        "choice": {"penalty": choice.penalty, "strength": min(choice.strength, 1e300)},
        "coverage": {"held_out": before, "calibrated": after},
    }
    how = f"of each series the last {f'{share:.0%}' if share < 1 else f'{share:g} steps'} held out, from {horizon} up"
    source = {**data.meta, "channels": list(data.channels), "frequency": data.frequency}
    made = record(data, config, seed, asked, how)
    beside = data.covariates
    config_of = {"static": [sorted(set(words)) for words in zip(*beside.static, strict=True)] if beside else []}
    description = Description("direct", data.kind, config_of, source, record={**made, **found})
    return Fit(
        DirectModel(choice.name, direct, nets, ids, factors, description), kept, tuple(ladder.table), tuple(notes)
    )


def _checked(
    data: SequenceSet,
    horizon: int | None,
    window: int | None,
    backbone: str | None,
    networks: int,
    held_out: float | str,
) -> tuple[int, float]:
    """The horizon and what is held out, when everything can be."""
    if horizon is None:
        raise ConfigError("a direct model is fitted for a horizon", fix="name it: --horizon 24, or horizon=24")
    if data.kind not in ("series", "prices"):
        raise DataError(f"a direct forecast is of series or prices, and the data are {data.kind}", fix="use sample")
    if horizon < 1:
        raise ConfigError(f"a horizon of {horizon} steps cannot be", fix="use 1 or more")
    if window is not None and window < 2:
        raise ConfigError(f"a window of {window} steps cannot be", fix="use 2 or more: a season, or several")
    if backbone is not None and backbone not in BACKBONES:
        raise ConfigError(f"there is no memory called {backbone!r}", fix=f"one of {', '.join(BACKBONES)}")
    if networks < 0:
        raise ConfigError(f"{networks} networks cannot be", fix="use 0 (none) or more")
    if not isinstance(held_out, int | float) or not held_out > 0:
        raise ConfigError(f"{held_out!r} cannot be held out of a direct fit", fix="a share such as 0.1, or steps")
    if 1 <= held_out < horizon:
        raise ConfigError(f"{held_out} steps hold no window of {horizon}", fix="hold out the horizon or more")
    return horizon, held_out


def _network(backbone: str | None, options: dict[str, Any]) -> NetworkConfig:
    known = [f.name for f in fields(NetworkConfig)]
    unknown = [name for name in options if name not in known]
    if unknown:
        raise ConfigError(f"a direct model has no option {unknown[0]!r}", fix=f"one of {', '.join(known)}")
    return NetworkConfig(**{"backbone": backbone or "gru", **options})
