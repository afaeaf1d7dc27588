"""Dask alone: submit and gather, two worker processes of one thread."""

from __future__ import annotations

from pathlib import Path

import distributed
from contenders.noop import noop
from window import Window


def run(window: Window, directory: Path) -> None:  # noqa: ARG001 - it writes no files
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        window.begin()
        with window.submitting():
            futures = [client.submit(noop, 0, pure=False)]
            futures[0].add_done_callback(window.first_done)
            futures += [client.submit(noop, x, pure=False) for x in range(1, window.trials)]
        results = client.gather(futures)
        window.end()
    if results != list(range(window.trials)):
        raise RuntimeError("results are missing")
