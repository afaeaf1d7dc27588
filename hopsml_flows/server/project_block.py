"""A project that is saved in Prefect under a name, with its URL and credentials.

``project="block:NAME"`` means such a block, and so does Prefect's own way to write it,
``project="hopsfs-project/NAME"``. Nothing else does: a bare name is a local directory, whatever
the Prefect server knows.
"""

from __future__ import annotations

from typing import Any, cast

from prefect.blocks.core import Block
from prefect.types import SecretDict
from pydantic import ConfigDict, Field, field_validator

from hopsml_flows.errors import InvalidProjectError
from hopsml_flows.prefect_internals.blocking_calls import call_blocking
from hopsml_flows.storage import Project, block_name, default_project

__all__ = [
    "HopsFSProject",
    "block_reference",
    "loaded_block",
    "loaded_project",
    "saved_project",
]

_SLUG = "hopsfs-project"


class HopsFSProject(Block):
    """Where a project's experiments lie, on HopsFS or any storage that fsspec knows.

    Attributes:
        url: The project's root, such as ``hopsfs://namenode:8020/Projects/demo``.
        storage_options: Arguments of the fsspec file system; hidden, as they may hold secrets.

    Examples:
        Save it once, and name it in experiments::

            HopsFSProject(url="s3://bucket/demo", storage_options={"key": …}).save("demo")
            experiment.grid_search(train, grid, project="block:demo")
    """

    # pydantic's errors would show what a refused URL holds.
    model_config = ConfigDict(hide_input_in_errors=True)

    _block_type_name = "HopsFS Project"
    _block_type_slug = _SLUG
    _description = "Where a HopsML project's experiments lie: HopsFS, or any fsspec storage."

    url: str = Field(description="Root of the project as an fsspec URL, without a password.")
    storage_options: SecretDict = Field(
        default_factory=lambda: SecretDict({}),
        description="Arguments of the fsspec file system, such as keys and an endpoint.",
    )

    @field_validator("url")
    @classmethod
    def _without_password(cls, url: str) -> str:
        if Project(url).storage_options:
            raise ValueError("passwords belong into storage_options, where they are hidden")
        return url

    def project(self) -> Project:
        """The project that the block describes."""
        options: dict[str, Any] = self.storage_options.get_secret_value()
        return Project(self.url, options or None)


def block_reference(project: object) -> str | None:
    """The reference to a block that callers passed as ``project``, or None if it is none.

    Args:
        project: What they passed; None stands for the default project.
    """
    if block_name(project) is None:
        return None
    return default_project() if project is None else str(project)


def loaded_project(reference: str) -> Project:
    """The project of a saved block.

    Args:
        reference: What :func:`block_reference` found.

    Raises:
        InvalidProjectError: There is no block of that name.
    """
    try:
        return loaded_block(block_name(reference) or "").project()
    except ValueError as error:
        raise InvalidProjectError(
            "project", reference, "must name a saved block of type HopsFSProject"
        ) from error


def saved_project(text: str | None) -> Project:
    """The project of a saved block, for code that has no Prefect server yet.

    Args:
        text: Which block; None for the default project, which is one.

    Raises:
        InvalidProjectError: There is no block of that name.
        PrefectServerError: There is no server to ask.
    """
    # Imports Prefect's server client.
    from hopsml_flows.server.embedded import embedded_server

    with embedded_server():
        return loaded_project(block_reference(text) or "")


def loaded_block(name: str) -> HopsFSProject:
    """A saved block.

    Args:
        name: Its name.

    Raises:
        ValueError: There is none.
    """
    return cast("HopsFSProject", call_blocking(HopsFSProject.load, name))
