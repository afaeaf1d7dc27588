"""A TensorBoard in the foreground, which runs until the user interrupts it."""

from __future__ import annotations

import errno

from hopsml_flows.board import settings
from hopsml_flows.board.scope import Shown
from hopsml_flows.board.tensorboard_process import Board
from hopsml_flows.errors import InvalidArgumentError, TensorBoardError
from hopsml_flows.text import one_line

__all__ = ["serve"]

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
    board = _open_board(shown, host or settings.host(), port, reasons)
    try:
        board.start()
        print(f"TensorBoard of {one_line(shown.title)}: {board.url} (Ctrl-C ends it)", flush=True)
        board.wait()
    except KeyboardInterrupt:
        return
    finally:
        board.close()
    raise TensorBoardError(reasons[0])


def _open_board(shown: Shown, host: str, port: int | None, reasons: list[str]) -> Board:
    if port is not None and not 0 <= port <= _HIGHEST:
        raise InvalidArgumentError("port", port, f"must be a port number from 0 to {_HIGHEST}")
    try:
        return Board(
            shown, host=host, port=_PORT if port is None else port, complain=reasons.append
        )
    except OSError as error:
        about_port = error.errno in (errno.EADDRINUSE, errno.EACCES)
        if about_port and port is None:
            return _open_board(shown, host, 0, reasons)
        reason = error.strerror or str(error)
        if about_port:
            raise InvalidArgumentError("port", port, f"must be free on {host} ({reason})") from None
        allowed = f"must be an address of this machine ({reason})"
        raise InvalidArgumentError("host", host, allowed) from None
