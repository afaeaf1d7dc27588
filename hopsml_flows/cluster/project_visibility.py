"""Checks that workers that others started see the project."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import distributed

from hopsml_flows.cluster.worker_calls import on_all_workers
from hopsml_flows.errors import InvalidProjectError, ResourceUnavailableError
from hopsml_flows.storage import Project, remove_marker, sees_marker, write_marker

__all__ = ["check_visible"]

_LOOK_SECONDS = 12

_ANSWER_SECONDS = 60
"""Longest wait for all workers."""


def check_visible(client: distributed.Client, project: Project) -> None:
    """Write a file to the project, and check that each worker sees it.

    Args:
        client: Client of the cluster.
        project: The project.

    Raises:
        InvalidProjectError: The file cannot be written, or a worker does not see it.
        ResourceUnavailableError: A worker does not answer.
    """
    was_there = project.exists("")
    try:
        path, content = write_marker(project)
    except OSError as error:
        raise InvalidProjectError(
            "project",
            project.url,
            because=f"it cannot be written ({type(error).__name__}: {error})",
        ) from error
    try:
        answers = on_all_workers(
            client, _ANSWER_SECONDS, _look, project, path, content, on_error="return"
        )
    except TimeoutError as error:
        raise ResourceUnavailableError(f"{error}: its process or its machine hangs") from error
    finally:
        remove_marker(project, path)
    blind = {worker: answer for worker, answer in answers.items() if answer is not None}
    if not blind:
        return
    if not was_there and project.local_root is not None and not project.listdir():
        with suppress(OSError):
            project.local_root.rmdir()
    worker, reason = min(blind.items())
    raise InvalidProjectError(
        "project",
        project.url,
        f"must be storage that the workers share; {len(blind)} of {len(answers)} do not see it "
        f"({worker}: {reason})",
    )


async def _look(project: Project, path: str, content: str) -> str | None:
    """Look for the file, in a thread of a worker; None if it is seen, else the reason."""
    look = asyncio.to_thread(sees_marker, project, path, content)
    try:
        return await asyncio.wait_for(look, _LOOK_SECONDS)
    except TimeoutError:
        return f"no answer within {_LOOK_SECONDS} s"
