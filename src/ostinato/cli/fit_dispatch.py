"""The ways of fitting that the command line knows: here, on a cluster, or a search; and how the error is sent back."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ostinato.errors import ConfigError

if TYPE_CHECKING:
    from ostinato.cli.progress import LadderDisplay
    from ostinato.data.sequences import SequenceSet
    from ostinato.fits.result import Fit
    from ostinato.gradients.methods import Method
    from ostinato.scale.cluster import Cluster


@dataclass(frozen=True)
class Way:
    """Where a fit is made: the model's file, how the data are read, trials of a search, the cluster, threads."""

    path: Path
    reading: dict[str, Any]
    search: int | None
    cluster: Cluster | None
    threads: int


def run(
    data: str,
    sequences: SequenceSet,
    spot: Path | None,
    ladder: LadderDisplay,
    way: Way,
    asked: dict[str, Any],
    whole: dict[str, Any],
) -> Fit:
    """Fit: asked of the model, whole of any way. spot: the checkpoint's folder, None for a direct model."""
    from ostinato import scale
    from ostinato.fitting import fit
    from ostinato.training.search import search

    if way.search:
        _check_searched(asked)
        assert spot is not None
        if not way.cluster:
            return search(sequences, way.search, spot, threads=way.threads, on_trial=ladder.trial, **whole)[0]
        found, rows = scale.search(data, way.search, spot, on=way.cluster, reading=way.reading, **whole)
        for row in rows:
            ladder.trial(row)
        return found
    shown: dict[str, Any] = {"on_progress": ladder.progress, "on_rung": ladder.rung}
    if way.cluster:
        held: dict[str, Any] = {"reading": way.reading, "checkpoint": str(spot)}
        return scale.fit(data, way.path, on=way.cluster, **held, **shown, **whole, **asked)
    if spot is not None:
        whole = {**whole, "checkpoint": spot}
    return fit(sequences, threads=way.threads, **shown, **whole, **asked)


def check_direct(together: bool, checkpoints: str | None) -> None:
    """Raises ConfigError for what a direct model is not fitted with."""
    if together:
        raise ConfigError("a direct model is fitted in this process", fix="leave out --on and --search")
    if checkpoints is not None:
        raise ConfigError("a direct model needs no gradient checkpoints", fix="leave out --gradient-checkpoints")


def _check_searched(asked: dict[str, Any]) -> None:
    """Raises ConfigError for an option that the search chooses itself."""
    chosen = {"model": "auto", "checkpoint_every": 10.0}
    given = [name for name, value in asked.items() if value != chosen.get(name)]
    if given:
        raise ConfigError(f"a search chooses {', '.join(given)} itself", fix="leave it out, or leave out --search")


def method(window: str | None, checkpoints: str | None) -> Method | None:
    """A window "auto" -> AdaptiveBPTT(), "64" -> TruncatedBPTT(64); checkpoints "32", "200MB" -> CheckpointedBPTT."""
    from ostinato.gradients.methods import AdaptiveBPTT, CheckpointedBPTT, TruncatedBPTT

    if checkpoints is not None:
        if window is not None:
            raise ConfigError(
                "a truncation window and gradient checkpoints are two ways to send the error back",
                fix="give --window or --gradient-checkpoints, not both",
            )
        segments = int(checkpoints) if checkpoints.isdecimal() else None
        return CheckpointedBPTT(segments, None if segments is not None else checkpoints)
    if window is None:
        return None
    if window == "auto":
        return AdaptiveBPTT()
    return TruncatedBPTT(steps(window))


def steps(window: str) -> int:
    """A number of steps that was typed."""
    try:
        return int(window)
    except ValueError:
        raise ConfigError(f"{window!r} is no window", fix="give a number of steps, or auto for truncation") from None
