"""Which options a fit uses: one that it does not use is refused by name, with what to give in its place."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ostinato.cli.fit_request import FitRequest
from ostinato.errors import ConfigError
from ostinato.fits.budget import CHECKPOINT_EVERY

if TYPE_CHECKING:
    from ostinato.gradients.methods import Method


def checked(request: FitRequest, direct: bool) -> FitRequest:
    """Return the request with every option under its present name.

    Args:
        request: The request.
        direct: Whether a direct model is fitted.

    Raises:
        ConfigError: The fit does not use an option, or an option cannot be read.
    """
    request = _without_window(request, direct)
    if direct:
        _check_direct(request)
    elif request.search:
        _check_searched(request)
    else:
        _check_ladder(request)
        _check_network(request)
    return request


def _without_window(request: FitRequest, direct: bool) -> FitRequest:
    """Return the request with the value of the earlier option --window in the option that the model uses.

    Raises:
        ConfigError: The new option is given, too, or the value is not a number of steps for a direct model.
    """
    if request.window is None:
        return request
    name = "--lookback" if direct else "--truncation-window"
    for other, value in (("--lookback", request.options.lookback), ("--truncation-window", request.truncation_window)):
        if value is not None:
            raise ConfigError(
                f"--window {request.window} and {other} {value} are both given; --window is the earlier name of {name}",
                fix=f"give {name} alone",
            )
    if direct:
        lookback = _steps(request.window, "--window", "a number of steps")
        return replace(request, window=None, options=replace(request.options, lookback=lookback))
    return replace(request, window=None, truncation_window=request.window)


def _check_direct(request: FitRequest) -> None:
    """Raise ConfigError for an option that a direct fit does not use."""
    unused = {
        "--on": request.cluster is not None,
        "--search": bool(request.search),
        "--truncation-window": request.truncation_window is not None,
        "--gradient-checkpoints": request.gradient_checkpoints is not None,
        "--resume": request.resume,
        "--checkpoint-every": request.checkpoint_every != CHECKPOINT_EVERY,
    }
    given = [name for name, is_given in unused.items() if is_given]
    if given:
        fix = f"remove {', '.join(given)}"
        if request.truncation_window is not None:
            fix += "; a direct model takes --lookback"
        raise ConfigError(f"a direct fit does not use {', '.join(given)}", fix=fix)


def _check_ladder(request: FitRequest) -> None:
    """Raise ConfigError for an option that only a direct fit uses."""
    only_direct = {
        "--lookback": request.options.lookback is not None,
        "--networks": request.options.networks is not None,
    }
    given = [name for name, is_given in only_direct.items() if is_given]
    if given:
        fix = f"remove {', '.join(given)}, or fit a direct model with --model direct --horizon STEPS"
        if request.options.lookback is not None:
            fix += "; the truncation window of BPTT is --truncation-window"
        raise ConfigError(f"a fit of {request.model} does not use {', '.join(given)}", fix=fix)


def _check_network(request: FitRequest) -> None:
    """Raise ConfigError for an option of networks, if the model that is asked for has none."""
    from ostinato.layers.build import BARE

    if request.model not in (*BARE, "counts"):
        return
    of_networks = {
        "--hidden": request.options.hidden,
        "--depth": request.options.depth,
        "--dropout": request.options.dropout,
        "--learning-rate": request.options.learning_rate,
        "--truncation-window": request.truncation_window,
        "--gradient-checkpoints": request.gradient_checkpoints,
    }
    given = ", ".join(name for name, value in of_networks.items() if value is not None)
    if given:
        raise ConfigError(
            f"a fit of {request.model} has no network, and does not use {given}",
            fix=f"remove {given}, or fit a network, such as --model gru",
        )


def _check_searched(request: FitRequest) -> None:
    """Raise ConfigError for an option that a search chooses itself."""
    chosen = {
        "--model": request.model != "auto",
        "--horizon": request.horizon is not None,
        "--truncation-window": request.truncation_window is not None,
        "--gradient-checkpoints": request.gradient_checkpoints is not None,
        "--checkpoint-every": request.checkpoint_every != CHECKPOINT_EVERY,
    }
    given = [name for name, is_given in chosen.items() if is_given]
    given += [f"--{name.replace('_', '-')}" for name in request.options.given()]
    if given:
        raise ConfigError(
            f"a search chooses {', '.join(given)} itself", fix=f"remove {', '.join(given)}, or remove --search"
        )


def check_on_the_cpu(request: FitRequest) -> None:
    """Raise ConfigError for a GPU or a precision of one, which workers of Ray do not use."""
    given = [f"--device {request.device}"] * (request.device not in ("auto", "cpu"))
    given += [f"--precision {request.precision}"] * (request.precision != "float32")
    if given:
        raise ConfigError(
            f"the workers of Ray compute on the CPU in float32, got {' '.join(given)}",
            fix="remove it; with torchrun, several processes train on a GPU each",
        )


def method(truncation_window: str | None, checkpoints: str | None) -> Method | None:
    """Return the gradient method that two options of the command line name.

    Args:
        truncation_window: "auto" for AdaptiveBPTT, or the steps of a truncation window.
        checkpoints: The number of segments of CheckpointedBPTT, or its memory limit, such as "200MB".

    Returns:
        The method; None if neither option was given, so that the length of the sequences decides.

    Raises:
        ConfigError: Both options are given, or one of them cannot be read.
    """
    from ostinato.gradients.methods import AdaptiveBPTT, CheckpointedBPTT, TruncatedBPTT

    if checkpoints is not None:
        if truncation_window is not None:
            raise ConfigError(
                f"--truncation-window {truncation_window} and --gradient-checkpoints {checkpoints} are both given, and "
                "they are two ways to compute a gradient",
                fix="give --truncation-window or --gradient-checkpoints, not both",
            )
        if checkpoints.isdecimal():
            return CheckpointedBPTT(segments=int(checkpoints))
        return CheckpointedBPTT(memory_limit=checkpoints)
    if truncation_window is None:
        return None
    if truncation_window == "auto":
        return AdaptiveBPTT()
    return TruncatedBPTT(_steps(truncation_window, "--truncation-window", "a number of steps or auto"))


def _steps(text: str, option: str, expected: str) -> int:
    """Return the number of steps that an option gives."""
    try:
        return int(text)
    except ValueError:
        raise ConfigError(f"{option} must be {expected}, got {text!r}", fix=f"give {expected}") from None
