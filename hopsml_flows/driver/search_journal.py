"""Keeps the journal of an asynchronous search, and goes on from one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from hopsml_flows.storage.reading import LARGEST_JOURNAL, content_of
from hopsml_flows.tracking.journal_file import JournalFile
from hopsml_flows.trials.journal import Journal, restored
from hopsml_flows.trials.journal_lines import header_line, line_of, run_line

if TYPE_CHECKING:
    from hopsml_flows.storage import ExperimentPaths, Project
    from hopsml_flows.trials import LoopEvent, LoopInstruction, TrialLoop, TrialResult

__all__ = ["SearchJournal", "read_journal"]


def read_journal(project: Project, paths: ExperimentPaths) -> Journal | None:
    """Read the journal that earlier runs of an experiment left; None if there is none.

    Args:
        project: The experiment's project.
        paths: Its paths.

    Raises:
        DamagedFileError: It is no journal.
        StorageUnavailableError: It cannot be read, though it may exist.
    """
    content = content_of(project, paths.journal, LARGEST_JOURNAL)
    return None if content is None else Journal.read(project.full(paths.journal), content)


class SearchJournal:
    """Writes down what the trial loop handles.

    Args:
        project: The experiment's project.
        paths: Its paths.
        earlier: The journal that earlier runs left, or None.
        making: What the search and the rule are made of, as JSON values.
        begun: Hyperparameters of the trials that earlier runs began, by number.
    """

    def __init__(
        self,
        project: Project,
        paths: ExperimentPaths,
        earlier: Journal | None,
        making: Mapping[str, Any],
        begun: Mapping[int, dict[str, Any]],
    ) -> None:
        head = header_line(paths.id) if earlier is None else earlier.text
        exists = earlier is not None and earlier.is_whole
        self.file = JournalFile(project, paths, head, exists=exists)
        proposals = {} if earlier is None else earlier.proposals
        self.recalled = {**begun, **proposals}
        more = {number: params for number, params in begun.items() if number not in proposals}
        self._run_line = run_line(making, more)
        self._earlier = earlier
        self._is_replaying = False

    def record(self, event: LoopEvent, instructions: Sequence[LoopInstruction]) -> None:
        """Write an event of the trial loop down."""
        if self._is_replaying:
            return
        line = line_of(event, instructions)
        if line is not None:
            self.file.add(line)

    def replay(self, loop: TrialLoop, results: Mapping[int, TrialResult]) -> Iterator[TrialResult]:
        """Bring a fresh trial loop to where the earlier runs ended; then this run begins.

        Args:
            loop: The loop.
            results: Results of trials with all that their files have.

        Yields:
            The results that count.
        """
        if self._earlier is not None:
            self._is_replaying = True
            try:
                yield from restored(loop, self._earlier, results)
            finally:
                self._is_replaying = False
        self.file.add(self._run_line)  # only of a run that could go on from the others
