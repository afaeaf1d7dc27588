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
    """Prepare the Prefect server that PREFECT_API_URL names.

    Args:
        project: Local path or URL of a project to save as a block, for project="block:NAME".
        block: Name of that block.
        pool: Name of the work pool.
        pool_limit: Most flow runs that the pool runs at once; default for a new pool: 1.
        limit: Global concurrency limit NAME=SLOTS; may be given several times.
        dead_after: Seconds without a heartbeat after which a flow run counts as dead, at least 10;
            default for a new automation: three times PREFECT_FLOWS_HEARTBEAT_FREQUENCY, or 540
            if that is not set.
    """
    # Imports Prefect.
    from hopsml_flows.server.setup import (
        Wish,
        heartbeat_seconds,
        intake_advice,
        page_advice,
        set_up,
    )

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
            f"hopsml: flow runs send a heartbeat every {heartbeat_seconds():g} s, so --dead-after "
            f"{dead_after:g} will mark runs Crashed that are alive. The shortest interval is 30 s: "
            "set PREFECT_FLOWS_HEARTBEAT_FREQUENCY=30 for the process that runs them",
            file=sys.stderr,
        )
    for done in set_up(wish):
        print(f"{done.change.value:9}  {done.what}", flush=True)
    for advice in filter(None, (intake_advice(), page_advice())):
        print(f"hopsml: {advice}", file=sys.stderr)


def _option(error: InvalidArgumentError) -> str:
    """Return the argument that an error names, as the user types it."""
    if error.argument.startswith("limits"):  # such as limits['gpu']
        name = error.argument.removeprefix("limits").strip("[']")
        return f"--limit {name}".rstrip()
    return f"--{error.argument.replace('_', '-')}"


def _pair(text: str) -> tuple[str, int]:
    name, _, slots = text.rpartition("=")
    if not name or not slots.isascii() or not slots.isdecimal():
        raise InvalidArgumentError("--limit", text, "must be NAME=SLOTS, with an integer")
    return name, int(slots)
