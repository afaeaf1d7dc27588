"""Sockets that listen for this package's servers: of pages, of Prefect, of TensorBoard."""

from __future__ import annotations

import socket

__all__ = ["listen"]


def listen(family: int, address: tuple[object, ...], backlog: int = 128) -> socket.socket:
    """Return a listening socket: connections wait from now on until a server accepts them.

    Args:
        family: ``socket.AF_INET`` or ``socket.AF_INET6``.
        address: What it is bound to, as the family has it: host and port first.
        backlog: Most connections that wait.

    Raises:
        OSError: The address is in use, or is none of this machine.

    Example:
        >>> with listen(socket.AF_INET, ("127.0.0.1", 0)) as listener:
        ...     listener.getsockname()[0]
        '127.0.0.1'
    """
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        # The port of a server that has just ended can be bound again.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Connections inherit it. asyncio sets it only on those whose protocol is known, which it
        # is not of a listener that another process hands over; without it the body of an answer
        # waits 40 ms for the client to acknowledge the head.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        listener.bind(address)
        listener.listen(backlog)
    except BaseException:
        listener.close()
        raise
    return listener
