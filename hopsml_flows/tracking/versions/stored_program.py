"""The program that an experiment keeps, read back from storage, to be run or kept again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hopsml_flows.storage import ExperimentPaths, Project
from hopsml_flows.storage.reading import LARGEST_RECORD, content_of

__all__ = ["StoredProgram", "read_program"]

_SUFFIXES = (".ipynb", ".py")
_FACTS = ("modules", "git", "script")


@dataclass(frozen=True, slots=True)
class StoredProgram:
    """The program of an experiment.

    Args:
        content: The script, the notebook or the function's file; None if there is none.
        suffix: ``.py`` or ``.ipynb``.
        modules: The archive of the user's modules, or None.
        difference: How the repository differed from its commit, or None.
        facts: ``modules``, ``git`` and ``script`` of the record's versions.
    """

    content: bytes | None
    suffix: str = ".py"
    modules: bytes | None = None
    difference: bytes | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def script(self) -> str | None:
        """The script's name among the modules, or None."""
        modules = self.facts.get("modules")
        name = modules.get("script") if isinstance(modules, Mapping) else None
        return name if isinstance(name, str) else None

    @property
    def main(self) -> str | None:
        """Name of the file that was started as a script; None if there was none, or it is unknown.

        A program that is not a script is the file of the training function.
        """
        name = self.facts.get("script")
        return name if isinstance(name, str) else None

    def files(self, paths: ExperimentPaths) -> dict[str, bytes]:
        """Return the program as files of another experiment.

        Args:
            paths: That experiment's paths.
        """
        files = {
            paths.program(self.suffix): self.content,
            paths.modules: self.modules,
            paths.difference: self.difference,
        }
        return {path: content for path, content in files.items() if content is not None}

    def facts_of(self, paths: ExperimentPaths) -> dict[str, Any]:
        """Return what the record of another experiment that keeps the program says of it.

        Args:
            paths: That experiment's paths.
        """
        found: dict[str, Any] = {}
        for name, key, path, content in (
            ("modules", "file", paths.modules, self.modules),
            ("git", "difference", paths.difference, self.difference),
        ):
            told = self.facts.get(name)
            if isinstance(told, Mapping) and (name == "git" or content is not None):
                found[name] = {**told, **({key: path} if content is not None else {})}
        if self.main is not None:
            found["script"] = self.main
        return found


def read_program(
    project: Project, paths: ExperimentPaths, versions: Mapping[str, Any], recorded: str | None
) -> StoredProgram:
    """Return the program that an experiment keeps.

    Args:
        project: The project.
        paths: The experiment's paths.
        versions: ``versions`` of its record.
        recorded: ``program`` of its record, which says whether it is a notebook. No other path in
            a record is followed.

    Raises:
        DamagedFileError: A file is too large for one of its kind.
        StorageUnavailableError: Storage refuses a file, or did not answer in time.
    """
    suffixes = _SUFFIXES if (recorded or "").endswith(".ipynb") else _SUFFIXES[::-1]
    content, found = None, suffixes[0]
    for suffix in suffixes:
        content = content_of(project, paths.program(suffix), LARGEST_RECORD)
        if content is not None:
            found = suffix
            break
    return StoredProgram(
        content,
        found,
        content_of(project, paths.modules, LARGEST_RECORD),
        content_of(project, paths.difference, LARGEST_RECORD),
        {name: versions[name] for name in _FACTS if name in versions},
    )
