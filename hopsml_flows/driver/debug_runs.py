"""Runs the trials of ``cluster="debug"`` in the driver's own process and thread, one by one.

``breakpoint()``, pdb and the debuggers of IDEs work there. No Dask cluster and no training process
is started. Prefect's task engine runs each trial as a task run, as it does on a worker.
"""

from __future__ import annotations

import json
import pickle
import time
import uuid
from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, nullcontext, suppress
from contextvars import Context, copy_context
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from prefect.context import FlowRunContext, TagsContext
from prefect.logging import get_run_logger

from hopsml_flows.cluster.runner import Owner
from hopsml_flows.cluster.state_book import FinalState, StateBook
from hopsml_flows.cluster.worker import Outcome, silent_consoles
from hopsml_flows.errors import TrialStoppedError
from hopsml_flows.execution import packed_values
from hopsml_flows.execution.credentials import published
from hopsml_flows.execution.process import Order
from hopsml_flows.prefect_internals.contexts import forget_results
from hopsml_flows.prefect_internals.engine import result_data, run_task
from hopsml_flows.prefect_internals.first_states import first_states_of, holding
from hopsml_flows.trials import TrialReported
from hopsml_flows.values.plain import json_value
from hopsml_tasks import trial as trial_task

if TYPE_CHECKING:
    from types import TracebackType
    from uuid import UUID

    from prefect.client.schemas.objects import State

    from hopsml_flows.driver.trial_runs import Submission
    from hopsml_flows.execution import Job
    from hopsml_flows.execution.report_link import Instruction, ReportLink
    from hopsml_flows.trials import Trial, TrialResult

__all__ = ["DebugRunner", "DebugRuns"]


class DebugRunner:
    """Runs task runs of trials in the calling thread, and tells the Prefect server how they ended.

    Args:
        server_keeps_all: As for :class:`~hopsml_flows.cluster.runner.TrialTaskRunner`.
        all_states: Whether trials that end within a second report Pending and Running, too.
    """

    def __init__(self, *, server_keeps_all: Callable[[], bool], all_states: bool) -> None:
        self._server_keeps_all = server_keeps_all
        self._all_states = all_states
        self._stack = ExitStack()
        self._contexts: dict[str, Context] = {}

    def __enter__(self) -> DebugRunner:
        if not self._all_states:
            self._stack.enter_context(holding())
        self._book = StateBook(get_run_logger().info)
        self._first = self.owner()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()
        self._contexts.clear()
        keeps_all = self._server_keeps_all()
        try:
            self._book.settle(keeps_all=keeps_all, sent_all=True, hurry=kind is not None)
        except KeyboardInterrupt:  # the user does not want to wait; all results are there
            if kind is not None:
                raise

    def owner(self) -> Owner:
        """The current flow run, as the owner of task runs that any thread runs with :meth:`run`."""
        run = FlowRunContext.get()
        flow_run_id = run.flow_run.id if run and run.flow_run else None
        owner = Owner(uuid.uuid4().hex, flow_run_id)
        self._contexts[owner.context] = copy_context()
        if flow_run_id is not None:
            self._book.enter(flow_run_id)
        return owner

    def run(
        self, task_run_id: UUID, name: str, parameters: dict[str, Any], owner: Owner | None
    ) -> Outcome:
        """Run the task of a trial now.

        Args:
            task_run_id: Identifier of the task run.
            name: Its name.
            parameters: The task's parameters.
            owner: The flow run it belongs to; None for the one that the runner was entered in.

        Returns:
            Its outcome. An exception that ends the experiment, such as KeyboardInterrupt, is
            raised; the Prefect server then shows the task run as Cancelled.
        """
        owner = owner or self._first
        started = time.time()
        try:
            context = self._contexts[owner.context].copy()
            states = nullcontext() if self._all_states else first_states_of(task_run_id)
            outcome = _outcome(context.run(_run_task, task_run_id, parameters, states))
        except Exception as error:  # Prefect's engine failed: only this trial is lost
            outcome = Outcome("CRASHED", "Crashed", str(error), error=error, reported=False)
        except BaseException:  # Ctrl-C or a signal ends the experiment
            # Prefect's engine has sent "Crashed"; the server keeps the later state.
            outcome = Outcome("CANCELLED", "Cancelled", "the flow was stopped", reported=False)
            raise
        finally:
            outcome = replace(outcome, started=started, ended=time.time())
            final = FinalState(
                name,
                outcome.type,
                outcome.name,
                outcome.message,
                owner.flow_run_id,
                outcome.started,
                outcome.ended,
                dict.fromkeys(parameters, ()),
            )
            self._book.note(task_run_id, trial_task, final)
            if not outcome.reported:
                self._book.send(task_run_id)
        return outcome


def _run_task(
    task_run_id: UUID, parameters: dict[str, Any], states: AbstractContextManager[None]
) -> State[Any]:
    with ExitStack() as stack:
        stack.enter_context(states)
        # Without tags: Prefect asks the server about concurrency limits once per tag.
        stack.enter_context(TagsContext(current_tags=set()))
        stack.enter_context(silent_consoles(of_prefect_only=True))
        try:
            return run_task(trial_task, task_run_id, parameters, None, None)
        finally:
            forget_results()


def _outcome(state: State[Any]) -> Outcome:
    data = result_data(state)
    if isinstance(data, BaseException):
        return Outcome(state.type.value, state.name or "", state.message, error=data)
    return Outcome(state.type.value, state.name or "", state.message, data)


class _DriverFailed(BaseException):
    """Ends a training function since the driver failed at its report; no ``except`` is for it."""


@dataclass(slots=True)
class _Submitted:
    """A trial that is queued or has ended.

    Args:
        task_run_id: Identifier of its task run.
        trial: The trial.
        owner: The flow run it belongs to; None for the experiment's.
        ended: Its outcome; None while it is queued.
    """

    task_run_id: UUID
    trial: Trial
    owner: Owner | None
    ended: Outcome | None = None

    def outcome(self) -> Outcome:
        """The outcome of the trial, which must have ended."""
        assert self.ended is not None
        return self.ended


class DebugRuns:
    """Runs trials in the calling thread, one per :meth:`next_done`.

    Args:
        runner: Runs their task runs.
        job: What all trials share.
        function: The user's training function itself; trials call it, not a copy.
    """

    def __init__(self, runner: DebugRunner, job: Job, function: Callable[..., Any]) -> None:
        job.call_instead(function, for_outputs=True)
        self._runner = runner
        self._job = job
        self._waiting: deque[_Submitted] = deque()
        self._link: ReportLink | None = None
        self._failed: Exception | None = None

    def listen(self, hear: Callable[[TrialReported], None]) -> None:
        """Have reports told to the driver while :meth:`next_done` runs their trial.

        Args:
            hear: Gets each report, in the thread of the training function. What it answers by
                :meth:`instruct` is there when the report returns.
        """

        def report(link: ReportLink) -> None:
            if self._failed is None:
                self._link = link
                try:
                    hear(TrialReported(link.number, link.attempt, link.take()))
                except Exception as error:  # of the user's rule or optimizer, or of storage
                    self._failed = error
            if self._failed is not None:  # not the trial's: next_done raises it in the driver
                raise _DriverFailed from self._failed

        self._job.hear_in_process(report)

    @property
    def slots(self) -> int:
        """Trials that can run at once."""
        return 1

    def submit(self, trial: Trial, owner: Owner | None) -> _Submitted:
        """Queue a trial.

        Args:
            trial: The trial.
            owner: The flow run that it belongs to; None for the experiment's.
        """
        submitted = _Submitted(uuid.uuid4(), trial, owner)
        self._waiting.append(submitted)
        return submitted

    def next_done(self, seconds: float) -> list[_Submitted]:
        """Run the trial that was queued first, to its end.

        Args:
            seconds: How long to wait if no trial is queued, as while storage takes nothing.

        Raises:
            Exception: What the driver raised when it heard a report of the trial.
        """
        if not self._waiting:
            time.sleep(seconds)
            return []
        next_one = self._waiting.popleft()
        if next_one.ended is None:
            with suppress(_DriverFailed):
                next_one.ended = self._run(next_one)
            if self._failed is not None:
                raise self._failed
        return [next_one]

    def stop(self, trial: Trial) -> None:
        """End a queued trial without running it. While one runs, the driver cannot call this.

        Args:
            trial: The trial; its number identifies it.
        """
        error = TrialStoppedError()
        for submitted in self._waiting:
            if submitted.trial.number == trial.number and submitted.ended is None:
                submitted.ended = Outcome("CANCELLED", "Cancelled", str(error), error=error)

    def reported(self) -> list[TrialReported]:
        """Return nothing: reports were told when they came."""
        return []

    def instruct(self, instruction: Instruction) -> None:
        """Tell the running trial something.

        Args:
            instruction: What to tell it.
        """
        if self._link is not None:
            self._link.instruct(instruction)

    def confirm(self, submission: Submission, result: TrialResult) -> None:
        """Do nothing: no trial has a worker that could die."""

    def close(self) -> None:
        """Do nothing: trials in this process leave nothing to close."""

    def _run(self, submitted: _Submitted) -> Outcome:
        trial = submitted.trial
        image = json.loads(json.dumps(json_value("parameters", trial.params)))
        values = packed_values(trial.params, by_value=False)
        order = Order(replace(trial, params=image), values, lent=published())
        parameters = {"job": self._job, "name": trial.name, "packed": pickle.dumps(order)}
        return self._runner.run(submitted.task_run_id, trial.name, parameters, submitted.owner)
