"""Ray: where the parts of a panel are worked on by many processes, of one machine or of several."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from ostinato.errors import ConfigError, LostError, OstinatoError
from ostinato.scale.threads import environment

Item = TypeVar("Item")
Result = TypeVar("Result")

#: Times that a part is tried again after its worker or its machine died.
RETRIES = 10


@dataclass(frozen=True)
class Cluster:
    """A Ray cluster. See ``ray``."""

    address: str | None
    workers: int | None
    threads: int
    on_joined: Callable[[str], None] | None = None

    def map(self, work: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """See Workers. A worker that dies is replaced, and its part done again.

        Raises what work raises, ConfigError without ray or where no cluster answers, LostError where Ray gives a part
        up: its workers died over and over, or do not start.
        """
        with self.joined() as ray:
            shared = ray.put(work)
            task = ray.remote(_call).options(
                num_cpus=self.threads, max_retries=RETRIES, runtime_env={"env_vars": environment(self.threads)}
            )
            # more than there are processors, so that none waits for the next part to be sent to it
            most = self.workers or 2 * max(1, int(ray.cluster_resources().get("CPU", 1)) // self.threads)
            waiting: list[Any] = []
            for item in items:
                if len(waiting) >= most:
                    yield _next(ray, waiting)
                waiting.append(task.remote(shared, item))
            while waiting:
                yield _next(ray, waiting)

    @contextmanager
    def joined(self) -> Iterator[Any]:
        """ray, connected; left again where it was not before."""
        try:
            import ray
        except ImportError as error:
            raise ConfigError("ray is not installed", fix="pip install 'ostinato[ray]'") from error
        if ray.is_initialized():
            yield ray
            return
        try:
            quiet = {"log_to_driver": False, "logging_level": "warning"}
            context = ray.init(address=self.address, ignore_reinit_error=True, **quiet)
        except (ConnectionError, ValueError, RuntimeError) as error:
            fix = "check the address, and that the cluster runs: ray status"
            raise ConfigError(f"no Ray cluster answers: {error}", where=self.address, fix=fix) from error
        import grpc  # by which a program reaches a cluster elsewhere

        try:
            if self.on_joined:
                self.on_joined(_sight(context, self.address))
            yield ray
        except (ConnectionError, grpc.RpcError) as error:
            fix = "run it again: what is done is kept"
            raise LostError("the connection to the cluster was lost", where=self.address, fix=fix) from error
        finally:
            ray.shutdown()


def ray(
    address: str | None = None,
    *,
    workers: int | None = None,
    threads: int = 1,
    on_joined: Callable[[str], None] | None = None,
) -> Cluster:
    """A Ray cluster to work on: ``scale.forecast(..., on=scale.ray("ray://head:10001"))``.

    address    ray://HOST:PORT; without one the cluster that runs on this machine, or a new one on its processors
    workers    parts that are worked on at a time; as many as the cluster has processors if left out
    threads    processors, and threads to compute with, of each worker
    on_joined  is told where the cluster, or its dashboard, can be seen

    Raises ConfigError for fewer than one worker or thread.
    """
    for name, count in (("workers", workers), ("threads", threads)):
        if count is not None and count < 1:
            raise ConfigError(f"{count} {name} cannot be", fix="use 1 or more")
    return Cluster(address, workers, threads, on_joined)


def _sight(context: Any, address: str | None) -> str:
    """Where the cluster that was joined can be seen."""
    if context.dashboard_url:
        return f"Ray's dashboard: http://{context.dashboard_url.removeprefix('http://')}"
    where = address or context.address_info["address"]
    return f"Ray runs at {where}; for a dashboard: pip install 'ray[default]'"


def _call(work: Callable[[Item], Result], item: Item) -> Result:
    return work(item)


def _next(ray: Any, waiting: list[Any]) -> Any:
    """The next result; its reference leaves the list. Raises what the work raised."""
    try:
        (ready,), waiting[:] = ray.wait(waiting, num_returns=1)
        return ray.get(ready)
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, OstinatoError):
            raise error.cause from error
        raise
    except ray.exceptions.RayError as error:  # of a worker, a machine, or Ray itself, each after RETRIES tries
        fix = "see to the machines and their memory, then run it again: the parts that are done are kept"
        raise LostError(f"Ray gave a part up: {error}", fix=fix) from error
