"""One optimiser step does what clipping by torch, AdamW and an average of the weights do one after the other."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from losses_of_workers import material
from torch import Tensor

from ostinato.data.batching import bucketed, pieces, whole
from ostinato.gradients.methods import FullBPTT
from ostinato.optimiser import Adam, AdamW
from ostinato.training import update as step_module
from ostinato.training.build import build
from ostinato.training.closed_form import closed_form
from ostinato.training.config import LadderOptions
from ostinato.training.objective import Loss
from ostinato.training.update import StepSettings, Update


@pytest.fixture(params=["in the kernel", "around the kernel"])
def ways(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Divide the gradients in the kernel of AdamW, and in a pass of their own as on Apple's cards."""
    if request.param == "around the kernel":
        monkeypatch.setattr(step_module, "KERNELS", ())


@pytest.mark.usefixtures("ways")
@pytest.mark.parametrize("clip", [1e-3, 1e6])
def test_a_step_is_clipping_then_adamw_then_the_average(clip: float) -> None:
    given, config = material(torch.float64), LadderOptions(hidden=6)
    base, _ = closed_form(given, config)
    torch.manual_seed(0)
    model = build("gru", given, base, config).double()
    batch = whole(given.encoded, bucketed(pieces(given.spans("train"), 200, 0), 400, None)[-1])
    scale = 1 / int(batch.weight.sum())
    method = FullBPTT()
    apart = copy.deepcopy(model)
    average = {k: p.detach().clone() for k, p in model.named_parameters() if p.requires_grad}
    expected = {k: v.clone() for k, v in average.items()}
    fused = AdamW([p for p in model.parameters() if p.requires_grad], lr=1.0, fused=True)
    plain = torch.optim.AdamW([p for p in apart.parameters() if p.requires_grad], lr=1.0, foreach=False)
    update = Update(model, Loss(model, method), fused, average, clip, carries=False)
    norms = []
    # gradients of very different sizes, because AdamW sees nothing of a factor that all of them share
    for rate, move, times in ((1e-3, 0.5, 1.0), (3e-3, 0.2, 20.0), (2e-3, 0.1, 0.1)):
        outcome, _ = update(batch, None, StepSettings(rate, scale * times, move))
        plain.zero_grad()
        loss, _ = Loss(apart, method)(batch, None)
        (loss * scale * times).backward()
        norm = torch.nn.utils.clip_grad_norm_(apart.parameters(), clip)
        plain.param_groups[0]["lr"] = rate
        plain.step()
        for name, p in apart.named_parameters():
            if name in expected:
                expected[name] += move * (p.detach() - expected[name])
        norms.append(float(norm))
        torch.testing.assert_close(outcome, torch.stack([loss.detach(), norm]))
    assert any(n > clip for n in norms) == (clip < 1)
    # torch adds 1e-6 to the norm that it clips to, here a thousandth of it
    for name, p in apart.named_parameters():
        torch.testing.assert_close(dict(model.named_parameters())[name], p, rtol=2e-3, atol=1e-6)
    for name, mean in expected.items():
        torch.testing.assert_close(average[name], mean, rtol=2e-3, atol=1e-6)


@pytest.mark.usefixtures("ways")
def test_a_step_without_counted_values_or_with_a_broken_gradient_moves_nothing() -> None:
    given, config = material(torch.float64), LadderOptions(hidden=6)
    base, _ = closed_form(given, config)
    model = build("gru", given, base, config).double()
    batch = whole(given.encoded, bucketed(pieces(given.spans("train"), 200, 0), 400, None)[-1])
    scale = 1 / int(batch.weight.sum())
    trained = [p for p in model.parameters() if p.requires_grad]
    average = {k: p.detach().clone() for k, p in model.named_parameters() if p.requires_grad}
    fused = AdamW(trained, lr=1.0, fused=True)
    update = Update(model, Loss(model, FullBPTT()), fused, average, 1.0, carries=False)

    def numbers() -> list[torch.Tensor]:
        return [p.detach().clone() for p in (*trained, *average.values())]

    start = numbers()
    update(batch, None, StepSettings(1e-2, scale, 0.5))
    moved = numbers()
    assert not all(torch.equal(a, b) for a, b in zip(start, moved, strict=True))
    # no counted value, then a gradient that is not finite, and whatever comes after it
    for factor in (0.0, float("nan"), 1.0):
        update(batch, None, StepSettings(1e-2, scale * factor, 0.5))
        assert all(torch.equal(a, b) for a, b in zip(moved, numbers(), strict=True))


@pytest.mark.parametrize(("ours", "theirs"), [(Adam, torch.optim.Adam), (AdamW, torch.optim.AdamW)])
def test_the_optimisers_are_those_of_torch_also_when_they_go_on_from_a_state(
    ours: type[torch.optim.Optimizer], theirs: type[torch.optim.Optimizer]
) -> None:
    torch.manual_seed(0)
    start, gradients = torch.randn(5), torch.randn(6, 5)

    def walked(kind: Any) -> tuple[Tensor, list[str]]:
        weight, seen = torch.nn.Parameter(start.clone()), []
        optimiser = kind([weight], lr=0.1, weight_decay=0.01)
        for step, gradient in enumerate(gradients):
            if step == 3:
                state, optimiser = optimiser.state_dict(), kind([{"params": [weight]}], lr=0.3)
                optimiser.load_state_dict(state)
                optimiser.register_step_post_hook(lambda *given: seen.append("a step"))
            optimiser.zero_grad()
            assert weight.grad is None
            weight.grad = gradient.clone()
            optimiser.step()
        return weight.detach(), seen

    (one, hooked), (other, also) = walked(ours), walked(theirs)
    assert torch.equal(one, other)
    assert hooked == also == ["a step"] * 3
