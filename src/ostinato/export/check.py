"""The check of an exported graph: onnxruntime must give the answers of the model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ostinato.data.alphabet import Alphabet
from ostinato.errors import ModelFileError
from ostinato.inference.sample import sample
from ostinato.inference.stream import Stream
from ostinato.model import SequenceModel

if TYPE_CHECKING:
    from ostinato.export.step_graph import StepGraph

#: The greatest difference of an answer, as a share of 1 + its size.
CLOSE = 1e-5


class Runtime:
    """An exported graph in onnxruntime, with the state of one sequence.

    Args:
        content: The graph as bytes, or the path of its file.
    """

    def __init__(self, content: bytes | str) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        self.metadata: dict[str, str] = self._session.get_modelmeta().custom_metadata_map
        self._names = [output.name for output in self._session.get_outputs()]
        kinds = {"float": np.float32, "double": np.float64, "int32": np.int32, "int64": np.int64}
        self._state: dict[str, NDArray[Any]] = {
            one.name: np.zeros((1, *one.shape[1:]), kinds[one.type[7:-1]])
            for one in self._session.get_inputs()
            if one.name.startswith("state_in_")
        }
        self._start = np.array([True])

    def step(self, y: NDArray[Any]) -> dict[str, NDArray[Any]]:
        """Return the outputs of one step of raw values (1, D)."""
        given = {"y": y, "start": self._start, **self._state}
        found = dict(zip(self._names, self._session.run(None, given), strict=True))
        for name in self._state:
            self._state[name] = found.pop(name.replace("_in_", "_out_"))
        self._start = np.array([False])
        return found


def worst_difference(
    content: bytes, model: SequenceModel, build: StepGraph, unique_id: str, spacing: float, steps: int
) -> float:
    """Return the greatest difference of a surprisal on a sequence that the model itself draws.

    Raises:
        ModelFileError: An answer differs by more than 1e-5 of 1 + its size.
    """
    values = drawn(model, steps)
    runtime, stream = Runtime(content), Stream(model, unique_id, step=spacing)
    p, worst = build.probabilities, 0.0
    for t, y in enumerate(values):
        found = runtime.step(y)
        expected = {}
        if "quantiles" in found and t % 16 == 3:
            expected["quantiles"] = stream.quantiles(p).T[None]
        one = stream.update(chr(y[0, 0]) if y.dtype == np.int64 else y)
        expected["surprisal"] = one.surprisal
        if "expected" in found:
            expected["expected"] = one.prediction
        for name, true in expected.items():
            gap = _gap(found[name], true)
            worst = max(worst, gap if name == "surprisal" else 0.0)
            if gap > CLOSE:
                given, wanted = found[name].tolist(), np.asarray(true).tolist()
                raise ModelFileError(
                    f"onnxruntime gives another {name} than the model at step {t + 1}: {given} instead of {wanted}",
                    fix="report this with the model file; nothing was written",
                )
    return worst


def drawn(model: SequenceModel, steps: int) -> NDArray[Any]:
    """Return raw values (T, 1, D) that the model draws, with some missing if they are numbers; code points of text."""
    (first, *_) = sample(model, steps, n_samples=1, seed=1)
    if isinstance(model.encoding, Alphabet):
        line = "\n" if model.encoding.terminated else ""
        # a stream reads "\r\n" as one end of a line
        text = str(first).replace("\r", "") + line or "a"
        # a stream takes whole characters, and the graph points: those that are both
        table, spelling = model.encoding.symbol_table(), model.encoding.spelling
        text = "".join(c for c in text if c in table) or next(iter(table))
        points = [0x0A if c == "\n" else int(spelling.points(c)[0]) for c in text]
        return np.resize(np.array(points, dtype=np.int64), steps)[:, None, None]
    values = np.asarray(first, dtype=np.float64)[:, None, :]
    if model.encoding.spacing is None:
        values[7::11] = np.nan
    return values


def _gap(found: NDArray[Any], true: NDArray[Any]) -> float:
    a, b = np.asarray(found, dtype=np.float64).ravel(), np.asarray(true, dtype=np.float64).ravel()
    if a.shape != b.shape or (np.isnan(a) != np.isnan(b)).any():
        return np.inf
    same = np.isnan(a) | (a == b)
    with np.errstate(invalid="ignore"):
        return float(np.where(same, 0.0, np.abs(a - b) / (1 + np.abs(b))).max(initial=0.0))
