"""The source from which Prefect loaded a flow."""

from __future__ import annotations

from typing import Any

from prefect import Flow

__all__ = ["forget_source"]


def forget_source(flow: Flow[..., Any]) -> None:
    """Undo ``Flow.from_source``, which changes a flow in place: its source is its module again.

    Prefect keeps the source in ``_storage`` and ``_entrypoint`` only.
    """
    flow._storage = None  # noqa: SLF001
    flow._entrypoint = f"{flow.fn.__module__}:{flow.fn.__name__}"  # noqa: SLF001
