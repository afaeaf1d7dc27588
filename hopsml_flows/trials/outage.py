"""How long the driver waits for a storage that takes nothing. Pure: the caller passes the time."""

from __future__ import annotations

__all__ = ["Outage"]

_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 8.0


class Outage:
    """A time in which storage refuses the driver's writes, or does not answer.

    Args:
        patience: Seconds until the outage is hopeless.
    """

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._since: float | None = None
        self._next = 0.0
        self._pause = _FIRST_PAUSE
        self.error: Exception | None = None

    @property
    def is_on(self) -> bool:
        """Whether storage took nothing when it was tried last."""
        return self._since is not None

    def failed(self, error: Exception, now: float) -> bool:
        """Note that a write failed.

        Args:
            error: What storage raised.
            now: Seconds of a clock that only goes forward.

        Returns:
            Whether the outage begins now.
        """
        self.error = error
        self._next = now + self._pause
        self._pause = min(2 * self._pause, _LONGEST_PAUSE)
        if self._since is not None:
            return False
        self._since = now
        return True

    def worked(self) -> None:
        """Note that storage took everything that was due."""
        self._since = None
        self._pause = _FIRST_PAUSE

    def is_due(self, now: float) -> bool:
        """Whether it is time to try again."""
        return self.is_on and now >= self._next

    def is_hopeless(self, now: float) -> bool:
        """Whether the patience is used up."""
        return self._since is not None and now - self._since >= self._patience
