"""The server's camera: capture, status, annotated stream, and the relay that shares it between processes through Redis."""
