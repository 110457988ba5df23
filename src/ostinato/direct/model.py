"""DirectModel: quantiles of every step up to the horizon at once, from the last K values of a series.

Unlike a SequenceModel, a DirectModel has no P(x_t | x_<t): it draws no sample paths and scores no sequence.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ostinato.data.sequences import SequenceSet
from ostinato.description import Description, model_look, origin_facts, record_facts
from ostinato.device import placed
from ostinato.direct import checks, storage
from ostinato.direct.closed_form import ClosedForm
from ostinato.direct.inputs import SeriesInputs
from ostinato.direct.network import SegmentNetwork
from ostinato.direct.windows import Windows, channels
from ostinato.emissions.quantiles import MEDIAN, calibrated
from ostinato.errors import ConfigError
from ostinato.look import Shown
from ostinato.numbers import counted
from ostinato.shapes import Array
from ostinato.storage import save_described
from ostinato.wording import option


@dataclass(frozen=True, repr=False)
class DirectModel(Shown):
    """A direct model: a closed form, networks that correct its quantiles, and the calibration of its intervals.

    Attributes:
        name: "naive", "seasonal naive", "least squares", or the backbone of the networks, such as "gru".
        base: The closed form.
        networks: The networks, whose moves of the quantiles are averaged; may be empty.
        ids: The names of the fitted series, in the order of the embeddings of the networks, which count from 1.
        factors: The factors that calibrate the intervals, (Q // 2,): see ``quantiles.calibration``.
        description: How the data were read and how the model was made; its name is "direct".
    """

    name: str
    base: ClosedForm
    networks: tuple[SegmentNetwork, ...]
    ids: tuple[str, ...]
    factors: Array
    description: Description

    @property
    def horizon(self) -> int:
        """The number H of steps forecast at once."""
        return self.base.horizon

    @property
    def max_horizon(self) -> int:
        """The greatest number of steps that the model forecasts."""
        return self.base.horizon

    @property
    def per_series(self) -> bool:
        """Whether the forecast depends on the id of a series: True, for its own weights and its embedding."""
        return True

    @property
    def channels(self) -> int:
        """The number D of channels of the data."""
        return len(self.description.source.get("channels", []))

    def predict(self, series: dict[str, Array], inputs: dict[str, SeriesInputs] | None = None) -> tuple[Array, Array]:
        """Return point forecasts (B, H) and quantiles (B, H, Q) at LEVELS of the steps after each series, in its units.

        The point forecast is the median, which lies inside every interval. The forecast of a series that never goes
        below 0 does not go below 0 either, and that of a share is at most 1 or 100.

        Args:
            series: The observed values of each series, (T,).
            inputs: The covariates of each series, if the model has any.
        """
        inputs = inputs or {}
        ends = {key: self.base.last(key, y, inputs.get(key)) for key, y in series.items()}
        statics = {key: one.static for key, one in inputs.items()}
        q = calibrated(predicted(self.base, self.networks, self.ids, ends, statics), self.factors)
        out = np.stack([self.base.window.forecast(q[b][None], w)[0] for b, w in enumerate(ends.values())])
        return out[:, :, MEDIAN], out

    def likelihood(self, verb: str) -> NoReturn:
        """Raise the error that a direct model has no P(x_t | x_<t).

        Args:
            verb: What the model is used for, as in "a direct model cannot score".

        Raises:
            ConfigError: Always.
        """
        raise ConfigError(
            f"a direct model cannot {verb}: it has quantiles of the steps ahead, and no P(x_t | x_<t)",
            fix=f"use forecast, or fit another model with {option('--model', 'auto')} and without "
            f"{option('--horizon')}",
        )

    def accept(self, data: SequenceSet) -> SequenceSet:
        """Return data of the model's kind and channels as they are; ``check_values`` checks them for a forecast.

        Args:
            data: Sequences of the kind and the channels of the model.
        """
        return data

    def check_values(self, data: SequenceSet) -> None:
        """Check that every series of data has a value, and only values above 0 if the model takes logarithms.

        Args:
            data: Sequences of the kind and the channels of the model.

        Raises:
            DataError: A series has no value, or a value that has no logarithm.
        """
        checks.check_values(channels(data), data.meta.get("source", "the data"), log=self.base.window.log)

    def unusable(self, data: SequenceSet) -> list[int]:
        """Return the rows of the sequences that ``check_values`` refuses, in order.

        Args:
            data: Sequences of the kind and the channels of the model.
        """
        return [b for b, y in enumerate(data) if not all(checks.usable(x, log=self.base.window.log) for x in y.T)]

    def check_covariates(self, data: SequenceSet) -> None:
        """Check that data have the covariates and the frequency of the training data.

        Args:
            data: Sequences of the kind and the channels of the model.

        Raises:
            ModelFileError: The covariates or the frequency differ.
            DataError: A static column has a category that was not in the training data.
        """
        checks.check_frequency(data, self.description, self.base.effects)
        checks.check_columns(data, self.description)

    def before_refit(self, data: SequenceSet) -> DirectModel:
        """Return the model itself, which does not keep its weights before the refit.

        Args:
            data: The sequences as read, which do not matter here.
        """
        return self

    def title(self) -> str:
        """Return what the model is, in one line."""
        kind = self.description.kind
        return f"a direct model of {kind}: quantiles of {counted(self.horizon, 'step')} ahead at once, by {self.name}"

    def look(self) -> tuple[list[str], None]:
        """Return what the model is, what it is made of, and what it was fitted to."""
        return model_look(self.title(), self.facts(), self.description), None

    def facts(self) -> list[tuple[str, str]]:
        """Return what the model is made of, as pairs of a name and its words."""
        window, coverage = self.base.window, self.description.direct_record.coverage
        logarithms = "of logarithms, " if window.log else ""
        before, after = coverage["held_out"], coverage["calibrated"]
        intervals = f"contained {before:.1%} of the held-out values, and {after:.1%} after calibration"
        return [
            ("input", f"the last {counted(window.lookback, 'step')}, {logarithms}with seasons of {window.season}"),
            ("series with weights of their own", f"{len(self.base.own):,} of {len(self.ids):,}"),
            ("networks", str(len(self.networks))),
            ("95 % intervals", intervals),
            *origin_facts(self.description),
        ]

    def results(self) -> list[str]:
        """Return how the model was made and how good it was, one fact a line."""
        lines = []
        for rung in self.description.direct_record.table:
            words = f"quantile loss {rung.loss:.4g} seasonal errors, {rung.coverage:.1%} in 95 % intervals"
            lines.append(f"held out, {rung.name}: {words}" + f" ({rung.detail})" * bool(rung.detail))
        fitted, seed = record_facts(self.description)
        record = self.description.direct_record
        again = [f"{self.name} was {record.refitted}"] if record.refitted else []
        return [*lines, fitted, *again, seed]

    def save(self, path: str | Path) -> None:
        """Write the model to one file, which ``ostinato.load_model`` reads.

        Args:
            path: The file to write, by custom with the suffix .ost. An earlier file is replaced whole or kept.

        Raises:
            WriteError: The file cannot be written.
        """
        save_described(path, self.description, *self.to_parts())

    def to_parts(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Return the tensors of the model, and as JSON everything else that its answers depend on."""
        tensors, document = storage.pack(self.base, self.networks, self.factors)
        return tensors, {"direct": {"name": self.name, "ids": list(self.ids), **document}}

    @staticmethod
    def from_parts(tensors: dict[str, Tensor], document: dict[str, Any], description: Description) -> DirectModel:
        """Return the model that ``to_parts`` took apart."""
        document = document["direct"]
        base, networks, factors = storage.unpack(tensors, document)
        return DirectModel(document["name"], base, networks, tuple(document["ids"]), factors, description)


def predicted(
    base: ClosedForm,
    networks: tuple[SegmentNetwork, ...],
    ids: tuple[str, ...],
    windows: dict[str, Windows],
    statics: dict[str, tuple[str, ...]],
) -> Array:
    """Return the quantiles of windows in model space before calibration, series after series, (N, H, Q).

    Args:
        base: The closed form.
        networks: The networks, whose moves are averaged; may be empty.
        ids: The names of the fitted series, in the order of the embeddings.
        windows: The windows of each series.
        statics: The static covariates of each series.
    """
    number = {key: i + 1 for i, key in enumerate(ids)}
    middles = {key: base.middle(w, key, statics.get(key, ())) for key, w in windows.items()}
    moves: dict[str, Any] = dict.fromkeys(windows, 0.0)
    if networks:
        counts = [len(w.inputs) for w in windows.values()]
        rows = np.repeat([number.get(key, 0) for key in windows], counts)
        given = (
            np.concatenate([w.inputs for w in windows.values()]),
            np.concatenate(list(middles.values())),
            np.concatenate([w.scale[:, 0] for w in windows.values()]),
        )
        parts = np.split(_moves(networks, given, rows), np.cumsum(counts)[:-1])
        moves = dict(zip(windows, parts, strict=True))
    return np.concatenate([base.quantiles(middles[key], key, moves[key]) for key in windows])


@torch.inference_mode()
def _moves(networks: tuple[SegmentNetwork, ...], given: tuple[Array, Array, Array], rows: NDArray[np.int64]) -> Array:
    """Return the mean moves of the networks, (N, H, Q), computed for a block of windows at a time."""
    networks = tuple(placed(network) for network in networks)
    device, out = networks[0].place.device, []
    for first in range(0, len(rows), 4096):
        block = slice(first, first + 4096)
        tensors = [torch.from_numpy(x[block].astype(np.float32)).to(device) for x in given]
        each = [network(*tensors, torch.from_numpy(rows[block]).to(device)) for network in networks]
        out.append(torch.stack(each).mean(0).cpu().double().numpy())
    return np.concatenate(out)
