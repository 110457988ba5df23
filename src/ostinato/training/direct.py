"""fit_direct: a panel of series in, a direct multi-horizon forecaster out, never one that the naive method beats."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from ostinato.data.read import read
from ostinato.data.seasons import season_length
from ostinato.data.sequences import SequenceSet
from ostinato.data.windows import channels
from ostinato.direct import Direct, DirectModel
from ostinato.errors import ConfigError, DataError
from ostinato.layers.build import MEMORIES
from ostinato.layers.direct import seasonal_naive
from ostinato.layers.segments import Segments
from ostinato.training.direct_closed import Choice, Panel, candidates, search, solve
from ostinato.training.direct_judge import Candidate, calibrate, judge
from ostinato.training.direct_network import Network, examples, train
from ostinato.training.threads import threads as use_threads

#: The share of a series that is held out to choose by and to calibrate, where no number of steps is given.
SHARE = 10
#: Windows of one series to judge by, at most.
JUDGED = 3000
#: A candidate must have a loss under the simpler one's by this share: fewer windows tell no closer.
MARGIN = 0.02


@dataclass(frozen=True)
class DirectFit:
    """What fit_direct returns: the model, the table of what was tried, and what there is to say, in words."""

    model: DirectModel
    table: tuple[Candidate, ...]
    notes: tuple[str, ...]


def fit_direct(
    data: SequenceSet | Any,
    horizon: int,
    *,
    season: int | None = None,
    window: int | None = None,
    memory: str | None = "gru",
    networks: int = 3,
    held_out: int | None = None,
    refit: bool = True,
    seed: int = 0,
    threads: int = 1,
    on_candidate: Callable[[Candidate], None] | None = None,
    **options: Any,
) -> DirectFit:
    """Fit a direct forecaster of up to ``horizon`` steps to every channel of every series of data.

    Tried in turn, each to beat the one before on held-out windows: the naive forecast, the seasonal naive, direct least
    squares (its memory, penalty and scale searched), and networks upon it, whose quantiles are averaged. The intervals
    of the one that is kept are calibrated on the same windows.

    season    steps; from the frequency of the data if left out
    window    steps of the past that are seen; searched if left out
    memory    of the networks, as ``fit`` names it; None leaves them out;  networks  how many, a seed each
    held_out  last steps of every series that are held out; a tenth or the horizon if left out
    refit     least squares is solved again on everything once it is chosen
    options   fields of Network: hidden, steps, batch, learning_rate, ...

    Raises ConfigError for options that cannot be, DataError where no series is long enough, or for text and
    sound, NonFiniteLossError where training diverges.
    """
    data = data if isinstance(data, SequenceSet) else read(data)
    _check(data, horizon, window, memory, networks, held_out)
    config = Network(memory=memory or "gru", **options)
    season, why = season_length(data, season)
    notes = [*data.notes, f"season: {season} step{'s' * (season != 1)}, {why}"]
    panel = _panel(data, horizon, held_out)
    ids, table = tuple(panel.series), []
    with use_threads(threads):
        begun = time.monotonic()
        chosen, _ = search(panel, candidates(panel, season, window))
        least = chosen.window
        naive = replace(least, memory=max(season, 2), log=False, own=False)
        ladder = [Choice("naive", naive, fixed=seasonal_naive(naive.memory, horizon, 1))]
        if season > 1:
            ladder.append(Choice("seasonal naive", naive, fixed=seasonal_naive(naive.memory, horizon, season)))
        best: tuple[float, Choice, Direct, tuple[Segments, ...]] | None = None
        for choice in [*ladder, chosen]:
            direct, crossed = solve(choice, panel)
            judged = judge(choice.name, panel, direct, (), ids, begun, _words(choice))
            begun = time.monotonic()
            table.append(judged)
            if best is None or judged.loss < best[0] * (1 - MARGIN):
                best = judged.loss, choice, direct, ()
            if on_candidate:
                on_candidate(judged)
        assert best is not None
        if memory and networks:
            given = examples(direct, crossed, ids)
            nets = tuple(train(direct, given, len(ids), config, seed + i) for i in range(networks))
            judged = judge(memory, panel, direct, nets, ids, begun, f"{networks} on {_words(chosen)}")
            table.append(judged)
            if judged.loss < best[0] * (1 - MARGIN):
                best = judged.loss, replace(chosen, name=memory), direct, nets
            if on_candidate:
                on_candidate(judged)
        _, choice, direct, nets = best
        factors, before, after = calibrate(panel, direct, nets, ids)
        if refit:
            direct, _ = solve(choice, panel, whole=True)
    notes.append(_verdict(choice.name, table))
    notes.append(f"95 % intervals held {before:.1%} of the held-out values, and calibrated on half of them {after:.1%}")
    record = {
        "table": [asdict(c) for c in table],
        "choice": {"penalty": choice.penalty, "strength": min(choice.strength, 1e300)},
        "network": asdict(config) if nets else None,
        "coverage": {"held out": before, "calibrated": after},
        "seed": seed,
    }
    source = {**data.meta, "channels": list(data.channels), "frequency": data.frequency, "kind": data.kind}
    return DirectFit(DirectModel(choice.name, direct, nets, ids, factors, record, source), tuple(table), tuple(notes))


def _check(
    data: SequenceSet, horizon: int, window: int | None, memory: str | None, networks: int, held_out: int | None
) -> None:
    if data.kind not in ("series", "prices"):
        raise DataError(f"a direct forecast is of series or prices, and the data are {data.kind}", fix="use sample")
    if horizon < 1:
        raise ConfigError(f"a horizon of {horizon} steps cannot be", fix="use 1 or more")
    if window is not None and window < 2:
        raise ConfigError(f"a window of {window} steps cannot be", fix="use 2 or more: a season, or several")
    if memory is not None and memory not in MEMORIES:
        raise ConfigError(f"there is no memory called {memory!r}", fix=f"one of {', '.join(MEMORIES)}")
    if networks < 0:
        raise ConfigError(f"{networks} networks cannot be", fix="use 0 (none) or more")
    if held_out is not None and held_out < horizon:
        raise ConfigError(f"{held_out} steps hold no window of {horizon}", fix="hold out the horizon or more")


def _panel(data: SequenceSet, horizon: int, held_out: int | None) -> Panel:
    """Every channel as a series up to its last observed step; a series that is short is not held out from."""
    series, known = {}, {}
    for key, whole in channels(data).items():
        seen = np.flatnonzero(np.isfinite(whole))
        if not len(seen):
            continue
        y = whole[: seen[-1] + 1]
        hold = held_out if held_out is not None else max(horizon, len(y) // SHARE)
        series[key] = y
        known[key] = len(y) - hold if len(y) >= 2 * hold + horizon else len(y)
    longest = max((len(y) - known[key] for key, y in series.items()), default=0)
    if not longest:
        raise DataError(
            f"no series is long enough for a horizon of {horizon}: the longest has "
            f"{max((len(y) for y in series.values()), default=0)} steps, and {3 * horizon} are needed",
            where=data.meta.get("source"),
            fix="use a shorter horizon",
        )
    stride = max(1, (longest - horizon + 1) // JUDGED, -(-(longest - horizon + 1) * len(series) // 20_000))
    return Panel(series, known, horizon, stride)


def _words(choice: Choice) -> str:
    if choice.fixed is not None:
        return ""
    w = choice.window
    of = ("logarithms, " if w.log else "") + ("each window's own spread" if w.own else "the series' spread")
    return f"{w.memory} steps, {of}"


def _verdict(name: str, table: list[Candidate]) -> str:
    losses = {c.name: c.loss for c in table}
    if name in ("naive", "seasonal naive"):
        other = min((c for c in table if c.name != name), key=lambda c: c.loss)
        return (
            f"nothing beats the {name} forecast by {MARGIN:.0%} on the held-out windows, so it is used: quantile loss "
            f"{losses[name]:.4g} seasonal errors, {other.name} {other.loss:.4g}"
        )
    yard = "seasonal naive" if "seasonal naive" in losses else "naive"
    gain = 1 - losses[name] / losses[yard]
    return f"{name} is used: its quantile loss on the held-out windows is {gain:.0%} under the {yard} forecast's"
