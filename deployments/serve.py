"""Serves the deployments of ``prefect.yaml`` from one process, without a work pool and workers.

``python serve.py`` in this directory; it runs until it is stopped. Runs are child processes of it.
"""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import yaml
from prefect import serve
from prefect.client.schemas.objects import ConcurrencyLimitConfig
from prefect.flows import load_flow_from_entrypoint
from prefect.schedules import Schedule

HERE = Path(__file__).resolve().parent


def deployments(file: Path) -> list[Any]:
    """The deployments that a ``prefect.yaml`` defines.

    Args:
        file: The file.
    """
    defined = yaml.safe_load(file.read_text())["deployments"]
    return [
        load_flow_from_entrypoint(entry["entrypoint"]).to_deployment(
            entry["name"],
            description=entry["description"],
            tags=entry["tags"],
            parameters=entry["parameters"],
            schedules=[schedule(**each) for each in entry.get("schedules", ())],
            concurrency_limit=ConcurrencyLimitConfig(**entry["concurrency_limit"]),
        )
        for entry in defined
    ]


def schedule(interval: float | None = None, **fields: Any) -> Schedule:
    """A schedule as ``prefect.yaml`` has it.

    Args:
        interval: Seconds between two runs; or one of the others says when.
        **fields: What Prefect's ``Schedule`` takes.
    """
    return Schedule(interval=None if interval is None else timedelta(seconds=interval), **fields)


if __name__ == "__main__":
    os.chdir(HERE)  # training.py:train is looked for where runs work
    serve(*deployments(HERE / "prefect.yaml"))
