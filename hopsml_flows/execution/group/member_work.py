"""The work of a training process for a group: it trains once, as one of the members.

The process loads what it needs while the other members arrive. It begins when the worker sends the
environment variables that make it a member. After its training it lives on until the worker ends
it, because other members may still need what it serves: the chief's coordination, PyTorch's store.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace

from hopsml_flows.execution.call import Place, evaluate
from hopsml_flows.execution.credentials import apply_received
from hopsml_flows.execution.group.checkpoints import prepare_checkpoints
from hopsml_flows.execution.group.guard import guarded
from hopsml_flows.execution.group.member import (
    Process,
    group_directory,
    make_private,
    run_as,
)
from hopsml_flows.execution.group.member_files import (
    FollowerFiles,
    LeaderStaging,
    make_working_parent,
)
from hopsml_flows.execution.job import Job
from hopsml_flows.execution.output.excerpt import Excerpt
from hopsml_flows.execution.process.messages import Called, Calling, Done, Line, Tell
from hopsml_flows.execution.trial_run import EventMakers, run_trial
from hopsml_flows.execution.trial_seeds import seeded
from hopsml_flows.trials import Trial, TrialResult

__all__ = ["MemberWork"]


@dataclass(frozen=True, slots=True)
class MemberWork:
    """The training of one member of a group.

    Args:
        job: What the experiment's trials share.
        trial: The trial.
        process: The process of the trial's group that this is.
        worker: Address of the Dask worker.
        events: Makes the trial's event files.
        temporary: Directory for temporary files; the worker removes the group's files from it.
        tells_lines: Whether the process sends lines of its log, besides its result.
    """

    job: Job
    trial: Trial
    process: Process
    worker: str
    events: EventMakers
    temporary: str
    tells_lines: bool = False

    def prepare(self) -> None:
        """Import what event files need, in the leader."""
        if self.process.leads:
            self.events.start(self.job, self.trial)

    def leave(self) -> None:
        """Remove nothing: the next attempt may need the files."""

    def carry_out(self, order: dict[str, str], tell: Tell) -> Done:
        """Train as a member of the group.

        Args:
            order: Environment variables that make the process a member of its group.
            tell: Sends messages about the progress to the worker.
        """
        os.environ.update(order)
        apply_received()  # the driver may have renewed credentials since the group was formed
        seed = self.job.trial_seed(self.trial)  # the same in all members
        with seeded(seed, libraries=self.job.seeds_libraries):
            return Done(self._result(tell))

    def _result(self, tell: Tell) -> TrialResult:
        job, trial, process = self.job, self.trial, self.process
        job.scratch = self.temporary
        make_private(group_directory(job.scratch, job.experiment_id, trial.number))
        checkpoints = prepare_checkpoints(job, trial, process)
        run_as(process, checkpoints)
        directory = make_working_parent(job, trial, process)
        job.live_in_this_process(directory)
        place = Place(self.worker, alone=True, scratch=str(directory))
        place = replace(
            place,
            calling=lambda: tell(Calling()),
            called=lambda: tell(Called()),
            checkpoints=lambda: checkpoints,
            reporting=tell if job.reports is not None and process.leads else None,
        )
        job.call_instead(guarded(job.function, process), for_outputs=process.leads)
        sink = None
        if self.tells_lines:
            where = job.project.full(job.paths.trial(trial.directory, process.log_name))
            sink = Excerpt(lambda *line: tell(Line(*line)), where)
        if process.leads:
            staging = LeaderStaging(job, trial, process)
            return run_trial(job, trial, staging, place, self.events, sink)
        files = FollowerFiles(job, trial, process)
        try:
            return files.commit(evaluate(job, trial, files, place, sink))
        finally:
            files.close()
