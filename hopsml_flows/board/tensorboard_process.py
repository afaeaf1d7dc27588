"""The process that a TensorBoard runs in, seen from the one that starts it.

This side binds the socket and keeps it, so that no port is ever guessed, the URL holds from the
first moment, and a TensorBoard that dies is followed by another on the same URL. The process ends
when it is told to, and by itself when this one is gone, however that ended.
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
from hopsml_flows.storage import reach_loopback_directly

__all__ = ["Board"]

_TRIES = 3
_PAUSE_SECONDS = 1.0

_IN_ORDER_SECONDS = 60.0
"""One that lived so long was in order: if it dies, the next one has all its tries."""

_STOP_SECONDS = 10.0
_TAIL_LINES = 20

_logger = logging.getLogger(__name__)


class Board:
    """One TensorBoard.

    Args:
        shown: What it shows.
        host: Address or name of the interface that it listens on.
        port: Its port; 0 for any that is free.
        complain: Told why, from a thread of its own, if it cannot run; otherwise that is logged.

    Raises:
        OSError: There is no such address, or the port is taken.
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
        """Where it is seen; whoever asks before it has started is answered when it has."""
        name, port = self._address
        if name in ("0.0.0.0", "::"):
            name = socket.getfqdn()
        return f"http://[{name}]:{port}" if ":" in name else f"http://{name}:{port}"

    def start(self) -> None:
        """Start it; returns at once, and raises nothing: what goes wrong is logged."""
        self._thread.start()

    def wait(self) -> None:
        """Wait while it runs; returns when it is closed, or is given up as it cannot run."""
        self._thread.join()

    def close(self) -> None:
        """End it and give its port back; returns when both is done."""
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
            # Whatever is written there is removed, also by those that were killed.
            with tempfile.TemporaryDirectory(
                prefix="hopsml-tensorboard-", ignore_cleanup_errors=True
            ) as scratch:
                self._keep_running(scratch)
        except Exception as error:  # it shows an experiment, and must not cost it anything
            self._complain(f"TensorBoard cannot run ({type(error).__name__}: {error})")
        finally:
            self._listener.close()  # nobody shall wait for an answer that does not come

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
            reach_loopback_directly()  # TensorBoard asks its data server by gRPC
            self._process = process = subprocess.Popen(
                # -P: a tensorboard.py in the working directory is not meant.
                [sys.executable, "-P", "-m", "hopsml_flows.board.tensorboard_program"],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                cwd=standing_directory(),
                pass_fds=[descriptor],
                process_group=0,  # Ctrl-C belongs to this process, which ends it in its time
                env={**os.environ, "TMPDIR": scratch, "CUDA_VISIBLE_DEVICES": ""},
            )
        assert process.stdin is not None
        with suppress(BrokenPipeError):  # it died: its output says why
            # By a pipe: arguments and variables are seen by others, and there may be secrets.
            message = (self._shown, descriptor, self._address, scratch)
            pickle.dump(message, process.stdin)
            process.stdin.flush()
        return process

    def _wait_for_end(self, process: subprocess.Popen[bytes]) -> str:
        """Wait until a process, and what it started, has ended; returns its last words."""
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
    """A socket that listens: from now on, connections wait until somebody takes them."""
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    listener = socket.socket(family, kind, protocol)
    try:
        # The port of one that has just ended may be had again.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(128)
    except BaseException:
        listener.close()
        raise
    return listener
