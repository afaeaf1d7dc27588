"""Starting the process that a process of a group trains in, talking to it, and ending it."""

from __future__ import annotations

import json
import os
import pickle
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from multiprocessing import Pipe
from multiprocessing.connection import Connection

from hopsml_flows.execution.group.child import Assignment, Line, Ready, descendants, kill
from hopsml_flows.trials import TrialResult

__all__ = ["TrainingProcess"]

_TERMINATE_SECONDS = 1.0
"""What a process that is stopped has for an end of its own; TensorFlow lets that pass unused."""

_SAID_BYTES = 4000
"""So much of what it wrote outside of its log is told."""

_BOOT = (
    "import json, sys; sys.path[:] = json.loads(sys.argv.pop()); "
    "from hopsml_flows.execution.group.child import main; main(int(sys.argv.pop()))"
)


class TrainingProcess:
    """The process that trains.

    Args:
        assignment: What it is told.
        environment: Its environment variables.
        lines: Gets what it tells of its log, or None.

    Attributes:
        was_ended: Whether it was running when it was ended.
        said_outside: The end of what it wrote before and after its training, when it is over.
    """

    def __init__(
        self,
        assignment: Assignment,
        environment: dict[str, str],
        lines: Callable[[int, str], None] | None,
    ) -> None:
        self._lines = lines
        # Its log begins with its training; an interpreter that fails before that writes here.
        self._output = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process
        own, other = Pipe()
        self._connection: Connection = own
        self._began = time.monotonic()
        self._ended: float | None = None
        self.was_ended = False
        self.said_outside = ""
        with other:
            self._process = subprocess.Popen(
                [sys.executable, "-c", _BOOT, str(other.fileno()), _search_path(environment)],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=self._output,
                stderr=self._output,
                pass_fds=[other.fileno()],
                # A group of its own: data loaders and the like end with it, and Ctrl-C does not
                # reach it.
                start_new_session=True,
            )
        self._send(assignment)

    def begin(self, variables: dict[str, str]) -> None:
        """Let it train.

        Args:
            variables: Environment variables that it sets before.
        """
        self._began = time.monotonic()
        self._send(variables)

    @property
    def is_over(self) -> bool:
        """Whether it has ended."""
        return self._process.poll() is not None

    @property
    def seconds(self) -> float:
        """How long it ran."""
        return (self._ended or time.monotonic()) - self._began

    @property
    def returncode(self) -> int:
        """How it ended: an exit code, or a signal's number below zero."""
        return self._process.wait()

    def told(self, timeout: float) -> TrialResult | Ready | None:
        """What it says of the trial, besides its log; None where it says nothing meanwhile.

        Args:
            timeout: Longest wait in seconds.
        """
        try:
            while self._connection.poll(timeout):
                told: TrialResult | Ready | Line = pickle.loads(self._connection.recv_bytes())
                if not isinstance(told, Line):
                    return told
                if self._lines is not None:
                    self._lines(told.level, told.text)
                timeout = 0.0  # all that is there: its process may be over
        except (EOFError, OSError):
            # Its end is closed: it is over, or will be in a moment.
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout)
        return None

    def end(self, *, at_once: bool) -> None:
        """End it where it runs, and what it has started.

        Args:
            at_once: It has nothing more to do.
        """
        self._ended = time.monotonic()
        self.was_ended = not self.is_over
        family = descendants(self._process.pid)
        if self.was_ended and not at_once:
            self._signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(_TERMINATE_SECONDS)
        self._signal(signal.SIGKILL)
        self._process.wait()
        kill(family)
        self._connection.close()
        with self._output as output:
            output.seek(max(0, output.seek(0, os.SEEK_END) - _SAID_BYTES))
            self.said_outside = output.read().decode(errors="replace").strip()

    def _send(self, message: object) -> None:
        with suppress(BrokenPipeError):  # it is over already, which will be noticed
            self._connection.send_bytes(pickle.dumps(message))

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)


def _search_path(environment: Mapping[str, str]) -> str:
    """The worker's search path, behind what PYTHONPATH has besides; as JSON."""
    said = environment.get("PYTHONPATH", "").split(os.pathsep)
    first = [entry for entry in said if entry and entry not in sys.path]
    # Whatever is no string is passed over by Python as well.
    return json.dumps([*first, *(entry for entry in sys.path if isinstance(entry, str))])
