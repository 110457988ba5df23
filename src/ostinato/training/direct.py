"""fit_direct: a panel of series in, a direct multi-horizon forecaster out, never one that the naive method beats."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, fields, replace
from typing import Any

from ostinato.data.effects import Form
from ostinato.data.read import read
from ostinato.data.seasons import season_length
from ostinato.data.sequences import SequenceSet
from ostinato.description import Description
from ostinato.direct import Direct, DirectModel
from ostinato.errors import ConfigError, DataError
from ostinato.layers.build import MEMORIES
from ostinato.layers.direct import seasonal_naive
from ostinato.layers.segments import Segments
from ostinato.training.config import Budget
from ostinato.training.direct_closed import Choice, candidates, search, solve
from ostinato.training.direct_judge import calibrate, judge
from ostinato.training.direct_network import Network, examples, train
from ostinato.training.panel import panel_of
from ostinato.training.record import record
from ostinato.training.result import Candidate, Fit
from ostinato.training.threads import threads as use_threads

#: The share of a series that is held out to choose by and to calibrate.
SHARE = 0.1
#: Windows of all series together that say when a network is trained enough.
LOOKED = 2000
#: A candidate must have a loss under the simpler one's by this share: fewer windows tell no closer.
MARGIN = 0.02
#: What ``fit_direct`` can be told beside the data, by name.
OPTIONS = frozenset(
    {"season", "window", "memory", "networks", "held_out", "budget", "refit", "seed", "threads"}
    | {f.name for f in fields(Network)}
)
#: Those that the ladder does not know.
ONLY_DIRECT = frozenset({"season", "window", "memory", "networks", "refit"})


def fit_direct(  # noqa: PLR0915
    data: SequenceSet | Any,
    horizon: int | None,
    *,
    season: int | None = None,
    window: int | None = None,
    memory: str | None = "gru",
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
    budget    seconds for the networks, or a Budget; they stop by themselves before
    refit     least squares is solved again on everything once it is chosen
    options   fields of Network: hidden, steps, batch, learning_rate, ...

    Raises ConfigError for options that cannot be, DataError where no series is long enough, or for text and
    sound, NonFiniteLossError where training diverges.
    """
    data = data if isinstance(data, SequenceSet) else read(data)
    horizon, share = _checked(data, horizon, window, memory, networks, held_out)
    config = _network(memory, options)
    limits = budget if isinstance(budget, Budget) else Budget(None if budget is None else float(budget))
    season, why = season_length(data, season)
    notes = [*data.notes, f"season: {season} step{'s' * (season != 1)}, {why}"]
    panel = panel_of(data, horizon, share)
    ids, table = tuple(panel.series), []
    with use_threads(threads):
        begun = time.monotonic()
        chosen = search(panel, candidates(panel, season, window))
        least = chosen.window
        naive = replace(least, memory=max(season, 2), log=False, own=False, past=False)
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
            if on_rung:
                on_rung(judged)
        assert best is not None
        if memory and networks:
            given = examples(direct, crossed, ids)
            limits = Budget(limits.seconds and limits.seconds / networks, limits.steps)
            look = panel.fewer(LOOKED)

            def loss_of(net: Segments) -> float:
                return judge("", look, direct, (net,), ids, begun, "").loss

            trained = [train(direct, given, len(ids), config, seed + i, limits, loss_of) for i in range(networks)]
            nets = tuple(net for net, _ in trained)
            taken = " + ".join(str(steps) for _, steps in trained)
            judged = judge(memory, panel, direct, nets, ids, begun, f"{taken} steps, on {_words(chosen)}")
            table.append(judged)
            if judged.loss < best[0] * (1 - MARGIN):
                best = judged.loss, replace(chosen, name=memory), direct, nets
            if on_rung:
                on_rung(judged)
        _, choice, direct, nets = best
        factors, before, after = calibrate(panel, direct, nets, ids)
        if refit:
            direct, _ = solve(choice, panel, whole=True)
    verdict = _verdict(choice.name, table)
    notes.append(verdict)
    notes.append(f"95 % intervals held {before:.1%} of the held-out values, and calibrated on half of them {after:.1%}")
    asked = {"held_out": share, "threads": threads, "budget": asdict(limits), "horizon": horizon}
    found = {
        "table": [asdict(c) for c in table],
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
    kept = next(c for c in table if c.name == choice.name)
    return Fit(DirectModel(choice.name, direct, nets, ids, factors, description), kept, tuple(table), tuple(notes))


def _checked(
    data: SequenceSet, horizon: int | None, window: int | None, memory: str | None, networks: int, held_out: float | str
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
    if memory is not None and memory not in MEMORIES:
        raise ConfigError(f"there is no memory called {memory!r}", fix=f"one of {', '.join(MEMORIES)}")
    if networks < 0:
        raise ConfigError(f"{networks} networks cannot be", fix="use 0 (none) or more")
    if not isinstance(held_out, int | float) or not held_out > 0:
        raise ConfigError(f"{held_out!r} cannot be held out of a direct fit", fix="a share such as 0.1, or steps")
    if 1 <= held_out < horizon:
        raise ConfigError(f"{held_out} steps hold no window of {horizon}", fix="hold out the horizon or more")
    return horizon, held_out


def _network(memory: str | None, options: dict[str, Any]) -> Network:
    known = [f.name for f in fields(Network)]
    unknown = [name for name in options if name not in known]
    if unknown:
        raise ConfigError(f"a direct model has no option {unknown[0]!r}", fix=f"one of {', '.join(known)}")
    return Network(**{"memory": memory or "gru", **options})


def _words(choice: Choice) -> str:
    if choice.fixed is not None:
        return ""
    w = choice.window
    of = ("logarithms, " if w.log else "") + ("each window's own spread" if w.own else "the series' spread")
    beside = [*(_effects(choice.form) if choice.form else ()), *(["past covariates"] if w.past else [])]
    return ", ".join([f"{w.memory} steps, {of}", *beside, *(["static categories"] if choice.grouped else [])])


def _effects(form: Form) -> list[str]:
    hours = " by the hour" if form.by_hour else ""
    known = {"": [], "linear": ["known covariates"], "curved": ["known covariates, curved" + hours]}[form.known]
    return [*known, *(["the hour of the week"] if form.clock else [])]


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
