"""The autoregression obeys the laws of a recurrence, and is the recursion that was fitted."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from ostinato.layers.ar import AR
from ostinato.layers.autoregression import fit_ar
from ostinato.layers.lagged import Trend

T, B, D = 11, 3, 2


def autoregression(order: int, *, trend: bool = False) -> AR:
    generator = torch.Generator().manual_seed(order)
    ar = AR(D, order, trend=trend, dtype=torch.float64)
    mask = torch.tril(torch.ones(order + 1, order), -1)  # order k has k lags
    with torch.no_grad():
        ar.weight.copy_(0.5 * torch.randn(D, order + 1, order, generator=generator) * mask)
        ar.bias.copy_(torch.randn(D, order + 1, generator=generator))
        ar.slope.copy_(0.1 * torch.randn(D, order + 1, generator=generator) * trend)
        ar.log_sigma.copy_(torch.randn(D, order + 1, generator=generator))
    return ar


def inputs(missing: bool) -> Tensor:
    generator = torch.Generator().manual_seed(7)
    x = torch.randn(T, B, D, generator=generator, dtype=torch.float64)
    if missing:
        x[torch.rand(T, B, D, generator=generator) < 0.3] = torch.nan
        x[0, 0], x[4, 1] = torch.nan, torch.nan
    return x


def by_hand(ar: AR, x: Tensor) -> Tensor:
    """Return h (T, D) of x (T, D) by the definition, one number at a time."""
    steps, h = x.tolist(), torch.zeros_like(x)
    weight, bias, slope = (p.detach().numpy() for p in (ar.weight, ar.bias, ar.slope))
    for d in range(D):
        past, mean = [], float(ar.first()[d].detach())
        for t in range(len(steps)):
            past.append(mean if np.isnan(steps[t][d]) else steps[t][d])
            k = min(t + 1, ar.order)
            mean = bias[d, k] + slope[d, k] * (t + 2) + sum(weight[d, k, j] * past[-1 - j] for j in range(k))
            h[t, d] = mean
    return h


cases = pytest.mark.parametrize(
    ("order", "trend", "missing"),
    [(0, False, False), (0, True, True), (1, False, True), (4, True, False), (4, True, True)],
)


@cases
def test_unroll_is_the_definition(order: int, trend: bool, missing: bool) -> None:
    ar, x = autoregression(order, trend=trend), inputs(missing)
    h, _ = ar.unroll(x)
    for b in range(B):
        torch.testing.assert_close(h[:, b], by_hand(ar, x[:, b]))


@cases
def test_any_chunking_and_single_steps_equal_one_pass(order: int, trend: bool, missing: bool) -> None:
    ar, x = autoregression(order, trend=trend), inputs(missing)
    whole, last = ar.unroll(x)
    for sizes in ([1] * T, [2, 0, 5, 4], [7, 4]):
        state, parts = None, []
        for chunk in torch.split(x, sizes):
            h, state = ar.unroll(chunk, state)
            parts.append(h)
        torch.testing.assert_close(torch.cat(parts), whole)
        torch.testing.assert_close(state, last)
    state = ar.initial_state(B)
    for t in range(T):
        state, h = ar.step(state, x[t])
        torch.testing.assert_close(h, whole[t])
    torch.testing.assert_close(state, last)


@cases
def test_a_ragged_batch_is_a_loop_over_its_rows(order: int, trend: bool, missing: bool) -> None:
    ar, x = autoregression(order, trend=trend), inputs(missing)
    _, state = ar.unroll(inputs(False)[:3], lengths=torch.tensor([0, 2, 3]))  # rows that have seen unequal numbers
    lengths = torch.tensor([5, 0, T])
    padded = torch.where((torch.arange(T)[:, None] < lengths)[:, :, None], x, torch.nan)
    h, last = ar.unroll(padded, state, lengths)
    assert h.isfinite().all()
    for b, n in enumerate(lengths.tolist()):
        own, own_last = ar.unroll(x[:n, b : b + 1], tuple(s[b : b + 1] for s in state))
        torch.testing.assert_close(h[:n, b], own[:, 0])
        torch.testing.assert_close(tuple(s[b] for s in last), tuple(s[0] for s in own_last))


def test_a_row_of_length_0_keeps_its_state() -> None:
    ar = autoregression(3)
    _, state = ar.unroll(inputs(False))
    for x, lengths in ((inputs(True), torch.zeros(B, dtype=torch.int64)), (inputs(True)[:0], None)):
        _, last = ar.unroll(x, state, lengths)
        torch.testing.assert_close(last, state)
    h, _ = ar.unroll(torch.zeros(4, 0, D, dtype=torch.float64))
    assert h.shape == (4, 0, D)


@pytest.mark.parametrize("trend", ["n", "c", "ct"])
def test_from_fits_forecasts_as_the_fits_do(trend: Trend) -> None:
    rng = np.random.default_rng(0)
    y = rng.standard_normal((300, D)).cumsum(axis=0)
    fits = [fit_ar(y[:, d], np.array([0, 300]), 5, order=k, trend=trend) for d, k in enumerate((2, 5))]
    ar = AR.from_fits(fits, dtype=torch.float64)
    for n in (0, 1, 3, 300):
        state, mean = ar.initial_state(1), ar.first()[None]
        if n:
            h, state = ar.unroll(torch.from_numpy(y[:n, None]))
            mean = h[-1]
        sigma = ar.sigma(state[1])[0].numpy()
        path = []
        for _ in range(6):
            path.append(mean[0].detach().numpy())
            state, mean = ar.step(state, mean)
        for d, fit in enumerate(fits):
            means, sigmas = fit.forecast(y[:n, d], 6)
            np.testing.assert_allclose(np.array(path)[:, d], means, atol=1e-10)
            assert sigma[d] == pytest.approx(sigmas[0])


@pytest.mark.parametrize("missing", [False, True])
def test_gradients_reach_parameters_state_and_input(missing: bool) -> None:
    ar, x = autoregression(3, trend=True), inputs(missing)[:6]
    seen = torch.nan_to_num(x).requires_grad_()
    values = torch.randn(B, 3, D, dtype=torch.float64, requires_grad=True)

    def run(values: Tensor, seen_x: Tensor, weight: Tensor, bias: Tensor, slope: Tensor) -> Tensor:
        given = torch.where(x.isnan(), torch.nan, seen_x)
        state = (values, torch.tensor([1.0, 2.0, 9.0], dtype=torch.float64))
        parameters = {"weight": weight, "bias": bias, "slope": slope}
        h: Tensor
        h, _ = torch.func.functional_call(UnrollOf(ar), {f"ar.{k}": v for k, v in parameters.items()}, (given, state))
        return h

    assert torch.autograd.gradcheck(
        run, (values, seen, *(p.detach().clone().requires_grad_() for p in ar.parameters()))
    )


class UnrollOf(torch.nn.Module):
    """A module with a forward method, which functional_call needs and a recurrence lacks."""

    def __init__(self, ar: AR) -> None:
        super().__init__()
        self.ar = ar

    def forward(self, x: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, tuple[Tensor, ...]]:
        return self.ar.unroll(x, state)


def test_the_widths_the_state_and_the_trained_weights() -> None:
    ar = AR(D, 3)
    assert ar.input_size == ar.output_size == D
    assert not ar.slope.requires_grad
    assert [tuple(s.shape) for s in ar.initial_state(4)] == [(4, 3, D), (4,)]
    assert ar.sigma(torch.zeros(5, 4)).shape == (5, 4, D)
    assert "log_sigma" in ar.state_dict()
