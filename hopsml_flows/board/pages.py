"""Serves TensorBoard's pages on a socket that is bound already; TensorBoard would bind its own."""

from __future__ import annotations

from typing import Any

from werkzeug.serving import WSGIRequestHandler, make_server

__all__ = ["HandedOverServer"]


class HandedOverServer:
    """A ``TensorBoardServer``, as TensorBoard calls it, on the caller's listening socket.

    Args:
        wsgi_app: TensorBoard's application.
        flags: TensorBoard's flags; ``host`` and ``port`` are the socket's.
        descriptor: The socket's file descriptor.
    """

    def __init__(self, wsgi_app: Any, flags: Any, *, descriptor: int) -> None:
        self._server = make_server(
            flags.host,
            flags.port,
            wsgi_app,
            threaded=True,
            request_handler=_Quiet,
            fd=descriptor,
        )
        self._url = f"http://{flags.host}:{flags.port}"

    def serve_forever(self) -> None:
        """Serve until the process ends."""
        self._server.serve_forever()

    def get_url(self) -> str:
        """Return the address that TensorBoard serves on."""
        return self._url


class _Quiet(WSGIRequestHandler):
    """Keeps connections open, and writes no line for each request."""

    protocol_version = "HTTP/1.1"

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Log nothing."""
