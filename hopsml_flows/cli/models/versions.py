"""Arguments that are versions of models, and what the shell offers for them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from cyclopts import Parameter

from hopsml_flows.errors import ModelNotFound
from hopsml_flows.storage.time_limit import within

if TYPE_CHECKING:
    from cyclopts.completion import CompletionContext

    from hopsml_flows.models import ModelRecord
    from hopsml_flows.storage import Project

__all__ = ["MODEL", "NAME", "OTHER_MODEL", "find_typed", "named", "version_names"]

_SECONDS = 3.0
"""How long the user waits at most."""

_MOST = 200


def version_names(context: CompletionContext) -> list[str]:
    """Return the models that begin as the word before the cursor does; after a slash, versions.

    Args:
        context: The command line, as cyclopts has read it.
    """
    typed = context.incomplete
    project = context.get("project")
    text = None if project is None else project.raw
    found = within(_SECONDS, lambda: list(_offered(text, typed)))
    return [name for name in found if name.startswith(typed)][:_MOST]


def _offered(project: str | None, typed: str) -> Iterator[str]:
    # Here, so that completion of other words does not wait for the imports.
    from hopsml_flows.cli.project_option import open_project
    from hopsml_flows.models.repository import model_names
    from hopsml_flows.models.version_claim import version_numbers

    place = open_project(project)
    name, slash, _ = typed.partition("/")
    if slash:
        yield from (f"{name}/{version}" for version in reversed(version_numbers(place, name)))
    else:
        yield from model_names(place)


NAME = Parameter(name="NAME", completer=version_names)
"""An argument that is a model."""

MODEL = Parameter(name="MODEL", completer=version_names)
"""An argument that is a version of a model."""

OTHER_MODEL = Parameter(name="OTHER", completer=version_names)
"""A second one."""


def find_typed(project: Project, argument: str, text: str) -> ModelRecord:
    """Return the version that the user typed.

    Args:
        project: The project.
        argument: What the command calls the argument.
        text: ``NAME``, for the newest version, or ``NAME/VERSION``.

    Raises:
        ModelNotFound: There is no such version.
        InvalidArgumentError: The text has another form.
    """
    from hopsml_flows.models import split_version
    from hopsml_flows.models.repository import find_version

    name, version = split_version(argument, text)
    try:
        return find_version(project, name, version)
    except ModelNotFound as error:
        raise ModelNotFound(argument, text, because=error.because or "it does not exist") from error


def named(record: ModelRecord) -> str:
    """Return what commands call a version: ``NAME/VERSION``.

    Args:
        record: Its record.
    """
    return f"{record.name}/{record.version}"
