"""The program of the embedded Prefect server's process.

It brings the database up to date, then serves on the socket that it inherited, until it is told to
stop or its parent is gone. What it is doing goes to the parent line by line (:mod:`.news`).
"""

from __future__ import annotations

import gc
import os
import signal
import threading
from collections.abc import Callable, MutableMapping
from typing import Any

from hopsml_flows.collection_pause import collection_paused
from hopsml_flows.server.migration import UnknownRevisionError, migrate
from hopsml_flows.server.news import Failure, Phase, send

__all__ = ["main"]

_STDIN = 0

_Message = MutableMapping[str, Any]


def main(listener: int, news: int, *, migrating: bool) -> None:
    """Serve.

    Args:
        listener: Descriptor of the socket that listens.
        news: Descriptor of the pipe to the parent.
        migrating: Whether the database is brought up to date first.
    """
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        with collection_paused():
            import uvicorn

            from hopsml_flows.prefect_internals.server_program import server_application

        if migrating:
            migrate(lambda phase: send(news, phase))
        send(news, Phase.STARTING)
        with collection_paused():
            app = _telling(server_application(), lambda failure: send(news, failure))
        gc.freeze()  # what was imported stays: the collector need not look at it again
    except UnknownRevisionError as error:
        send(news, Failure("newer database", error.revision))
        raise
    except Exception as error:
        send(news, Failure("start", _in_one_line(error)))
        raise
    # From now on trials come first: the server may lag behind. Before, the driver waits for it.
    os.nice(10)
    uvicorn.run(app, fd=listener, log_level="error", lifespan="on", timeout_graceful_shutdown=5)


def _end_with_parent() -> None:
    # The descriptor itself: a thread that holds the lock of sys.stdin while the interpreter ends
    # makes Python abort.
    while os.read(_STDIN, 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def _telling(app: Any, tell: Callable[[Failure], None]) -> Any:
    """The application; what its start fails with, which uvicorn only logs, is told too."""

    async def telling(scope: Any, receive: Any, send_on: Any) -> None:
        async def sending(message: _Message) -> None:
            if message["type"] == "lifespan.startup.failed":
                tell(Failure("start", _last_line(str(message.get("message", "")))))
            await send_on(message)

        await app(scope, receive, sending if scope["type"] == "lifespan" else send_on)

    return telling


def _in_one_line(error: BaseException) -> str:
    return f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"


def _last_line(traceback: str) -> str:
    """The line of a traceback that names the error; details may follow it."""
    unindented = [line for line in traceback.splitlines() if line[:1].isalpha() and ": " in line]
    return unindented[-1] if unindented else traceback.strip()[-200:]
