"""Live streams behind HTTP and WebSocket. The only room that imports a web framework, or a database to keep states in."""
