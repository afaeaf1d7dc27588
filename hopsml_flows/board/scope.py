"""What a TensorBoard shows: the value that travels to its process."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from hopsml_flows.storage import ExperimentPaths, Project

__all__ = ["USUAL_TRIALS", "Shown"]

USUAL_TRIALS = 1000
"""What is reckoned with where nobody knows how many trials there will be."""


@dataclass(frozen=True, slots=True)
class Shown:
    """Directories of a project whose event files a TensorBoard shows.

    Args:
        project: The project; it pickles with all that another process needs to reach it.
        directories: What the runs of a directory are named after, and the directory's path in the
            project. One whose name is "" is alone, and its runs are named as they are.
        title: Title of the page.
        runs: Whether trials that have not ended are running: it is shown by whoever runs them.
        trials: How many trials there are or will be, as far as that is known.
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
        """Experiments: one alone, or several side by side, each run named after its experiment.

        Args:
            project: Their project.
            found: Their paths; at least one.
            trials: How many trials they have; None where that is not known.
        """
        count = USUAL_TRIALS if trials is None else trials
        first, *others = found
        if not others:
            return cls(project, (("", first.root),), first.id, trials=count)
        directories = tuple((paths.id, paths.root) for paths in (first, *others))
        return cls(project, directories, project.name, trials=count)

    @property
    def local_directory(self) -> Path | None:
        """The one directory, where it is alone and a local one: TensorBoard reads that itself."""
        root = self.project.local_root
        if root is None or len(self.directories) > 1 or self.directories[0][0]:
            return None
        return root / self.directories[0][1]
