"""The categorical distribution of symbols 0 .. V - 1."""

from __future__ import annotations

from typing import ClassVar, final

import torch
from torch import Tensor

from ostinato.emissions import draws
from ostinato.emissions.choice import Choice
from ostinato.emissions.draws import Source
from ostinato.emissions.emission import Emission, Support
from ostinato.errors import ConfigError


@final
class Categorical(Emission):
    """The categorical distribution of one channel, with the logits (..., 1, V) as parameters.

    Symbols may be given as integers or floats, and are returned as int64.

    Args:
        symbols: The number of symbols, V.

    Raises:
        ConfigError: The number of symbols is less than 1.
    """

    name: ClassVar[str] = "categorical"
    symbolic: ClassVar[bool] = True

    def __init__(self, symbols: int) -> None:
        if symbols < 1:
            raise ConfigError(f"the vocabulary must have at least 1 symbol, got {symbols}", fix="use 1 or more symbols")
        self.parameters = symbols

    def shifted(self, params: Tensor, loc: Tensor) -> Tensor:
        """Return the logits params (..., 1, V) plus the log probabilities loc (..., 1, V)."""
        return params + loc

    def log_prob(self, params: Tensor, x: Tensor, support: Support) -> Tensor:
        """Return the log probabilities of symbols, (..., 1); torch raises RuntimeError for one outside 0 .. V - 1."""
        logs = _one_channel(params).log_softmax(-1)
        index = x.long() + torch.zeros_like(logs[..., 0], dtype=torch.int64)
        return logs.expand(*index.shape, -1).gather(-1, index.unsqueeze(-1)).squeeze(-1)

    def sample(
        self, params: Tensor, support: Support, generator: Source, temperature: float = 1.0, top_p: float = 1.0
    ) -> Tensor:
        """Return one symbol per row, (..., 1), given that it lies in the support.

        The temperature divides the logits; with 0 it is the likeliest symbol. Symbols are then drawn from the nucleus,
        the smallest set of likeliest symbols with probability top_p or more (Holtzman et al. 2020).
        """
        choice = Choice.of(temperature, top_p, symbols=True)
        logits = _within(_one_channel(params).detach(), support)
        rows = logits.reshape(-1, self.parameters).double().cpu().numpy()
        u = draws.uniform(logits[..., 0], generator, torch.float64).reshape(-1)
        return torch.from_numpy(choice.pick(rows, u.cpu().numpy())).reshape(logits.shape[:-1]).to(params.device)

    def quantile(self, params: Tensor, q: Tensor, support: Support) -> Tensor:
        """Return the least symbols whose cdf reaches the levels q (Q,), (..., 1, Q)."""
        cdf = _one_channel(params).detach().double().softmax(-1).cumsum(-1)
        levels = q.to(cdf).expand(*cdf.shape[:-1], -1).contiguous()
        return torch.searchsorted(cdf, levels).clamp(max=self.parameters - 1)

    def cdf(self, params: Tensor, x: Tensor, support: Support) -> Tensor:
        """Return P(X <= x), (..., 1), by the numbers of the symbols."""
        p = _one_channel(params).softmax(-1)
        reached = torch.arange(self.parameters, device=p.device) <= x.unsqueeze(-1)
        return (p * reached).sum(-1).clamp(max=1.0)

    def mean(self, params: Tensor, support: Support) -> Tensor:
        """Return the likeliest symbols of the support, (..., 1)."""
        return _within(_one_channel(params), support).argmax(-1)

    def initial(self, x: Tensor, support: Support) -> Tensor:
        """Return the log frequencies of the symbols x (N, 1), with one half added to each count; -1 is missing."""
        seen = x[torch.isfinite(x) & (x >= 0)].long()
        counts = torch.bincount(seen, minlength=self.parameters).to(torch.get_default_dtype()) + 0.5
        return (counts / counts.sum()).log().unsqueeze(0)


def _within(logits: Tensor, support: Support) -> Tensor:
    """Return logits (..., 1, V) with -inf for the symbols outside the support."""
    symbols = torch.arange(logits.shape[-1], device=logits.device)
    outside = (symbols < support.low.unsqueeze(-1)) | (symbols > support.high.unsqueeze(-1))
    return logits.masked_fill(outside, -torch.inf)


def _one_channel(params: Tensor) -> Tensor:
    """Return params, after a check that they have one channel."""
    if params.shape[-2] != 1:
        raise ConfigError(
            f"the categorical emission takes one channel of symbols, got {params.shape[-2]}", fix="give one channel"
        )
    return params
