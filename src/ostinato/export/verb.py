"""The verb export: a fitted model as an ONNX graph of one step."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ostinato.arguments import levels as checked_levels
from ostinato.data.extras import missing
from ostinato.errors import ConfigError
from ostinato.export.step_graph import StepGraph
from ostinato.forecasting.protocol import fitted
from ostinato.model_file import Model, model_digest
from ostinato.settings import undisturbed
from ostinato.shapes import Array
from ostinato.storage import atomic_write
from ostinato.wording import option


@dataclass(frozen=True)
class Exported:
    """The result of ``export_onnx``.

    Attributes:
        path: The file.
        states: The names of the inputs that carry the state, with their shapes for one series.
        outputs: The names of the other outputs.
        steps: The number of steps on which onnxruntime gave the answers of the model.
        worst: The greatest difference of a surprisal, as a share of 1 + its size.
        notes: What was left out and why, one sentence each.
    """

    path: Path
    states: tuple[tuple[str, tuple[int, ...]], ...]
    outputs: tuple[str, ...]
    steps: int
    worst: float
    notes: tuple[str, ...]


@undisturbed
def export_onnx(
    model: Model,
    path: str | Path,
    *,
    level: float | list[float] | tuple[float, ...] = (80, 95),
    unique_id: str = "stream",
    step: float = 1.0,
    digest: str = "",
    check: int = 200,
) -> Exported:
    """Write one step of a model as an ONNX graph, and check it with onnxruntime before it takes the place of a file.

    The graph takes raw values ``y`` (B, D), float64 with NaN where one is missing; of text, code points in int64.
    It also takes the flags ``start`` (B,), which begin new sequences, and the state ``state_in_*``. Where ``start`` is
    set, the state is not read: zeros will do. It returns ``surprisal`` (B,) in nats, ``expected`` (B, D),
    ``quantiles`` (B, D, Q) of the step before it was observed (for text ``log_prob`` (B, V)), and ``state_out_*``.

    Args:
        model: A fitted SequenceModel.
        path: The file to write.
        level: The coverage of the intervals in percent; their ends and the median are the quantiles.
        unique_id: The id of the series, if the model scales each series of a panel by its own values.
        step: The spacing of the amplitudes of a sound.
        digest: The SHA-256 of the model file, for the metadata; empty computes that of the weights.
        check: The number of steps to check.

    Raises:
        ConfigError: onnx or onnxruntime is not installed, the model is a DirectModel, or a part of it has no graph.
        ModelFileError: onnxruntime gives other answers than the model.
        WriteError: The file cannot be written.
    """
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
    except ImportError as error:
        raise missing("an ONNX graph", "onnx with onnxruntime", "onnx") from error
    sequential = fitted(model).likelihood("export a step").eval()
    if sequential.adaptive or sequential.filtered:
        raise ConfigError(
            f"a graph of {sequential.description.name} cannot go on learning as the model does",
            fix=f"fit a model that does not, such as {option('--model', 'lstm')} or {option('--model', 'ar')}",
        )
    if sequential.constant.dtype != torch.float32:
        raise ConfigError(
            f"the weights have dtype {sequential.constant.dtype}, expected float32", fix="use model.float()"
        )
    probabilities = _probabilities(level)
    build = StepGraph(sequential, unique_id, step, probabilities)
    content = build.serialized(digest or model_digest(sequential))
    from ostinato.export.check import worst_difference

    worst = worst_difference(content, sequential, build, unique_id, step, check)
    atomic_write(path, content)
    names = tuple((f"state_in_{k}", tuple(s)) for k, s in enumerate(build.shapes))
    return Exported(Path(path), names, tuple(build.outputs), check, worst, tuple(build.notes))


def _probabilities(level: Any) -> Array:
    """Return the probabilities of the quantiles: the ends of the intervals and the median, sorted."""
    half = [one / 200 for one in checked_levels(level)]
    return np.array(sorted({0.5, *(0.5 - h for h in half), *(0.5 + h for h in half)}))
