"""The categorical distribution of symbols 0 .. V - 1."""

from __future__ import annotations

from typing import ClassVar, Literal, final

import torch
from torch import Tensor

from ostinato.emissions.constraints import check_sampling
from ostinato.emissions.emission import Emission, Support
from ostinato.errors import ConfigError


@final
class Categorical(Emission):
    """params (..., 1, V): logits. Symbols come in as integers or floats and go out as int64; there is one channel."""

    name: ClassVar[str] = "categorical"
    support: ClassVar[Literal["real", "counts", "symbols"]] = "symbols"

    def __init__(self, symbols: int) -> None:
        if symbols < 1:
            raise ConfigError(f"a vocabulary of {symbols} symbols cannot be used", fix="at least 1 symbol")
        self.parameters = symbols

    def log_prob(self, params: Tensor, x: Tensor, support: Support) -> Tensor:
        """See Emission. x outside 0 .. V - 1 is a mistake of the caller's: RuntimeError from torch."""
        logs = _one_channel(params).log_softmax(-1)
        index = x.long() + torch.zeros_like(logs[..., 0], dtype=torch.int64)
        return logs.expand(*index.shape, -1).gather(-1, index.unsqueeze(-1)).squeeze(-1)

    def sample(
        self, params: Tensor, support: Support, generator: torch.Generator, temperature: float = 1.0, top_p: float = 1.0
    ) -> Tensor:
        """See Emission. temperature divides the logits (0: the likeliest symbol); then the nucleus, the least set of
        likeliest symbols with probability top_p or more (Holtzman et al. 2020), is drawn from.
        """
        check_sampling(temperature, top_p, symbols=True)
        logits = _one_channel(params).detach()
        if temperature == 0.0:
            return logits.argmax(-1)
        # less the maximum before the division, or a low temperature overflows
        logits = (logits - logits.amax(-1, keepdim=True)) / temperature
        p, order = torch.sort(logits.softmax(-1), dim=-1, descending=True, stable=True)
        if top_p < 1.0:
            p = torch.where(p.cumsum(-1) - p < top_p, p, 0.0)
        rank = torch.multinomial(p.reshape(-1, self.parameters), 1, generator=generator)
        return order.gather(-1, rank.reshape(*p.shape[:-1], 1)).squeeze(-1)

    def quantile(self, params: Tensor, q: Tensor, support: Support) -> Tensor:
        """See Emission. The least symbol whose cdf reaches q."""
        cdf = _one_channel(params).detach().double().softmax(-1).cumsum(-1)
        levels = q.to(cdf).expand(*cdf.shape[:-1], -1).contiguous()
        return torch.searchsorted(cdf, levels).clamp(max=self.parameters - 1)

    def cdf(self, params: Tensor, x: Tensor, support: Support) -> Tensor:
        """See Emission. 0 below symbol 0."""
        p = _one_channel(params).softmax(-1)
        reached = torch.arange(self.parameters, device=p.device) <= x.unsqueeze(-1)
        return (p * reached).sum(-1).clamp(max=1.0)

    def mean(self, params: Tensor, support: Support) -> Tensor:
        """See Emission. The likeliest symbol."""
        return _one_channel(params).argmax(-1)

    def initial(self, x: Tensor, support: Support) -> Tensor:
        """See Emission. Log frequencies, one half added to each count; -1 is missing."""
        seen = x[torch.isfinite(x) & (x >= 0)].long()
        counts = torch.bincount(seen, minlength=self.parameters).to(torch.get_default_dtype()) + 0.5
        return (counts / counts.sum()).log().unsqueeze(0)


def _one_channel(params: Tensor) -> Tensor:
    if params.shape[-2] != 1:
        raise ConfigError(f"categorical is for one channel of symbols, not {params.shape[-2]}")
    return params
