"""Temporary credentials on their way from the driver to the processes that train.

The driver publishes them (``credentials_provider.assume_role``). Every trial takes them along, and
what renews them sends them to the workers, which pass them on to the processes that train. They
travel as environment variables, since that is where AWS' libraries look.
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
    "listening",
    "publish",
    "published",
    "receive",
    "received",
    "take_back",
]


@dataclass(frozen=True, slots=True)
class Lent:
    """Credentials for a time.

    Args:
        variables: Environment variables that hold them.
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
        """Whether this process still has them in its environment."""
        return all(os.environ.get(name) == value for name, value in self.variables.items())


_lock = threading.Lock()
_published: Lent | None = None
_received: Lent | None = None
_before: dict[str, str | None] = {}
_listeners: list[Callable[[Lent], None]] = []


def publish(lent: Lent) -> None:
    """Use credentials from now on, in this process and in the trials that it starts.

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
    """The credentials that trials should have; None where a program has set others meanwhile."""
    lent = _published
    return lent if lent is not None and lent.are_set else None


@contextmanager
def listening(tell: Callable[[Lent], None]) -> Iterator[None]:
    """Hear of published credentials, for the block.

    Args:
        tell: Gets them, in the thread that publishes them; those there are now at once.
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


def receive(lent: Lent | None) -> None:
    """Take credentials that the driver sent, unless newer ones are here.

    Args:
        lent: The credentials; None for nothing.
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
    """Forget what the driver sent, and set the variables as they were before it came."""
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
    """The newest credentials that the driver sent to this process."""
    return _received


def apply_received() -> None:
    """Set the newest credentials that came: what is put back after a trial may be older."""
    if _received is not None:
        os.environ.update(_received.variables)


def encoded(lent: Lent) -> bytes:
    """Credentials as a message that is no pickle.

    Args:
        lent: The credentials.
    """
    return json.dumps(
        {"variables": dict(lent.variables), "times": (lent.since, lent.until)}
    ).encode()


def decoded(message: bytes) -> Lent | None:
    """Credentials of a message; None where it is another one.

    Args:
        message: What a process got.
    """
    if not message.startswith(b"{"):  # pickles begin otherwise
        return None
    found: dict[str, Any] = json.loads(message)
    return Lent(found["variables"], *found["times"])
