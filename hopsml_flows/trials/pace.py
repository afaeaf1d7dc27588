"""How many trials to submit ahead of the workers. Pure."""

from __future__ import annotations

import math

__all__ = ["trials_ahead"]

LONG_SECONDS = 1.0
"""From this duration on, the wait of a worker for the driver does not matter."""

COVER_SECONDS = 0.2
MOST_PER_WORKER = 16


def trials_ahead(workers: int, mean_seconds: float | None) -> int:
    """Trials to submit beyond those that can run, so that no worker waits for the driver.

    Only short trials are submitted ahead: a trial that waits behind a long one could run on another
    worker.

    Args:
        workers: Trials that can run at once.
        mean_seconds: Mean duration of recent trials; None before the first one.
    """
    if mean_seconds is None or mean_seconds >= LONG_SECONDS:
        return 0
    cover = math.ceil(COVER_SECONDS / max(mean_seconds, 1e-3))
    return workers * min(MOST_PER_WORKER, cover)
