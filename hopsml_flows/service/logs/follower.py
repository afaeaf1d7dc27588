"""Read the logs of an experiment's trials, and follow them while the trials run.

Everything is read from storage. A trial is over when its ``.outputs.json`` or the event file of its
end exists. The experiment is over when its record says so, or when its driver's process is gone.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice

from hopsml_flows.errors import NotFoundError
from hopsml_flows.service.experiment_finder import TrialDirectory, find_trial, trial_directories
from hopsml_flows.service.logs.process_names import logs_in_order, process_name
from hopsml_flows.service.logs.reader import LogReader
from hopsml_flows.storage import ExperimentPaths, Project, TrialFiles, process_lives
from hopsml_flows.storage.parallel_requests import REQUESTS, in_parallel
from hopsml_flows.storage.retries import answer_limit, persistently
from hopsml_flows.tracking import ExperimentRecord, intact_record
from hopsml_flows.trials import State

__all__ = ["Lines", "Pause", "follow_trial", "follow_trials", "read_logs"]

_LOCAL_SECONDS = 0.25
_REMOTE_SECONDS = 2.0
"""Shortest pause between two looks. Workers copy logs to remote storage at longer intervals."""

_SHARE = 4
"""A pause lasts at least this many times as long as the look before it, to spare the storage."""

_AHEAD = 32
"""Most trials whose logs are opened in parallel."""

_AGAIN = 4
"""Failed trials checked in each look: a resumed experiment runs them again."""


@dataclass(frozen=True, slots=True)
class Lines:
    """Lines of a trial's log.

    Args:
        trial: The trial.
        process: The process of a distributed trial that printed them, such as "chief-0", or "".
        text: Whole lines, with their line ends.
    """

    trial: TrialDirectory
    process: str
    text: bytes


@dataclass(frozen=True, slots=True)
class Pause:
    """Nothing more for now. Wait before asking for the next value.

    Args:
        seconds: How long to wait.
    """

    seconds: float


def read_logs(
    project: Project,
    paths: ExperimentPaths,
    trials: Iterable[TrialDirectory],
    lines: int | None = None,
) -> Iterator[Lines | str]:
    """Read the logs of trials, one trial after the other.

    Args:
        project: The experiment's project.
        paths: The experiment's paths.
        trials: The trials.
        lines: Number of lines from each log's end, or None for all.

    Yields:
        Lines of the logs, and sentences for the user about the trials.

    Raises:
        OSError: Storage refused, or was unavailable for too long.
    """

    def begin(trial: TrialDirectory) -> tuple[_Logs, list[Lines | str], Iterator[Lines | str]]:
        logs = _Logs(project, paths, trial, lines)
        pieces = logs.new_lines(logs.look())
        return logs, list(islice(pieces, 1)), pieces

    waiting = iter(trials)
    while some := list(islice(waiting, _AHEAD)):
        read = in_parallel(begin, some, threads=_threads(project))
        for logs, first, further in read:
            yield from chain(first, further, logs.unfinished_lines())


def follow_trial(
    project: Project, paths: ExperimentPaths, text: str, lines: int | None = None
) -> Iterator[Lines | str | Pause]:
    """Follow a trial's log until the trial or its experiment is over.

    Args:
        project: The experiment's project.
        paths: The experiment's paths.
        text: What :func:`find_trial` takes. While the experiment runs, also the number of a trial
            that has not begun.
        lines: Begin with this many lines from the log's end, or None for all.

    Yields:
        Lines of the log, sentences for the user about the trial, and pauses.

    Raises:
        NotFoundError: There is no such trial, and there will be none.
        OSError: Storage refused, or was unavailable for too long.
    """
    state = _ExperimentState(project, paths)
    trial: TrialDirectory | None = None
    said = False
    while trial is None:
        clock = _Clock(project)
        over = state.read()
        try:
            trial = find_trial(project, paths, text)
        except NotFoundError:
            if over is not None or not state.may_begin(text):
                raise
            if not said:
                yield f"trial {text} has not begun yet"
            said = True
            yield clock.pause()
    logs = _Logs(project, paths, trial, None if said else lines)  # the user waited for all of it
    while True:
        clock = _Clock(project)
        over = state.read()  # before the logs: after the experiment's end they are complete
        look = logs.look()
        yield from logs.new_lines(look)
        if look.over or over is not None:
            if look.over and look.several:  # the other processes end after the leader
                yield clock.pause()
            yield from logs.rest()
            yield _ending(logs, look) if over is None or look.over else over
            return
        yield clock.pause()


def follow_trials(
    project: Project, paths: ExperimentPaths, lines: int | None = None
) -> Iterator[Lines | str | Pause]:
    """Follow the logs of an experiment's trials until the experiment is over.

    If the experiment runs, trials that are already over are skipped. If it is over, all its logs
    are read, as by :func:`read_logs`.

    Args:
        project: The experiment's project.
        paths: The experiment's paths.
        lines: Begin with this many lines from each log's end, or None for all.

    Yields:
        Lines of the logs, sentences for the user about the trials, and pauses.

    Raises:
        OSError: Storage refused, or was unavailable for too long.
    """
    state = _ExperimentState(project, paths)
    over = state.read()
    if over is not None:
        yield from read_logs(project, paths, trial_directories(project, paths), lines)
        yield over
        return
    trials = _Trials(project, paths, lines)
    while True:
        clock = _Clock(project)
        over = state.read()
        yield from trials.look(last=over is not None)
        if over is not None:
            yield over
            return
        yield clock.pause()


class _ExperimentState:
    """Tells from an experiment's record and its driver's process whether it runs.

    Args:
        project: The experiment's project.
        paths: The experiment's paths.
    """

    def __init__(self, project: Project, paths: ExperimentPaths) -> None:
        self._project = project
        self._paths = paths
        self._record: ExperimentRecord | None = None

    def read(self) -> str | None:
        """Return a sentence about how the experiment ended; None while it runs."""
        self._record = record = self._read()
        if record is None:
            return f"{self._paths.id} has no record that can be read"
        if record.state is State.RUNNING and process_lives(record.driver) is False:
            record = self._read() or record  # the driver may have written its end just now
            if record.state is State.RUNNING:
                return (
                    f"{record.id} is {record.state} by its record, but the process that ran it "
                    f"({record.driver.get('pid')}) is gone"
                )
        return None if record.state is State.RUNNING else f"{record.id} is {record.state}"

    def may_begin(self, text: str) -> bool:
        """Whether a text is a trial number that the running experiment can still reach."""
        if self._record is None or not (text.isascii() and text.isdecimal()):
            return False
        total = self._record.trials_total
        return int(text) > 0 and (total is None or int(text) <= total)

    def _read(self) -> ExperimentRecord | None:
        return intact_record(self._project, self._paths.id)


@dataclass(frozen=True, slots=True)
class _Look:
    """What one listing of a trial's directory shows.

    Args:
        sizes: Name of each wanted log to its size in bytes.
        several: Whether the trial has several logs; the leader's ends before the others.
        done: Whether the trial has a result.
        over: Whether the trial is over.
    """

    sizes: dict[str, int]
    several: bool
    done: bool
    over: bool


class _Logs:
    """Follows the logs of one trial.

    Args:
        project: The experiment's project.
        paths: The experiment's paths.
        trial: The trial.
        lines: Begin with this many lines from each log's present end, or None for all.
        left_out: Whether to hide the logs while the trial is over.
    """

    def __init__(
        self,
        project: Project,
        paths: ExperimentPaths,
        trial: TrialDirectory,
        lines: int | None,
        *,
        left_out: bool = False,
    ) -> None:
        self._project = project
        self._directory = paths.trial(trial.directory)
        self._trial = trial
        self._lines = lines
        self._readers: dict[str, LogReader] = {}
        self.left_out = left_out
        self.shown = False

    @property
    def name(self) -> str:
        """The trial's name, as sentences say it."""
        return self._trial.name or "the trial"

    def look(self) -> _Look:
        """Look at the trial's directory. Costs one request."""
        limit = answer_limit(self._project)
        entries = persistently(lambda: self._project.entries(self._directory), limit=limit)
        sizes = {entry.name.rpartition("/")[2]: entry.size for entry in entries}
        logs = logs_in_order(sizes)
        wanted = self._trial.process
        done = TrialFiles.OUTPUTS in sizes
        return _Look(
            {name: sizes[name] for name in logs if wanted in ("", process_name(name))},
            several=len(logs) > 1,
            done=done,
            over=done or TrialFiles.EVENTS_END in sizes,
        )

    def new_lines(self, look: _Look) -> Iterator[Lines | str]:
        """Yield the lines added since the previous call, up to the sizes that a look has seen.

        Args:
            look: The look.
        """
        for name, size in look.sizes.items():
            yield from self._read(name, size)
        self._lines = None

    def rest(self) -> Iterator[Lines | str]:
        """Look again, and yield all that was not yielded yet, also lines without a line end."""
        for name in self.look().sizes:
            yield from self._read(name, None)
        yield from self.unfinished_lines()

    def unfinished_lines(self) -> Iterator[Lines]:
        """Yield what was read of last lines that have no line end."""
        for name, reader in self._readers.items():
            if text := reader.rest():
                yield Lines(self._trial, process_name(name), text)

    def skip(self, look: _Look) -> None:
        """Skip the content up to the sizes that a look has seen."""
        for name, size in look.sizes.items():
            self._reader(name).skip_to(size)

    def _read(self, name: str, size: int | None) -> Iterator[Lines | str]:
        reader = self._reader(name)
        restarts = reader.restarts
        for text in reader.read(size):
            if reader.restarts != restarts:
                restarts = reader.restarts
                yield f"the log of {self.name} begins again"
            yield Lines(self._trial, process_name(name), text)

    def _reader(self, name: str) -> LogReader:
        if name not in self._readers:
            path = f"{self._directory}/{name}"
            self._readers[name] = LogReader(self._project, path, self._lines)
        return self._readers[name]


class _Trials:
    """Follows the trials of a running experiment.

    Args:
        project: The experiment's project.
        paths: The experiment's paths.
        lines: Begin with this many lines from the ends of present logs, or None for all.
    """

    def __init__(self, project: Project, paths: ExperimentPaths, lines: int | None) -> None:
        self._project = project
        self._paths = paths
        self._lines = lines
        self._first = True
        self._known: set[str] = set()
        self._running: list[_Logs] = []
        self._failed: deque[_Logs] = deque()
        self._late: list[_Logs] = []

    def look(self, *, last: bool) -> Iterator[Lines | str]:
        """Look once at the trials that run, and find those that have begun.

        Args:
            last: Whether this is the last look.
        """
        again = [self._failed.popleft() for _ in range(min(_AGAIN, len(self._failed)))]
        followed = [*self._running, *self._find_new(), *again]
        looks = in_parallel(_Logs.look, followed, threads=_threads(self._project))
        late, self._late, self._running = self._late, [], []
        left_out = 0
        for logs, look in zip(followed, looks, strict=True):
            if logs.left_out and look.over:
                logs.skip(look)
                left_out += 1
            else:
                yield from self._show(logs, look, last=last or look.over)
            if not look.over:
                self._running.append(logs)
            elif not look.done:
                logs.shown, logs.left_out = False, True
                self._failed.append(logs)
        for logs in late:
            yield from logs.rest()
        if self._first and left_out:
            yield f"trials already over: {left_out}; hopsml logs {self._paths.id} prints them"
        elif self._first and not followed:
            yield "no trial has begun yet"
        self._first = False

    def _find_new(self) -> list[_Logs]:
        """Find the trials that earlier looks have not seen."""
        found = [
            trial
            for trial in trial_directories(self._project, self._paths)
            if trial.directory not in self._known
        ]
        self._known.update(trial.directory for trial in found)
        lines = self._lines if self._first else None
        return [
            _Logs(self._project, self._paths, trial, lines, left_out=self._first) for trial in found
        ]

    def _show(self, logs: _Logs, look: _Look, *, last: bool) -> Iterator[Lines | str]:
        if not logs.shown and not self._first:
            yield f"{logs.name} has begun"
        logs.shown, logs.left_out = True, False
        yield from logs.new_lines(look)
        if last:
            yield from logs.rest()
        if look.over:
            yield _ending(logs, look)
            if look.several:  # the other processes end after the leader
                self._late.append(logs)


class _Clock:
    """Measures how long a look takes, to choose the pause after it."""

    def __init__(self, project: Project) -> None:
        self._least = _REMOTE_SECONDS if project.local_root is None else _LOCAL_SECONDS
        self._began = time.monotonic()

    def pause(self) -> Pause:
        """Return the pause to make now."""
        return Pause(max(self._least, _SHARE * (time.monotonic() - self._began)))


def _ending(logs: _Logs, look: _Look) -> str:
    return f"{logs.name} has {'finished' if look.done else 'failed'}"


def _threads(project: Project) -> int:
    return 1 if project.local_root is not None else REQUESTS
