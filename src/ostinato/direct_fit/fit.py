"""The direct fit: a panel of series in, a direct multi-horizon forecaster out that is no worse than the naive one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Unpack

from ostinato.arguments import horizon_count, number
from ostinato.data.read import read
from ostinato.data.seasons import season_length
from ostinato.data.sequences import SequenceSet
from ostinato.description import Description
from ostinato.device import Device, in_bf16, on_device
from ostinato.direct.closed_form import ClosedForm
from ostinato.direct.model import DirectModel
from ostinato.direct.network import SegmentNetwork
from ostinato.direct_fit.closed_form import Choice, Crossed, naives, solve, words
from ostinato.direct_fit.options import ALIASES, DirectOptions
from ostinato.direct_fit.panel import Panel, held_horizons, panel_of
from ostinato.direct_fit.search import candidates, search
from ostinato.direct_fit.selection import Selection, calibrate
from ostinato.direct_fit.train import NetworkConfig, NetworkTraining, examples
from ostinato.errors import ConfigError, DataError
from ostinato.fits.budget import Budget
from ostinato.fits.fields import DirectFields, with_fields
from ostinato.fits.progress import TrainingProgress
from ostinato.fits.record import refit_notes, run_facts
from ostinato.fits.result import Fit
from ostinato.numbers import counted
from ostinato.randomness import own_draws
from ostinato.record import DirectRecord, DirectRung
from ostinato.settings import undisturbed
from ostinato.threads import Threads, engine_limit, in_threads
from ostinato.wording import option

#: The share of a series that is held out, to choose the forecaster and to calibrate its intervals.
SHARE = 0.1


@own_draws
@undisturbed
@in_threads
@on_device
def fit_direct(
    data: SequenceSet | Any,
    horizon: int | None,
    options: DirectOptions | None = None,
    *,
    budget: Budget | float | None = None,
    held_out: float | str = SHARE,
    threads: Threads = "auto",
    device: Device = "auto",
    precision: str = "float32",
    on_progress: Callable[[TrainingProgress], None] | None = None,
    on_rung: Callable[[DirectRung], None] | None = None,
    **fields: Unpack[DirectFields],
) -> Fit:
    """Fit a direct model to every channel of every series.

    The forecasters are tried from the simplest on, and each must beat the ones before it on the held-out windows. They
    are the naive forecast, the seasonal naive, direct least squares (its lookback, penalty and scale are searched), and
    networks on top of it, whose quantiles are averaged. The intervals of the kept one are calibrated on the same
    windows.

    Args:
        data: A SequenceSet, or anything that ``read`` takes.
        horizon: The greatest number of steps to forecast.
        options: The options of the fit.
        budget: The seconds for the networks, or a Budget. None trains for a few passes over the windows.
        held_out: The share of every series that is held out at its end, at least as many steps as the horizon; or a
            number of steps, at least the horizon.
        threads: The number of threads that compute, or "auto" for the decision by the machine.
        device: Where the model computes: "cpu", "cuda", "cuda:1", "mps", or "auto", which takes a GPU if a timed step
            is faster there.
        precision: "float32", or "bf16" for the products of a training on a GPU.
        on_progress: Called after every optimiser step of a network.
        on_rung: Called with the row of each forecaster when it is judged.
        **fields: Single fields of ``options``.

    Returns:
        The forecaster that was kept, the held-out table and the notes.

    Raises:
        ConfigError: An option is unknown or out of its range.
        DataError: No series is long enough, or the data are text or sound.
        NonFiniteLossError: The training diverges.
    """
    data = data if isinstance(data, SequenceSet) else read(data)
    options = with_fields(options or DirectOptions(), fields, "a direct fit", ALIASES)
    horizon, share = _checked(data, horizon, held_out)
    limits = Budget.of(budget, None)
    season, why = season_length(data, options.season)
    panel = panel_of(data, horizon, share, held_horizons(data))
    each = Budget(limits.seconds and limits.seconds / (1 + options.refit), limits.steps)
    networks = _Networks(tuple(panel.series), options, each, on_progress, in_bf16(precision))
    selection = _select(panel, season, options, networks, on_rung)
    kept, choice, closed, nets = selection.kept
    calibration = calibrate(panel, closed, nets, networks.ids)
    if options.refit:
        closed, crossed = solve(choice, panel, whole=True)
        nets = networks.train(closed, crossed)[0] if nets else ()
    record = DirectRecord(
        **run_facts(data, options.network, options.seed, _split_words(share, horizon * held_horizons(data))),
        held_out=share,
        refit=options.refit,
        refitted=f"fitted again to all {counted(panel.steps, 'step')}" if options.refit else None,
        threads=engine_limit(),
        budget=asdict(limits),
        horizon=horizon,
        table=tuple(selection.table),
        verdict=selection.verdict(),
        choice={"penalty": choice.penalty, "strength": min(choice.strength, 1e300)},
        coverage={"held_out": calibration.before, "calibrated": calibration.after},
        held_horizons=held_horizons(data),
    )
    model = DirectModel(choice.name, closed, nets, networks.ids, calibration.factors, _description(data, record))
    notes = (
        *data.notes,
        f"season: {counted(season, 'step')}, {why}",
        record.verdict,
        f"95 % intervals contained {calibration.before:.1%} of the held-out values, and calibrated on half of them "
        f"{calibration.after:.1%}",
        *dict.fromkeys(networks.placed),
        *refit_notes(kept.name, record.refitted),
    )
    return Fit(model, kept, record.table, notes)


@dataclass(frozen=True)
class _Networks:
    """How the networks of one fit are trained."""

    ids: tuple[str, ...]
    options: DirectOptions
    budget: Budget
    on_progress: Callable[[TrainingProgress], None] | None
    bf16: bool
    #: where the networks were trained and why, if a GPU was considered
    placed: list[str] = field(default_factory=list)

    @property
    def config(self) -> NetworkConfig:
        """How one network is built and trained."""
        return self.options.network

    def train(self, closed: ClosedForm, crossed: Crossed) -> tuple[tuple[SegmentNetwork, ...], str]:
        """Return one network for each seed, and their optimiser steps in words."""
        seeds = range(self.options.seed, self.options.seed + self.options.networks)
        data = examples(closed, crossed, self.ids)
        training = NetworkTraining(closed, data, len(self.ids), self.config, self.bf16)
        trained = training.ensemble(seeds, self.budget, self.on_progress)
        devices = [one.device for one in trained]
        self.placed.extend(f"the networks were trained on {device}" for device in devices if device.considered)
        steps = " + ".join(str(one.steps) for one in trained)
        return tuple(one.network for one in trained), f"{steps} training steps"


def _select(
    panel: Panel,
    season: int,
    options: DirectOptions,
    networks: _Networks,
    on_rung: Callable[[DirectRung], None] | None,
) -> Selection:
    """Fit every forecaster to the known part, the simplest first, and judge it on the held-out windows."""
    selection = Selection(panel, networks.ids, on_rung)
    chosen: Choice = search(panel, candidates(panel, season, options.lookback))
    for choice in [*naives(chosen, panel, season), chosen]:
        closed, crossed = solve(choice, panel)
        selection.judge(choice, closed, (), words(choice))
    if options.backbone and options.networks:
        nets, steps = networks.train(closed, crossed)
        selection.judge(replace(chosen, name=options.backbone), closed, nets, f"{steps}, on {words(chosen)}")
    return selection


def _description(data: SequenceSet, record: DirectRecord) -> Description:
    source = {**data.meta, "channels": list(data.channels), "frequency": data.frequency}
    covariates = data.covariates
    static = [sorted(set(column)) for column in zip(*covariates.static, strict=True)] if covariates else []
    return Description("direct", data.kind, {"static": static}, source, record=record.to_json())


def _split_words(share: float, least: int) -> str:
    if share >= 1:
        return f"the last {counted(share, 'step')} of each series held out"
    shorter = "or a third of a shorter series"
    return f"the last {share:.0%} of each series held out, at least {counted(least, 'step')}, {shorter}"


def _checked(data: SequenceSet, horizon: int | None, held_out: float | str) -> tuple[int, float]:
    """Return the horizon and the held-out share, or raise an error if one of them or the data cannot be used."""
    if horizon is None:
        raise ConfigError(
            "a direct model needs a horizon, got none", fix=f"give one, such as {option('--horizon', 24)}"
        )
    if not data.traits.tabular:
        raise DataError(
            f"a direct model forecasts series or prices, got {data.kind}", fix=f"use {option('--model', 'auto')}"
        )
    horizon = horizon_count(horizon)
    if not isinstance(held_out, str):
        held_out = number("held_out", held_out)
    if isinstance(held_out, str) or not held_out > 0:
        raise ConfigError(
            f"held_out of a direct fit must be a share or a number of steps, got {held_out!r}",
            fix="use a share such as 0.1",
        )
    if 1 <= held_out < horizon:
        raise ConfigError(
            f"held_out must be at least the horizon of {counted(horizon, 'step')}, got {held_out:g}",
            fix="hold out more steps",
        )
    return horizon, held_out
