"""The drive of sound: samples on the lattice of their file, coded by the engine (csrc/sound.h)."""

from __future__ import annotations

from typing import final

import numpy as np
import torch
from torch import Tensor

from ostinato.compression.drive import Coder, Found, Lanes, Values
from ostinato.data.amplitude import Amplitude
from ostinato.emissions.conditional import Conditional
from ostinato.emissions.logistic_mixture import LogisticMixture
from ostinato.errors import ConfigError
from ostinato.layers.front import FilterFront
from ostinato.model import SequenceModel
from ostinato.ops.engine import coding
from ostinato.ops.filter.native import arrays_of
from ostinato.shapes import Array
from ostinato.wording import option

#: The samples that the engine codes in one call, between which the process takes a signal.
CALL = 1 << 15


@final
class SoundLanes(Lanes):
    """Samples on the lattice of their file; ``extra`` is the step of the lattice.

    Filters without a backbone are stepped by the engine, which learns a sample as soon as it is coded. A backbone is
    stepped here, and the engine codes each step.
    """

    def __init__(self, model: SequenceModel, amplitude: Amplitude) -> None:
        super().__init__(model)
        if not isinstance(model.emission, LogisticMixture):
            raise ConfigError(
                f"compress of sound needs a mixture of logistics, and the model has the emission {model.emission.name}",
                fix=f"fit the model without {option('--emission')}",
            )
        self._amplitude, self._components = amplitude, model.emission.components
        self._samples: coding.SoundCoder | None = None
        front = model.front
        self._filters = front.filters if isinstance(front, FilterFront) and model.backbone is None else None

    def run(self, coder: Coder, given: list[Values] | None, lengths: list[int], extra: list[int]) -> list[Values]:
        """Code sequences and return them (see ``Drive.run``)."""
        self._samples = coder.lend()
        values = super().run(coder, given, lengths, extra)
        coder.take(self._samples)
        return values

    def _side_by_side(
        self,
        coder: Coder,
        given: list[Values] | None,
        rows: list[int],
        lengths: list[int],
        extra: list[int],
        out: list[Found],
    ) -> None:
        if self._filters is None:
            super()._side_by_side(coder, given, rows, lengths, extra, out)
            return
        form, channels = self._filters.form, self.model.channels
        counts, rates = arrays_of(form)
        form_sizes = channels, *form.counts, form.lattice
        memory = np.array(self._filters.initial_state(len(rows))[1].numpy(), dtype=np.float64, order="C")
        constant, lattice = _array(self.model.constant), np.array([extra[r] for r in rows], dtype=np.int64)
        steps = max(1, CALL // (len(rows) * channels))
        for t in range(0, max(lengths[r] for r in rows), steps):
            left = np.array([min(max(lengths[r] - t, 0), steps) for r in rows], dtype=np.int64)
            values = np.zeros((int(left.max()), len(rows), channels), dtype=np.int64)
            if given is not None:
                for i, r in enumerate(rows):
                    values[: left[i], i] = given[r][t : t + left[i]]
            assert self._samples is not None
            self._samples.filtered(
                form_sizes,
                counts.ctypes.data,
                rates.ctypes.data,
                self._sizes(len(rows)),
                lattice.ctypes.data,
                len(values),
                left.ctypes.data,
                constant.ctypes.data,
                memory.ctypes.data,
                values.ctypes.data,
            )
            coder.passed(self._samples)
            if given is None:
                for i, r in enumerate(rows):
                    out[r].add(values[: left[i], i])

    def begins(self, length: int) -> bool:
        """Return whether there are samples."""
        return length > 0

    def goes_on(self, value: int, t: int, length: int) -> bool:
        """Return whether there are more samples."""
        return t < length

    def code(
        self, coder: Coder, conditional: Conditional, step: Values | None, extra: list[int]
    ) -> tuple[Values, Values]:
        """Code one sample of each channel of each row, channel by channel."""
        assert conditional.loc is not None
        assert conditional.scale is not None
        rows, channels = len(extra), self.model.channels
        params, loc, scale = (_array(part) for part in (conditional.params, conditional.loc, conditional.scale))
        coupling = None
        if conditional.coupling is not None:
            coupling = _array(conditional.coupling.matrix().expand(rows, channels, channels))
        lattice = np.array(extra, dtype=np.int64)
        values = np.zeros((rows, channels), dtype=np.int64) if step is None else np.array(step, dtype=np.int64)
        assert self._samples is not None
        self._samples.step(
            self._sizes(rows),
            lattice.ctypes.data,
            params.ctypes.data,
            loc.ctypes.data,
            scale.ctypes.data,
            0 if coupling is None else coupling.ctypes.data,
            values.ctypes.data,
        )
        coder.passed(self._samples)
        return values, values

    def in_model_space(self, values: Values) -> Tensor:
        """Return samples (n, D) in model space, as the encoding gives them to ``score``: rounded to float32."""
        return torch.from_numpy((values / self._amplitude.scale).astype(np.float32).astype(np.float64))

    def _sizes(self, rows: int) -> tuple[int, int, int, float, int]:
        """Return the sizes of a step of some rows, as the engine takes them."""
        return rows, self.model.channels, self._components, self._amplitude.scale, self._amplitude.bits


def _array(part: Tensor) -> Array:
    """Return a tensor as the engine takes it."""
    return np.ascontiguousarray(part.detach().double().numpy())
