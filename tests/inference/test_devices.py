"""Every verb with every backbone, emission and kind of front on a pretended card: the numbers are those of the CPU.

A product of all verbs and models would take minutes. Each model meets one verb, so that each verb meets every backbone
and every emission: ``test_every_verb_meets_every_backbone_and_emission`` holds the table to that.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import ostinato
from ostinato import device as device_module
from ostinato.device import computing_on, copy_on, decide, in_bf16, placed
from ostinato.emissions import draws
from ostinato.errors import ConfigError
from ostinato.evaluation.calibration import calibrate
from ostinato.fits.budget import Budget
from ostinato.gradients.methods import CheckpointedBPTT, TruncatedBPTT
from ostinato.hardware import checked, devices
from ostinato.model import SequenceModel
from ostinato.model_file import load_model, save_model
from ostinato.training.truncation import Bias
from pretend_card import OnCard, pretend_card
from zoo import BACKBONES, FILTERED, KINDS, PAIRS, as_text, fitted, kept, made


def _score(model: SequenceModel, data: Any, device: str) -> Any:
    return ostinato.score(model, data, device=device).surprisal


def _sample(model: SequenceModel, data: Any, device: str) -> Any:
    drawn = ostinato.sample(model, 8, n_samples=3, seed=4, device=device)
    if isinstance(drawn[0], str):
        return np.array([[ord(c) for c in one.ljust(9)[:9]] for one in drawn])
    # the paths of the CPU are drawn by NumPy where they can be, so that only their form is the same
    return np.zeros_like(np.stack(drawn)) if model.encoding.continuous else np.stack(drawn)


def _forecast(model: SequenceModel, data: Any, device: str) -> Any:
    made_ = ostinato.forecast(model, data.take([0, 4]), 2, n_paths=20, device=device)
    # one step ahead the quantiles are those of the model, unless they rest on draws of coupled channels
    exact = model.encoding.continuous and not model.coupled
    return made_.frame["ostinato-lo-80"].to_numpy()[::2] if exact else len(made_.frame)


def _stream(model: SequenceModel, data: Any, device: str) -> Any:
    words = not model.description.traits.numeric
    step = 1.0 if data.step is None else float(data.step[0])
    followed = ostinato.Stream(model, data.ids[0], step=step, device=device)
    found = [followed.update(as_text(data[0]) if words else data[0]).surprisal]
    if not words:
        found.append(followed.quantiles([0.1, 0.9]).ravel())
    if model.encoding.continuous:
        followed = ostinato.Stream(model, data.ids[0], robust=3.0, device=device)
        found.append(followed.update(data[0][:9]).surprisal)
    return np.concatenate(found)


def _diagnose(model: SequenceModel, data: Any, device: str) -> Any:
    found = ostinato.diagnose(model, data, max_lag=4, positions=8, device=device)
    return np.array([found.score, *found.scores, *(x for flow in found.flows for x in flow.median)])


def _report(model: SequenceModel, data: Any, device: str) -> Any:
    """Return the PIT that a report judges by; the page is made of it and of the verbs above."""
    encoded = model.encoding.encode(data)
    with computing_on(device):
        return calibrate(placed(model), encoded, [(0, 0, int(encoded.lengths[0]))]).pit


VERBS: dict[str, Callable[[SequenceModel, Any, str], Any]] = {
    f.__name__[1:]: f for f in (_score, _sample, _forecast, _stream, _diagnose, _report)
}
_NUMBERS = ("forecast",)


def _cases() -> list[tuple[str, str, str]]:
    """Return (verb, kind, backbone): each verb meets each backbone once, with the emissions and their kinds in turn."""
    kinds = {name: cycle([k for k, one in KINDS.items() if one.emission == name]) for name in EMISSIONS}
    out = []
    for i, verb in enumerate(VERBS):
        emissions = [name for name in EMISSIONS if name != "categorical" or verb not in _NUMBERS]
        for j, backbone in enumerate(BACKBONES):
            # counts have no closed form alone; the sixth backbone meets the emission of the first one again
            at = next(k for k in (i + j, i + j + 1) if (emissions[k % len(emissions)], backbone) not in _IMPOSSIBLE)
            out.append((verb, next(kinds[emissions[at % len(emissions)]]), backbone))
    return [*out, *((verb, kind, "filter") for verb, kind in zip(VERBS, FILTERED, strict=False))]


EMISSIONS = sorted({one.emission for one in KINDS.values()})
_IMPOSSIBLE = {("negative_binomial", "ar")}
CASES = _cases()


def test_every_verb_meets_every_backbone_and_emission() -> None:
    for verb in VERBS:
        assert {b for v, _, b in CASES if v == verb} == {*BACKBONES, "filter"}, verb
        wanted = {*EMISSIONS} - ({"categorical"} if verb in _NUMBERS else set())
        assert {KINDS[k].emission for v, k, b in CASES if v == verb and b != "filter"} == wanted, verb
    assert {kind for _, kind, _ in CASES} == set(KINDS)
    assert {(kind, backbone) for _, kind, backbone in CASES} <= set(PAIRS)
    assert len(CASES) == 42


@pytest.mark.parametrize(("verb", "kind", "backbone"), CASES)
def test_a_verb_on_a_card(verb: str, kind: str, backbone: str) -> None:
    model, data = fitted(kind, backbone), made(kind)
    here = VERBS[verb](model, data, "cpu")
    with pretend_card():
        there = VERBS[verb](model, data, "cuda")
    np.testing.assert_allclose(there, here, rtol=2e-4, atol=2e-5)
    assert model.device.type == "cpu"  # the verb computed with a copy


@pytest.mark.parametrize("name", BACKBONES)
def test_a_fit_on_a_card_is_that_of_the_cpu(name: str) -> None:
    how: dict[str, Any] = {"model": name, "budget": Budget(None, 3), "hidden": 5, "evaluate_every": 2}
    how |= {"dropout": 0.0}  # a card draws dropout in a kernel of its own
    data = made("series").take([0, 2])  # the pretended card takes every operator apart
    here = ostinato.fit(data, **how, device="cpu")
    with pretend_card():
        there = ostinato.fit(data, **how, device="cuda")
    assert kept(there).held_out == pytest.approx(kept(here).held_out, abs=1e-6)
    assert isinstance(there.model, SequenceModel)
    assert there.model.device.type == "cpu"
    assert not any(isinstance(p, OnCard) for p in there.model.state_dict().values())
    assert any(note == f"{name} was trained on cuda:0: the device that was given" for note in there.notes)


@pytest.mark.parametrize("method", [TruncatedBPTT(16), CheckpointedBPTT(segments=2)])
def test_a_gradient_method_on_a_card(method: Any) -> None:
    how: dict[str, Any] = {"model": "linear", "budget": Budget(None, 3), "hidden": 2, "batch_steps": 64}
    how |= {"method": method, "refit": False, "evaluate_every": 1000, "dropout": 0.0}
    data = made("series").take([4])
    with pretend_card():
        there = ostinato.fit(data, **how, device="cuda")
    here = ostinato.fit(data, **how, device="cpu")
    assert kept(there).held_out == pytest.approx(kept(here).held_out, abs=1e-6)


@pytest.mark.parametrize("name", BACKBONES[1:])
def test_the_look_at_the_truncation_on_a_card(name: str) -> None:
    model, encoded = fitted("series", name), fitted("series", name).encoding.encode(made("series"))

    def look(there: SequenceModel) -> float:
        found = Bias(there, encoded, [(4, 0, 60)], 16, np.random.default_rng(0), steps=32, groups=2)
        return found.at(8)

    here = look(model)
    with pretend_card():
        assert look(copy_on(model, "cuda:0")) == pytest.approx(here, rel=1e-3)


def test_a_direct_fit_and_its_forecast_on_a_card(tmp_path: Path) -> None:
    values = 50 + 9 * np.sin(np.arange(140) / 3) + np.random.default_rng(0).normal(size=140)
    how: dict[str, Any] = {"model": "direct", "horizon": 4, "networks": 1, "hidden": 8, "budget": Budget(None, 3)}
    here = ostinato.fit(values, **how, device="cpu")
    with pretend_card():
        there = ostinato.fit(values, **how, device="cuda")
        save_model(there.model, tmp_path / "m.ost")
        ahead = ostinato.forecast(load_model(tmp_path / "m.ost"), values, device="cuda").frame
    again = ostinato.forecast(here.model, values, device="cpu").frame
    np.testing.assert_allclose(ahead["ostinato"].to_numpy(), again["ostinato"].to_numpy(), rtol=1e-5)


def test_a_model_file_names_no_device(tmp_path: Path) -> None:
    with pretend_card():
        model = copy_on(fitted("series", "gru"), "cuda:0")
        assert model.device.type == "cuda"
        save_model(model, tmp_path / "m.ost")
    loaded = load_model(tmp_path / "m.ost")
    assert isinstance(loaded, SequenceModel)
    assert loaded.device.type == "cpu"


def test_a_fit_that_goes_on_elsewhere_says_what_it_cannot_keep(tmp_path: Path) -> None:
    how: dict[str, Any] = {"model": "rnn", "budget": Budget(None, 4), "hidden": 4, "checkpoint": tmp_path}
    how |= {"checkpoint_every": 0.0, "evaluate_every": 2}

    def stop(event: Any) -> None:
        if event.step == 3:
            raise KeyboardInterrupt

    with pretend_card(), pytest.raises(KeyboardInterrupt):
        ostinato.fit(made("series"), **how, device="cuda", on_progress=stop)
    found = ostinato.fit(made("series"), **how)
    assert any("started on cuda, continued on cpu" in note and "dropout" in note for note in found.notes)


def test_without_a_card_one_is_refused_with_what_there_is() -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    with pytest.raises(ConfigError, match=r"no device 'cuda'.*") as caught:
        checked("cuda")
    assert "cpu" in str(caught.value.fix)
    with pytest.raises(ConfigError, match="unknown device 'gpu'"):
        ostinato.score(fitted("series", "ar"), made("series"), device="gpu")
    with pytest.raises(ConfigError, match="bf16"):
        in_bf16("bf16")


def test_a_card_that_is_not_there_is_refused() -> None:
    with pretend_card():
        assert devices() == ["cpu", "cuda:0"]
        assert checked("cuda") == checked(torch.device("cuda", 0)) == "cuda:0"
        for name in ("cuda:1", "mps"):
            with pytest.raises(ConfigError, match="this machine has no device"):
                checked(name)
        with pytest.raises(ConfigError, match="unknown precision"):
            in_bf16("half")
        with computing_on("cpu"), pytest.raises(ConfigError, match="the device is cpu"):
            in_bf16("bf16")
        with computing_on("cuda"):
            assert in_bf16("bf16")


@pytest.mark.parametrize(("on_card", "device"), [(0.1, "cuda:0"), (9.0, "cpu")])
def test_auto_takes_the_faster_device_of_a_timed_step(
    monkeypatch: pytest.MonkeyPatch, on_card: float, device: str
) -> None:
    times = {"cpu": 1.0, "cuda:0": on_card}
    monkeypatch.setattr(device_module, "_timed", lambda run, where="cpu": times[where])
    with pretend_card():
        found = decide(torch.device("cpu"), lambda where: lambda: None, 100)
        assert found.device == device
        assert "a step took 1e+03 ms on the CPU" in str(found)
        few = decide(torch.device("cpu"), lambda where: lambda: None, 3)
        assert (few.device, few.considered) == ("cpu", False)
        assert decide(torch.device("cuda", 0)).device == "cuda:0"
        with computing_on("cpu"):
            assert decide(torch.device("cpu"), lambda where: lambda: None, 100).device == "cpu"


def test_a_card_that_fails_is_no_choice_of_auto(monkeypatch: pytest.MonkeyPatch) -> None:
    def step(where: str) -> Callable[[], None]:
        if where != "cpu":
            raise torch.OutOfMemoryError("CUDA out of memory")
        return lambda: None

    monkeypatch.setattr(device_module, "_timed", lambda run, where="cpu": 1.0)
    with pretend_card():
        found = decide(torch.device("cpu"), step, 100)
    assert found.device == "cpu"
    assert "out of memory" in found.why


def test_draws_are_those_of_torch() -> None:
    p = torch.rand(200, 7).softmax(-1)
    one, other = (torch.Generator().manual_seed(3) for _ in range(2))
    assert torch.equal(draws.choice(p, one), torch.multinomial(p, 1, generator=other))


def test_mixed_devices_raise_on_the_pretended_card() -> None:
    with pretend_card():
        there = torch.ones(3, device="cuda")
        with pytest.raises(RuntimeError, match="tensors on cuda:0 and cpu"):
            there + torch.ones(3)
        with pytest.raises(TypeError, match="numpy"):
            there.numpy()
