"""Starts, watches and ends the child process that a TensorBoard runs in.

The parent binds the socket and keeps it. So no port is guessed, the URL is valid from the start,
and a TensorBoard that dies is followed by another at the same URL. The child ends when the parent
ends it, and by itself when the parent is gone, for any reason.
"""

from __future__ import annotations

import logging
import os
import pickle
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress

from hopsml_flows.board.scope import Shown
from hopsml_flows.board.settings import LOOPBACK
from hopsml_flows.execution.current_directory import standing_directory
from hopsml_flows.listening import listen
from hopsml_flows.storage import reach_loopback_directly

__all__ = ["Board"]

_TRIES = 3
_PAUSE_SECONDS = 1.0

_IN_ORDER_SECONDS = 60.0
"""Lifetime after which a process that dies does not count against the number of tries."""

_STOP_SECONDS = 10.0
_TAIL_LINES = 20

_logger = logging.getLogger(__name__)


class Board:
    """A TensorBoard in a child process, which is started again if it dies.

    Args:
        shown: The directories to show.
        host: Address or name of the interface to listen on.
        port: Port to listen on; 0 for any free one.
        complain: Called from another thread with the reason if TensorBoard cannot run; by default,
            the reason is logged as a warning.

    Raises:
        OSError: This machine does not have the address, or the port is taken.
    """

    def __init__(
        self,
        shown: Shown,
        *,
        host: str = LOOPBACK,
        port: int = 0,
        complain: Callable[[str], None] = _logger.warning,
    ) -> None:
        self._shown = shown
        self._complain = complain
        self._listener = _listen(host, port)
        self._address: tuple[str, int] = self._listener.getsockname()[:2]
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._run, name="hopsml-tensorboard", daemon=True)

    @property
    def url(self) -> str:
        """The TensorBoard's URL. A request before the start is answered after it."""
        name, port = self._address
        if name in ("0.0.0.0", "::"):
            name = socket.getfqdn()
        return f"http://[{name}]:{port}" if ":" in name else f"http://{name}:{port}"

    @property
    def is_running(self) -> bool:
        """Whether it was started, and neither closed nor given up."""
        return self._thread.is_alive() and not self._closing.is_set()

    def start(self) -> None:
        """Start the TensorBoard, and return at once. Failures go to ``complain``."""
        self._thread.start()

    def wait(self) -> None:
        """Wait until the TensorBoard is closed, or cannot run."""
        self._thread.join()

    def close(self) -> None:
        """End the TensorBoard and release its port; return when both are done."""
        with self._lock:
            self._closing.set()
            process = self._process
            if process is not None:
                process.terminate()
        if self._thread.ident is not None:
            self._thread.join(_STOP_SECONDS)
            if self._thread.is_alive() and process is not None and process.returncode is None:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                self._thread.join()
        self._listener.close()

    def _run(self) -> None:
        try:
            # Removes the files of all its processes, also of those that were killed.
            with tempfile.TemporaryDirectory(
                prefix="hopsml-tensorboard-", ignore_cleanup_errors=True
            ) as scratch:
                self._keep_running(scratch)
        except Exception as error:  # a TensorBoard must never fail the experiment that it shows
            self._complain(f"TensorBoard cannot run ({type(error).__name__}: {error})")
        finally:
            self._listener.close()  # so that no client waits for an answer that never comes

    def _keep_running(self, scratch: str) -> None:
        tries = 0
        while (process := self._start_process(scratch)) is not None:
            began = time.monotonic()
            tail = self._wait_for_end(process)
            if self._closing.is_set():
                return
            tries = 1 if time.monotonic() - began > _IN_ORDER_SECONDS else tries + 1
            if tries == _TRIES:
                self._complain(
                    f"TensorBoard cannot run: it ended {tries} times, with exit code "
                    f"{process.returncode}{f' ({tail})' if tail else ''}"
                )
                return
            self._closing.wait(_PAUSE_SECONDS)

    def _start_process(self, scratch: str) -> subprocess.Popen[bytes] | None:
        with self._lock:
            if self._closing.is_set():
                return None
            descriptor = self._listener.fileno()
            reach_loopback_directly()  # TensorBoard calls its data server by gRPC
            self._process = process = subprocess.Popen(
                # -P: do not import a tensorboard.py of the working directory.
                [sys.executable, "-P", "-m", "hopsml_flows.board.tensorboard_program"],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                cwd=standing_directory(),
                pass_fds=[descriptor],
                process_group=0,  # Ctrl-C reaches only this process, which then ends the child
                env={**os.environ, "TMPDIR": scratch, "CUDA_VISIBLE_DEVICES": ""},
            )
        assert process.stdin is not None
        with suppress(BrokenPipeError):  # the child died: its output says why
            # By a pipe: other users can read arguments and variables, and there may be secrets.
            message = (self._shown, descriptor, self._address, scratch)
            pickle.dump(message, process.stdin)
            process.stdin.flush()
        return process

    def _wait_for_end(self, process: subprocess.Popen[bytes]) -> str:
        """Wait until a process and its children have ended; return the last line of stderr."""
        assert process.stdin is not None
        assert process.stderr is not None
        lines: deque[str] = deque(maxlen=_TAIL_LINES)
        with process.stdin, process.stderr:
            for line in process.stderr:
                lines.append(line.decode(errors="replace").strip())
                _logger.debug("TensorBoard: %s", lines[-1])
            process.wait()
        return next((line for line in reversed(lines) if line), "")


def _listen(host: str, port: int) -> socket.socket:
    """Return a listening socket at the first address that a host name has."""
    family, _, _, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    return listen(family, address)
