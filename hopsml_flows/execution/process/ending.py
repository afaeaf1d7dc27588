"""The end of a process in words: its exit code or the signal's name, and what to do about it."""

from __future__ import annotations

import signal
from contextlib import suppress

from hopsml_flows.execution.process.memory import MORE_MEMORY

__all__ = ["described_end"]

_NATIVE = "a fault in native code"
_OUTSIDE = "something outside the experiment asked it to end, such as a batch system's limit"
_HINTS = {
    "SIGKILL": "the system sends it when memory runs out",
    "SIGSEGV": _NATIVE,
    "SIGBUS": f"{_NATIVE}, or a full /dev/shm or disk under a mapped file",
    "SIGILL": f"{_NATIVE}, or code built for another processor",
    "SIGFPE": _NATIVE,
    "SIGABRT": "native code gave up",
    "SIGTERM": _OUTSIDE,
    "SIGINT": _OUTSIDE,
    "SIGHUP": _OUTSIDE,
    "SIGXCPU": "it used up its limit of CPU time (ulimit -t)",
    "SIGXFSZ": "it wrote a file beyond its limit of file size (ulimit -f)",
    "SIGSYS": "it made a system call that a sandbox forbids",
    "SIGALRM": "an alarm that it set had no handler",
}


def described_end(code: int, *, memory: str = "", stack: bool = False) -> str:
    """How a process ended, as the end of a sentence such as "its process …".

    Args:
        code: Its exit code, or minus a signal's number.
        memory: What is known of its memory, as a part of a sentence; "" for nothing.
        stack: Whether the trial's log has its Python stack if native code failed.
    """
    if code >= 0:
        return f"exited with code {code}{_of_exit(code)}"
    name = ""
    with suppress(ValueError):
        name = signal.Signals(-code).name
    text = f"was ended by signal {-code}{f' ({name})' if name else ''}"
    hint = _HINTS.get(name, "")
    if name == "SIGKILL":
        known = f"{memory}; " if memory else ""
        return f"{text}: {hint}; {known}{MORE_MEMORY}"
    if stack and (hint.startswith(_NATIVE) or name == "SIGABRT"):
        return f"{text}: {hint}; its Python stack is at the end of the trial's log"
    return f"{text}: {hint}" if hint else text


def _of_exit(code: int) -> str:
    if code == 0:
        return " before its work was done, by os._exit or exit() of a library"
    if 128 < code < 160:  # the form that shells and containers use
        with suppress(ValueError):
            return f", which stands for signal {code - 128} ({signal.Signals(code - 128).name})"
    return ", by os._exit or exit() of a library"
