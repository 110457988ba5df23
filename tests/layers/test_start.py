"""The weights that a network starts from: an LSTM of numbers keeps its content at first, and one of text forgets."""

from __future__ import annotations

import pytest
import torch

from ostinato.assemble import Architecture, assemble
from ostinato.layers.lstm import LSTM
from ostinato.layers.stack import Stack
from zoo import fitted

#: The range of the weights that torch draws for 8 units: 1 / sqrt(8).
RANGE = 8**-0.5


def test_the_start_for_symbols_is_that_without_a_forget_bias() -> None:
    found = []
    for bias in (0.0, 1.0):
        torch.manual_seed(0)
        stack = Stack([LSTM(3, 4, forget_bias=bias), LSTM(4, 4, forget_bias=bias)])
        stack.start_for_symbols()
        found.append(stack.state_dict())
    for name, expected in found[0].items():
        torch.testing.assert_close(found[1][name], expected)


@pytest.mark.parametrize(("kind", "least", "most"), [("text", -RANGE, RANGE), ("series", 1 - RANGE, 1 + RANGE)])
def test_only_a_network_of_text_starts_to_forget(kind: str, least: float, most: float) -> None:
    made = fitted(kind, "lstm")
    parts = Architecture(**made.description.config["parts"])
    fresh = assemble(parts, made.encoding, made.description, None)
    gate = fresh.state_dict()["backbone.layers.0.bias_ih_l0"].chunk(4)[1]
    assert parts.hidden == len(gate) == 8
    assert least <= float(gate.min())
    assert float(gate.max()) <= most
