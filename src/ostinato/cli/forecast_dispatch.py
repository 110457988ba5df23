"""What makes the forecast of ``ostinato forecast``: a method that is fitted to each series, or a model file."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from ostinato.cli import screen, unused
from ostinato.cli.model_data import opened
from ostinato.errors import ConfigError
from ostinato.threads import Threads

if TYPE_CHECKING:
    from ostinato.forecasting.table import Forecast

#: The options that a panel in parts does not take.
_NOT_IN_PARTS = frozenset(
    {"plot", "future", "kind", "zone", "day_first", "decimal", "channel", "mix", "sheet", "query", "as_json"}
)


@dataclass(frozen=True)
class ForecastOptions:
    """The options of the command.

    Attributes:
        horizon: The number of steps, or None.
        level: The levels of the intervals in percent.
        season: The number of steps of a season, or None.
        future: The file of the future covariates, or None.
        sampling: The arguments n_paths and seed.
        reading: The options of the reading that all forecasts take.
        clock: The options of the reading that a model file has already settled.
        sound: The options of the reading of sound.
        threads: The number of threads.
        device: Where a model computes.
    """

    horizon: int | None
    level: tuple[float, ...]
    season: int | None
    future: str | None
    sampling: dict[str, int]
    reading: dict[str, Any]
    clock: dict[str, Any]
    sound: dict[str, Any]
    threads: Threads
    device: str = "auto"


@dataclass(frozen=True)
class Source(ABC):
    """What makes a forecast, and the data to forecast.

    Attributes:
        model: The name of a method, or the path of a model file.
        data: The data, or None.
        in_parts: Whether the data are a panel that is processed in parts even without --on.
    """

    model: str
    data: str | None
    in_parts: bool = False

    #: The options that this forecast does not use, where that is, and what to do instead.
    unused: ClassVar[frozenset[str]]
    where: ClassVar[str]
    advice: ClassVar[str]

    def check(self, given: dict[str, str], *, in_parts: bool) -> None:
        """Check that every option that is given has a use.

        Args:
            given: The options that stand on the command line, with their spellings.
            in_parts: Whether the data are processed in parts.

        Raises:
            ConfigError: An option has no use.
        """
        unused.refuse(given, self.unused, f"a forecast {self.where}", self.advice)
        if in_parts:
            unused.refuse(given, _NOT_IN_PARTS, "a forecast of a panel in parts", "or leave out --on")

    def given_data(self) -> str:
        """Return the data that are given.

        Raises:
            ConfigError: None are given.
        """
        if self.data is None:
            raise ConfigError("no data given", fix=f"give the data: ostinato forecast {self.model} panel/ -o out/")
        return self.data

    @abstractmethod
    def forecast(self, given: ForecastOptions) -> Forecast:
        """Read the data, forecast them, and print the notes."""


class Method(Source):
    """A method that is fitted to each series."""

    unused = frozenset({"future", "paths", "seed", "channel", "mix"})
    where = "without a model file"
    advice = "or fit a model first: ostinato fit DATA -o m.ost"

    def forecast(self, given: ForecastOptions) -> Forecast:
        """Read the data, forecast them, and print the notes."""
        from ostinato.data.read import read
        from ostinato.dispatch.forecast import forecast

        source = self.given_data()
        screen.doing(f"reading {source}")
        data = read(source, **given.reading, **given.clock)
        _say(data.notes)
        screen.doing(f"forecasting {len(data) * len(data.channels):,} series")
        result = forecast(
            data,
            horizon=given.horizon,
            level=given.level,
            model=self.model,
            season=given.season,
            threads=given.threads,
            device=given.device,
        )
        _say(result.notes[len(data.notes) :])
        return result


class ModelFile(Source):
    """A model file."""

    unused = frozenset({"season", "kind", "zone", "day_first"})
    where = "with a model file"
    advice = "it is that of the model"

    def forecast(self, given: ForecastOptions) -> Forecast:
        """Read the data as the model needs them, forecast them, and print the notes."""
        from ostinato.inference.forecast import forecast

        model, data = opened(self.model, self.data, **given.reading, **given.sound)
        screen.doing(f"forecasting {len(data):,} series")
        result = forecast(
            model,
            data,
            given.horizon,
            given.level,
            future=given.future,
            threads=given.threads,
            device=given.device,
            n_paths=given.sampling["n_paths"],
            seed=given.sampling["seed"],
        )
        _say(result.notes)
        return result


def source_of(first: str, data: str | None, model: str | None) -> Source:
    """Return what makes the forecast. A file is known as a model by its content.

    Args:
        first: The first argument: data, a model file, or ``ar`` for the autoregressions of a panel in parts.
        data: The second argument, if it is given.
        model: The name of a method or a model file from --model, if it is given.

    Raises:
        ConfigError: Two models are given.
    """
    if model is not None and (data is not None or _is_model_file(first)):
        raise ConfigError(
            f"two models are given: {first} and --model {model}",
            fix=f"give one: ostinato forecast DATA --model {model}, or ostinato forecast {first} DATA",
        )
    if model is not None:
        return ModelFile(model, first) if _is_model_file(model) else Method(model, first)
    if first == "ar" and not Path(first).exists():
        return Method(first, data, in_parts=True)
    if data is not None or _is_model_file(first):
        _check_no_method(first, data)
        return ModelFile(first, data)
    return Method("auto", first)


def _check_no_method(first: str, data: str | None) -> None:
    """Raise ConfigError for the name of a method in the place of a model file."""
    if Path(first).exists():
        return
    from ostinato.local.forecast import names_of_methods

    if first in names_of_methods():
        raise ConfigError(
            f"{first} is a method and not a model file", fix=f"run ostinato forecast {data} --model {first}"
        )


def _is_model_file(path: str) -> bool:
    """Return whether a file begins as a model does, or is a damaged one, which has only the name of a model."""
    from ostinato.storage import is_bundle

    return is_bundle(path) or (Path(path).suffix == ".ost" and Path(path).is_file())


def _say(notes: Iterable[str]) -> None:
    for note in notes:
        screen.say(f"note: {note}")
