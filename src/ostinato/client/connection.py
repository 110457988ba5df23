"""A connection to a server, and a stream whose events are numbered here."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Any, final
from urllib.parse import urlencode

from ostinato.client import wire
from ostinato.client.transport import Transport
from ostinato.client.types import Event, Next, Push, Pushed, ServerError, Value


@final
class Client:
    """A connection to one server; one thread at a time uses it.

    Every method raises ServerError if the server refuses the call, or if it cannot be reached.

    Args:
        url: The address of the server, such as http://127.0.0.1:8000.
        token: The bearer token; None if the server asks for none.
        timeout: The seconds to wait for an answer.
        repeats: How often a call that may be sent again is repeated, at most 4.

    Raises:
        ConfigError: The URL is not an HTTP address, or the token has characters that no token has.
    """

    def __init__(self, url: str, token: str | None = None, *, timeout: float = 30.0, repeats: int = 4) -> None:
        self._http = Transport(url, token, timeout, repeats)

    def __repr__(self) -> str:
        return f"Client({self._http.url!r})"

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    def push(self, unique_id: str, *events: Event | Value, **asked: Any) -> Pushed:
        """Push events to a stream, which begins with its first one.

        Args:
            unique_id: The stream.
            events: Events, or only their values.
            asked: level, next and top, as in ``Push``.

        Raises:
            DataError: A value, a time or the id cannot be sent.
            ServerError: The server refused the events, and none of them was applied.
        """
        push = Push(unique_id, [e if isinstance(e, Event) else Event(e) for e in events], **asked)
        path, again = f"{wire.path_of(unique_id)}/events", wire.is_numbered([push])
        return self._http.read(wire.pushed, "POST", path, wire.written(push), again=again)

    def push_many(self, pushes: Sequence[Push]) -> list[Pushed | ServerError]:
        """Push events to many streams in one call.

        Args:
            pushes: The events of each stream, with what is asked of it.

        Returns:
            For each push its answer, or the error with which the server refused it.

        Raises:
            DataError: A value, a time or an id cannot be sent.
            ServerError: The server refused the whole call.
        """
        body = {"pushes": [{"unique_id": wire.id_of(push.unique_id), **wire.written(push)} for push in pushes]}

        def read(found: Any) -> list[Pushed | ServerError]:
            return [wire.refused(one, 422) if "error" in one else wire.pushed(one) for one in found["results"]]

        return self._http.read(read, "POST", "/v1/events", body, again=wire.is_numbered(pushes))

    def stream(self, unique_id: str) -> NumberedStream:
        """Return a stream whose events this client numbers, so that each is applied once even if an answer is lost.

        Args:
            unique_id: The stream.
        """
        try:
            seq = self._http.read(lambda found: int(found["seq"]), "GET", wire.path_of(unique_id))
        except ServerError as error:
            if error.status != 404:
                raise
            seq = 0
        return NumberedStream(self, unique_id, seq)

    def streams(self, after: str = "", limit: int = 1000) -> list[dict[str, Any]]:
        """Return descriptions of streams, in the order of their ids.

        Args:
            after: The id after which to begin.
            limit: The most streams to return.
        """
        query = urlencode({"after": wire.id_of(after) if after else "", "limit": limit})
        return self._http.read(wire.part("streams"), "GET", f"/v1/streams?{query}")

    def info(self, unique_id: str) -> dict[str, Any]:
        """Return the description of a stream.

        Args:
            unique_id: The stream.
        """
        return self._http.object("GET", wire.path_of(unique_id))

    def delete(self, unique_id: str) -> None:
        """Delete a stream with its history.

        Args:
            unique_id: The stream.
        """
        self._http.call("DELETE", wire.path_of(unique_id), again=True)

    def next(self, unique_id: str, p: Sequence[float] = (0.1, 0.5, 0.9), *, top: int = 0) -> Next:
        """Return the distribution of the next event: the quantiles at p, or of text the likeliest symbols.

        Args:
            unique_id: The stream.
            p: The probabilities of the quantiles.
            top: The number of the likeliest symbols of a text, in place of quantiles.
        """
        query = urlencode([*(("p", one) for one in p if not top), *([("top", top)] if top else [])])
        return self._http.read(wire.following, "GET", f"{wire.path_of(unique_id)}/next?{query}")

    def forecast(self, unique_id: str, horizon: int = 12, **options: Any) -> dict[str, Any]:
        """Return a forecast from the present state.

        Args:
            unique_id: The stream.
            horizon: The number of steps.
            options: level, n_paths and seed, as in ``ostinato.forecast``.
        """
        return self._http.object(
            "POST", f"{wire.path_of(unique_id)}/forecast", {"horizon": horizon, **options}, again=True
        )

    def sample(self, unique_id: str, length: int = 100, **options: Any) -> dict[str, Any]:
        """Return samples from the present state.

        Args:
            unique_id: The stream.
            length: The number of steps of each sample.
            options: Those of ``ostinato sample``, as /openapi.json lists them.
        """
        return self._http.object("POST", f"{wire.path_of(unique_id)}/sample", {"length": length, **options}, again=True)

    def fork(self, unique_id: str, to: str) -> dict[str, Any]:
        """Begin a new stream at the present state of another one.

        Args:
            unique_id: The stream.
            to: The id of the new stream.
        """
        return self._http.object("POST", f"{wire.path_of(unique_id)}/fork", {"to": to})

    def reset(self, unique_id: str) -> dict[str, Any]:
        """Begin a stream anew.

        Args:
            unique_id: The stream.
        """
        return self._http.object("POST", f"{wire.path_of(unique_id)}/reset", {})

    def history(self, unique_id: str, after: int = 0) -> list[dict[str, Any]]:
        """Return the events of a stream that the server keeps.

        Args:
            unique_id: The stream.
            after: The sequence number after which to begin.
        """
        path = f"{wire.path_of(unique_id)}/history?{urlencode({'after': after})}"
        return self._http.read(wire.part("events"), "GET", path)

    def snapshot(self, unique_id: str) -> bytes:
        """Return a stream as a file of safetensors, for ``restore`` here or on another server with the same model.

        Args:
            unique_id: The stream.
        """
        return self._http.call("GET", f"{wire.path_of(unique_id)}/snapshot", again=True)

    def restore(self, unique_id: str, snapshot: bytes) -> None:
        """Set a stream to a snapshot.

        Args:
            unique_id: The stream.
            snapshot: The bytes that ``snapshot`` returned.
        """
        self._http.call(
            "PUT", f"{wire.path_of(unique_id)}/snapshot", snapshot, kind="application/octet-stream", again=True
        )

    def model(self) -> dict[str, Any]:
        """Return the description of the model that the server serves."""
        return self._http.object("GET", "/v1/model")

    def reload(self, streams: str = "replay") -> dict[str, Any]:
        """Let the server read its model file again.

        Args:
            streams: "replay" lets each stream read its history with the new model; "fresh" lets it begin anew.
        """
        return self._http.object("POST", "/v1/model", {"streams": streams})

    def ready(self) -> bool:
        """Return whether the server takes events."""
        try:
            self._http.call("GET", "/readyz")
        except ServerError:
            return False
        return True


@final
class NumberedStream:
    """A stream of a server whose events are numbered here: only one program pushes to it.

    Attributes:
        unique_id: The stream.
        seq: The number of the last event that was applied.
    """

    def __init__(self, client: Client, unique_id: str, seq: int) -> None:
        self._client, self.unique_id, self.seq = client, unique_id, seq

    def __repr__(self) -> str:
        return f"NumberedStream: {self.unique_id!r} after event {self.seq:,} of {self._client!r}"

    def push(self, *values: Value, ds: Sequence[str | int] | None = None, **asked: Any) -> Pushed:
        """Push values, with their times if they have some.

        Args:
            values: The values, in their order.
            ds: The time of each value.
            asked: level, next and top, as in ``Push``.

        Raises:
            ServerError: The values were refused. They keep their numbers for the next push.
        """
        times: Sequence[str | int | None] = [None] * len(values) if ds is None else ds
        events = [Event(y, t, self.seq + 1 + k) for k, (y, t) in enumerate(zip(values, times, strict=True))]
        found = self._client.push(self.unique_id, *events, **asked)
        self.seq += len(values)
        return found
