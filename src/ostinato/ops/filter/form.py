"""The form of an adaptive filter, and where a channel's memory holds what."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

from ostinato.errors import ConfigError


@dataclass(frozen=True)
class FilterForm:
    """The sizes and rates of an adaptive filter. Values are counted in units: y = x / unit.

    Attributes:
        channels: The number of channels, D.
        orders: The own lags that each filter of recursive least squares regresses on, (R,).
        forgets: How much each of them keeps of the past at a step, (R,); 1 forgets nothing.
        taps: The length of each filter of the cascade, which predicts what the first least squares and the cascade
            before it left over, (C,).
        rates: The rate of each filter of the cascade, (C,).
        decays: How much each running mean of the errors keeps at a step, (S,).
        cross: The lags of every other channel that the least squares regress on too.
        share: The share of the mixture that is handed out equally at every step, so that no weight dies.
        stack_forget: The forgetting of the least squares over the predictions, and of those between the channels.
        prior: The variance of a weight of the least squares before the first step.
        unit: The unit, in model space: the spacing of the values, or a fine resolution of continuous ones.
        scale: The mean error before the first step, in units.
        wide: The scale of the one logistic that never adapts and covers what nobody expects, in units.
        width: The scale of a logistic over the running mean of its errors.
        lattice: Whether the values lie on a lattice. The coarsest that holds the values so far is then found.
        wider: The number of further logistics that never adapt, around the last value, each 64 times as wide as the one
            before: a first value may lie anywhere.
        grounded: Whether values are counted from their running mean, which begins at the first value, and whether the
            least squares begin anew where values are much louder than all before. Models of the first form do not.
    """

    channels: int = 1
    orders: tuple[int, ...] = (32, 16, 8)
    forgets: tuple[float, ...] = (0.998, 0.99, 0.97)
    taps: tuple[int, ...] = (256, 32, 16)
    rates: tuple[float, ...] = (0.003, 0.003, 0.003)
    decays: tuple[float, ...] = (0.8, 0.95, 0.99, 0.998)
    cross: int = 0
    share: float = 0.005
    stack_forget: float = 0.998
    prior: float = 0.01
    unit: float = 1.0
    scale: float = 20.0
    wide: float = 1000.0
    width: float = 0.65
    lattice: bool = True
    wider: int = 0
    grounded: bool = False

    def __post_init__(self) -> None:
        for name in ("orders", "forgets", "taps", "rates", "decays"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        if (
            len(self.orders) != len(self.forgets)
            or len(self.taps) != len(self.rates)
            or not (self.orders and self.decays)
        ):
            raise ConfigError(
                f"a filter of {len(self.orders)} orders, {len(self.forgets)} rates of forgetting, "
                f"{len(self.taps)} lengths and {len(self.rates)} rates",
                fix="give one rate for each filter, and at least one order and one decay",
            )
        # the engine makes addresses of them, and a form may come from a file
        counts = [("channels", self.channels, 1), ("cross", self.cross, 0), ("wider", self.wider, 0)]
        counts += [(name, n, 1) for name in ("orders", "taps") for n in getattr(self, name)]
        for name, n, least in counts:
            if not isinstance(n, int) or n < least:
                raise ConfigError(
                    f"a filter has {n!r} in {name}, expected whole numbers from {least} on",
                    fix="give such numbers, or use another copy of the model",
                )

    def to_json(self) -> dict[str, Any]:
        """Return the form as JSON."""
        return {name: list(v) if isinstance(v, tuple) else v for name, v in asdict(self).items()}

    @property
    def counts(self) -> tuple[int, int, int, int]:
        """The numbers of least squares, of filters of the cascade, of running scales, and of lags of other channels."""
        return len(self.orders), len(self.taps), len(self.decays), self.cross

    @property
    def stacked(self) -> int:
        """The number of predictions that the stack combines: those of the least squares, then those of the cascade."""
        return len(self.orders) + len(self.taps)

    @property
    def levels(self) -> int:
        """The predictions that have logistics: those of the least squares, of the whole cascade, and of the stack."""
        return len(self.orders) + 2

    @property
    def mixed(self) -> int:
        """The number M of logistics; one of them is wide and never adapts, and ``wider`` come after it."""
        return self.levels * len(self.decays) + 1 + self.wider

    @property
    def width_out(self) -> int:
        """The numbers W predicted of a channel: location, scale, M logits, M means, M log scales, D couplings."""
        return 2 + 3 * self.mixed + self.channels

    @property
    def lags(self) -> int:
        """The own lags that are kept."""
        return max(self.orders)

    def places(self) -> dict[str, list[slice]]:
        """Return where the memory (N,) of a channel holds what: each name has its slices in turn.

        First come grid (the spacing of the values so far, in units; 0 before the first), seen (the steps learned from)
        and history. The filters follow: weights and variances of the least squares, taps and line of the cascade, stack
        and its variances. Then come locations, parts (what each filter of the cascade adds), scales, mixture, coupling
        and its variances. The last are ground (the level, the greatest distance from it, and the one that the least
        squares began anew at) and end.
        """
        beyond, stacked, S = self.cross * (self.channels - 1), self.stacked, len(self.decays)
        sizes = [("grid", 1), ("seen", 1), ("history", self.lags)]
        for order in self.orders:
            sizes += [("weights", order + beyond), ("variances", (order + beyond) ** 2)]
        for taps in self.taps:
            sizes += [("taps", taps), ("line", taps)]
        sizes += [("stack", stacked), ("stack_variances", stacked**2), ("locations", stacked + 1)]
        sizes += [("parts", len(self.taps)), ("scales", self.levels * S), ("mixture", self.mixed)]
        sizes += [("coupling", self.channels), ("coupling_variances", self.channels**2)]
        sizes += [("ground", 3 if self.grounded else 0), ("end", 0)]
        out: dict[str, list[slice]] = {}
        at = 0
        for name, count in sizes:
            out.setdefault(name, []).append(slice(at, at + count))
            at += count
        return out

    @cached_property
    def size(self) -> int:
        """The numbers N that a channel keeps."""
        return int(self.places()["end"][0].stop)
