"""The program of a TensorBoard's process, which serves on its parent's socket.

It runs as ``python -m hopsml_flows.board.tensorboard_program``. The parent writes to its standard
input what to show. It exits when standard input ends, because then the parent is gone. TensorFlow
is never imported: TensorBoard's data server reads the event files. If the platform has none, or the
system limits open files too much, TensorBoard's own reader in Python does.
"""

from __future__ import annotations

import functools
import os
import pickle
import resource
import shutil
import signal
import sys
import threading
import traceback
import types
from pathlib import Path

import psutil

from hopsml_flows.board.scope import Shown

__all__ = ["main"]

_FAST_RELOAD_SECONDS = 2
_SLOW_RELOAD_SECONDS = 10
"""Seconds between two looks at the files. The reader in Python takes 1 s per 1,000 trials."""

_FIRST_LOOK_SECONDS = 10.0
"""How long the first page waits at most for the content of storage."""

_FILES_A_TRIAL = 6
"""Files per trial that the data server keeps open. At the limit on open files it sees none."""

_OTHER_FILES = 100


def main() -> None:
    """Serve a TensorBoard until standard input ends or SIGTERM arrives."""
    os.nice(10)  # trials come first
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    shown, descriptor, address, scratch = pickle.load(sys.stdin.buffer)
    try:
        _serve(shown, descriptor, address, Path(scratch))
        _end_with(psutil.Process().children())
        sys.stdin.buffer.read()
        # The parent is gone, and cannot remove it.
        shutil.rmtree(scratch, ignore_errors=True)
    except SystemExit:
        pass
    except BaseException:
        traceback.print_exc()
        _leave(1)
    _leave(0)


def _serve(shown: Shown, descriptor: int, address: tuple[str, int], scratch: Path) -> None:
    # The mark of TensorBoard's build without TensorFlow. Where it is missing, TensorBoard imports
    # an installed TensorFlow: 800 MB, and seconds.
    sys.modules["tensorboard.compat.notf"] = types.ModuleType("tensorboard.compat.notf")
    from tensorboard.program import TensorBoard

    from hopsml_flows.board.pages import HandedOverServer
    from hopsml_flows.board.plugins import plugins_while_running

    host, port = address
    fast = _has_data_server() and _may_open(_FILES_A_TRIAL * shown.trials + _OTHER_FILES)
    board = TensorBoard(
        plugins=plugins_while_running() if shown.runs else None,
        server_class=functools.partial(HandedOverServer, descriptor=descriptor),
    )
    board.configure(
        logdir=str(_logdir(shown, scratch)),
        host=host,
        port=port,
        window_title=shown.title,
        load_fast="auto" if fast else "false",
        reload_interval=_FAST_RELOAD_SECONDS if fast else _SLOW_RELOAD_SECONDS,
        reload_multifile=True,  # several files of a trial grow at the same time
    )
    board.launch()


def _logdir(shown: Shown, scratch: Path) -> Path:
    """Return the directory that TensorBoard reads: the shown one itself, or a view."""
    if shown.local_directory is not None:
        return shown.local_directory
    from hopsml_flows.board.view import View

    view = View(shown, scratch / f"view-{os.getpid()}")
    threading.Thread(target=view.keep, name="hopsml-view", daemon=True).start()
    # The first page waits a little, rather than to be empty.
    view.looked.wait(_FIRST_LOOK_SECONDS)
    return view.root


def _end_with(servers: list[psutil.Process]) -> None:
    """End this process when the data server ends: without it, pages show only errors."""

    def look(*_: object) -> None:
        if any(server.status() == psutil.STATUS_ZOMBIE for server in servers):
            raise RuntimeError("TensorBoard's data server has died")

    signal.signal(signal.SIGCHLD, look)
    look()


def _has_data_server() -> bool:
    """Whether TensorBoard's data server exists for this platform."""
    try:
        import tensorboard_data_server
    except ImportError:
        return False
    return tensorboard_data_server.server_binary() is not None


def _may_open(count: int) -> bool:
    """Whether ``count`` files may be open at the same time; raise the limit if necessary."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < count:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (count, hard))
        except (OSError, ValueError):
            return False
    return True


def _leave(code: int) -> None:
    """End this process at once, after its children."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for child in psutil.Process().children():
        child.kill()
        child.wait()
    os._exit(code)


if __name__ == "__main__":
    main()
