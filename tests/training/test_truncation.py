"""The window of AdaptiveBPTT and its estimate of the bias, compared with a closed form, and in a fit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from ostinato.data.encoding import fit_encoding
from ostinato.data.sequences import SequenceSet
from ostinato.data.split import split
from ostinato.dispatch.fit import fit
from ostinato.fits.budget import Budget
from ostinato.fits.progress import TrainingProgress
from ostinato.gradients.methods import AdaptiveBPTT
from ostinato.layers.rnn import RNN
from ostinato.model import SequenceModel
from ostinato.training import trainer as training
from ostinato.training.build import build
from ostinato.training.checkpoint import Checkpoint
from ostinato.training.closed_form import closed_form
from ostinato.training.config import Config
from ostinato.training.material import Material
from ostinato.training.run import Run
from ostinato.training.setup import Setup
from ostinato.training.trainer import Trainer
from ostinato.training.truncation import Bias, choose, norm


def noise(steps: int = 12_000) -> Material:
    x = np.random.default_rng(0).standard_normal((steps, 1))
    data = SequenceSet("series", x, np.array([0, steps]), ("noise",))
    cut = split(data, 0.1)
    encoding = fit_encoding(cut.take("known", data), by_id=cut.by_time)
    return Material(data, encoding.encode(data), encoding, cut)


def linear(rate: float, material: Material) -> SequenceModel:
    """h_t = rate h_{t-1} + w x_t + b, of which b alone is trained: its gradient is a sum of terms rate^k, all alike.

    The predicted location is far from the values, so that every step's error is nearly the same.
    """
    config = Config(max_order=0, emission="normal")
    torch.manual_seed(0)
    model = build("rnn", material, closed_form(material, config)[0], config)
    model.backbone = RNN(model.front.features, 1, "identity")
    model.head = torch.nn.Linear(1, 2, bias=False)
    with torch.no_grad():
        model.constant[:, 0] += 20.0
        model.head.weight.copy_(torch.tensor([[0.01], [0.0]]))
        model.backbone.weight_hh_l0.fill_(rate)
        model.backbone.weight_ih_l0.mul_(0.1)
    model.requires_grad_(False)
    model.backbone.bias_hh_l0.requires_grad_()
    return model


@pytest.mark.parametrize(("rate", "expected"), [(0.5, 32), (0.9, 256), (0.97, 1024)])
@pytest.mark.parametrize("start", [16, 128])
def test_the_window_is_the_one_that_the_closed_form_asks_for(rate: float, expected: int, start: int) -> None:
    material = noise()
    model, rng = linear(rate, material), np.random.default_rng(1)
    method = AdaptiveBPTT(bias=0.05, window=start, shortest=16)
    window, bias = choose(model, material.encoded, material.spans("train"), method, start, rng)
    assert window == expected
    assert bias == pytest.approx(rate * (1 - rate**window) / (window * (1 - rate)), rel=0.1)


def test_the_longest_window_is_the_end() -> None:
    material = noise()
    method = AdaptiveBPTT(bias=0.01, window=16, shortest=16, longest=48)
    found = choose(
        linear(0.97, material), material.encoded, material.spans("train"), method, 16, np.random.default_rng(1)
    )
    window, share = found
    assert window == 48
    assert share == pytest.approx(0.97 * (1 - 0.97**48) / (48 * 0.03), rel=0.1)


def test_with_a_tiny_bias_short_sequences_are_unrolled_whole() -> None:
    material = noise()
    model, spans = linear(0.97, material), [(0, 200 * i, 200 * (i + 1)) for i in range(10)]
    method = AdaptiveBPTT(bias=1e-9)
    window, bias = choose(model, material.encoded, spans, method, 128, np.random.default_rng(1))
    assert (window, bias) == (256, 0.0)
    found = Bias(model, material.encoded, spans, 200, np.random.default_rng(1))
    assert torch.equal(found.gradient(window), found.gradient(200))
    assert not torch.equal(found.gradient(100), found.gradient(200))


@pytest.mark.parametrize(("drawn", "seen"), [(0.0, 3.0), (1.0, (9 + 500 / 50) ** 0.5)])
def test_chance_is_taken_out_of_a_norm_as_far_as_not_all_were_drawn(drawn: float, seen: float) -> None:
    rng = torch.Generator().manual_seed(0)
    mean = torch.zeros(500)
    mean[0] = 3.0
    groups = mean + torch.randn(50, 500, generator=rng)
    assert norm(groups, drawn) == pytest.approx(seen, rel=0.1)
    assert norm(groups[:1], drawn) == pytest.approx(float(groups[0].norm()))


class Killed(Exception):  # noqa: N818 - what it stands for is no error
    """An exception that stands for a signal; tests/cli/test_resume.py uses a real one."""


def test_killed_between_two_looks_and_resumed_is_bitwise_never_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "FIRST_MEASUREMENT", 4)
    monkeypatch.setattr(training, "MEASUREMENT_FACTOR", 4)
    material, config = noise(), Config(hidden=8, dropout=0.3, batch_steps=128)
    base, _ = closed_form(material, config)

    def run(name: str, last: int = 0) -> tuple[SequenceModel, Run]:
        def progress(seen: TrainingProgress) -> None:
            if seen.step == last + 1:
                raise Killed

        torch.manual_seed(0)
        model = build("gru", material, base, config)
        trainer = Trainer(model, Setup(material, config), AdaptiveBPTT(bias=0.3, window=32, shortest=16))
        return model, trainer.fit(Budget(None, 20), progress if last else None, Checkpoint(tmp_path / name, "", 0.0))

    straight, expected = run("straight")
    with pytest.raises(Killed):
        run("killed", 10)
    killed, got = run("killed")
    assert [step for step, *_ in expected.windows] == [4, 16]
    assert {window for _, window, _ in expected.windows} != {32}
    assert got.windows == expected.windows
    assert all(torch.equal(a, b) for a, b in zip(straight.parameters(), killed.parameters(), strict=True))


def test_a_fit_records_and_describes_its_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "FIRST_MEASUREMENT", 4)
    monkeypatch.setattr(training, "MEASUREMENT_FACTOR", 4)
    wave = np.sin(np.arange(2000) / 5)
    result = fit(wave, model="gru", hidden=4, budget=Budget(None, 5), method=AdaptiveBPTT())
    ((step, window, bias),) = result.model.description.record["windows"]
    assert step == 4
    assert 16 <= window <= 1024
    assert any(f"{window} steps" in note and f"{bias:.1%}" in note for note in result.notes)
    fixed = fit(wave, model="gru", hidden=4, budget=Budget(None, 5))
    assert "windows" not in fixed.model.description.record
