"""A TensorBoard in a frame below a notebook's cell. It runs beside the cells, not in one."""

from __future__ import annotations

import atexit
import os
from html import escape
from typing import Any
from urllib.parse import urlsplit

from hopsml_flows.board.foreground import open_board
from hopsml_flows.board.scope import Shown
from hopsml_flows.board.tensorboard_process import Board
from hopsml_flows.notebook import cell_output
from hopsml_flows.text import one_line, unicode_text
from hopsml_flows.user_warnings import warn

__all__ = ["PROXY_VARIABLE", "show_inline"]

PROXY_VARIABLE = "TENSORBOARD_PROXY_URL"
"""Environment variable with the URL at which browsers reach a port of this machine, ``%PORT%``;
TensorBoard's own notebook extension reads it too."""

_HEIGHT = 800

_boards: dict[tuple[str, tuple[tuple[str, str], ...]], Board] = {}
"""The TensorBoards of this kernel, by project and directories."""


def show_inline(shown: Shown, *, host: str | None = None, port: int | None = None) -> None:
    """Show a TensorBoard in a frame, with its link, and return at once.

    It runs until the kernel ends. Another call with the same directories shows the same one again,
    or replaces it where it has ended or the call names another address.

    Args:
        shown: The directories to show.
        host: Address to listen on; None for the environment's, or the loopback address.
        port: Port to listen on, 0 for any free one; None for 6006, or any free one if that is
            taken.

    Raises:
        InvalidArgumentError: This machine does not have the address, or the port is not free.
    """
    board = _running_board(shown, host, port)
    title = f"TensorBoard of {unicode_text(one_line(shown.title))}"
    cell_output().show(f"{title}: {board.url}", _frame(title, board.url))


def _running_board(shown: Shown, host: str | None, port: int | None) -> Board:
    key = (shown.project.url, shown.directories)
    known = _boards.get(key)
    is_meant = known is not None and host is None and port in (None, urlsplit(known.url).port)
    if known is not None and is_meant and known.is_running:
        return known
    board = open_board(shown, host, port, warn)  # a wrong argument leaves the other one as it is
    if known is not None:
        atexit.unregister(known.close)
        known.close()
    _boards[key] = board
    atexit.register(board.close)  # it removes its temporary files
    board.start()
    return board


def _frame(title: str, url: str) -> str:
    from IPython.display import IFrame

    proxy = os.environ.get(PROXY_VARIABLE)
    seen = proxy.replace("%PORT%", str(urlsplit(url).port)) if proxy else url
    link = f'<a href="{escape(seen)}" target="_blank" rel="noopener">{escape(seen)}</a>'
    frame: Any = IFrame(escape(seen), width="100%", height=_HEIGHT)
    return f"<div>{escape(title)}: {link}</div>{frame._repr_html_()}"
