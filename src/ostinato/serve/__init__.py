"""Live streams behind HTTP and WebSocket: the only room that imports a web framework, or a database of states."""
