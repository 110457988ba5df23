"""What differs between streams of numbers and of text: how their values are read, stepped and shown."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from msgspec import UNSET
from numpy.typing import NDArray

from ostinato.errors import DataError
from ostinato.inference.alarm_rule import Alarms
from ostinato.inference.live.rows import Rows, Stepped
from ostinato.serve.order import Placed
from ostinato.serve.schema import EventResult, Next, Push
from ostinato.shapes import Array, State

if TYPE_CHECKING:
    from ostinato.serve.held import Asked, Work


@dataclass(frozen=True, slots=True)
class Batch:
    """The steps of some streams, joined end to end.

    Attributes:
        values: The raw values, (N, D).
        lengths: The number of steps of each stream, (B,).
        found: What the model says of them, and the states after them.
        last: The last prices, and the last that are observed, (B, 2, D); (B, 2, 0) without prices.
    """

    values: Array
    lengths: NDArray[np.int64]
    found: Stepped
    last: Array


class StreamForm(ABC):
    """How the values of a kind of stream are read, stepped and shown.

    Args:
        rows: The steps of the model.

    Attributes:
        spelled: The spelling of the points in a history; empty for numbers.
        symbols: The mark of what a history holds.
        name: The same in words.
    """

    symbols: bytes
    name: str
    #: Whether a value has quantiles. A value that has none is a symbol.
    has_quantiles: bool

    def __init__(self, rows: Rows) -> None:
        self._rows, self._model = rows, rows.model
        self.spelled = ""

    def check(self, push: Push) -> None:
        """Check that the model can answer what a push asks for besides the surprisal.

        Raises:
            DataError: It asks for quantiles of symbols, or for the likeliest of all numbers.
        """
        if self.has_quantiles and push.top:
            raise DataError(
                "top is for text, and the stream takes numbers", fix="ask for quantiles of the next value with next"
            )
        if not self.has_quantiles and (push.level or push.next):
            name = "level" if push.level else "next"
            raise DataError(f"text has no quantiles, got {name}", fix="ask for the likeliest next characters with top")

    @abstractmethod
    def read(self, asked: Sequence[Asked]) -> list[Sequence[Any]]:
        """Return the values of each push; one whose values cannot be used gets its outcome."""

    @abstractmethod
    def steps(self, one: Placed) -> int:
        """Return the number of steps of an event, with those that its time leaves out before it."""

    @abstractmethod
    def step(self, works: Sequence[Work], state: State, last: Array, p: tuple[float, ...]) -> Batch:
        """Step the model through the events of some streams."""

    def columns(self, values: Sequence[Any]) -> Array | None:
        """Return values of one step each as an array (B, D); None if some cannot be used, or are no such steps."""
        return None

    def step_each(self, ids: Sequence[str], values: Array, state: State, last: Array) -> Batch:
        """Step the model once for each of B streams, with values (B, D) that ``columns`` made."""
        raise NotImplementedError

    @abstractmethod
    def result_of(self, one: Placed, batch: Batch, alarms: Alarms, at: int) -> EventResult:
        """Return the result of an event whose steps begin at a place of the batch."""

    def finite_results(self, batch: Batch) -> tuple[list[float], list[list[float | None]]] | None:
        """Return surprisals and expected values as lists, if each step is an event and all are finite; or None."""
        return None

    def shown(self, event: dict[str, Any]) -> dict[str, Any]:
        """Return an event of a history as it is answered, with the text of its symbols."""
        return event

    @abstractmethod
    def replayed(self, values: Array, spelled: str | None) -> list[Placed]:
        """Return the events that lead to the values (T, D) of a history; none if the model cannot read it.

        Args:
            values: The values.
            spelled: The spelling that they were written in, as ``spelled`` has it; None if they are numbers or
                unknown.
        """

    @abstractmethod
    def following(self, unique_id: str, state: State, last: Array, push: Push) -> Next | None:
        """Return the distribution of the next event, as a push asks for it."""


def given(push: Push) -> list[Any]:
    """Return the values of a push as they were sent."""
    return [push.y] if push.events is UNSET else [event.y for event in push.events]
