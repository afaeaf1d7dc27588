"""Makes local files of whatever a user exports: a path, a place in a project, or an object."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from hopsml_flows.models.library_formats import Format
from hopsml_flows.models.model_files import LocalFile, local_files
from hopsml_flows.models.storage_calls import stored
from hopsml_flows.storage import Project
from hopsml_flows.storage.parallel_requests import in_parallel

__all__ = ["copied_from_project", "saved_object"]

_PARALLEL = 4


@contextmanager
def saved_object(model: Any, format_: Format) -> Iterator[list[LocalFile]]:
    """Save a model to a temporary directory, and yield its files.

    Args:
        model: The model.
        format_: Its library's format.
    """
    with tempfile.TemporaryDirectory(prefix="hopsml-model-") as directory:
        format_.save(model, Path(directory))
        yield local_files(Path(directory))


@contextmanager
def copied_from_project(project: Project, path: str) -> Iterator[list[LocalFile]]:
    """Copy a file or directory of a project to a temporary directory, and yield its files.

    A local project needs no copy: its own files are yielded.

    Args:
        project: The project.
        path: The file or directory.

    Raises:
        FileNotFoundError: It does not exist, or is a directory without files.
    """
    if project.local_root is not None:
        yield local_files(project.local_root / path)
        return
    info = stored(project, path, partial(project.info, path))
    with tempfile.TemporaryDirectory(prefix="hopsml-model-") as directory:
        if not info.is_directory:
            local = Path(directory, path.rpartition("/")[2])
            stored(project, path, partial(project.download, path, local), size=info.size)
            yield local_files(local)
            return
        files = stored(project, path, lambda: list(project.walk_files(path)))
        start = len(path) + 1 if path else 0

        def copy(name: str, size: int) -> None:
            local = Path(directory, name[start:])
            local.parent.mkdir(parents=True, exist_ok=True)
            stored(project, name, partial(project.download, name, local), size=size)

        wanted = [(file.name, file.size) for file in files]
        in_parallel(lambda file: copy(*file), wanted, threads=_PARALLEL)
        yield local_files(Path(directory))
