"""The Ray executor: many processes, on one machine or several, work on the parts of a panel."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from ostinato.arguments import whole
from ostinato.data.extras import missing
from ostinato.errors import ConfigError, LostError, OstinatoError
from ostinato.scale.threads import Threaded, each_worker, environment
from ostinato.threads import Threads

Item = TypeVar("Item")
Result = TypeVar("Result")

#: The number of times that a part is tried again after its worker or its machine died.
RETRIES = 10

#: The number of attempts to connect, and the words of Ray for a process on the head that ended before it could answer.
ATTEMPTS, NOT_STARTED = 3, "Initialization failure from server"


@dataclass(frozen=True)
class Cluster:
    """A Ray cluster, as ``scale.ray`` makes it.

    Attributes:
        address: The address of the cluster, or None.
        workers: The number of parts that are worked on at the same time, or None.
        threads: The number of processors and threads of each worker.
        on_joined: A function that is called with the address of the cluster or its dashboard.
    """

    address: str | None
    workers: int | None
    threads: int
    on_joined: Callable[[str], None] | None = None

    def map(self, work: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """Yield the results of the items as they are done. A worker that dies is replaced, and its item is done again.

        Args:
            work: The function to call.
            items: The arguments, one for each call.

        Yields:
            The results.

        Raises:
            ConfigError: Ray is not installed, or no cluster answers.
            LostError: The workers of an item died several times or do not start.
        """
        with self.joined() as ray:
            shared = ray.put(Threaded(work, self.threads))
            task = ray.remote(_call).options(
                num_cpus=self.threads, max_retries=RETRIES, runtime_env={"env_vars": environment(self.threads)}
            )
            # more items than processors, so that no processor waits until the next item is sent
            most = self.workers or 2 * max(1, int(ray.cluster_resources().get("CPU", 1)) // self.threads)
            waiting: list[Any] = []
            for item in items:
                if len(waiting) >= most:
                    yield _next(ray, waiting)
                waiting.append(task.remote(shared, item))
            while waiting:
                yield _next(ray, waiting)

    def _connected(self, ray: Any) -> Any:
        """Connect to the cluster.

        The head starts a process for each program that connects, on a port that another cluster of the machine may take
        in the same moment. The process then ends at once, and the next attempt gets another port.
        """
        attempt = 1
        while True:
            try:
                return ray.init(
                    address=self.address, ignore_reinit_error=True, log_to_driver=False, logging_level="warning"
                )
            except ConnectionError as error:
                if attempt == ATTEMPTS or NOT_STARTED not in str(error):
                    raise
                attempt += 1
                ray.shutdown()

    @contextmanager
    def joined(self) -> Iterator[Any]:
        """Connect to the cluster, and disconnect at the end unless the program was connected before.

        Raises:
            ConfigError: Ray is not installed, or the cluster cannot be reached.
            LostError: The connection was lost while the block ran.
        """
        try:
            import ray
        except ImportError as error:
            raise missing("a run on a cluster", "ray", "ray") from error
        if ray.is_initialized():
            yield ray
            return
        try:
            context = self._connected(ray)
        except (ConnectionError, ValueError, RuntimeError) as error:
            fix = "check the address, and check with `ray status` that the cluster runs"
            raise ConfigError(f"cannot connect to a Ray cluster: {error}", where=self.address, fix=fix) from error
        import grpc  # the transport of a connection to a remote cluster

        try:
            if self.on_joined:
                self.on_joined(_address_in_words(context, self.address))
            yield ray
        except (ConnectionError, grpc.RpcError) as error:
            fix = "run the command again: the finished parts are kept"
            raise LostError("the connection to the cluster was lost", where=self.address, fix=fix) from error
        finally:
            ray.shutdown()


def ray(
    address: str | None = None,
    *,
    workers: int | None = None,
    threads: Threads = "auto",
    on_joined: Callable[[str], None] | None = None,
) -> Cluster:
    """Return a Ray cluster to work on, as in ``scale.forecast(..., on=scale.ray("ray://head:10001"))``.

    Args:
        address: The address ray://HOST:PORT; if left out, the cluster that runs on this machine, or a new one.
        workers: The number of parts that are worked on at the same time; the number of processors if left out.
        threads: The number of processors and threads of each worker; "auto" is 1.
        on_joined: A function that is called with the address of the cluster or its dashboard.

    Returns:
        The cluster, for the argument ``on``.

    Raises:
        ConfigError: The number of workers or threads is less than 1.
    """
    workers, threads = None if workers is None else whole("workers", workers), each_worker(threads)
    return Cluster(address, workers, threads, on_joined)


def _address_in_words(context: Any, address: str | None) -> str:
    """Return the address of the dashboard, or of the cluster, in words."""
    if context.dashboard_url:
        return f"Ray's dashboard: http://{context.dashboard_url.removeprefix('http://')}"
    where = address or context.address_info["address"]
    return f"Ray runs at {where}; for a dashboard: pip install 'ray[default]'"


def _call(work: Callable[[Item], Result], item: Item) -> Result:
    return work(item)


def _next(ray: Any, waiting: list[Any]) -> Any:
    """Return the next result and remove its reference from the list. Raise the error of the work, if it failed."""
    try:
        (ready,), waiting[:] = ray.wait(waiting, num_returns=1)
        return ray.get(ready)
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, OstinatoError):
            raise error.cause from error
        raise
    except ray.exceptions.RayError as error:  # a worker, a machine or Ray itself failed RETRIES times
        fix = "check the machines and their memory, then run the command again: the finished parts are kept"
        raise LostError(f"a part failed on the Ray cluster: {error}", fix=fix) from error
