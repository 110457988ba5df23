"""The autoregression of numbers as a recurrence: its state is the last K values and the number of steps seen.

One class serves every set of lags: an AR(K) has the lags 1 .. K, a sparse autoregression has a few of them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from ostinato.layers.ar_fit import ARFit
from ostinato.layers.lagged import dense
from ostinato.layers.recurrence import Recurrence
from ostinato.layers.volatility import Volatility
from ostinato.shapes import State


class AR(Recurrence):
    """An autoregression that predicts each channel from its own past: h_t = a + b (t + 1) + sum_l phi_l x_{t+1-l}.

    The sum goes over a set of L lags, of which K is the greatest. The output h (..., D) is the conditional mean of the
    NEXT value, given the input and all values before it. After fewer than K steps, the autoregression on the lags that
    have been seen is used, so that P(x_1 .. x_T) is defined from the first step. A missing
    input (NaN) is replaced by its own prediction: the mean stays exact given the past, and the standard deviation is
    understated.

    The state is (values, seen). The values (B, K, D) are the last K, newest first, and 0 before the start. seen (B,) is
    the number of steps so far, in the dtype of the parameters: float32 counts exactly up to 16.7 million steps; beyond
    that only a trend is affected.

    Args:
        input_size: The number of channels, D.
        order: The order of the autoregression, K.
        lags: The lags, ascending, the last of them K; None is all of 1 .. K.
        trend: Whether the slopes are trained.
        volatility: Whether the variance of the innovations changes over time.
        dtype: The dtype of the parameters; None is torch's default.

    Raises:
        ValueError: The lags do not ascend from 1 or more to the order.

    Attributes:
        weight: The coefficients, (D, L + 1, L). Row i holds those of the autoregression on the first i lags, then 0.
        bias: The intercept a of each of these autoregressions, (D, L + 1).
        slope: The slope b of each, (D, L + 1).
        log_sigma: A buffer, the log standard deviation of the innovation under each, (D, L + 1).
        volatility: The GARCH model of the variance of the innovations, or None if the variance is constant.
    """

    def __init__(
        self,
        input_size: int,
        order: int,
        *,
        lags: Sequence[int] | None = None,
        trend: bool = False,
        volatility: bool = False,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        if lags is not None and ([0, *lags] != sorted({0, *lags}) or [0, *lags][-1] != order):
            raise ValueError(f"the lags of an autoregression of order {order} must ascend to it, got {list(lags)}")
        self.volatility = Volatility(input_size) if volatility else None
        self.input_size = self.output_size = input_size
        self.order, self.lags = order, tuple(dense(order) if lags is None else lags)
        D, L = input_size, len(self.lags)
        self.weight = nn.Parameter(torch.zeros(D, L + 1, L, dtype=dtype))
        self.bias = nn.Parameter(torch.zeros(D, L + 1, dtype=dtype))
        self.slope = nn.Parameter(torch.zeros(D, L + 1, dtype=dtype), requires_grad=trend)
        self.log_sigma: Tensor
        self.register_buffer("log_sigma", torch.zeros(D, L + 1, dtype=dtype))
        self.at: Tensor
        self.register_buffer("at", torch.tensor(self.lags, dtype=torch.int64), persistent=False)

    @classmethod
    def from_fits(cls, fits: Sequence[ARFit], *, dtype: torch.dtype | None = None) -> AR:
        """Return the autoregression of several channels from one fit per channel.

        Args:
            fits: The fits, one per channel. Their lags together are the lags of the recurrence; a channel has the
                coefficient 0 at a lag of another.
            dtype: The dtype of the parameters; None is torch's default.
        """
        lags = sorted({lag for fit in fits for lag in fit.lags})
        ar = cls(
            len(fits), lags[-1] if lags else 0, lags=lags, trend=any(fit.trend == "ct" for fit in fits), dtype=dtype
        )
        with torch.no_grad():
            for d, fit in enumerate(fits):
                s, rows = fit.start_up, np.searchsorted(fit.lags, [0, *lags], side="right")
                ar.weight[d, :, np.searchsorted(lags, fit.lags)] = torch.from_numpy(s.coefficients[rows]).to(ar.weight)
                ar.bias[d] = torch.from_numpy(s.intercepts[rows])
                ar.slope[d] = torch.from_numpy(s.slopes[rows])
                ar.log_sigma[d] = torch.from_numpy(0.5 * np.log(s.sigma2[rows]))
        return ar

    def first(self) -> Tensor:
        """Return the prediction of the first step, (D,), before any value has been seen."""
        return self.bias[:, 0] + self.slope[:, 0]

    def sigma(self, seen: Tensor) -> Tensor:
        """Return the standard deviation of the next innovation, (..., D), after ``seen`` (...) steps."""
        return self.log_sigma.t()[self._row(seen)].exp()

    def describe(self) -> str:
        """Return what the closed form is, in words."""
        which = f"of order {self.order}"
        if len(self.lags) < self.order:
            which = f"on the lags {', '.join(map(str, self.lags))}"
        return f"an autoregression {which}" + " with the variance of a GARCH(1,1)" * (self.volatility is not None)

    def initial_state(self, batch: int) -> State:
        """Return the state before the first step: zeros for values (B, K, D) and seen (B,)."""
        return self.bias.new_zeros(batch, self.order, self.input_size), self.bias.new_zeros(batch)

    def step(self, state: State, x: Tensor) -> tuple[State, Tensor]:
        """Return the next state and the mean of the next value, (B, D), after the input x (B, D), NaN if missing."""
        values, seen = state
        missing = x.isnan()
        if missing.any():
            x = torch.where(missing, self._predict(values[:, self.at - 1], seen), x)
        values, seen = torch.cat([x[:, None], values], dim=1)[:, : self.order], seen + 1
        return (values, seen), self._predict(values[:, self.at - 1], seen)

    def unroll(self, x: Tensor, state: State | None = None, lengths: Tensor | None = None) -> tuple[Tensor, State]:
        """Return the means of the next values, (T, B, D), and the last state (see ``Recurrence.unroll``).

        Args:
            x: The inputs, (T, B, D). NaN where a value is missing.
            state: The state before the first step; None is the state of a new sequence.
            lengths: The number of steps of each row, (B,); None means T for all rows.
        """
        (T, B, _), K = x.shape, self.order
        values, seen = self.initial_state(B) if state is None else state
        if lengths is not None:
            inside = torch.arange(T, device=x.device)[:, None] < lengths
            x = torch.where(inside[:, :, None], x, torch.zeros_like(x))
        path = torch.cat([values.flip(1).transpose(0, 1), self._filled(x, values, seen)])  # (K + T, B, D)
        # (T, B): the number of steps seen, including the input of this step.
        after = seen + torch.arange(1, T + 1, dtype=seen.dtype, device=x.device)[:, None]
        h = self._edge(after, len(self.lags))
        for i, lag in enumerate(self.lags):
            h = torch.addcmul(h, path[K + 1 - lag : K + 1 - lag + T], self.weight[:, -1, i])
        early = min(T, max(0, K - 1 - int(seen.min()))) if B else 0
        if early:
            h = torch.cat([self._start(path, after[:early]), h[early:]])
        if lengths is None:
            last, total = path[T:].flip(0).transpose(0, 1), seen + T
        else:
            back = lengths[:, None] + torch.arange(K - 1, -1, -1, device=x.device)  # (B, K)
            last, total = path[back, torch.arange(B, device=x.device)[:, None]], seen + lengths.to(seen.dtype)
        return h, (last, total)

    def _row(self, seen: Tensor) -> Tensor:
        """Return how many of the lags are used after ``seen`` (...) steps, as an index (...)."""
        return torch.bucketize(seen, self.at.to(seen.dtype), right=True)

    def _edge(self, seen: Tensor, row: Tensor | int) -> Tensor:
        """Return intercept plus trend, (..., D), of the value after ``seen`` (...) others, with ``row`` lags."""
        return self.bias.t()[row] + self.slope.t()[row] * (seen + 1)[..., None]

    def _predict(self, past: Tensor, seen: Tensor) -> Tensor:
        """Return the mean of the next value, (..., D), from the values at the lags (..., L, D), and seen (...)."""
        row = self._row(seen)
        return self._edge(seen, row) + (self.weight.permute(1, 2, 0)[row] * past).sum(-2)

    def _start(self, path: Tensor, after: Tensor) -> Tensor:
        """Return the means of the first steps, (early, B, D), each on the lags that it has values for."""
        steps = torch.arange(1, len(after) + 1, device=path.device)
        past = path[steps[:, None] + self.order - self.at]  # (early, L, B, D)
        return self._predict(past.transpose(1, 2), after)

    def _filled(self, x: Tensor, values: Tensor, seen: Tensor) -> Tensor:
        """Return x (T, B, D) with each missing value replaced by its prediction; only steps with NaN cost time."""
        missing = x.isnan()
        if not missing.any():
            return x
        K, path = self.order, [*values.flip(1).unbind(1), *x.unbind(0)]
        for t in missing.flatten(1).any(1).nonzero()[:, 0].tolist():
            past = torch.stack([path[K + t - lag] for lag in self.lags], dim=1) if K else values
            path[K + t] = torch.where(missing[t], self._predict(past, seen + t), path[K + t])
        return torch.stack(path[K:])
