"""Asks a server again and again, and says how long it took."""

from __future__ import annotations

import os
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import httpx
import psutil

__all__ = ["Server", "milliseconds", "own_server"]


class Server:
    """A server that runs.

    Args:
        process: Its process.
        url: Its address.
    """

    def __init__(self, process: subprocess.Popen[str], url: str) -> None:
        self.url = url
        self._process = psutil.Process(process.pid)

    @property
    def processor_seconds(self) -> float:
        """Processor time that it and its children have used."""
        family = [self._process, *self._process.children(recursive=True)]
        return sum(sum(each.cpu_times()[:2]) for each in family)


@contextmanager
def own_server(project: str, environment: Mapping[str, str]) -> Iterator[Server]:
    """``hopsml ui`` of a project.

    Args:
        project: The project's URL.
        environment: Environment variables to add.
    """
    code = "from hopsml_flows.cli import main; main()"
    process = subprocess.Popen(
        [sys.executable, "-c", code, "ui", "--port", "0", "--project", project],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        found = re.search(r"http://\S+", line)
        if found is None:
            raise SystemExit(f"hopsml ui did not start: {line}")
        yield Server(process, found[0].rstrip("/"))
    finally:
        process.terminate()
        process.communicate(timeout=60)


def milliseconds(
    server: Server, paths: Mapping[str, str], repeats: int
) -> dict[str, dict[str, float]]:
    """Ask for pages in turns, and say what each costs, in milliseconds.

    ``median`` and ``95th`` are of what a reader waits. ``processor`` is the mean of the server's
    processor time, which hardly depends on what else the machine does.

    Args:
        server: The server.
        paths: Paths by what they are called in the table.
        repeats: Requests of each.

    Raises:
        SystemExit: A page does not answer with 200.
    """
    times: dict[str, list[float]] = {name: [] for name in paths}
    processor = dict.fromkeys(paths, 0.0)
    with httpx.Client(base_url=server.url, timeout=600) as client:
        for turn in range(repeats + 1):  # the first one is not counted
            for name, path in paths.items():
                before = server.processor_seconds
                began = time.perf_counter()
                answer = client.get(path)
                took = (time.perf_counter() - began) * 1000
                if answer.status_code != httpx.codes.OK:
                    raise SystemExit(f"{server.url}{path} answered {answer.status_code}")
                if turn:
                    times[name].append(took)
                    processor[name] += (server.processor_seconds - before) * 1000
    return {
        name: {
            "median": statistics.median(some),
            "95th": sorted(some)[int(len(some) * 0.95)],
            "processor": processor[name] / repeats,
        }
        for name, some in times.items()
    }
