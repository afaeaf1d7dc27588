"""Pass temporary credentials from the driver to the training processes.

The driver publishes them (``credentials_provider.assume_role``). Every trial carries the current
ones, and renewed ones are sent to the workers, which pass them on to their training processes.
They are set as environment variables, since AWS' libraries look there.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

__all__ = [
    "Lent",
    "apply_received",
    "decoded",
    "encoded",
    "kept_through",
    "listening",
    "publish",
    "published",
    "receive",
    "received",
    "take_back",
]


@dataclass(frozen=True, slots=True)
class Lent:
    """Temporary credentials.

    Args:
        variables: Environment variables, name to value.
        since: When the driver got them, in seconds since 1970.
        until: When they expire.
    """

    variables: Mapping[str, str]
    since: float
    until: float

    def __repr__(self) -> str:
        return f"Lent({', '.join(self.variables)}, until={self.until:.0f})"

    @property
    def are_set(self) -> bool:
        """Whether this process's environment still holds exactly these credentials."""
        return all(os.environ.get(name) == value for name, value in self.variables.items())


_lock = threading.Lock()
_published: Lent | None = None
_received: Lent | None = None
_before: dict[str, str | None] = {}
_listeners: list[Callable[[Lent], None]] = []


def publish(lent: Lent) -> None:
    """Use credentials from now on, in this process and in the trials it starts.

    Args:
        lent: The credentials.
    """
    global _published
    os.environ.update(lent.variables)
    with _lock:
        _published = lent
        listeners = list(_listeners)
    for tell in listeners:
        tell(lent)


def published() -> Lent | None:
    """The credentials for trials; None if there are none, or the program has set others since."""
    lent = _published
    return lent if lent is not None and lent.are_set else None


@contextmanager
def listening(tell: Callable[[Lent], None]) -> Iterator[None]:
    """Call a function with published credentials, for the block.

    Args:
        tell: Called at once with the current credentials, if any, and later in the thread that
            publishes new ones.
    """
    with _lock:
        _listeners.append(tell)
    try:
        if (lent := published()) is not None:
            tell(lent)
        yield
    finally:
        with _lock:
            _listeners.remove(tell)


@contextmanager
def kept_through() -> Iterator[None]:
    """Set the newest published credentials again after a block that may restore older ones."""
    newest: list[Lent] = []
    with listening(newest.append):
        try:
            yield
        finally:
            for lent in newest[-1:]:
                os.environ.update(lent.variables)


def receive(lent: Lent | None) -> None:
    """Set credentials that the driver sent, unless this process already has newer ones.

    Args:
        lent: The credentials; None does nothing.
    """
    global _received
    if lent is None:
        return
    with _lock:
        if _received is None:
            _before.update({name: os.environ.get(name) for name in lent.variables})
        elif _received.since > lent.since:
            return
        _received = lent
        os.environ.update(lent.variables)


def take_back() -> None:
    """Forget the received credentials, and restore the variables as they were before."""
    global _received
    with _lock:
        if _received is not None and _received.are_set:
            for name, value in _before.items():
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value
        _before.clear()
        _received = None


def received() -> Lent | None:
    """The newest credentials that the driver sent to this process, or None."""
    return _received


def apply_received() -> None:
    """Set the newest received credentials again: restoring variables may have put back old ones."""
    if _received is not None:
        os.environ.update(_received.variables)


def encoded(lent: Lent) -> bytes:
    """Encode credentials as a message that cannot be mistaken for a pickle.

    Args:
        lent: The credentials.
    """
    return json.dumps(
        {"variables": dict(lent.variables), "times": (lent.since, lent.until)}
    ).encode()


def decoded(message: bytes) -> Lent | None:
    """Decode the credentials in a message; None if it holds something else.

    Args:
        message: A message that a process received.
    """
    if not message.startswith(b"{"):  # a pickle begins with another byte
        return None
    found: dict[str, Any] = json.loads(message)
    return Lent(found["variables"], *found["times"])
