"""Live streams behind HTTP and WebSocket: the only subpackage that imports a web framework, or a database of states."""
