"""Running a process of ours, watching the memory of all that descends from it, and ending it all.

The watching is done from outside, so that it costs the watched process nothing.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import psutil

SAMPLE_SECONDS = 0.5

_TAIL = 3000


class RunError(RuntimeError):
    """A process failed or took too long; the message ends with what it wrote."""


@dataclass(frozen=True, slots=True)
class Finished:
    """What came of a process.

    Args:
        output: Its standard output.
        seconds: From its start to its end.
        peak_mb: Largest sum of the resident memory of all its processes, in MB, of all samples.
        left: Processes that outlived it, and were ended.
    """

    output: str
    seconds: float
    peak_mb: float
    left: int

    def figures(self, *, own_peak_mb: float) -> dict[str, float]:
        """What was measured from outside.

        Args:
            own_peak_mb: The most that the process itself had; a short one falls between samples.
        """
        return {
            "peak_mb": max(self.peak_mb, own_peak_mb),
            "whole_s": self.seconds,
            "processes_left": self.left,
        }


@dataclass
class _Tree:
    """A process and all that ever was seen to descend from it."""

    root: psutil.Process
    apart: str | None = None
    seen: set[psutil.Process] = field(default_factory=set)
    peak: int = 0

    def sample(self) -> None:
        try:
            processes = {self.root, *self.root.children(recursive=True)}
        except psutil.Error:
            return
        processes -= {process for process in processes if self._is_apart(process)}
        self.seen |= processes
        self.peak = max(self.peak, sum(map(_resident, processes)))

    def end(self) -> int:
        """End what is left, each by its own identifier; returns how many there were."""
        alive = [
            process for process in self.seen if _alive(process) and not self._is_apart(process)
        ]
        left = len(alive)
        for stop in (psutil.Process.terminate, psutil.Process.kill):
            for process in alive:
                try:
                    stop(process)
                except psutil.Error:
                    continue
            _, alive = psutil.wait_procs(alive, timeout=5)
        return left

    def _is_apart(self, process: psutil.Process) -> bool:
        if self.apart is None:
            return False
        try:
            return any(self.apart in part for part in process.cmdline())
        except psutil.Error:
            return False


def stop_when_told() -> None:
    """Let SIGTERM unwind this process, so that it ends what it started."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))


def run(
    command: Sequence[str], env: dict[str, str], *, timeout: float, apart: str | None = None
) -> Finished:
    """Run a command to its end; nothing of it is left afterwards, but what is kept apart.

    Args:
        command: The command.
        env: Its environment.
        timeout: Longest time in seconds.
        apart: Part of the command line of processes that may stay, and do not count.

    Raises:
        RunError: It failed, or took longer.
    """
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
        started = time.monotonic()
        process = subprocess.Popen(
            command, env=env, stdin=subprocess.DEVNULL, stdout=output, stderr=errors
        )
        tree = _Tree(psutil.Process(process.pid), apart)
        try:
            code = _watch(process, tree, started + timeout)
            seconds = time.monotonic() - started
        finally:
            if process.poll() is None:
                tree.sample()
            left = tree.end()
            process.wait()
        if code != 0:
            errors.seek(0)
            reason = f"took longer than {timeout:g} s" if code is None else f"exit code {code}"
            raise RunError(f"{reason}: {errors.read()[-_TAIL:].strip()}")
        output.seek(0)
        return Finished(output.read(), seconds, tree.peak / 1e6, left)


def _watch(process: subprocess.Popen[bytes], tree: _Tree, deadline: float) -> int | None:
    while time.monotonic() < deadline:
        tree.sample()
        try:
            return process.wait(SAMPLE_SECONDS)
        except subprocess.TimeoutExpired:
            continue
    return None


def _alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def _resident(process: psutil.Process) -> int:
    try:
        return process.memory_info().rss
    except psutil.Error:
        return 0
