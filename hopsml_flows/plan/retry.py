"""A Prefect run that is run again goes on with the experiment that it started.

Prefect runs a flow run again when somebody presses Retry, when a flow has ``retries``, when its
infrastructure is started anew. Nothing needs to be kept for that on the Prefect server: an
experiment's identifier ends with six digits made of the flow run's identity, so that one listing
of the project finds it, and its record has the identity itself.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from prefect.context import FlowRunContext
from prefect.logging import get_run_logger

from hopsml_flows.errors import InvalidArgumentError
from hopsml_flows.plan.earlier_record import intact_records
from hopsml_flows.plan.plan import Plan
from hopsml_flows.plan.resume import check_is_over, continue_experiment
from hopsml_flows.storage import EXPERIMENTS, Project
from hopsml_flows.storage.reading import names_in
from hopsml_flows.tracking import ExperimentRecord
from hopsml_flows.warned import warn

if TYPE_CHECKING:
    from prefect.client.schemas.objects import FlowRun

__all__ = ["Attempt", "continue_attempt", "find_started"]

_DIGITS = 6


@dataclass(frozen=True, slots=True)
class Attempt:
    """Which of Prefect's runs this is.

    Args:
        origin: What stays the same when it is run again: the flow run's identifier; or, where a
            flow called the verb, that of the task run by which Prefect represents it there, since
            a flow that is run again makes new runs of the flows it calls. None outside of a run.
        number: 1 for the first attempt; of a flow that was called, the larger one of its own and
            its caller's.
    """

    origin: str | None
    number: int

    @classmethod
    def current(cls, caller: int = 0) -> Attempt:
        """The attempt that this is called in.

        Args:
            caller: The number of the attempt of the flow that called the verb.
        """
        context = FlowRunContext.get()
        run: FlowRun | None = context.flow_run if context else None
        if run is None:
            return cls(None, 1)
        return cls(str(run.parent_task_run_id or run.id), max(run.run_count, caller, 1))

    @property
    def suffix(self) -> str:
        """Six hex digits that end the identifier of an experiment that it starts."""
        if self.origin is None:
            return secrets.token_hex(_DIGITS // 2)
        # The digits of a UUID themselves may be those of a clock.
        return hashlib.sha256(self.origin.encode()).hexdigest()[:_DIGITS]


def continue_attempt(plan: Plan, attempt: Attempt) -> Plan:
    """The plan; where this is another attempt, to go on with what the ones before it began.

    Finished trials are not run again, failed ones are. An experiment that came to its end has
    nothing left but its failed trials: its result is returned as it was.

    Args:
        plan: What was asked for.
        attempt: Which attempt this is.

    Raises:
        ExperimentRunningError: The process of an earlier attempt is at work.
        StorageUnavailableError: Storage does not say whether there is such an experiment.
    """
    if plan.options.resume is not None or attempt.number == 1 or attempt.origin is None:
        return plan
    record = find_started(plan.options.project, attempt)
    logger = get_run_logger()
    if record is None:
        logger.info("Attempt %s: the ones before it began no experiment", attempt.number)
        return plan
    check_is_over(plan.options.project, record)
    try:
        plan = continue_experiment(plan, record)
    except InvalidArgumentError as error:
        # The code that a deployment points to was changed meanwhile.
        warn(
            f"attempt {attempt.number} starts a new experiment, because the one that an earlier "
            f"attempt started does not fit it: {error}"
        )
        return plan
    logger.info("Attempt %s goes on with experiment %s", attempt.number, record.id)
    return plan


def find_started(project: Project, attempt: Attempt) -> ExperimentRecord | None:
    """The record of the latest experiment that earlier attempts of a run started, or None.

    Args:
        project: Where it would lie.
        attempt: Any attempt of that run.

    Raises:
        StorageUnavailableError: Storage does not say whether there is one.
    """
    mine = [name for name in names_in(project, EXPERIMENTS) if name.endswith(f"-{attempt.suffix}")]
    complaint = f"attempt {attempt.number} cannot go on with"
    records = intact_records(project, sorted(mine, reverse=True), complaint)
    return next((record for record in records if record.origin == attempt.origin), None)
