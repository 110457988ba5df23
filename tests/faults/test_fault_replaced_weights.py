"""Every way to put something in the place of a weight, for every weight of every cell: the numbers are torch.nn's.

torch.nn reads its weights by name at each call. A network that remembers them goes on with the old ones without a word,
so each case trains three steps and compares all outputs.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import Parameter
from torch.nn.utils import parametrizations, parametrize, prune, spectral_norm, weight_norm

from ostinato import nn

Way = Callable[[Any, str], Any]


class Doubled(torch.nn.Module):
    def forward(self, weight: Tensor) -> Tensor:
        return 2 * weight


def third(net: Any, name: str) -> Tensor:
    """A third of a weight, which is removed."""
    weight: Tensor = getattr(net, name).detach() / 3
    delattr(net, name)
    return weight


def parametrized_for_a_while(net: Any, name: str) -> None:
    parametrize.register_parametrization(net, name, Doubled())
    parametrize.remove_parametrizations(net, name)


def pruned_for_good(net: Any, name: str) -> None:
    prune.l1_unstructured(net, name, 0.5)  # type: ignore[no-untyped-call]
    prune.remove(net, name)  # type: ignore[no-untyped-call]


WAYS: dict[str, Way] = {
    "parametrization": lambda net, name: parametrize.register_parametrization(net, name, Doubled()),
    "parametrization removed": parametrized_for_a_while,
    "weight_norm": parametrizations.weight_norm,
    "spectral_norm": parametrizations.spectral_norm,
    "orthogonal": parametrizations.orthogonal,
    "weight_norm by hooks": weight_norm,
    "spectral_norm by hooks": spectral_norm,
    "prune": lambda net, name: prune.l1_unstructured(net, name, 0.5),  # type: ignore[no-untyped-call]
    "prune removed": pruned_for_good,
    "tensor": lambda net, name: setattr(net, name, third(net, name)),
    "buffer": lambda net, name: net.register_buffer(name, third(net, name)),
    "parameter": lambda net, name: setattr(net, name, Parameter(getattr(net, name).detach() / 3)),
    "data": lambda net, name: setattr(getattr(net, name), "data", getattr(net, name).data / 3),
    "deleted": delattr,
    "None": lambda net, name: setattr(net, name, None),
    "one more parameter": lambda net, _: net.register_parameter("more", Parameter(torch.ones(2))),
}
FORMS: list[dict[str, Any]] = [
    {},
    {"bias": False},
    {"bidirectional": True},
    {"bidirectional": True, "bias": False},
    {"num_layers": 2, "bias": False},
]
NETWORKS = [
    *[(name, form) for name in ("RNN", "GRU", "LSTM") for form in FORMS],
    *[("LSTM", {"proj_size": 2, **form}) for form in FORMS],
    *[(name, form) for name in ("RNNCell", "GRUCell", "LSTMCell") for form in FORMS[:2]],
]


def flat(value: Any) -> list[Tensor]:
    return [value] if isinstance(value, Tensor) else [t for part in value for t in flat(part)]


def trained(net: torch.nn.Module, way: Way, weight: str) -> list[Tensor] | Exception:
    """The outputs of three steps of gradient descent after a weight was replaced, or the error."""
    x = torch.linspace(-1, 1, 30).double().reshape(5, 2, 3)
    x = x[0] if isinstance(net, torch.nn.RNNCellBase) else x
    found = []
    try:
        net(x)
        torch.manual_seed(0)
        way(net, weight)
        for _ in range(3):
            out = flat(net(x))
            found += [t.detach() for t in out]
            net.zero_grad()
            torch.stack([t.sum() for t in out]).sum().backward()  # type: ignore[no-untyped-call]
            with torch.no_grad():
                for p in net.parameters():
                    if p.grad is not None:
                        p.sub_(p.grad, alpha=0.1)
    except (RuntimeError, ValueError, TypeError, AttributeError, IndexError) as error:
        return error
    return found


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("name", "form"), NETWORKS, ids=str)
def test_a_replaced_weight_counts(name: str, form: dict[str, Any], way: str) -> None:
    start = getattr(torch.nn, name)(3, 4, **form).double()
    # every other weight: each comes with half of the ways, and each way with every weight of half of the networks
    first = (NETWORKS.index((name, form)) + list(WAYS).index(way)) % 2
    for weight in list(start.state_dict())[first::2]:
        outcomes = []
        for home in (torch.nn, nn):
            net = getattr(home, name)(3, 4, **form).double()
            net.load_state_dict(start.state_dict())
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                outcomes.append(trained(net, WAYS[way], weight))
        true, ours = outcomes
        assert type(ours) is type(true), f"{weight}: {true!r} in torch.nn, got {ours!r}"
        if isinstance(true, list) and isinstance(ours, list):
            for a, b in zip(true, ours, strict=True):
                torch.testing.assert_close(b, a, rtol=1e-10, atol=1e-10, msg=f"{weight} does not count")
