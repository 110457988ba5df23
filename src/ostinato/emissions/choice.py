"""How a symbol is drawn from its logits: by the temperature, among the likeliest, with one uniform number each."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from ostinato.arguments import real, whole
from ostinato.emissions.constraints import sampling_options
from ostinato.errors import ConfigError
from ostinato.shapes import Array


@final
@dataclass(frozen=True)
class Choice:
    """The options of a draw. The bounds apply in the order top_k, top_p, min_p, each to what the one before left.

    Attributes:
        temperature: What divides the logits; 0 takes the likeliest symbol.
        top_p: The symbols are drawn from the smallest set of likeliest symbols with this probability or more, the
            nucleus (Holtzman et al. 2020).
        top_k: The symbols are drawn from this many likeliest ones (Fan et al. 2018); None for all.
        min_p: A symbol is drawn only if its probability is at least this share of that of the likeliest one
            (Nguyen et al. 2024).
    """

    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int | None = None
    min_p: float = 0.0

    @staticmethod
    def of(temperature: Any, top_p: Any = 1.0, top_k: Any = None, min_p: Any = 0.0, *, symbols: bool) -> Choice:
        """Return the options, checked.

        Args:
            temperature: At least 0.
            top_p: Above 0 and at most 1.
            top_k: At least 1, or None.
            min_p: Between 0 and 1.
            symbols: Whether the values are symbols. The bounds rank symbols, so numbers take none of them.

        Raises:
            ConfigError: An option is not a number, out of range, or given for numbers.
        """
        temperature, top_p = sampling_options(temperature, top_p, symbols=symbols)
        top_k = None if top_k is None else whole("top_k", top_k, fix="use 1 or more, for example 40")
        min_p = real("min_p", min_p, least=0, most=1, fix="use a number between 0 and 1, for example 0.05")
        for name, given in (("top_k", top_k is not None), ("min_p", min_p > 0)):
            if given and not symbols:
                raise ConfigError(f"{name} chooses among symbols, and the values are numbers", fix=f"remove {name}")
        return Choice(temperature, top_p, top_k, min_p)

    @property
    def narrows(self) -> bool:
        """Whether some symbols may be left out."""
        return self.top_p < 1.0 or self.top_k is not None or self.min_p > 0

    def pick(self, logits: NDArray[Any], u: Array) -> NDArray[np.int64]:
        """Return one symbol of each row, (B,): the one in whose part of the cumulative probabilities u lies.

        Args:
            logits: The logits, (B, V), -inf for a symbol that is not drawn.
            u: Numbers uniform on [0, 1), (B,). They are not used if the temperature is 0.
        """
        if self.temperature == 0.0:
            return np.asarray(logits.argmax(-1), dtype=np.int64)
        # the maximum is subtracted before the division, because a low temperature would overflow
        z = np.subtract(logits, logits.max(-1, keepdims=True), dtype=np.float64)
        p = np.exp(z if self.temperature == 1.0 else z / self.temperature)
        if not self.narrows:
            return _inverted(p, u)
        order = np.argsort(-p, axis=-1, kind="stable")
        place = _inverted(self._narrowed(np.take_along_axis(p, order, -1)), u)
        return np.asarray(np.take_along_axis(order, place[:, None], -1)[:, 0], dtype=np.int64)

    def _narrowed(self, p: Array) -> Array:
        """Return weights p (B, V), the greatest first, with 0 for what the bounds leave out."""
        if self.top_k is not None:
            p[:, self.top_k :] = 0.0
        if self.top_p < 1.0:
            before = p.cumsum(-1) - p
            # the logits are rounded to 32 bits, so a set that reaches top_p but for that is enough
            p = np.where(before < self.top_p * p.sum(-1, keepdims=True) * (1 - 1e-6), p, 0.0)
        return np.where(p >= self.min_p * p[:, :1], p, 0.0)


def _inverted(p: Array, u: Array) -> NDArray[np.int64]:
    """Return the places, (B,), in weights p (B, V) at which their cumulative sum first exceeds the share u (B,)."""
    if len(p) == 1:  # in plain numbers, because each call of NumPy takes as long as the whole search
        whole = p[0].cumsum()
        most = float(whole[-1])
        return np.array([whole.searchsorted(min(float(u[0]) * most, math.nextafter(most, 0.0)), side="right")])
    reached = p.cumsum(-1)
    total = reached[:, -1]
    # rounding must not lift u times the total to the total itself, which no sum exceeds
    at = np.minimum(u * total, np.nextafter(total, 0.0))
    return np.asarray((reached <= at[:, None]).sum(-1), dtype=np.int64)
