"""The command ``hopsml``: looks at experiments on storage and prepares a Prefect server.

Each subcommand is a module here, imported when it is called. None of them changes an experiment,
and none needs the flow that runs it.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from cyclopts import App

from hopsml_flows import __version__
from hopsml_flows.errors import HopsmlError

__all__ = ["app", "main"]

app = App(name="hopsml", help="Experiments of hopsml-flows.", version=__version__)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command.

    Args:
        arguments: Its arguments; those of the process where None.
    """
    try:
        app(arguments)
    except HopsmlError as error:
        print(f"hopsml: {error}", file=sys.stderr)
        sys.exit(2)
    except (KeyboardInterrupt, BrokenPipeError):
        sys.exit(130)
