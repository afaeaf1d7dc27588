"""The program of the embedded Prefect server's process.

It brings the database up to date, serves on the socket that it inherited, and ends some time after
its last client. While it starts, it tells the process that started it what it is doing
(:mod:`.news`).
"""

from __future__ import annotations

import argparse
import gc
import os
import signal
import socket
from collections.abc import Callable, MutableMapping
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

from hopsml_flows.collection_pause import collection_paused
from hopsml_flows.server.idle_watch import IdleWatch
from hopsml_flows.server.migration import UnknownRevisionError, alone, migrate
from hopsml_flows.server.news import Failure, Phase, send
from hopsml_flows.server.registration import Files, Registration

__all__ = ["main"]

_NICENESS = 10

_Message = MutableMapping[str, Any]


def main(words: list[str]) -> None:
    """Serve.

    Args:
        words: The command's options; :class:`~hopsml_flows.server.embedded_process.ServerProcess`
            writes them.
    """
    options = _options(words)
    news: int = options.news
    # A terminal that is closed ends the experiments in it, not the server of all.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with collection_paused():
            import uvicorn

            from hopsml_flows.prefect_internals.server_program import backlog, server_application

        locked = ExitStack()
        locked.enter_context(alone(lambda phase: send(news, phase)))
        if options.migrate:
            migrate(lambda phase: send(news, phase))
        send(news, Phase.STARTING)
        watch = IdleWatch(Files(options.directory, options.key), options.idle, backlog, _end)
        watch.start()

        def serves() -> None:
            with socket.socket(fileno=os.dup(options.listener)) as listener:
                port = listener.getsockname()[1]
            watch.register(Registration.of_this_process(port, options.idle))
            os.close(options.start_lock)
            locked.close()

        with collection_paused():
            application = server_application()
        gc.freeze()  # what was imported stays: the collector need not look at it again
        app = _telling(application, serves, lambda failure: send(news, failure))
    except UnknownRevisionError as error:
        send(news, Failure("newer database", error.revision))
        raise
    except Exception as error:
        send(news, Failure("start", _in_one_line(error)))
        raise
    _yield_to_trials()
    uvicorn.run(
        app,
        fd=options.listener,
        log_level="error",
        lifespan="on",
        timeout_graceful_shutdown=5,
        # uvicorn's default drops what a connection has sent and the application has not read ten
        # seconds after its client has gone. This one hands on all of it.
        ws="websockets-sansio",
        # A client on this machine that dies closes its connections. One that waits is not dead,
        # and a ping that meets a closed connection loses what is unread.
        ws_ping_interval=None,
    )


def _options(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    for descriptor in ("--listener", "--news", "--start-lock"):
        parser.add_argument(descriptor, type=int, required=True)
    parser.add_argument("--migrate", action="store_true")
    parser.add_argument("--directory", type=Path, required=True)
    parser.add_argument("--key", required=True)
    parser.add_argument("--idle", type=float, required=True)
    return parser.parse_args(words)


def _end() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


def _yield_to_trials() -> None:
    """Let trials come first from now on. Before, the driver waits for this process."""
    os.nice(_NICENESS)
    # Linux weighs niceness within a session only, and sessions by this. The server has its own.
    with suppress(OSError):
        Path("/proc/self/autogroup").write_text(str(_NICENESS))


def _telling(app: Any, serves: Callable[[], None], tell: Callable[[Failure], None]) -> Any:
    """The application; ``tell`` gets what its start fails with, which uvicorn only logs."""

    async def telling(scope: Any, receive: Any, send_on: Any) -> None:
        async def sending(message: _Message) -> None:
            if message["type"] == "lifespan.startup.failed":
                tell(Failure("start", _last_line(str(message.get("message", "")))))
            await send_on(message)
            if message["type"] == "lifespan.startup.complete":
                serves()

        await app(scope, receive, sending if scope["type"] == "lifespan" else send_on)

    return telling


def _in_one_line(error: BaseException) -> str:
    return f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"


def _last_line(traceback: str) -> str:
    """The line of a traceback that names the error; details may follow it."""
    unindented = [line for line in traceback.splitlines() if line[:1].isalpha() and ": " in line]
    return unindented[-1] if unindented else traceback.strip()[-200:]
