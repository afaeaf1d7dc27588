"""The lease of an experiment: only the driver that holds it runs the experiment's trials.

A lease is a file ``.lease.<n>`` in the experiment's directory. It is created exclusively and never
rewritten. Its holder rewrites the beat file beside it every ``BEAT_SECONDS``. A driver that finds
the holder dead creates ``.lease.<n+1>`` and removes the older file. A holder that was suspended
meanwhile finds its own file gone, and lets go of the experiment.

Guarantees: if several drivers take a lease at the same time, exactly one gets it, on local disks,
S3, WebHDFS and HDFS (``Project.create``). On HDFS through libhdfs this holds among drivers that use
this package, unless one is suspended for more than 30 s between two of its requests; that driver
notices at its next beat. A suspended driver may still write between the takeover and its next beat
or check.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from types import TracebackType
from uuid import uuid4

from hopsml_flows.errors import ExperimentRunningError, ExperimentTakenOverError
from hopsml_flows.redaction import redacted
from hopsml_flows.storage.identity import process_lives, this_process
from hopsml_flows.storage.lease_rules import Holder, Life, Watch, first_look
from hopsml_flows.storage.paths import ExperimentPaths, lease_number
from hopsml_flows.storage.project import Project
from hopsml_flows.storage.retries import answer_limit, persistently
from hopsml_flows.storage.time_limit import within

__all__ = ["BEAT_SECONDS", "Lease", "check_free", "take_lease"]

BEAT_SECONDS = 10.0
"""Seconds between two beats of a driver."""

_LOOKS = 8
"""Looks of an observer per beat."""

_RELEASE_SECONDS = 5.0
"""Seconds that the driver waits at most for storage to remove its lease."""

_MOST_BYTES = 1 << 16
"""Bytes of a lease or a beat that are read; both have some hundred."""

_logger = logging.getLogger(__name__)

_held: set[str] = set()
"""Tokens of the leases that this process holds."""


class Lease:
    """A lease that this process holds; a context manager that beats, and gives the lease back.

    Args:
        project: The project with the experiment.
        paths: The experiment's paths.
        number: The lease's number.
        holder: The content of the lease file.
    """

    def __init__(
        self, project: Project, paths: ExperimentPaths, number: int, holder: Holder
    ) -> None:
        self._project = project
        self._paths = paths
        self._number = number
        self._holder = holder
        self._count = 0
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._lost: str | None = None
        self.refused: Exception | None = None
        """The error that storage raised for the last beat; None if it accepted the beat."""
        self._thread = threading.Thread(target=self._run, name="hopsml-lease", daemon=True)

    def __enter__(self) -> Lease:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        self._thread.join(_RELEASE_SECONDS)
        _held.discard(self._holder.token)
        with suppress(Exception):  # a lease file that stays is dead when this process has ended
            within(_RELEASE_SECONDS, self._release)

    @property
    def is_lost(self) -> bool:
        """Whether another driver took the experiment over, as of the last beat."""
        return self._lost is not None

    def check(self) -> None:
        """Check that the experiment is still this driver's, as of the last beat.

        Raises:
            ExperimentTakenOverError: Another driver has taken it over.
        """
        if self._lost is not None:
            raise ExperimentTakenOverError(self._paths.id, self._lost)

    def beat(self) -> None:
        """Write a sign of life, and find out whether another driver took the lease over.

        An error of storage is kept in ``refused``, and not raised.
        """
        with self._lock:
            if self._lost is not None or self._over.is_set():
                return
            try:
                within(answer_limit(self._project), self._beat)
            except Exception as error:  # each file system has errors of its own
                self.refused = error
            else:
                self.refused = None

    def _run(self) -> None:
        warned = False
        while not self._over.wait(self._holder.seconds):
            self.beat()
            if self.refused is not None and not warned:
                _logger.warning(
                    "storage does not accept the driver's sign of life (%s: %s)",
                    type(self.refused).__name__,
                    redacted(str(self.refused)),
                )
            warned = self.refused is not None

    def _beat(self) -> None:
        taker = self._taker()
        if taker is not None:
            self._lost = taker
            return
        self._count += 1
        told = {"beat": self._count, "time": datetime.now(UTC).isoformat(timespec="seconds")}
        self._project.replace(self._paths.beat(self._number), json.dumps(told))

    def _taker(self) -> str | None:
        """Describe the driver that has the experiment now; None while this driver has it."""
        with suppress(FileNotFoundError):
            text = self._project.read(self._paths.lease(self._number + 1), 0, _MOST_BYTES)
            return _named(Holder.from_json(text, seconds=self._holder.seconds))
        try:
            text = self._project.read(self._paths.lease(self._number), 0, _MOST_BYTES)
        except FileNotFoundError:
            return "a driver that is over, or its lease file was removed"
        if text != self._holder.to_json().encode():
            return _named(Holder.from_json(text, seconds=self._holder.seconds))
        return None

    def _release(self) -> None:
        with suppress(FileNotFoundError):
            self._project.remove(self._paths.beat(self._number))
        if self._taker() is None:
            with suppress(FileNotFoundError):
                self._project.remove(self._paths.lease(self._number))


def check_free(project: Project, paths: ExperimentPaths) -> None:
    """Refuse an experiment whose driver certainly runs. Waits for nothing and changes nothing.

    Args:
        project: The project with the experiment.
        paths: The experiment's paths.

    Raises:
        ExperimentRunningError: Its driver runs on this machine.
    """
    _, text = persistently(partial(_latest, project, paths))
    if text is not None:
        holder = Holder.from_json(text, seconds=BEAT_SECONDS)
        if first_look(holder, lives=_lives(holder), silent=None) is Life.LIVES:
            raise _running(paths, holder)


def take_lease(
    project: Project, paths: ExperimentPaths, notice: Callable[[str], None], *, new: bool = False
) -> Lease:
    """Take the lease of an experiment whose directory exists.

    If a driver on another machine may hold the lease, this waits up to 35 s for its beat.

    Args:
        project: The project with the experiment.
        paths: The experiment's paths.
        notice: Called with the reason when this waits.
        new: Whether the experiment is new, and so has no other lease to look for.

    Returns:
        The lease. Its beats begin when its context is entered.

    Raises:
        ExperimentRunningError: Another driver runs the experiment.
    """
    mine = Holder(uuid4().hex, this_process(), BEAT_SECONDS)
    _held.add(mine.token)
    try:
        number = _take_number(project, paths, notice, mine, new=new)
    except BaseException:
        _held.discard(mine.token)
        raise
    return Lease(project, paths, number, mine)


def _take_number(
    project: Project,
    paths: ExperimentPaths,
    notice: Callable[[str], None],
    mine: Holder,
    *,
    new: bool,
) -> int:
    """Create a lease for a holder, and return the lease's number."""
    limit = answer_limit(project)
    while True:
        number, text = (0, None) if new else persistently(partial(_latest, project, paths))
        new = False
        if text == mine.to_json().encode():  # a request created it, and its answer was lost
            break
        if text is not None:
            _check_dead(project, paths, number, text, notice)
        number += 1
        try:
            persistently(partial(project.create, paths.lease(number), mine.to_json()), limit=limit)
        except FileExistsError:  # another driver was faster: judge that one
            continue
        # If two drivers judged different leases, the one with the lower number came too late.
        if persistently(partial(_latest, project, paths)) == (number, mine.to_json().encode()):
            break
        with suppress(FileNotFoundError):
            if project.read(paths.lease(number), 0, _MOST_BYTES) == mine.to_json().encode():
                project.remove(paths.lease(number))
    for name in persistently(lambda: project.listdir(paths.root)):
        other = lease_number(name)
        if other is not None and other < number:
            with suppress(FileNotFoundError):
                persistently(partial(project.remove, f"{paths.root}/{name}"), limit=limit)
    return number


def _latest(project: Project, paths: ExperimentPaths) -> tuple[int, bytes | None]:
    """Return number and content of the valid lease; 0 and None if there is none."""
    while True:
        names = project.listdir(paths.root)
        number = max((lease_number(name, beats=False) or 0 for name in names), default=0)
        if not number:
            return 0, None
        with suppress(FileNotFoundError):  # its holder gave it back meanwhile
            return number, project.read(paths.lease(number), 0, _MOST_BYTES)


def _check_dead(
    project: Project,
    paths: ExperimentPaths,
    number: int,
    text: bytes,
    notice: Callable[[str], None],
) -> None:
    """Return when a lease's holder is dead or has given the lease back.

    Raises:
        ExperimentRunningError: The holder lives.
    """
    holder = Holder.from_json(text, seconds=BEAT_SECONDS)
    lives = _lives(holder)
    silent = _silent_seconds(project, paths, number) if lives is None else None
    life = first_look(holder, lives=lives, silent=silent)
    if life is Life.UNKNOWN:
        notice(
            f"{paths.id} was last run by {_named(holder)}: waiting up to {holder.patience:.0f} s "
            "to see whether that driver still runs"
        )
        beat = partial(_beat_of, project, paths, number)
        watch = Watch(holder, persistently(beat), time.monotonic())
        while life is Life.UNKNOWN:
            time.sleep(holder.seconds / _LOOKS)
            if not persistently(partial(project.exists, paths.lease(number))):
                return
            life = watch.look(persistently(beat), time.monotonic())
    if life is Life.LIVES:
        raise _running(paths, holder)


def _lives(holder: Holder) -> bool | None:
    """Whether a holder's process lives; None if this machine cannot know."""
    if not holder.process:
        return None
    lives = process_lives(holder.process)
    if lives and holder.process == this_process():  # an earlier run here may have left the file
        return holder.token in _held
    return lives


def _beat_of(project: Project, paths: ExperimentPaths, number: int) -> bytes | None:
    with suppress(FileNotFoundError):
        return project.read(paths.beat(number), 0, _MOST_BYTES)
    return None


def _silent_seconds(project: Project, paths: ExperimentPaths, number: int) -> float | None:
    """Return the seconds since the holder wrote, by the storage's clock: compare a new file."""
    probe = paths.lease_probe(uuid4().hex)
    try:
        persistently(partial(project.replace, probe, b"now"), limit=answer_limit(project))
        now = project.info(probe).modified
        last = None
        for path in (paths.beat(number), paths.lease(number)):
            with suppress(FileNotFoundError):
                written = project.info(path).modified
                if written is not None:
                    last = max(written, last or written)
    finally:
        with suppress(FileNotFoundError):
            persistently(partial(project.remove, probe), limit=answer_limit(project))
    return None if now is None or last is None else now - last


def _named(holder: Holder) -> str:
    return f"process {holder.pid} on {holder.host}"


def _running(paths: ExperimentPaths, holder: Holder) -> ExperimentRunningError:
    return ExperimentRunningError(
        "resume", paths.id, because=f"it is still running ({_named(holder)})"
    )
