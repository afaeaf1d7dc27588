"""``hopsml models rm``: removes versions of models from storage."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated

from cyclopts import Parameter

from hopsml_flows.cli.json_output import print_json
from hopsml_flows.cli.models.versions import MODEL
from hopsml_flows.cli.project_option import open_project
from hopsml_flows.errors import HopsmlError, InvalidArgumentError, ModelNotFound
from hopsml_flows.models import split_version
from hopsml_flows.models.repository import remove_version
from hopsml_flows.models.version_claim import version_numbers
from hopsml_flows.storage import Project
from hopsml_flows.text import plural, readable

__all__ = ["remove_models"]


def remove_models(
    *models: Annotated[str, MODEL],
    yes: Annotated[bool, Parameter(name=["--yes", "-y"], negative="", show_default=False)] = False,
    json: Annotated[bool, Parameter(negative="", show_default=False)] = False,
    project: Annotated[str | None, Parameter(name=["--project", "-p"])] = None,
) -> None:
    """Remove versions of models, with all their files. It cannot be undone.

    Args:
        models: The versions, each as NAME/VERSION.
        yes: Do not ask.
        json: Print what was removed, and what was not and why, as JSON.
        project: Local path, URL or block:NAME of the project; default: that of new experiments.
    """
    if not models:
        raise InvalidArgumentError("MODEL", list(models), "must be at least one NAME/VERSION")
    wanted = {text: _version(text) for text in models}
    place = open_project(project)
    for text, (name, version) in wanted.items():  # all must be there before one is removed
        if version not in version_numbers(place, name):
            raise ModelNotFound("MODEL", text, because="it does not exist")
    if not yes and not _agreed(list(wanted)):
        print("hopsml: nothing was removed", file=sys.stderr)
        if json:
            reason = "the answer to the question was no"
            print_json({"removed": [], "kept": [_kept(text, reason) for text in wanted]})
        sys.exit(1)
    reasons = {text: _removal(place, name, version) for text, (name, version) in wanted.items()}
    removed = [text for text, reason in reasons.items() if reason is None]
    kept = [_kept(text, reason) for text, reason in reasons.items() if reason is not None]
    if json:
        print_json({"removed": removed, "kept": kept})
    else:
        print("".join(f"removed {text}\n" for text in removed), end="", flush=True)
    for each in kept:
        print(readable(f"hopsml: {each['model']}: {each['reason']}"), file=sys.stderr)
    if kept:
        sys.exit(2)


def _removal(project: Project, name: str, version: int) -> str | None:
    """Remove a version; return why that was not possible, or None."""
    try:
        remove_version(project, name, version)
    except (HopsmlError, OSError) as error:
        return project.without_secrets(str(error))
    return None


def _kept(text: str, reason: str) -> dict[str, str]:
    return {"model": text, "reason": reason}


def _version(text: str) -> tuple[str, int]:
    name, version = split_version("MODEL", text)
    if version is None:
        raise InvalidArgumentError("MODEL", text, "must be NAME/VERSION")
    return name, version


def _agreed(names: Sequence[str]) -> bool:
    """Ask the user on the terminal.

    Raises:
        InvalidArgumentError: There is no terminal.
    """
    if not sys.stdin.isatty():
        raise InvalidArgumentError("--yes", "no terminal to ask", "must be given")
    for name in names:
        print(readable(name), file=sys.stderr)
    sys.stderr.write(f"Remove {plural(len(names), 'version')} for good? [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")
