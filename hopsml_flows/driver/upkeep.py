"""The driver's own writes while trials run: the summary, the record's end, the sign of life.

A write that storage refuses is tried again; meanwhile the driver starts no trial. When the patience
is used up and no trial runs, the run ends with one error. It says where kept files lie and how to
go on.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable

from hopsml_flows.driver.version_keeping import VersionKeeping
from hopsml_flows.errors import ExperimentInterruptedError
from hopsml_flows.redaction import redacted
from hopsml_flows.storage import is_of_storage
from hopsml_flows.storage import retries as patience
from hopsml_flows.storage.lease import BEAT_SECONDS, Lease
from hopsml_flows.tracking import Summary
from hopsml_flows.tracking.journal_file import JournalFile
from hopsml_flows.trials import Outage, TrialResult

__all__ = ["Upkeep"]

_SHOWN = 20
"""Most kept directories that an error names."""

_logger = logging.getLogger(__name__)


class Upkeep:
    """Keeps what the driver writes of one experiment up to date.

    Args:
        experiment_id: The experiment's identifier.
        summary: Its summary.
        lease: The lease by which this driver may write.
        note: Tells the user of an outage.
        journal: The journal of its search, or None.
        versions: Keeps its program and its environment, or None.
    """

    def __init__(
        self,
        experiment_id: str,
        summary: Summary,
        lease: Lease,
        note: Callable[[str], None],
        journal: JournalFile | None = None,
        versions: VersionKeeping | None = None,
    ) -> None:
        self._id = experiment_id
        self._summary = summary
        self._lease = lease
        self._note = note
        self._journal = journal
        self._versions = versions
        self._outage = Outage(patience.PATIENCE_SECONDS)
        self._looked = time.monotonic()
        self._kept: dict[str, None] = {}

    @property
    def is_paused(self) -> bool:
        """Whether storage takes nothing now, so that the driver must start no trial."""
        return self._outage.is_on

    @property
    def is_hopeless(self) -> bool:
        """Whether storage has taken nothing for longer than the patience."""
        return self._outage.is_hopeless(time.monotonic())

    @property
    def is_ours(self) -> bool:
        """Ask storage whether this driver still owns the experiment."""
        self._lease.beat()
        return not self._lease.is_lost

    @property
    def kept(self) -> tuple[str, ...]:
        """Where trials of this run keep their files, each as ``host:directory``."""
        return tuple(self._kept)

    def look(self) -> None:
        """Check storage and the lease, and write what is due.

        Raises:
            ExperimentTakenOverError: Another driver has taken the experiment over.
        """
        now = time.monotonic()
        if now - self._looked > BEAT_SECONDS:  # this process was stopped, for an unknown time
            self._lease.beat()
        self._looked = now
        self._lease.check()
        if self._outage.is_due(now) or (self._lease.refused and not self._outage.is_on):
            self._probe()
        elif self._is_due and not self._outage.is_on:
            self._try(self._write_due)

    def add(self, result: TrialResult) -> None:
        """Add a result to the summary."""
        self._summary.add(result, write=False)

    def keeps(self, result: TrialResult) -> None:
        """Remember where a trial keeps its files, if it does."""
        if result.failure is not None and result.failure.kept:
            self._kept[result.failure.kept] = None

    def released(self, result: TrialResult) -> None:
        """Forget where a trial kept its files: they are in the project now."""
        if result.failure is not None:
            self._kept.pop(result.failure.kept, None)

    def suspect(self) -> None:
        """Try whether storage takes anything, after a trial could not bring its files."""
        if not self._outage.is_on:
            self._probe()

    def insist(self, write: Callable[[], None]) -> None:
        """Try to write something until storage takes it or the patience is used up.

        Args:
            write: Writes it, in one try.

        Raises:
            ExperimentInterruptedError: Storage never took it.
            ExperimentTakenOverError: Another driver has taken the experiment over.
        """
        self._lease.beat()
        self._lease.check()
        while not self._try(write):
            now = time.monotonic()
            if self._outage.is_hopeless(now):
                raise self.interruption() from self._outage.error
            while not self._outage.is_due(time.monotonic()):
                time.sleep(0.1)
            self._lease.check()
        self._outage.worked()

    def finish_files(self) -> None:
        """Write the last state of summary and journal; see :meth:`insist`."""
        self.insist(self._write_files)

    def last_words(self) -> None:
        """Write the files once more if storage takes it, and say where kept files lie."""
        if self._lease.is_lost:
            return
        try:
            self._write_files()
        except Exception as error:  # what ended the run matters more
            _logger.warning(
                "the summary of %s was not written (%s)", self._id, redacted(str(error))
            )
        if self._kept:
            places = _listed(self._kept)
            _logger.warning("%s: trials keep their files in %s", self._id, places)

    def interruption(self) -> ExperimentInterruptedError:
        """The error that ends a run whose storage takes nothing."""
        error = self._outage.error
        lines = str(error).splitlines() or [""]
        message = (
            f"{self._id}: storage took nothing that the driver writes for "
            f"{patience.PATIENCE_SECONDS:g} s ({type(error).__name__}: {lines[0]}). "
            "What trials committed is safe. "
        )
        if self._kept:
            message += (
                f"The files of {len(self._kept)} trials are kept in {_listed(self._kept)}; "
                "resumed on that machine, the experiment takes them in. "
            )
        message += f'To go on, make the same call with resume="{self._id}"'
        return ExperimentInterruptedError(message, self._id, self.kept)

    def _probe(self) -> None:
        """Try to write all that is due; without an error the outage has ended."""
        was_on = self._outage.is_on
        self._lease.beat()
        self._lease.check()
        refused = self._lease.refused
        if refused is not None:
            self._failed(refused)
        elif self._try(self._write_files) and was_on:
            self._outage.worked()
            self._note("storage takes files again: the experiment goes on")

    def _try(self, write: Callable[[], None]) -> bool:
        try:
            write()
        except Exception as error:  # each file system has errors of its own
            if not is_of_storage(error):
                raise
            self._failed(error)
            return False
        return True

    def _failed(self, error: Exception) -> None:
        if self._outage.failed(error, time.monotonic()):
            said = f"{type(error).__name__}: {redacted(str(error))}"
            self._note(
                f"storage does not take what the driver writes ({said}): "
                f"no trial is started; after {patience.PATIENCE_SECONDS:g} s the experiment ends "
                "when its running trials have"
            )

    @property
    def _is_due(self) -> bool:
        others = (self._journal, self._versions)
        return self._summary.is_due or any(each is not None and each.is_due for each in others)

    def _write_due(self) -> None:
        """Write what is due; the driver does not wait for a long journal."""
        if self._journal is not None and self._journal.is_due:
            self._journal.write_behind()
        if self._versions is not None and self._versions.is_due:
            self._versions.record()
        if self._summary.is_due:
            self._summary.write(patience=0)

    def _write_files(self) -> None:
        """Write all that the files lack, and wait for it."""
        if self._journal is not None:
            self._journal.write(patience=0)
        self._summary.write(patience=0)


def _listed(places: Iterable[str]) -> str:
    listed = list(places)
    more = len(listed) - _SHOWN
    return ", ".join(listed[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
