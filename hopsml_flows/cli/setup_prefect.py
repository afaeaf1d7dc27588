"""``hopsml setup-prefect``: prepares the configured Prefect server for experiments."""

from __future__ import annotations

import sys
from typing import Annotated

from cyclopts import Parameter

from hopsml_flows.errors import InvalidArgumentError

__all__ = ["setup_prefect"]


def setup_prefect(
    *,
    project: Annotated[str | None, Parameter(name=["--project", "-p"])] = None,
    block: str = "hopsml",
    pool: str = "hopsml",
    pool_limit: int | None = None,
    limit: Annotated[
        tuple[str, ...], Parameter(name="--limit", negative="", show_default=False)
    ] = (),
    dead_after: float | None = None,
) -> None:
    """Prepare the Prefect server that PREFECT_API_URL names: run it once, or again after a change.

    It registers the block type of projects, and makes a work pool of type process, concurrency
    limits, and an automation that marks flow runs Crashed whose process is gone. What is there
    already is brought up to date, never made twice.

    Args:
        project: Local path or URL of a project to save as a block, for project="block:NAME".
        block: Name of that block.
        pool: Name of the work pool.
        pool_limit: Flow runs that the pool runs at once; a new pool runs 1.
        limit: Global concurrency limit NAME=SLOTS; may be given several times.
        dead_after: Seconds without a heartbeat after which a flow run is dead, at least 10; for a
            new automation three times PREFECT_FLOWS_HEARTBEAT_FREQUENCY (180 s).
    """
    # Imports Prefect.
    from hopsml_flows.server.setup import Wish, heartbeat_seconds, set_up

    limits = dict(_pair(text) for text in limit)
    try:
        wish = Wish(
            pool=pool,
            pool_limit=pool_limit,
            dead_after=dead_after,
            limits=limits,
            project=project,
            block=block,
        )
    except InvalidArgumentError as error:
        raise error.renamed(_option(error)) from error
    if dead_after is not None and dead_after <= heartbeat_seconds():
        print(
            f"hopsml: flow runs say that they live every {heartbeat_seconds():g} s; after "
            f"{dead_after:g} s, living ones will be taken for dead "
            "(PREFECT_FLOWS_HEARTBEAT_FREQUENCY=30, for what runs them, is the shortest)",
            file=sys.stderr,
        )
    for done in set_up(wish):
        print(f"{done.change.value:9}  {done.what}", flush=True)


def _option(error: InvalidArgumentError) -> str:
    """What was wrong, as it is written on the command line."""
    if error.argument.startswith("limits"):  # limits['gpu']
        name = error.argument.removeprefix("limits").strip("[']")
        return f"--limit {name}".rstrip()
    return f"--{error.argument.replace('_', '-')}"


def _pair(text: str) -> tuple[str, int]:
    name, _, slots = text.rpartition("=")
    if not name or not slots.isascii() or not slots.isdecimal():
        raise InvalidArgumentError("--limit", text, "must be NAME=SLOTS, with an integer")
    return name, int(slots)
