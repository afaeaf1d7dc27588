"""The embedded Prefect server: exactly one for a run, when no other is configured.

It serves the run and its workers, on the database that ``prefect server start`` uses, and is gone
with the run. Prefect's own temporary server picks a port by trying, gives up after 20 seconds and
outlives a killed parent; here the parent binds the port and hands it over, and the server ends
when its parent does.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from prefect.context import FlowRunContext
from prefect.settings import PREFECT_API_URL, PREFECT_CLIENT_MAX_RETRIES, temporary_settings

from hopsml_flows.cluster.worker import flush
from hopsml_flows.server.configured import check_proxies, served_by
from hopsml_flows.server.embedded_process import ServerProcess
from hopsml_flows.storage import reach_loopback_directly

__all__ = ["START_SECONDS", "embedded_server", "server_is_embedded"]

START_SECONDS = 120.0
"""Longest wait for the server to answer; Prefect's own limit of 20 s fails on loaded machines."""

_embedded: ContextVar[bool] = ContextVar("hopsml_embedded_server", default=False)


@contextmanager
def embedded_server(*, start_seconds: float = START_SECONDS) -> Iterator[str | None]:
    """Run a Prefect server for the block, unless there is one already.

    Args:
        start_seconds: Longest wait for it to answer, besides the time that its database takes to
            be brought up to date.

    Yields:
        The server's API URL, or None where another server serves: the configured one, or the one
        of the flow that this runs in.

    Raises:
        PrefectServerError: It cannot start, or did not answer in time; or the configured one does
            not answer as a Prefect server does; or a proxy variable is malformed.
    """
    reach_loopback_directly()
    if FlowRunContext.get() is not None:
        yield None
        return
    check_proxies()
    if configured := PREFECT_API_URL.value():
        with served_by(configured):
            yield None
        return
    process = ServerProcess()
    try:
        process.wait_until_it_answers(start_seconds)
        token = _embedded.set(True)
        # It is either there or dead for good: no reason to try for a minute.
        with temporary_settings({PREFECT_API_URL: process.url, PREFECT_CLIENT_MAX_RETRIES: 2}):
            try:
                yield process.url
            finally:
                _embedded.reset(token)
                flush(timeout=30.0 if process.running else 1.0)
    finally:
        process.stop()


def server_is_embedded() -> bool:
    """Whether the calling code runs on an embedded server, which ends with its run."""
    return _embedded.get()
