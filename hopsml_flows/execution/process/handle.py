"""A worker's handle of a training process: it starts the process, talks to it and ends it."""

from __future__ import annotations

import json
import logging
import math
import os
import pickle
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import Pipe
from multiprocessing.connection import Connection

from hopsml_flows.errors import TrialTimeoutError
from hopsml_flows.execution.credentials import Lent, encoded
from hopsml_flows.execution.current_directory import standing_directory
from hopsml_flows.execution.deadline import GRACE_SECONDS
from hopsml_flows.execution.process.ending import described_end
from hopsml_flows.execution.process.messages import (
    Called,
    Calling,
    Done,
    Line,
    Listener,
    Ready,
    Reported,
    Work,
)
from hopsml_flows.execution.process.messages import encoded as encoded_instruction
from hopsml_flows.execution.process.training_program import descendants, kill
from hopsml_flows.execution.report_link import HEED_SECONDS, Instruction
from hopsml_flows.search.decisions import Why
from hopsml_flows.trials import Failure

__all__ = ["DEAF", "LEAVE_SECONDS", "TrainingProcess", "Unheeded", "timeout_failure"]

_logger = logging.getLogger(__name__)

_TERMINATE_SECONDS = 1.0
"""Time between SIGTERM and SIGKILL for a process that is stopped; TensorFlow does not use it."""

LEAVE_SECONDS = 8.0
"""Time that a process without further trials has for exit handlers of training code."""

_KILLED_SECONDS = 10.0
"""Longest wait for a killed process to end; it never does if a dead disk or device blocks it."""

_SILENT_SECONDS = 1.0
"""How long a process may take to end after it has closed its socket."""

_WRITE_SECONDS = 0.5
"""Time after the grace period in which a process writes the stacks of its threads."""

_SAID_BYTES = 4000
"""Most bytes that are passed on of what a process wrote outside its log."""

DEAF = Listener()
"""Drops what comes before an answer."""

_BOOT = (
    "import json, sys; sys.path[:] = json.loads(sys.argv.pop()); "
    "from hopsml_flows.execution.process.training_program import main; "
    "main(int(sys.argv.pop()), spare=sys.argv.pop() == 'spare')"
)


@dataclass(frozen=True, slots=True)
class Unheeded:
    """A request to stop early that a training function swallowed.

    Args:
        why: Why it was to stop.
        last: Step and metric of its last finite report; None if there was none.
    """

    why: Why
    last: tuple[int, float] | None


class TrainingProcess:
    """A training process that carries out the worker's orders.

    Args:
        environment: Its environment variables.
        work: What the process does with an order; None for a spare process, which has imported
            what a :class:`TrialWork` needs when it gets one (:meth:`load`).

    Attributes:
        was_ended: Whether it was not over yet (:attr:`is_over`) when :meth:`end` ended it.
        outside_output: The last 4000 bytes of what it wrote outside its log, before and after its
            training. Set by :meth:`end`.
    """

    def __init__(self, environment: Mapping[str, str], work: Work | None) -> None:
        self._surroundings = _surroundings(environment)
        _, directory, path = self._surroundings
        # The log begins with the training. What the interpreter writes before that goes here.
        self._output = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process
        own, other = Pipe()
        self._connection: Connection = own
        self._called_at: float | None = None
        self._silent_since: float | None = None
        self._cut_off = False
        self._stop: Why | None = None
        self._asked_at: float | None = None  # when the function was known to have been asked
        self._reported_at: float | None = None
        self._last_finite: tuple[int, float] | None = None  # step and metric
        self._lent: Lent | None = None
        self._lock = threading.Lock()
        self._sending = threading.Lock()
        self._ended = False
        self.was_ended = False
        self.outside_output = ""
        with other:
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-c", _BOOT, "spare" if work is None else "loaded"),
                    *(str(other.fileno()), path),
                ],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=self._output,
                stderr=self._output,
                cwd=directory,
                pass_fds=[other.fileno()],
                # In its own process group, data loaders and the like end with it, and Ctrl-C does
                # not reach it.
                start_new_session=True,
            )
        if work is not None:
            self.load(work)

    def load(self, work: Work) -> None:
        """Say what it does with orders; this is done once."""
        self._send(work)

    def fits(self, environment: Mapping[str, str]) -> bool:
        """Whether it runs as a process that started now would.

        Args:
            environment: The environment variables that it should have.
        """
        return self._surroundings == _surroundings(environment) and not self.is_over

    @property
    def pid(self) -> int:
        """Its process identifier."""
        return self._process.pid

    def lend(self, lent: Lent | None) -> None:
        """Send it temporary credentials, unless it has them.

        Args:
            lent: The credentials; None for nothing.
        """
        if lent is not None and lent is not self._lent:
            self._lent = lent
            with self._sending, suppress(BrokenPipeError, ConnectionResetError):
                self._connection.send_bytes(encoded(lent))

    def instruct(self, instruction: Instruction) -> None:
        """Tell the trial that runs in it what the driver says; any thread may call this.

        Args:
            instruction: It.
        """
        if instruction.stop is not None and self._stop is None:
            self._stop = instruction.stop
        with self._sending, suppress(OSError):  # it has ended, and the trial with it
            self._connection.send_bytes(encoded_instruction(instruction))

    @property
    def unheeded(self) -> Unheeded | None:
        """The request to stop that the training function swallows, reporting on; None for none."""
        if self._stop is None or self._asked_at is None or self._reported_at is None:
            return None
        late = self._reported_at > self._asked_at + HEED_SECONDS + GRACE_SECONDS
        return Unheeded(self._stop, self._last_finite) if late else None

    def order(self, order: object) -> None:
        """Send an order.

        Args:
            order: An order that the process's work takes.
        """
        self._called_at = None
        self._stop = self._asked_at = self._reported_at = self._last_finite = None
        self._send(order)

    @property
    def is_over(self) -> bool:
        """Whether it has ended, or closed its socket over 1 s ago and still runs."""
        if self._process.poll() is not None:
            return True
        if self._silent_since is None:
            return False
        self._cut_off = time.monotonic() - self._silent_since > _SILENT_SECONDS
        return self._cut_off

    @property
    def calling_seconds(self) -> float:
        """Seconds for which the training function has been running; 0 while it does not run."""
        return 0.0 if self._called_at is None else time.monotonic() - self._called_at

    def is_overdue(self, limit: float | None) -> bool:
        """Whether the training function still runs after its limit and the time to stop.

        Args:
            limit: The trial's ``trial_timeout`` in seconds, or None.
        """
        return limit is not None and self.calling_seconds > limit + GRACE_SECONDS + _WRITE_SECONDS

    def next_answer(self, timeout: float, listener: Listener = DEAF) -> Done | Ready | None:
        """Wait for its next answer; None if none comes in time.

        Args:
            timeout: Longest wait in seconds.
            listener: Gets what comes meanwhile.
        """
        if self._silent_since is not None:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout)
            return None
        try:
            while self._connection.poll(timeout):
                told = pickle.loads(self._connection.recv_bytes())
                match told:
                    case Line(level, text):
                        if listener.lines is not None:
                            listener.lines(level, text)
                    case Reported(reports, asked):
                        self._note(reports, asked=asked)
                        if listener.reports is not None:
                            listener.reports(reports)
                    case Calling():
                        self._called_at = time.monotonic()
                    case Called():
                        self._called_at = None
                    case _:
                        self._called_at = None
                        return told  # type: ignore[no-any-return]
                timeout = 0.0  # read only what is there: the process may have ended
        except (EOFError, OSError):  # it has ended, or closed its descriptors
            self._silent_since = time.monotonic()
        return None

    def leave(self) -> None:
        """Let it exit as a script does at its end; end it if that takes too long."""
        self.dismiss()
        self.await_exit(time.monotonic() + LEAVE_SECONDS)

    def dismiss(self) -> None:
        """Tell it to exit as a script does at its end."""
        with suppress(OSError):
            self._connection.send_bytes(b"")

    def await_exit(self, until: float) -> None:
        """Wait for a dismissed process to exit, then end what still runs of it.

        Args:
            until: When to stop waiting, on the clock of ``time.monotonic``.
        """
        try:
            self._process.wait(max(0.0, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            _logger.warning(
                "ended exit handlers of training code that took more than %g s", LEAVE_SECONDS
            )
        self.end(at_once=True)

    def end(self, *, at_once: bool) -> None:
        """End it if it runs, with all processes that it has started.

        Args:
            at_once: Whether to end it without SIGTERM and 1 s to stop by itself.
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
            self.outside_output = output.read().decode(errors="replace").strip()

    def how_it_ended(self, memory: str = "") -> str:
        """How it ended, as the end of a sentence. Call :meth:`end` first.

        Args:
            memory: What is known of its memory, as a part of a sentence; "" for nothing.
        """
        if self._cut_off:
            return "closed its connection to the worker, and was ended"
        code = self._process.poll()
        if code is None:
            return "was killed but does not end"
        return described_end(code, memory=memory, stack=self._called_at is not None)

    def _note(self, reports: tuple[tuple[int, float], ...], *, asked: bool) -> None:
        self._reported_at = time.monotonic()
        if asked and self._asked_at is None:
            self._asked_at = self._reported_at
        for step, metric in reports:
            if math.isfinite(metric):
                self._last_finite = step, metric

    def _send(self, message: object) -> None:
        # If it has ended, `is_over` says so.
        with self._sending, suppress(BrokenPipeError, ConnectionResetError):
            self._connection.send_bytes(pickle.dumps(message))

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)


def timeout_failure(limit: float | None) -> Failure:
    """The failure of a trial that did not stop in time, so that its process was ended.

    Args:
        limit: The trial's ``trial_timeout`` in seconds.
    """
    message = f"stopped after trial_timeout of {limit:g} s, and its process with it"
    return Failure(TrialTimeoutError.__name__, message)


def _surroundings(environment: Mapping[str, str]) -> tuple[dict[str, str], str, str]:
    """Environment, working directory and search path of a process."""
    return dict(environment), standing_directory(), _search_path(environment)


def _search_path(environment: Mapping[str, str]) -> str:
    """The worker's search path as JSON, after the further entries of the process's PYTHONPATH."""
    said = environment.get("PYTHONPATH", "").split(os.pathsep)
    first = [entry for entry in said if entry and entry not in sys.path]
    # Entries that are no strings are left out: Python skips them too.
    return json.dumps([*first, *(entry for entry in sys.path if isinstance(entry, str))])
