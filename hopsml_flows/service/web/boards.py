"""The TensorBoards that pages have started; they end with the server."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

from hopsml_flows.board import Board, Shown
from hopsml_flows.board.settings import LOOPBACK
from hopsml_flows.storage import ExperimentPaths, Project

__all__ = ["MOST_BOARDS", "Boards", "OpenBoard"]

MOST_BOARDS = 4
"""Most TensorBoards at a time: each takes some hundred megabytes. The oldest ends for a new one."""


@dataclass
class OpenBoard:
    """A TensorBoard that a page has started.

    Args:
        name: Its name in forms.
        experiments: Identifiers of the experiments that it shows.
        board: Its process.
        problem: Why it cannot run, or "".
    """

    name: str
    experiments: tuple[str, ...]
    board: Board = field(repr=False)
    problem: str = ""

    @property
    def url(self) -> str:
        """Its address."""
        return self.board.url


class Boards:
    """TensorBoards on the loopback address, for the user of this machine alone.

    Args:
        project: The project that they show.
    """

    def __init__(self, project: Project) -> None:
        self._project = project
        self._lock = threading.Lock()
        self._open: list[OpenBoard] = []

    def running(self) -> list[OpenBoard]:
        """Return those that were started and not stopped, the oldest first."""
        with self._lock:
            return list(self._open)

    def show(self, experiments: Sequence[str], trials: int) -> OpenBoard:
        """Return a TensorBoard of experiments; one that runs already is returned again.

        Args:
            experiments: Identifiers, at least one.
            trials: Number of their trials.

        Raises:
            OSError: No port is free.
        """
        wanted = tuple(experiments)
        with self._lock:
            for known in self._open:
                if known.experiments == wanted and known.board.is_running:
                    return known
            shown = Shown.experiments(self._project, map(ExperimentPaths, wanted), trials)

            def complain(reason: str) -> None:
                opened.problem = reason

            board = Board(shown, host=LOOPBACK, port=0, complain=complain)
            opened = OpenBoard(secrets.token_hex(8), wanted, board)
            old = [each for each in self._open if each.experiments == wanted]
            kept = [each for each in self._open if each not in old]
            old += kept[: max(0, len(kept) + 1 - MOST_BOARDS)]
            self._open = [each for each in kept if each not in old] + [opened]
            board.start()
        for each in old:
            each.board.close()
        return opened

    def stop(self, name: str) -> None:
        """End a TensorBoard; nothing happens if there is none of that name.

        Args:
            name: Its name.
        """
        with self._lock:
            ended = [each for each in self._open if each.name == name]
            self._open = [each for each in self._open if each.name != name]
        for each in ended:
            each.board.close()

    def close(self) -> None:
        """End all."""
        for each in self.running():
            self.stop(each.name)
