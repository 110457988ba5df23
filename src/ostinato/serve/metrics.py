"""What the server counts, in the text format of Prometheus."""

from __future__ import annotations

import resource
import time
from typing import TYPE_CHECKING, final

if TYPE_CHECKING:
    from ostinato.serve.batcher import Batcher
    from ostinato.serve.gate import Gate


@final
class Metrics:
    """The counters of a server.

    Args:
        batcher: What counts events.
        gate: What counts requests.
    """

    def __init__(self, batcher: Batcher, gate: Gate) -> None:
        self._batcher, self._gate, self._begun = batcher, gate, time.time()

    def text(self) -> str:
        """Return all metrics."""
        b, s = self._batcher, self._batcher.streams
        lines: list[str] = []

        def add(name: str, kind: str, help_: str, *values: tuple[str, float]) -> None:
            lines.append(f"# HELP ostinato_{name} {help_}")
            lines.append(f"# TYPE ostinato_{name} {kind}")
            lines.extend(f"ostinato_{name}{label} {value:.17g}" for label, value in values)

        add("events_total", "counter", "Steps that were applied.", ("", s.counts.events))
        add("alarms_total", "counter", "Alarms.", ("", s.counts.alarms))
        add("batches_total", "counter", "Batches that were stepped.", ("", b.applier.batches))
        add("pushes_total", "counter", "Pushes in these batches.", ("", b.applier.pushes))
        parts = [(f'{{part="{name}"}}', value) for name, value in b.applier.seconds.items()]
        add("batch_seconds_total", "counter", "Seconds in the parts of a batch.", *parts)
        add("push_seconds", "histogram", "How long pushes take, from the queue to the answer.", *b.took.lines())
        asked = [(f'{{method="{m}",status="{code}"}}', n) for (m, code), n in sorted(self._gate.answered.items())]
        add("requests_total", "counter", "Requests that were answered.", *asked)
        add("websockets", "gauge", "Open WebSockets.", ("", self._gate.sockets))
        add("streams_in_memory", "gauge", "Streams in memory.", ("", len(s.resident)))
        add("state_bytes", "gauge", "Bytes of the state of one stream.", ("", s.served.layout.width))
        add("events_waiting", "gauge", "Events that wait.", ("", b.waiting))
        add("store_failed", "gauge", "1 if the store failed last.", ("", b.access.failed is not None))
        used = resource.getrusage(resource.RUSAGE_SELF)
        add("process_cpu_seconds_total", "counter", "Processor time.", ("", used.ru_utime + used.ru_stime))
        add("process_resident_bytes", "gauge", "Memory.", ("", _resident()))
        add("process_start_time_seconds", "gauge", "When the server began, since 1970.", ("", self._begun))
        return "\n".join(lines) + "\n"


def _resident() -> int:
    """Return the memory of the process in bytes."""
    try:
        with open("/proc/self/statm", "rb") as file:  # noqa: PTH123 - a file of the kernel
            return int(file.read().split()[1]) * resource.getpagesize()
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
