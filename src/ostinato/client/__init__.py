"""A typed client of ``ostinato serve``, with nothing but Python: import it where no model is.

A push with sequence numbers may be sent again without harm, so the client repeats it by itself if a connection broke or
the server was busy. ``Client.stream`` numbers the events of a stream.
"""

from ostinato.client.connection import Client, NumberedStream
from ostinato.client.types import Event, EventResult, Next, Push, Pushed, ServerError, Value

__all__ = ["Client", "Event", "EventResult", "Next", "NumberedStream", "Push", "Pushed", "ServerError", "Value"]
