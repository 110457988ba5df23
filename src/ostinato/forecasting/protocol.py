"""The interface that every fitted model has."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, runtime_checkable

from ostinato.data.sequences import SequenceSet
from ostinato.description import Description
from ostinato.errors import ConfigError

if TYPE_CHECKING:
    from torch import Tensor

M = TypeVar("M")


def fitted(model: M) -> M:
    """Return a model, and refuse anything else: a caller may have given a path, a fit, or the data first.

    Args:
        model: What was given as the model.

    Raises:
        ConfigError: It is no fitted model.
    """
    if isinstance(model, ForecastModel):
        return model
    if isinstance(model, str | Path):
        said, fix = repr(str(model))[:60], f"load it first: model = load_model({str(model)[:60]!r})"
    else:
        said, fix = f"an object of type {type(model).__name__}", "give the model that fit made, or one from load_model"
        if isinstance(getattr(model, "model", None), ForecastModel):
            fix = "give the model of the fit: result.model"
        elif isinstance(model, SequenceSet):
            fix = "give the model first, and the data after it"
    raise ConfigError(f"expected a fitted model, got {said}", fix=fix)


@runtime_checkable
class ForecastModel(Protocol):
    """A fitted model: a SequenceModel or a DirectModel."""

    @property
    def description(self) -> Description:
        """What the model is, how its data were read and how it was made."""

    @property
    def channels(self) -> int:
        """The number D of channels of the data."""

    @property
    def max_horizon(self) -> int | None:
        """The greatest number of steps that the model forecasts; None if it forecasts any number."""

    @property
    def per_series(self) -> bool:
        """Whether the forecast depends on the id of a series, so that a set must not contain a series twice."""

    def likelihood(self, verb: str) -> Any:
        """Return the model itself if it has a P(x_t | x_<t).

        Args:
            verb: What the model is used for, as in "a direct model cannot score".

        Raises:
            ConfigError: The model has no P(x_t | x_<t).
        """

    def accept(self, data: SequenceSet) -> SequenceSet:
        """Return data of the model's kind and channels in the form that the model takes.

        Raises:
            ModelFileError: The data do not suit the model.
            DataError: The model gives no probability to a value.
        """

    def before_refit(self, data: SequenceSet) -> Any:
        """Return the model that was not fitted to the held-out part of data, if it is kept; itself otherwise.

        Args:
            data: The sequences as read.
        """

    def check_values(self, data: SequenceSet) -> None:
        """Check that the model can continue every sequence of data.

        Raises:
            DataError: A sequence has a value that the model cannot take, or no observed value.
        """

    def unusable(self, data: SequenceSet) -> list[int]:
        """Return the rows of the sequences that ``check_values`` refuses, in order."""

    def check_covariates(self, data: SequenceSet) -> None:
        """Check that data have the covariates and the frequency that the model needs.

        Raises:
            ModelFileError: The covariates or the frequency differ.
            DataError: A static column has a category that was not in the training data.
        """

    def title(self) -> str:
        """Return what the model is, in one line."""

    def facts(self) -> list[tuple[str, str]]:
        """Return what the model is made of, as pairs of a name and its words."""

    def results(self) -> list[str]:
        """Return how the model was made and how good it was, one fact a line."""

    def to_parts(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Return the tensors of the model, and as JSON everything else that its answers depend on."""
