"""The threads of a worker, so that workers do not compete for the cores."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar, final

from ostinato.arguments import thread_count
from ostinato.threads import VARIABLE, computing, is_auto
from ostinato.wording import for_a_command, of_a_command

Item = TypeVar("Item")
Result = TypeVar("Result")

NAMES = (VARIABLE, "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "POLARS_MAX_THREADS")


def environment(count: int) -> dict[str, str]:
    """Return the environment variables that set the number of threads; they must be set before the libraries load."""
    return dict.fromkeys(NAMES, str(count))


def each_worker(threads: Any) -> int:
    """Return the number of threads of each worker for the option ``threads``: with "auto" one.

    The parts of a panel have one thread in this process too, so that their results do not depend on where they are
    computed.

    Raises:
        ConfigError: The value is neither "auto" nor a whole number from 1 to 1024.
    """
    return 1 if is_auto(threads) else thread_count(threads)


@final
@dataclass(frozen=True)
class Threaded(Generic[Item, Result]):
    """The work on an item with a number of threads; it can be sent to another machine.

    Attributes:
        work: The function to call.
        threads: The number of threads.
        commanded: Whether the messages of the work are read by the user of a command.
    """

    work: Callable[[Item], Result]
    threads: int
    commanded: bool = field(default_factory=of_a_command)

    def __call__(self, item: Item) -> Result:
        """Return the result of an item."""
        with computing(self.threads), for_a_command(self.commanded):
            return self.work(item)
