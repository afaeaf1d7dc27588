"""A TensorBoard in the foreground, which runs until the user interrupts it."""

from __future__ import annotations

import errno
from collections.abc import Callable

from hopsml_flows.board import settings
from hopsml_flows.board.scope import Shown
from hopsml_flows.board.tensorboard_process import Board
from hopsml_flows.errors import InvalidArgumentError, TensorBoardError
from hopsml_flows.text import one_line

__all__ = ["open_board", "serve"]

_PORT = 6006
"""TensorBoard's usual port."""

_HIGHEST = 65535


def serve(shown: Shown, *, host: str | None = None, port: int | None = None) -> None:
    """Run a TensorBoard until Ctrl-C, and print its URL.

    Args:
        shown: The directories to show.
        host: Address to listen on; None for the environment's, or the loopback address.
        port: Port to listen on, 0 for any free one; None for 6006, or any free one if that is
            taken.

    Raises:
        InvalidArgumentError: This machine does not have the address, or the port is not free.
        TensorBoardError: TensorBoard cannot run; the message says why.
    """
    reasons: list[str] = []
    board = open_board(shown, host, port, reasons.append)
    try:
        board.start()
        print(f"TensorBoard of {one_line(shown.title)}: {board.url} (Ctrl-C ends it)", flush=True)
        board.wait()
    except KeyboardInterrupt:
        return
    finally:
        board.close()
    raise TensorBoardError(reasons[0])


def open_board(
    shown: Shown, host: str | None, port: int | None, complain: Callable[[str], None]
) -> Board:
    """Return a TensorBoard that listens and has not been started.

    Args:
        shown: The directories to show.
        host: Address to listen on; None for the environment's, or the loopback address.
        port: Port to listen on, 0 for any free one; None for 6006, or any free one if that is
            taken.
        complain: Called from another thread with the reason if TensorBoard cannot run.

    Raises:
        InvalidArgumentError: This machine does not have the address, or the port is not free.
    """
    if port is not None and not 0 <= port <= _HIGHEST:
        raise InvalidArgumentError("port", port, f"must be a port number from 0 to {_HIGHEST}")
    host = host or settings.host()
    try:
        return Board(shown, host=host, port=_PORT if port is None else port, complain=complain)
    except OSError as error:
        about_port = error.errno in (errno.EADDRINUSE, errno.EACCES)
        if about_port and port is None:
            return open_board(shown, host, 0, complain)
        reason = error.strerror or str(error)
        if about_port:
            raise InvalidArgumentError("port", port, f"must be free on {host} ({reason})") from None
        allowed = f"must be an address of this machine ({reason})"
        raise InvalidArgumentError("host", host, allowed) from None
