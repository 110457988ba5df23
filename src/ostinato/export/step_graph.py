"""The graph of one step of a model, with its inputs, its outputs and its metadata."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from ostinato._version import __version__
from ostinato.data.alphabet import Alphabet
from ostinato.data.sequences import SequenceSet
from ostinato.data.spelling import Pieces
from ostinato.errors import ConfigError
from ostinato.export.backbones import array, step
from ostinato.export.distribution import StepDistribution
from ostinato.export.fronts import observed, pending
from ostinato.export.graph import Graph, Wire, lookup, where
from ostinato.export.numbers import Numbers
from ostinato.model import SequenceModel
from ostinato.shapes import Array

#: The version of the operators, which onnxruntime has had since 1.12.
OPSET, IR = 17, 8


class StepGraph:
    """The graph of one step, part by part."""

    def __init__(self, model: SequenceModel, unique_id: str, spacing: float, probabilities: Array) -> None:
        self.model, self.unique_id, self.probabilities, self.notes = model, unique_id, probabilities, list[str]()
        self._numbers = None if isinstance(model.encoding, Alphabet) else Numbers(model, unique_id, spacing)
        self._returns = model.description.traits.log_returns
        self.outputs: dict[str, tuple[Wire, tuple[Any, ...]]] = {}
        self.graph = Graph()
        self._ended: Wire | None = None  # where the end of a line begins a new sequence
        initial = list(model.initial_state(1))
        held = [s for s in initial if s.numel()]
        first = [np.ascontiguousarray(s.numpy()) for s in held]
        if self._returns:
            first.append(np.full((1, model.channels), np.nan))
        self.shapes = [s.shape[1:] for s in first]
        self._dtypes = [s.dtype for s in first]
        start = Wire(self.graph, "start", bool)
        given = [Wire(self.graph, f"state_in_{k}", s.dtype) for k, s in enumerate(first)]
        state = [
            where(start.reshape(-1, *[1] * (s.ndim - 1)), self.graph.constant(s), wire)
            for s, wire in zip(first, given, strict=True)
        ]
        last = state.pop() if self._returns else None
        kept = iter(state)
        full = [next(kept) if s.numel() else self.graph.constant(s.numpy()) for s in initial]
        after = self._step(full, last)
        out = [wire for wire, s in zip(after, initial, strict=False) if s.numel()]
        if self._ended is not None:
            ended = self._ended
            out = [
                where(ended.reshape(-1, *[1] * (s.ndim - 1)), self.graph.constant(s), wire)
                for s, wire in zip(first, out, strict=False)
            ]
        self.after = out + ([after[-1]] if self._returns else [])

    def _step(self, state: list[Wire], last: Wire | None) -> list[Wire]:
        """Return the state after the step, and set the outputs."""
        model = self.model
        cut = len(state) - (0 if model.backbone is None else len(model.backbone.initial_state(1)))
        front, backbone = state[:cut], state[cut:]
        ahead = pending(model.front, front)
        constant = array(model.constant)
        params: Wire = ahead.inputs.slice(0, 1, 1).expand(-1) * 0.0 + constant  # (B, D, P)
        if model.backbone is not None and model.head is not None:
            backbone, h = step(model.backbone, backbone, ahead.inputs)
            params = (h @ array(model.head.weight).T).reshape(0, *constant.shape) + constant
        params = params.cast(np.float64)
        if self._numbers is None:
            return self._symbols(front, params, ahead.loc) + backbone
        assert ahead.loc is not None
        assert ahead.scale is not None
        return self._values(front, params, ahead.loc.cast(np.float64), ahead.scale.cast(np.float64), last, backbone)

    def _values(
        self, front: list[Wire], params: Wire, loc: Wire, scale: Wire, last: Wire | None, backbone: list[Wire]
    ) -> list[Wire]:
        """Return the state after a step of numbers."""
        assert self._numbers is not None
        numbers, model, D = self._numbers, self.model, self.model.channels
        coupling = None if model.coupling is None else model.coupling.matrix().detach().double().numpy()
        here = StepDistribution(model.emission, params, loc, scale, numbers.support, coupling)
        y = Wire(self.graph, "y", np.float64)
        x = numbers.encode(y, last)
        unseen = x.is_nan()
        wide = where(unseen, 0.0, x).cast(np.float64)
        nats = where(unseen, 0.0, here.log_prob(wide, unseen) + numbers.measure)
        seen = (~unseen).cast(np.float64).sum(-1) > 0.5
        self.outputs["surprisal"] = where(seen, -nats.sum(-1), np.nan), ("batch",)
        self.outputs["expected"] = numbers.decode(here.mean(), last), ("batch", D)
        if here.has_quantiles:
            q = self.probabilities
            found = numbers.decode(here.quantile(q), last, trailing=True)
            self.outputs["quantiles"] = found, ("batch", D, len(q))
        else:
            self.notes.append(
                "the graph has no quantiles, because those of coupled channels have no closed form (Stream.quantiles "
                "draws them)"
            )
        return [*observed(model.front, front, x), *backbone, *([] if last is None else [y])]

    def _symbols(self, front: list[Wire], params: Wire, loc: Wire | None) -> list[Wire]:
        """Return the state of the front after a step of text. The end of a sequence begins the next one."""
        encoding = self.model.encoding
        assert isinstance(encoding, Alphabet)
        if isinstance(encoding.spelling, Pieces):
            raise ConfigError(
                "a graph takes characters, and the model takes pieces of a byte-pair encoding",
                fix="fit a model with another vocabulary",
            )
        y, points = Wire(self.graph, "y", np.int64), np.array(encoding.code_points, dtype=np.int64)
        logits = params if loc is None else params + loc.cast(np.float64)  # (B, 1, V)
        logits = logits.squeeze(1)
        logs = logits.graph.op("LogSoftmax", logits, axis=-1)
        column = y.reshape(-1, 1)
        place = (column > points).cast(np.int64).sum(-1)
        padded = np.concatenate([points, [-9]])
        known = lookup(padded, place).equals(y.reshape(-1))
        symbol = where(known, place + 1, 0)
        # an unknown character is one of all the others
        document = encoding.encode(_unknown(encoding))
        measure = float(document.log_measure[0, 0])
        penalty = where(known, 0.0, params.slice(0, 1).reshape(-1) * 0.0 + measure)
        if encoding.end_symbol is not None:
            ends = y.reshape(-1).equals(10)
            symbol, penalty = where(ends, encoding.end_symbol, symbol), where(ends, 0.0, penalty)
            self._ended = ends
        chosen = (column * 0 + np.arange(encoding.size)).equals(symbol.expand())
        self.outputs["surprisal"] = -(where(chosen, logs, 0.0).sum(-1) + penalty), ("batch",)
        self.outputs["log_prob"] = logs, ("batch", encoding.size)
        return observed(self.model.front, front, symbol.expand())

    def serialized(self, digest: str) -> bytes:
        """Return the model of ONNX as bytes."""
        import onnx
        from onnx import helper

        model, numeric = self.model, self._numbers is not None
        kind = helper.np_dtype_to_tensor_dtype
        D = model.channels

        def info(name: str, dtype: Any, shape: Any) -> Any:
            return helper.make_tensor_value_info(name, kind(np.dtype(dtype)), list(shape))

        inputs = [info("y", np.float64 if numeric else np.int64, ("batch", D)), info("start", bool, ("batch",))]
        outputs, ends = [], []
        for k, (shape, dtype) in enumerate(zip(self.shapes, self._dtypes, strict=True)):
            inputs.append(info(f"state_in_{k}", dtype, ("batch", *shape)))
            outputs.append(info(f"state_out_{k}", dtype, ("batch", *shape)))
            ends.append((f"state_out_{k}", self.after[k]))
        named = [(name, wire) for name, (wire, _) in self.outputs.items()]
        told = [info(name, wire.dtype, shape) for name, (wire, shape) in self.outputs.items()]
        for name, wire in [*named, *ends]:
            self.graph.nodes.append(helper.make_node("Identity", [wire.name], [name], name=name))
        graph = helper.make_graph(
            self.graph.nodes, "ostinato_step", inputs, told + outputs, initializer=self.graph.initializers
        )
        whole = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=IR,
            producer_name="ostinato",
            producer_version=__version__,
        )
        helper.set_model_props(whole, self._metadata(digest))
        onnx.checker.check_model(whole)
        return bytes(whole.SerializeToString())

    def _metadata(self, digest: str) -> dict[str, str]:
        """Return the facts about the graph that a program needs, as strings."""
        source, model = self.model.description.source, self.model
        out = {
            "model_sha256": digest,
            "ostinato": __version__,
            "kind": model.description.kind,
            "model": model.title(),
            "channels": json.dumps(model.description.channels, ensure_ascii=False),
            "unit_of_surprisal": "nats",
            "unique_id": self.unique_id,
        }
        if source.get("frequency"):
            out["frequency"] = str(source["frequency"])
        if "quantiles" in self.outputs:
            out["probabilities"] = json.dumps(self.probabilities.tolist())
        if isinstance(model.encoding, Alphabet):
            out["code_points"] = json.dumps(model.encoding.vocabulary())
        if self.notes:
            out["notes"] = " ".join(self.notes)
        return out


def _unknown(encoding: Alphabet) -> SequenceSet:
    """Return one character outside the alphabet."""
    other = next(p for p in range(len(encoding.code_points) + 1) if p not in set(encoding.code_points))
    values = np.array([[other]], dtype=np.int32)
    return SequenceSet("text", values, np.array([0, 1]), ("a",), ("y",))
