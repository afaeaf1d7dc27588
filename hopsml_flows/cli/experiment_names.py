"""What the shell offers where a command takes an experiment.

The shell runs the command for it, so this imports little, reads no record and prints nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from cyclopts import Parameter

from hopsml_flows.storage.time_limit import within

if TYPE_CHECKING:
    from cyclopts.completion import CompletionContext

__all__ = ["EXPERIMENT", "OTHER_EXPERIMENT", "experiment_names"]

_SECONDS = 3.0
"""How long the user waits at most."""

_MOST = 200


def experiment_names(context: CompletionContext) -> list[str]:
    """Return the identifiers that begin as the word before the cursor does, the newest first.

    Before anything is typed, ``last`` comes first. A project that does not answer at once has
    none: the shell must not wait for it.

    Args:
        context: The command line, as cyclopts has read it.
    """
    typed = context.incomplete
    project = context.get("project")
    text = None if project is None else project.raw
    # "~" is the shell's, and the shell has not seen this line yet: Project reads it.
    found = within(_SECONDS, lambda: list(_identifiers(text)))
    names = [name for name in ("last", *found) if name.startswith(typed)]
    return names[:_MOST] if found else []


def _identifiers(project: str | None) -> Iterator[str]:
    # Here, so that commands that take no experiment do not wait for the imports.
    from hopsml_flows.cli.project_option import open_project
    from hopsml_flows.tracking.listing import experiments

    yield from reversed(experiments(open_project(project)))


EXPERIMENT = Parameter(name="ID", completer=experiment_names)
"""An argument that is an experiment."""

OTHER_EXPERIMENT = Parameter(name="OTHER", completer=experiment_names)
"""A second one."""
