"""A worker's handle of the process that trains for it: start it, talk to it, end it."""

from __future__ import annotations

import json
import logging
import os
import pickle
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from multiprocessing import Pipe
from multiprocessing.connection import Connection

from hopsml_flows.errors import TrialTimeoutError
from hopsml_flows.execution.credentials import Lent, encoded
from hopsml_flows.execution.current_directory import standing_directory
from hopsml_flows.execution.deadline import GRACE_SECONDS
from hopsml_flows.execution.process.ending import described_end
from hopsml_flows.execution.process.messages import Called, Calling, Done, Line, Ready, Work
from hopsml_flows.execution.process.training_program import descendants, kill
from hopsml_flows.trials import Failure

__all__ = ["LEAVE_SECONDS", "TrainingProcess", "overdue"]

_logger = logging.getLogger(__name__)

_TERMINATE_SECONDS = 1.0
"""What a process that is stopped has for an end of its own; TensorFlow lets that pass unused."""

LEAVE_SECONDS = 8.0
"""What a process with nothing more to do has for exit handlers of training code."""

_KILLED_SECONDS = 10.0
"""What a killed process has to be gone; one that waits for a dead disk or driver is not."""

_SILENT_SECONDS = 1.0
"""How long a process that has closed its socket may take to end."""

_WRITE_SECONDS = 0.5
"""How long a process may take, after the grace, to write the stacks of its threads."""

_SAID_BYTES = 4000
"""So much of what it wrote outside of its log is told."""

_BOOT = (
    "import json, sys; sys.path[:] = json.loads(sys.argv.pop()); "
    "from hopsml_flows.execution.process.training_program import main; main(int(sys.argv.pop()))"
)


class TrainingProcess:
    """A process that carries out orders.

    Args:
        work: What it is started for.
        environment: Its environment variables.

    Attributes:
        was_ended: Whether it was running when it was ended.
        said_outside: The end of what it wrote before and after its training, when it is over.
    """

    def __init__(self, work: Work, environment: Mapping[str, str]) -> None:
        # Its log begins with its training; an interpreter that fails before that writes here.
        self._output = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process
        own, other = Pipe()
        self._connection: Connection = own
        self._called_at: float | None = None
        self._silent_since: float | None = None
        self._cut_off = False
        self._lent: Lent | None = None
        self._lock = threading.Lock()
        self._ended = False
        self.was_ended = False
        self.said_outside = ""
        with other:
            self._process = subprocess.Popen(
                [sys.executable, "-c", _BOOT, str(other.fileno()), _search_path(environment)],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=self._output,
                stderr=self._output,
                cwd=standing_directory(),
                pass_fds=[other.fileno()],
                # A group of its own: data loaders and the like end with it, and Ctrl-C does not
                # reach it.
                start_new_session=True,
            )
        self._send(work)

    @property
    def pid(self) -> int:
        """Its process identifier."""
        return self._process.pid

    def lend(self, lent: Lent | None) -> None:
        """Give it temporary credentials, if it does not have them.

        Args:
            lent: The credentials; None for nothing.
        """
        if lent is not None and lent is not self._lent:
            self._lent = lent
            with suppress(BrokenPipeError, ConnectionResetError):
                self._connection.send_bytes(encoded(lent))

    def order(self, order: object) -> None:
        """Send an order.

        Args:
            order: What the process's work takes.
        """
        self._called_at = None
        self._send(order)

    @property
    def is_over(self) -> bool:
        """Whether it has ended, or has cut itself off and does not end."""
        if self._process.poll() is not None:
            return True
        if self._silent_since is None:
            return False
        self._cut_off = time.monotonic() - self._silent_since > _SILENT_SECONDS
        return self._cut_off

    @property
    def calling_seconds(self) -> float:
        """How long the training function has been running; 0 while it is not."""
        return 0.0 if self._called_at is None else time.monotonic() - self._called_at

    def is_overdue(self, limit: float | None) -> bool:
        """Whether the training function runs on long after it was asked to stop.

        Args:
            limit: The trial's ``trial_timeout`` in seconds, or None.
        """
        return limit is not None and self.calling_seconds > limit + GRACE_SECONDS + _WRITE_SECONDS

    def told(self, timeout: float, lines: Callable[[int, str], None] | None) -> Done | Ready | None:
        """Its next answer; None where none comes in time.

        Args:
            timeout: Longest wait in seconds.
            lines: Gets level and text of its messages meanwhile, or None.
        """
        if self._silent_since is not None:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout)
            return None
        try:
            while self._connection.poll(timeout):
                told = pickle.loads(self._connection.recv_bytes())
                match told:
                    case Line():
                        if lines is not None:
                            lines(told.level, told.text)
                    case Calling():
                        self._called_at = time.monotonic()
                    case Called():
                        self._called_at = None
                    case _:
                        self._called_at = None
                        return told  # type: ignore[no-any-return]
                timeout = 0.0  # all that is there: its process may be over
        except (EOFError, OSError):  # it is over, or has closed its descriptors
            self._silent_since = time.monotonic()
        return None

    def leave(self) -> None:
        """Let it exit as a script does at its end; end it where that takes too long."""
        self.dismiss()
        self.await_exit(time.monotonic() + LEAVE_SECONDS)

    def dismiss(self) -> None:
        """Tell it to exit as a script does at its end."""
        with suppress(OSError):
            self._connection.send_bytes(b"")

    def await_exit(self, until: float) -> None:
        """Wait for the exit of a process that was dismissed, and end it after that.

        Args:
            until: The last moment, on the clock of ``time.monotonic``.
        """
        try:
            self._process.wait(max(0.0, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            _logger.warning(
                "exit handlers of training code took more than %g s and were ended", LEAVE_SECONDS
            )
        self.end(at_once=True)

    def end(self, *, at_once: bool) -> None:
        """End it where it runs, and what it has started.

        Args:
            at_once: It has nothing more to do.
        """
        with self._lock:
            if self._ended:
                return
            self._ended = True
        self.was_ended = self._process.poll() is None and not self._cut_off
        family = descendants(self._process.pid)
        if self.was_ended and not at_once:
            self._signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(_TERMINATE_SECONDS)
        self._signal(signal.SIGKILL)
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_KILLED_SECONDS)
        kill(family)
        self._connection.close()
        with self._output as output:
            output.seek(max(0, output.seek(0, os.SEEK_END) - _SAID_BYTES))
            self.said_outside = output.read().decode(errors="replace").strip()

    def how_it_ended(self, memory: str = "") -> str:
        """How it ended, as the end of a sentence; once :meth:`end` was called.

        Args:
            memory: What is known of its memory, as a part of a sentence.
        """
        if self._cut_off:
            return "closed the descriptor by which it talks to its worker, and was ended"
        code = self._process.poll()
        if code is None:
            return "was killed and does not end"
        return described_end(code, memory=memory, stack=self._called_at is not None)

    def _send(self, message: object) -> None:
        with suppress(BrokenPipeError, ConnectionResetError):  # it is over, which will be noticed
            self._connection.send_bytes(pickle.dumps(message))

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)


def overdue(limit: float | None) -> Failure:
    """The failure of a trial whose process was ended because it did not stop.

    Args:
        limit: The trial's ``trial_timeout`` in seconds.
    """
    message = f"stopped after trial_timeout of {limit:g} s, and its process with it"
    return Failure(TrialTimeoutError.__name__, message)


def _search_path(environment: Mapping[str, str]) -> str:
    """The worker's search path, behind what PYTHONPATH has besides; as JSON."""
    said = environment.get("PYTHONPATH", "").split(os.pathsep)
    first = [entry for entry in said if entry and entry not in sys.path]
    # Python, too, skips entries that are no strings.
    return json.dumps([*first, *(entry for entry in sys.path if isinstance(entry, str))])
