"""The command ``hopsml``: looks at experiments on storage and prepares a Prefect server.

Each subcommand is a module here, imported when it is called. None of them changes an experiment,
and none needs the flow that runs it.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence
from contextlib import suppress

from cyclopts import App

from hopsml_flows import __version__
from hopsml_flows.errors import HopsmlError

__all__ = ["app", "main"]

app = App(name="hopsml", help="Experiments of hopsml-flows.", version=__version__)
app.command("hopsml_flows.cli.logs:logs")
app.command("hopsml_flows.cli.tensorboard:tensorboard")
app.command("hopsml_flows.cli.setup_prefect:setup_prefect")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command.

    Args:
        arguments: Its arguments; those of the process where None.
    """
    _write_everything()
    try:
        app(arguments)
    except HopsmlError as error:
        print(f"hopsml: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:  # who read the output has seen enough
        _leave_output()
        sys.exit(141)


def _write_everything() -> None:
    """Have what the terminal's encoding lacks, such as a name that is no UTF-8, escaped."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _leave_output() -> None:
    """Let what is still to be written go nowhere: Python writes it when it ends, and complains."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):
            os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
