"""The attempts at a trial, told from its log: how each begins there, and is read back. Pure.

The log is the one file that later attempts go on with. Each attempt begins with the line of
:func:`begin_line`, after that of :func:`retry_line` where the worker of the one before was lost.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

__all__ = ["LoggedAttempt", "begin_line", "logged_attempts", "retry_line"]

_STAMP = r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z)"
_LINE = re.compile(rf"^{_STAMP}(?: (.*))?$", re.MULTILINE)
_RETRY = r"attempt \d+: the worker of the attempt before was lost"
_BEGIN = re.compile(
    rf"^(?:{_STAMP} ({_RETRY})\n)?"
    rf"{_STAMP} (?:worker (\S+) )?on (\S+): [\d.]+ CPU cores?, [\d.]+ GiB of memory",
    re.MULTILINE,
)
_ENDED = ("its process ", "the driver no longer waits", "the training function swallowed")
"""How the last line of an attempt begins whose worker saw the end of its process."""

_TRACEBACK = re.compile(
    r"^(?:Traceback \(most|  \+ Exception Group Traceback \(most)", re.MULTILINE
)
_LINKS = (
    "\n\nThe above exception was the direct cause of the following exception:\n\n",
    "\n\nDuring handling of the above exception, another exception occurred:\n\n",
)
_CRASH = re.compile(r"^(?:Fatal Python error: |Timeout \().*(?:\n(?!\d{4}-).*)*", re.MULTILINE)
_ENDS = 1 << 16
"""Most characters at the end of an attempt in which its last line is looked for."""


@dataclass(frozen=True, slots=True)
class LoggedAttempt:
    """What a log says of an attempt.

    Args:
        worker: Address of its worker, or "".
        host: Name of the machine that it ran on.
        started: When it began, in seconds since 1970.
        ended: When it wrote its last line.
        text: Its part of the log.
        is_retry: Whether it says that the worker of the attempt before was lost.
    """

    worker: str
    host: str
    started: float
    ended: float
    text: str
    is_retry: bool = False

    @property
    def end(self) -> str:
        """How its process ended, as its worker saw it; "" if the log does not say."""
        lines = _LINE.findall(self.text[-_ENDS:])
        last = lines[-1][1] if lines else ""
        return last if last.startswith(_ENDED) else ""

    @property
    def stack(self) -> str:
        """Python's stack when native code crashed it, or when its time was over; else ""."""
        found = _CRASH.findall(self.text)
        return found[-1].rstrip() if found else ""

    def traceback(self, kind: str) -> str:
        """The last traceback of an exception, whole, with those that led to it; "" without one.

        Args:
            kind: Name of the exception's class.
        """
        lines = _LINE.findall(self.text)
        ends = re.compile(rf"^[ |+]*(?:[\w.<>]+\.)?{re.escape(kind)}(?::|$)", re.MULTILINE)
        stop = len(lines)
        while stop:
            # All lines of a traceback have one stamp.
            start = stop - 1
            while start and lines[start - 1][0] == lines[stop - 1][0]:
                start -= 1
            text = "\n".join(line for _, line in lines[start:stop])
            begins = [found.start() for found in _TRACEBACK.finditer(text)]
            if begins and ends.search(text, begins[-1]):
                return _with_causes(text, begins).rstrip()
            stop = start
        return ""


def begin_line(worker: str, host: str) -> str:
    """Return the beginning of the line with which an attempt begins; the machine's size follows.

    Args:
        worker: Address of the worker, or "".
        host: Name of the machine.

    Example:
        >>> begin_line("tcp://10.0.0.7:40001", "gpu7")
        'worker tcp://10.0.0.7:40001 on gpu7'
    """
    return f"worker {worker} on {host}" if worker else f"on {host}"


def retry_line(attempt: int) -> str:
    """Return the line that stands before it in the log of a trial that is tried again.

    Args:
        attempt: The attempt, from 2.

    Example:
        >>> retry_line(2)
        'attempt 2: the worker of the attempt before was lost'
    """
    return f"attempt {attempt}: the worker of the attempt before was lost"


def logged_attempts(log: str) -> list[LoggedAttempt]:
    r"""Return the attempts that a log tells of, in order.

    Args:
        log: The log's text.

    Example:
        >>> log = "2026-01-02T03:04:05.000Z on gpu7: 8 CPU cores, 31.2 GiB of memory, no GPU\n"
        >>> log += "2026-01-02T03:04:06.500Z its process exited with code 3\n"
        >>> (attempt,) = logged_attempts(log)
        >>> attempt.host, attempt.ended - attempt.started, attempt.end
        ('gpu7', 1.5, 'its process exited with code 3')
    """
    begins = list(_BEGIN.finditer(log))
    attempts = []
    for place, found in enumerate(begins, 1):
        stop = begins[place].start() if place < len(begins) else len(log)
        retry_at, retry, began, worker, host = found.groups()
        text = log[found.start() : stop]
        last = _LINE.findall(text[-_ENDS:])
        started = _seconds(retry_at or began)
        ended = _seconds(last[-1][0]) if last else started
        attempts.append(LoggedAttempt(worker or "", host, started, ended, text, bool(retry)))
    return attempts


def _with_causes(text: str, begins: list[int]) -> str:
    """The text from the traceback on that led to the last one."""
    begin = begins.pop()
    while text.endswith(_LINKS, 0, begin):
        begin = begins.pop() if begins else 0
    return text[begin:]


def _seconds(stamp: str) -> float:
    try:
        return datetime.fromisoformat(stamp).timestamp()
    except (ValueError, OverflowError):  # digits that are no time
        return 0.0
