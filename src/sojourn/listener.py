"""The socket that the server listens on. What is answered on it is left to `server` and `api`."""

from __future__ import annotations

import socket

from .errors import InvalidArgument


def listen(host: str, port: int) -> socket.socket:
    """A listening socket, before anything else is touched: a taken port is the most common mistake."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(2048)
    except OSError as error:
        raise InvalidArgument(
            "listen", f"{host}:{port}", f"must be an address that is free ({error.strerror})"
        ) from None
    listener.setblocking(False)
    return listener
