"""Reading a TensorBoard as its page does, and finding what one left."""

from __future__ import annotations

import socket
from urllib.parse import urlsplit

import httpx
import psutil

STATUSES = ["STATUS_UNKNOWN", "STATUS_SUCCESS", "STATUS_FAILURE", "STATUS_RUNNING"]


class Page:
    """TensorBoard's HTTP API at a URL."""

    def __init__(self, url):
        self._client = httpx.Client(base_url=url, timeout=60)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._client.close()

    def runs(self):
        return self._client.get("/data/runs").raise_for_status().json()

    def title(self):
        return self._client.get("/data/environment").raise_for_status().json()["window_title"]

    def described(self):
        """The HPARAMS tab's columns."""
        answer = self._client.post("/data/plugin/hparams/experiment", json={"includeMetrics": True})
        return answer.json() if answer.status_code == 200 else {}

    def groups(self):
        """The HPARAMS tab's rows: name to row."""
        body = {"colParams": [], "startIndex": 0, "sliceSize": 100, "allowedStatuses": STATUSES}
        answer = self._client.post("/data/plugin/hparams/session_groups", json=body)
        groups = answer.json().get("sessionGroups", []) if answer.status_code == 200 else []
        return {group["name"]: group for group in groups}

    def curve(self, run, tag):
        """A curve of the SCALARS tab: steps and values."""
        answer = self._client.get("/data/plugin/scalars/scalars", params={"run": run, "tag": tag})
        return [(step, value) for _, step, value in answer.json()] if answer.is_success else []


def board_processes():
    """Processes of TensorBoards, and what they started, below this process."""
    found = []
    for process in psutil.Process().children(recursive=True):
        try:
            line = " ".join(process.cmdline())
        except psutil.NoSuchProcess:
            continue
        if "hopsml_flows.board.tensorboard_program" in line or "tensorboard_data_server" in line:
            found.append(process)
    return found


def is_free(url):
    """Whether a URL's port can be bound, which it cannot while anybody listens there."""
    address = urlsplit(url)
    family = socket.AF_INET6 if ":" in address.hostname else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address.hostname, address.port))
        except OSError:
            return False
    return True
