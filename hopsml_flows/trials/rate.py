"""How often something may be done: a burst at first, then a number of times per second. Pure."""

from __future__ import annotations

__all__ = ["Rate"]


class Rate:
    """A token bucket; the caller passes the time.

    Args:
        burst: Times that it may be done at once, and again after a rest.
        per_second: Times per second from then on.
    """

    __slots__ = ("_at", "_burst", "_left", "_per_second")

    def __init__(self, *, burst: float, per_second: float) -> None:
        self._burst = burst
        self._per_second = per_second
        self._left = burst
        self._at = float("-inf")

    def take(self, now: float) -> bool:
        """Whether it may be done once more; if so, it counts as done.

        Args:
            now: Seconds of any clock that does not go back.
        """
        earned = (now - self._at) * self._per_second
        self._left = min(self._burst, self._left + max(0.0, earned))
        self._at = max(self._at, now)
        if self._left < 1.0:
            return False
        self._left -= 1.0
        return True

    @property
    def again(self) -> float:
        """When it may be done again, by the caller's clock, if it is not done before."""
        return self._at + max(0.0, 1.0 - self._left) / self._per_second
