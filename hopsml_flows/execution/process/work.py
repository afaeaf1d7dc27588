"""What a process does for single trials: one after the other, each in the same clean state."""

from __future__ import annotations

import pickle
import subprocess
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hopsml_flows.execution.call import Place
from hopsml_flows.execution.credentials import Lent
from hopsml_flows.execution.files.staging import Staging
from hopsml_flows.execution.job import Job
from hopsml_flows.execution.output.excerpt import Excerpt
from hopsml_flows.execution.process.clean_state import put_back, seeded, short_of_descriptors
from hopsml_flows.execution.process.messages import Called, Calling, Done, Line, Tell
from hopsml_flows.execution.trial_run import EventMakers, run_trial
from hopsml_flows.storage import TrialFiles
from hopsml_flows.trials import Trial, TrialResult

__all__ = ["Order", "TrialWork"]


@dataclass(frozen=True, slots=True)
class Order:
    """One trial to run.

    Args:
        trial: The trial, its hyperparameters as JSON values.
        values: The hyperparameters as the training function gets them, packed.
        around: Entered around the trial, in the process that runs it.
        tells_lines: Whether lines of its log are to be told, besides its result.
        note: What its log should say first, or "".
        lent: Temporary credentials for it, or None.
    """

    trial: Trial
    values: bytes
    around: AbstractContextManager[Any] | None = None
    tells_lines: bool = False
    note: str = ""
    lent: Lent | None = None


@dataclass(frozen=True, slots=True)
class TrialWork:
    """The trials of one experiment that one process runs.

    Args:
        job: What they share.
        place: Where they run.
        events: Makes their event files.
        home: Directory for the process's temporary files, which the worker removes.
    """

    job: Job
    place: Place
    events: EventMakers
    home: str

    def prepare(self) -> None:
        """Import what event files need, and stand in for the user's script."""
        self.job.live_in_this_process(Path(self.home))
        self.events.start(self.job, Trial(0, "", {}))

    def leave(self) -> None:
        """Have the process's directory removed, by a process that outlives this one."""
        subprocess.Popen(["rm", "-rf", "--", self.home], start_new_session=True)

    def carry_out(self, order: Order, tell: Tell) -> Done:
        """Run a trial.

        Args:
            order: The trial.
            tell: Tells the worker of its progress.
        """
        job, trial = self.job, order.trial
        where = job.project.full(job.paths.trial(trial.directory, TrialFiles.LOG))
        sink = Excerpt(lambda *line: tell(Line(*line)), where) if order.tells_lines else None

        def values() -> Mapping[str, Any]:
            return pickle.loads(order.values)  # type: ignore[no-any-return]

        place = replace(
            self.place,
            note=order.note,
            calling=lambda: tell(Calling()),
            called=lambda: tell(Called()),
            values=values,
        )
        result: TrialResult | None = None
        try:
            with put_back() as left, order.around or nullcontext():
                seeded(job.trial_seed(trial.number))
                staging = Staging(
                    job.project,
                    job.paths,
                    trial,
                    local_logdir=job.local_logdir,
                    scratch=self.home,
                    resumed=job.resumed,
                    sync_interval=job.sync_interval,
                )
                result = run_trial(job, trial, staging, place, self.events, sink)
        except Exception as error:  # of storage: each file system has errors of its own
            unfit = f"hopsml-flows itself failed ({type(error).__name__}: {error})"
            if result is None:
                return Done(error=_sendable(error), unfit=unfit)
            # It is committed: what failed after that costs the process, and not the trial.
            return Done(replace(result, params={}), unfit=unfit)
        # The driver knows the hyperparameters; here they may be of classes that only it has.
        unfit = "; ".join(left) or short_of_descriptors()
        return Done(replace(result, params={}), unfit=unfit)


def _sendable(error: Exception) -> Exception:
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:  # exceptions pickle in all the ways there are to fail
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error
