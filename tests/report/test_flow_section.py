"""The charts and the words of the report's section on gradients, for every kind of diagnosis."""

from __future__ import annotations

from dataclasses import replace
from xml.etree import ElementTree

from ostinato.diagnosis.result import Diagnosis, LayerFlow
from ostinato.report import flow

LAGS = tuple(range(1, 101))
NORMS = tuple(0.9**k for k in LAGS)
CUTS = (0, 1, 3, 10, 30, 100)
FOUND = Diagnosis(
    kind="series",
    backbone="gru",
    lags=LAGS,
    flows=(LayerFlow("gru", NORMS, tuple(x / 2 for x in NORMS), tuple(2 * x for x in NORMS)),),
    lyapunov=-0.1054,
    lyapunov_error=0.002,
    effective_memory=44,
    window=None,
    order=3,
    cuts=CUTS,
    score=-1.0,
    scores=(-2.0, -1.5, -1.2, -1.1, -1.0, -1.0),
    errors=(0.1, 0.1, 0.05, 0.02, 0.01, 0.0),
    model_reach=30,
    reference="an autoregression",
    reference_score=-1.9,
    rewards=(0.0, 0.4, 0.7, 0.8, 0.8, 0.8),
    reward_errors=(0.1, 0.05, 0.02, 0.01, 0.0, 0.0),
    picked=(1, 2, 7),
    data_reach=10,
    data_beyond=(0.0, 0.0),
    sampled="some steps; seed 0",
    seed=0,
)


def test_the_gradient_and_the_value_of_the_past_are_drawn_and_described() -> None:
    gradient, worth = flow.charts(FOUND)
    assert "gru: 0.9 at lag 1, 2.7e-05 at lag 100" in gradient.words
    assert "With the whole past, the gain of the model is 1.0000 nats a step" in worth.words
    assert gradient.table is not None
    assert gradient.table.rows[0] == ("1", "0.45", "0.9", "1.8")
    assert gradient.table.rows[-1][0] == "100"
    assert worth.table is not None
    assert worth.table.rows[1] == ("1", "0.5000", "0.1000", "0.4000", "0.0500")
    facts = dict(flow.facts(FOUND))
    assert facts["reach of the gradient"].startswith("44 steps")
    assert "-0.1054 ± 0.0020" in facts["Lyapunov exponent"]
    assert "window of the model" not in facts


def labels(svg: str) -> set[str | None]:
    """The texts of a drawing that have no parts, as the signs of a formula would be."""
    return {e.text for e in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}text") if not len(e)}


def test_powers_of_ten_are_text() -> None:
    gradient, worth = (labels(one.svgs[0]) for one in flow.charts(FOUND))
    assert {"10⁰", "10¹", "10²", "10⁻¹", "10⁻³"} <= gradient
    assert {"0", "10⁰", "10¹", "10²"} <= worth


def test_a_window_has_no_gradient() -> None:
    found = replace(FOUND, backbone="ar", flows=(), lyapunov=None, effective_memory=None, window=1)
    (worth,) = flow.charts(found)
    assert worth.title == "The gain from the past"
    facts = dict(flow.facts(found))
    assert facts["window of the model"].startswith("1 step: ")
    assert not {"reach of the gradient", "Lyapunov exponent"} & facts.keys()


def test_a_zero_gradient_is_not_drawn() -> None:
    """The gradient is zero if training left the network at its start, where the hidden state has no weight."""
    nothing = (0.0,) * len(LAGS)
    found = replace(FOUND, flows=(LayerFlow("gru", nothing, nothing, nothing),), effective_memory=None)
    assert len(flow.charts(found)) == 1
    assert "reach of the gradient" not in dict(flow.facts(found))


def test_layers_and_underflow() -> None:
    """Several layers are distinguished; norms that end in 0 still have a logarithmic axis."""
    ends = tuple(x if k < 50 else 0.0 for k, x in zip(LAGS, NORMS, strict=True))
    layers = tuple(LayerFlow(f"gru, layer {i}", ends, ends, ends) for i in (1, 2, 3))
    gradient = flow.charts(replace(FOUND, flows=layers, effective_memory=None))[0]
    words = [e.text for e in ElementTree.fromstring(gradient.svgs[0]).iter("{http://www.w3.org/2000/svg}text")]
    assert {"gru, layer 1", "gru, layer 2", "gru, layer 3"} <= set(words)
    assert dict(flow.facts(replace(FOUND, effective_memory=None)))["reach of the gradient"].startswith(
        "more than 100 steps"
    )


def test_the_verdict_the_facts_and_the_chart_give_one_number_for_one_thing() -> None:
    """This also holds if the model is better than the reference, so that the reward comes from the model itself."""
    behind = replace(FOUND, reference_score=0.0)
    ahead = "this model, which beats the reference model"
    for found, reach, whose in ((FOUND, 30, ahead), (behind, 10, "a reference model")):
        assert found.reach == reach
        assert f"the past up to lag {reach} improves the predictions of {whose}:" in found.verdict
        assert dict(flow.facts(found))["reach of the data"].startswith(f"{reach} steps: ")
        assert f"the reach of the data, {reach} steps" in flow.charts(found)[-1].words
        assert "gains from inputs up to lag 30;" in found.verdict
        assert dict(flow.facts(found))["reach of the model"].startswith("30 steps: ")
        assert "the reach of the model, 30 steps" in flow.charts(found)[-1].words


def test_an_uncertain_reward_is_given_with_its_error() -> None:
    found = replace(FOUND, reference_score=0.0, data_reach=3, data_beyond=(0.1, 0.08))
    assert "0.1000 ± 0.0800 nats a step" in found.verdict
    assert "0.1000 ± 0.0800 nats a step" in dict(flow.facts(found))["reach of the data"]
    chart = flow.charts(found)[-1]
    assert chart.table is not None
    assert chart.table.head[3:] == ("the reference gains", "standard error")


def test_the_verdict_and_the_page_describe_a_missing_gradient_alike() -> None:
    nothing = (0.0,) * len(LAGS)
    found = replace(FOUND, flows=(LayerFlow("gru", nothing, nothing, nothing),), effective_memory=None)
    assert found.verdict.startswith("no gradient comes back")
    assert "still come back" not in found.verdict
