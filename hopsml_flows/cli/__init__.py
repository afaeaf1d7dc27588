"""The command ``hopsml``: shows experiments on storage and prepares a Prefect server.

Each subcommand is a module of this package, imported when it is called. None changes an
experiment, and none needs the flow that runs it.
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

# The texts stand here: `hopsml --help` shows them without importing the subcommands.
_LOGS = """Print the log of one trial, or of all trials.

For example:

```
hopsml logs last             # all trials of the newest experiment
hopsml logs last 3 -n 20     # the end of trial 3's log
hopsml logs digits-2026 -f   # follow the one with this beginning
```
"""
_TENSORBOARD = """Show experiments in a TensorBoard, until Ctrl-C.

Several experiments are shown side by side: each run is named after its experiment, and the HPARAMS
tab has the trials of all. TensorBoard follows experiments that run.

For example:

```
hopsml tensorboard           # the newest experiment
hopsml tensorboard --all --project s3://bucket/demo
```
"""
_SETUP_PREFECT = """Prepare the Prefect server that PREFECT_API_URL names.

Registers the block type of projects. Makes a work pool of type process, the concurrency limits, and
an automation that marks flow runs Crashed when their process is gone. Run it once, and again after
a change: it updates what exists, and makes nothing twice.

For example:

```
hopsml setup-prefect --pool-limit 2
hopsml setup-prefect --project s3://bucket/demo --block shared --limit gpu=4
```
"""

app = App(
    name="hopsml",
    help="Show experiments of hopsml-flows, and prepare a Prefect server for them.",
    version=__version__,
)
app.command("hopsml_flows.cli.logs:logs", help=_LOGS)
app.command("hopsml_flows.cli.tensorboard:tensorboard", help=_TENSORBOARD)
app.command("hopsml_flows.cli.setup_prefect:setup_prefect", help=_SETUP_PREFECT)
app.register_install_completion_command(
    help="Install completion for your shell: bash, zsh or fish. New shells complete the command."
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command.

    Args:
        arguments: Its arguments; None for those of this process.
    """
    _escape_unencodable()
    try:
        app(arguments)
    except HopsmlError as error:
        print(f"hopsml: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:  # the reader of the output has gone, as `head` does
        _discard_output()
        sys.exit(141)


def _escape_unencodable() -> None:
    """Escape what the terminal's encoding lacks, such as a name that is not UTF-8."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _discard_output() -> None:
    """Discard buffered output: Python would write it at exit, fail, and print a complaint."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):
            os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
