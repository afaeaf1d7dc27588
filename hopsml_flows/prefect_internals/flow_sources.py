"""Where Prefect keeps the source that it loaded a flow from."""

from __future__ import annotations

from typing import Any

from prefect import Flow

__all__ = ["forget_source"]


def forget_source(flow: Flow[..., Any]) -> None:
    """Undo ``Flow.from_source`` on a flow that it changed in place: it is its module's again.

    Prefect keeps the source in ``_storage`` and ``_entrypoint``, and has no other place.
    """
    flow._storage = None  # noqa: SLF001
    flow._entrypoint = f"{flow.fn.__module__}:{flow.fn.__name__}"  # noqa: SLF001
