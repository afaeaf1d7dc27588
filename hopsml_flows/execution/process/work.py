"""The work of a training process for trials of one process: it runs them one after the other."""

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
from hopsml_flows.execution.process.clean_state import put_back, short_of_descriptors
from hopsml_flows.execution.process.messages import Called, Calling, Done, Line, Tell
from hopsml_flows.execution.trial_run import EventMakers, run_trial
from hopsml_flows.execution.trial_seeds import seeded
from hopsml_flows.storage import TrialFiles
from hopsml_flows.trials import Trial, TrialResult

__all__ = ["Order", "TrialWork"]


@dataclass(frozen=True, slots=True)
class Order:
    """One trial to run.

    Args:
        trial: The trial, its hyperparameters as JSON values.
        values: The hyperparameters as the training function gets them, packed.
        around: A context that the training process enters around the trial, or None.
        tells_lines: Whether the process sends lines of the trial's log, besides its result.
        note: A warning for the beginning of the trial's log, or "".
        lent: Temporary credentials for the trial, or None.
    """

    trial: Trial
    values: bytes
    around: AbstractContextManager[Any] | None = None
    tells_lines: bool = False
    note: str = ""
    lent: Lent | None = None


@dataclass(frozen=True, slots=True)
class TrialWork:
    """The trials of one experiment that one process runs, each in the same clean state.

    Args:
        job: What the trials share.
        place: Where the trials run.
        events: Makes the trials' event files.
        home: Directory for the process's temporary files; the worker removes it.
    """

    job: Job
    place: Place
    events: EventMakers
    home: str

    def prepare(self) -> None:
        """Import what event files need, and let this process stand in for the user's script."""
        self.job.live_in_this_process(Path(self.home))
        self.events.start(self.job, Trial(0, "", {}))

    def leave(self) -> None:
        """Start a process that removes the temporary files and outlives this one."""
        subprocess.Popen(["rm", "-rf", "--", self.home], start_new_session=True)

    def carry_out(self, order: Order, tell: Tell) -> Done:
        """Run a trial.

        Args:
            order: The trial.
            tell: Sends messages about the progress to the worker.
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
            reporting=tell if job.reports is not None else None,
            values=values,
        )
        result: TrialResult | None = None
        try:
            with (
                put_back() as left,
                order.around or nullcontext(),
                seeded(job.trial_seed(trial), libraries=job.seeds_libraries),
            ):
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
        except Exception as error:  # of storage: each file system has its own errors
            unfit = f"hopsml-flows itself failed ({type(error).__name__}: {error})"
            if result is None:
                return Done(error=_sendable(error), unfit=unfit)
            # The trial is committed: a later failure costs the process, not the trial.
            return Done(replace(result, params={}), unfit=unfit)
        # The driver has the hyperparameters. Their classes here may be unknown to the worker.
        unfit = "; ".join(left) or short_of_descriptors()
        return Done(replace(result, params={}), unfit=unfit)


def _sendable(error: Exception) -> Exception:
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:  # pickling an exception can raise any error
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error
