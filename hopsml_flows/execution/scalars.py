"""Write a running trial's scalars to an event file.

Reported metrics and device samples share one file, beside the event files that the training
function writes. TensorFlow is not needed. Long curves are thinned: all of the first points are
written, later only some per second, and always the last one.
"""

from __future__ import annotations

import errno
import logging
import os
import threading
import time
from pathlib import Path
from typing import BinaryIO

from hopsml_flows.execution import event_records
from hopsml_flows.trials import Rate

__all__ = ["Scalars"]

BURST = 1000
"""Points of a curve that are written before it is thinned; TensorBoard's sliders end there too."""

PER_SECOND = 10
"""Points per second that are written of a curve that is thinned."""

HELD_SECONDS = 1.0
"""Longest time for which the last point is held back."""

_logger = logging.getLogger(__name__)

_Point = tuple[float, float, int]


class Scalars:
    """Curves of one attempt of one trial.

    May be used from several threads. Points written after ``close`` are ignored: a thread may
    outlive its trial.

    Args:
        path: The event file; created with the first scalar.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.RLock()  # a signal handler may report, too
        self._file: BinaryIO | None = None
        self._over = False
        self._rates: dict[str, Rate] = {}
        self._held: dict[str, _Point] = {}
        self._timer: threading.Timer | None = None

    def write(self, tag: str, value: float, step: int, wall_time: float | None = None) -> None:
        """Add a point to a curve.

        A written point survives if a signal kills the process. Points that come too fast are held
        back for up to a second, and only the last of them is written.

        Args:
            tag: The curve's name.
            value: The number; kept in single precision, and may be NaN or infinite.
            step: Its step, from 0.
            wall_time: Seconds since the epoch; None for now.
        """
        point = (float(value), time.time() if wall_time is None else wall_time, step)
        with self._lock:
            if self._over:
                return
            if tag not in self._rates:
                self._rates[tag] = Rate(burst=BURST, per_second=PER_SECOND)
            if self._rates[tag].take(time.monotonic()):
                self._held.pop(tag, None)
                self._append(tag, point)
                return
            self._held[tag] = point
            if self._timer is None:
                self._timer = threading.Timer(HELD_SECONDS, self._write_held)
                self._timer.daemon = True
                self._timer.start()

    def close(self) -> None:
        """Write the points held back, and close the file."""
        self._write_held(last=True)

    def _write_held(self, *, last: bool = False) -> None:
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            for tag, point in self._held.items():
                self._append(tag, point)
            self._held.clear()
            if last:
                self._end()

    def _append(self, tag: str, point: _Point) -> None:
        if self._over:
            return
        value, wall_time, step = point
        try:
            if self._file is None:
                # Unbuffered: this process may be killed.
                self._file = self._path.open("ab", buffering=0)
                self._put(event_records.beginning(wall_time) + event_records.restart(wall_time))
            self._put(event_records.scalar(tag, value, wall_time, step))
        except OSError as error:  # a full disk must not fail the trial
            self._end()
            _logger.warning(
                "no more scalars of this trial are written (%s: %s)", type(error).__name__, error
            )

    def _put(self, data: bytes) -> None:
        assert self._file is not None
        if self._file.write(data) != len(data):  # the disk had room for a part only
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _end(self) -> None:
        self._over = True
        if self._file is not None:
            self._file.close()
