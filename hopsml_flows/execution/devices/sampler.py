"""Sample the devices while a trial runs.

One thread of the process takes the samples of the running trial, and sleeps between trials. Only
this thread asks NVML, so a hanging GPU driver costs samples, not trials. A trial shorter than
``FIRST_SECONDS`` only costs two measurements of its own process, and no file. Only a trial that
runs alone in its process is sampled: time and memory of a shared process cannot be split.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable

from hopsml_flows.execution.devices import nvml
from hopsml_flows.execution.devices.gpus import VARIABLE, visible_devices
from hopsml_flows.execution.devices.meter import Meter, Sample
from hopsml_flows.execution.devices.process_usage import ProcessTree
from hopsml_flows.trials import DeviceUsage

__all__ = ["FIRST_SECONDS", "SAMPLE_SECONDS", "Sampling"]

FIRST_SECONDS = 0.5
"""When the first sample of a trial is taken; later pauses grow."""

SAMPLE_SECONDS = 5.0
"""The longest pause between two samples."""

_GIB = float(1 << 30)

_CORES = os.cpu_count() or 1

_logger = logging.getLogger(__name__)

Write = Callable[[str, float, int, float], None]
"""Takes a curve's tag, a value, a step and the time in seconds since the epoch."""


class Sampling:
    """Samples the devices of one trial, as a context manager around it.

    Curves are named ``devices/…``. Steps are seconds since the trial began. Memory is in GiB, so
    that a chart's axis is readable.

    Args:
        write: Receives the points of the curves.
    """

    def __init__(self, write: Write) -> None:
        self._write = write
        self._began = time.monotonic()
        self._tree = ProcessTree()
        self._setting = os.environ.get(VARIABLE)
        self._devices: list[nvml.Device] = []
        self._meter = Meter(_CORES)
        self._lock = threading.Lock()
        self._over = False
        self._pause = FIRST_SECONDS
        self.due = self._began + self._pause

    def __enter__(self) -> Sampling:
        _thread.watch(self)
        return self

    def __exit__(self, *error: object) -> None:
        _thread.forget()
        reading = self._tree.read(look=False)
        with self._lock:
            self._over = True
            seconds = time.monotonic() - self._began
            self._meter.add(Sample(seconds, reading.cpu_seconds, reading.memory))

    @property
    def usage(self) -> DeviceUsage | None:
        """Means and peaks of all samples; None without samples."""
        with self._lock:
            return self._meter.usage()

    def look(self) -> None:
        """Take one sample, and set when the next is due; called by the thread."""
        try:
            reading, gpus = self._tree.read(look=True), self._look_at_gpus()
            seconds = time.monotonic() - self._began
            with self._lock:
                if self._over:
                    return
                percent = self._meter.add(
                    Sample(seconds, reading.cpu_seconds, reading.memory, gpus)
                )
            self._write_curves(int(seconds), percent, reading.memory, gpus)
        except Exception as error:  # a failed sample must not stop the trial or later samples
            _logger.debug("the devices were not sampled (%s: %s)", type(error).__name__, error)
        self._pause = min(2 * self._pause, SAMPLE_SECONDS)
        self.due = time.monotonic() + self._pause

    def _look_at_gpus(self) -> list[nvml.Gpu]:
        # NVML may come back. Until then a vain attempt costs microseconds.
        self._devices = self._devices or visible_devices(self._setting)
        return [nvml.read(device) for device in self._devices]

    def _write_curves(self, step: int, percent: float, memory: int, gpus: list[nvml.Gpu]) -> None:
        now = time.time()
        self._write("devices/cpu_percent", percent, step, now)
        self._write("devices/memory_gib", memory / _GIB, step, now)
        for place, gpu in enumerate(gpus):
            if gpu.utilization is not None:
                self._write(f"devices/gpu{place}_percent", gpu.utilization, step, now)
            if gpu.memory_used is not None:
                self._write(f"devices/gpu{place}_memory_gib", gpu.memory_used / _GIB, step, now)


class _Thread:
    """The one thread of the process, which samples the devices of its running trial."""

    def __init__(self) -> None:
        self._sampling: Sampling | None = None
        self._busy = threading.Event()
        self._thread: threading.Thread | None = None

    def watch(self, sampling: Sampling) -> None:
        self._sampling = sampling
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._run, name="hopsml-devices", daemon=True)
            self._thread.start()
        self._busy.set()

    def forget(self) -> None:
        self._busy.clear()
        self._sampling = None

    def _run(self) -> None:
        while self._busy.wait():
            sampling = self._sampling
            if sampling is None:
                continue
            pause = sampling.due - time.monotonic()
            if pause > 0:
                # Wake in time for the first sample of a trial that begins meanwhile.
                time.sleep(min(pause, FIRST_SECONDS))
            else:
                sampling.look()


_thread = _Thread()
