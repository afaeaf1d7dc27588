"""TensorBoard's pages on a socket that is bound already; TensorBoard itself would bind one."""

from __future__ import annotations

from typing import Any

from werkzeug.serving import WSGIRequestHandler, make_server

__all__ = ["HandedOverServer"]


class HandedOverServer:
    """What TensorBoard calls a ``TensorBoardServer``, with a listening socket of the caller's.

    Args:
        wsgi_app: TensorBoard's application.
        flags: Its flags; ``host`` and ``port`` are the socket's.
        descriptor: The socket.
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
        """Serve."""
        self._server.serve_forever()

    def get_url(self) -> str:
        """Where."""
        return self._url


class _Quiet(WSGIRequestHandler):
    """Keeps connections open, and writes no line for each request."""

    protocol_version = "HTTP/1.1"

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Nothing."""
