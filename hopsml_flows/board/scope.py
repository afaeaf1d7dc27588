"""The directories that a TensorBoard shows: a value that is sent to its process."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from hopsml_flows.storage import ExperimentPaths, Project

__all__ = ["USUAL_TRIALS", "Shown"]

USUAL_TRIALS = 1000
"""Assumed number of trials where the number is unknown."""


@dataclass(frozen=True, slots=True)
class Shown:
    """Directories of a project whose event files a TensorBoard shows.

    Args:
        project: The project.
        directories: Pairs of a name, which prefixes the directory's runs, and the directory's path
            in the project. A single directory may have the name "", for no prefix.
        title: Title of the page.
        runs: Whether the experiment runs, so that trials without an end are shown as running.
        trials: Number of trials that exist or will exist, as far as known.
    """

    project: Project
    directories: tuple[tuple[str, str], ...]
    title: str
    runs: bool = False
    trials: int = USUAL_TRIALS

    @classmethod
    def experiments(
        cls, project: Project, found: Iterable[ExperimentPaths], trials: int | None = None
    ) -> Shown:
        """Show one experiment, or several side by side with runs named after their experiments.

        Args:
            project: The project with the experiments.
            found: The paths of at least one experiment.
            trials: Number of their trials; None if unknown.
        """
        count = USUAL_TRIALS if trials is None else trials
        first, *others = found
        if not others:
            return cls(project, (("", first.root),), first.id, trials=count)
        directories = tuple((paths.id, paths.root) for paths in (first, *others))
        return cls(project, directories, project.name, trials=count)

    @property
    def local_directory(self) -> Path | None:
        """The directory that TensorBoard can read itself: a single one, and local. Else None."""
        root = self.project.local_root
        if root is None or len(self.directories) > 1 or self.directories[0][0]:
            return None
        return root / self.directories[0][1]
