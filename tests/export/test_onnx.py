"""A graph of ONNX is the model: every recurrence with every emission, over 500 carried steps in onnxruntime."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from ostinato.data.encoding import fit_encoding
from ostinato.data.sequences import SequenceSet
from ostinato.errors import ConfigError, ModelFileError
from ostinato.layers.build import BACKBONES as LAYERS
from ostinato.layers.cell import Cell
from ostinato.layers.gru import GRU
from ostinato.layers.stack import Stack
from ostinato.model import SequenceModel
from zoo import BACKBONES, KINDS, build, fitted, made

pytest.importorskip("onnx", reason="onnx is not installed")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")

from ostinato.export.check import Runtime, drawn, worst_difference
from ostinato.export.step_graph import StepGraph
from ostinato.export.verb import export_onnx
from ostinato.inference.stream import Stream

#: One kind of data for each emission, and for each way in which values enter a model.
EMISSIONS = {kind: one.emission for kind, one in KINDS.items() if kind != "small sound"}
EMISSIONS["counts, zeros"] = "zero_inflated"


def _data(kind: str) -> SequenceSet:
    return made(kind.replace(", zeros", ""))


def _model(kind: str, name: str) -> SequenceModel:
    return build(made("counts"), name, "zero_inflated") if kind == "counts, zeros" else fitted(kind, name)


def _differs(model: SequenceModel, steps: int, spacing: float = 1.0) -> float:
    graph = StepGraph(model, "e", spacing, np.array([0.025, 0.1, 0.5, 0.9, 0.975]))
    return worst_difference(graph.serialized("0"), model, graph, "e", spacing, steps)


@pytest.mark.parametrize("name", BACKBONES)
@pytest.mark.parametrize("kind", EMISSIONS)
def test_the_answers_are_those_of_the_model(kind: str, name: str) -> None:
    if kind.startswith("counts") and name == "ar" and EMISSIONS[kind] != "normal":
        name = "rnn"  # no closed form stands alone under a negative binomial
    assert _differs(_model(kind, name), 60, 256.0 if kind == "coarse sound" else 1.0) < 1e-5


@pytest.mark.parametrize("name", ["ar", *LAYERS])
def test_five_hundred_steps_and_three_layers(name: str) -> None:
    model = fitted("series", "ar") if name == "ar" else _deep(name)
    assert _differs(model, 500) < 1e-5


def _deep(name: str) -> SequenceModel:
    from ostinato.layers.build import build_backbone

    model = fitted("series", "gru")
    torch.manual_seed(3)
    known = build_backbone(name, 4, 8, 3)
    with torch.no_grad():
        for which, weight in known.named_parameters():
            if "weight_hh" in which:
                weight.mul_(0.5)  # so that a state forgets, and 500 steps do not multiply what was rounded
    changed = SequenceModel(
        model.encoding, model.front, known, model.emission, model.constant.detach(), model.description
    )
    assert changed.head is not None
    with torch.no_grad():
        changed.head.weight.add_(0.1 * torch.randn_like(changed.head.weight))
    return changed.eval()


def test_a_gate_before_the_product() -> None:
    model = fitted("series", "gru")
    layer = GRU(4, 8, reset_after=False)
    torch.manual_seed(2)
    changed = SequenceModel(
        model.encoding, model.front, Stack([layer]), model.emission, model.constant.detach(), model.description
    )
    assert isinstance(layer, Cell)
    assert changed.head is not None
    with torch.no_grad():
        changed.head.weight.add_(0.1 * torch.randn_like(changed.head.weight))
    assert _differs(changed.eval(), 120) < 1e-5


def test_rows_of_a_batch_start_and_go_on_apart(tmp_path: Path) -> None:
    import onnxruntime

    model, path = fitted("series", "lstm"), tmp_path / "model.onnx"
    done = export_onnx(model, path)
    session = onnxruntime.InferenceSession(str(path))
    rng = np.random.default_rng(0)
    y = 50 + rng.standard_normal((20, 2, 1))
    state = {name: np.zeros((2, *shape), np.float32) for name, shape in done.states}
    single = Runtime(str(path))
    for t, row in enumerate(y):
        start = np.array([t == 0, t in (0, 7)])
        found = session.run(None, {"y": row, "start": start, **state})
        names = [one.name for one in session.get_outputs()]
        outputs = dict(zip(names, found, strict=True))
        state = {name: outputs[name.replace("_in_", "_out_")] for name, _ in done.states}
        np.testing.assert_allclose(outputs["surprisal"][0], single.step(row[:1])["surprisal"][0], rtol=1e-6)
    again = Stream(model)
    np.testing.assert_allclose(outputs["surprisal"][1], again.update(y[7:, 1]).surprisal[-1], rtol=1e-5)


def test_the_metadata_name_the_model_and_its_numbers(tmp_path: Path) -> None:
    model, path = fitted("channels", "gru"), tmp_path / "model.onnx"
    done = export_onnx(model, path, digest="ab" * 32)
    told = Runtime(str(path)).metadata
    assert told["model_sha256"] == "ab" * 32
    assert told["channels"] == '["u", "v"]'
    assert told["unit_of_surprisal"] == "nats"
    assert "quantiles" not in done.outputs
    assert "coupled channels" in told["notes"]


@pytest.mark.parametrize("kind", ["series", "counts", "text"])
def test_every_node_has_a_name_of_its_own(kind: str) -> None:
    """Before 1.22, onnxruntime names the nodes that it fuses by theirs, and refuses two of one name."""
    import onnx

    graph = StepGraph(fitted(kind, "gru"), "e", 1.0, np.array([0.1, 0.5]))
    graphs, names = [onnx.load_from_string(graph.serialized("0")).graph], []
    for one in graphs:
        names += [node.name for node in one.node]
        graphs += [a.g for node in one.node for a in node.attribute if a.type == onnx.AttributeProto.GRAPH]
    assert "" not in names
    assert len(set(names)) == len(names) > 20


def test_a_wrong_graph_is_not_written(tmp_path: Path) -> None:
    """The check compares with the model, so weights that differ are found."""
    model = fitted("series", "gru")
    graph = StepGraph(model, "e", 1.0, np.array([0.5]))
    other = replace(model.encoding, location=(51.0,))  # type: ignore[type-var]
    changed = SequenceModel(other, model.front, None, model.emission, model.constant.detach(), model.description)
    with pytest.raises(ModelFileError, match="another surprisal than the model at step 1"):
        worst_difference(graph.serialized("0"), changed, graph, "e", 1.0, 5)


def test_what_has_no_graph_is_refused_by_name(tmp_path: Path) -> None:
    model = build(made("series"), "gru", "student_t").double()
    with pytest.raises(ConfigError, match=r"torch\.float64, expected float32"):
        export_onnx(model, tmp_path / "model.onnx")
    with pytest.raises(ConfigError, match="exponential smoothing has no graph"):
        export_onnx(fitted("series", "ets"), tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())


def test_drawn_values_have_gaps() -> None:
    assert np.isnan(drawn(fitted("series", "ar"), 20)).sum() == 2
    assert fit_encoding(_data("counts, zeros"), by_id=False).continuous is False
