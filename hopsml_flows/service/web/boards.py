"""The TensorBoards that pages have started; they end with the server."""

from __future__ import annotations

import itertools
import secrets
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from hopsml_flows.board import Board, Shown
from hopsml_flows.board.settings import LOOPBACK
from hopsml_flows.storage import ExperimentPaths, Project
from hopsml_flows.storage.parallel_requests import in_parallel

__all__ = ["MOST_BOARDS", "Boards", "OpenBoard"]

MOST_BOARDS = 4
"""Most TensorBoards at a time: each takes some hundred megabytes. The one that was asked for
longest ago ends for a new one."""


@dataclass
class OpenBoard:
    """A TensorBoard that a page has started.

    Args:
        name: Its name in forms.
        experiments: Identifiers of the experiments that it shows.
        board: Its process.
        problem: Why it cannot run, or "".
        asked: Grows with each time that a page asks for it.
    """

    name: str
    experiments: tuple[str, ...]
    board: Board = field(repr=False)
    problem: str = ""
    asked: int = 0

    @property
    def url(self) -> str:
        """Its address."""
        return self.board.url


class Boards:
    """TensorBoards on the loopback address.

    Every user of this machine reaches them, without a token, and no other machine does. So only a
    server starts them that itself is for all users of this machine and for none of another.

    Args:
        project: The project that they show.
    """

    def __init__(self, project: Project) -> None:
        self._project = project
        self._lock = threading.Lock()
        self._open: list[OpenBoard] = []
        self._asked = itertools.count(1)

    def running(self) -> list[OpenBoard]:
        """Return those that were started and not stopped, the oldest first."""
        with self._lock:
            return list(self._open)

    def show(self, experiments: Sequence[str], trials: int) -> OpenBoard:
        """Return a TensorBoard of experiments; one that runs already is returned again.

        Args:
            experiments: Identifiers, at least one. Their order does not matter.
            trials: Number of their trials.

        Raises:
            OSError: No port is free.
        """
        wanted = tuple(experiments)
        with self._lock:
            same = [each for each in self._open if set(each.experiments) == set(wanted)]
            for known in same:
                if known.board.is_running:
                    known.asked = next(self._asked)
                    return known
            shown = Shown.experiments(self._project, map(ExperimentPaths, wanted), trials)

            def complain(reason: str) -> None:
                opened.problem = reason

            board = Board(shown, host=LOOPBACK, port=0, complain=complain)
            opened = OpenBoard(secrets.token_hex(8), wanted, board, asked=next(self._asked))
            others = [each for each in self._open if each not in same]
            excess = max(0, len(others) + 1 - MOST_BOARDS)
            ended = same + sorted(others, key=lambda each: each.asked)[:excess]
            self._open = [each for each in self._open if each not in ended] + [opened]
            board.start()
        _end(ended)
        return opened

    def stop(self, name: str) -> None:
        """End a TensorBoard; nothing happens if there is none of that name.

        Args:
            name: Its name.
        """
        self._stop(lambda each: each.name == name)

    def stop_showing(self, experiment_id: str) -> None:
        """End the TensorBoards that show an experiment.

        Args:
            experiment_id: The whole identifier.
        """
        self._stop(lambda each: experiment_id in each.experiments)

    def close(self) -> None:
        """End all."""
        self._stop(lambda _: True)

    def _stop(self, chosen: Callable[[OpenBoard], bool]) -> None:
        with self._lock:
            ended = list(filter(chosen, self._open))
            self._open = [each for each in self._open if each not in ended]
        _end(ended)


def _end(boards: Sequence[OpenBoard]) -> None:
    """End TensorBoards, all at once: each may take seconds."""
    in_parallel(lambda each: each.board.close(), boards)
