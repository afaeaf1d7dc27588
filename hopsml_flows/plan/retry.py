"""Continues the experiment of an earlier attempt when Prefect runs a flow run again.

Prefect does so when a user presses Retry, when a flow has ``retries``, and when the run's
infrastructure is started again. The Prefect server keeps nothing for this. An experiment's
identifier ends with six digits made from the flow run's identity, so one listing of the project
finds it. The experiment's record has the identity itself.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime
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
from hopsml_flows.trials import experiment_id
from hopsml_flows.user_warnings import warn

if TYPE_CHECKING:
    from prefect.client.schemas.objects import FlowRun

__all__ = ["Attempt", "continue_attempt", "find_started"]

_DIGITS = 6


def _now() -> str:
    return datetime.now(UTC).strftime("%Y%m%d-%H%M%S")


@dataclass(frozen=True, slots=True)
class Attempt:
    """One of Prefect's attempts at a flow run.

    Args:
        origin: An identifier that all attempts share: the flow run's. If a flow called the verb,
            it is that of the task run that represents the call, because a flow that runs again
            makes new runs of the flows that it calls. None outside of a flow run.
        number: 1 for the first attempt; of a flow that was called, the larger one of its own and
            its caller's.
        stamp: When it began, ``yyyymmdd-hhmmss`` in UTC.
    """

    origin: str | None
    number: int
    stamp: str = field(default_factory=_now)

    @classmethod
    def current(cls, caller: int = 0, stamp: str | None = None) -> Attempt:
        """Return the attempt that this is called in.

        Args:
            caller: The number of the attempt of the flow that called the verb.
            stamp: When it began; None for now.
        """
        stamp = stamp or _now()
        context = FlowRunContext.get()
        run: FlowRun | None = context.flow_run if context else None
        if run is None:
            return cls(None, 1, stamp)
        return cls(str(run.parent_task_run_id or run.id), max(run.run_count, caller, 1), stamp)

    @property
    def suffix(self) -> str:
        """Six hex digits, the end of the identifier of an experiment that the attempt starts."""
        if self.origin is None:
            return secrets.token_hex(_DIGITS // 2)
        # Hashed, because the digits of a UUID may be those of a clock.
        return hashlib.sha256(self.origin.encode()).hexdigest()[:_DIGITS]

    def experiment(self, plan: Plan) -> str:
        """Return the identifier of the experiment that a plan continues, or of a new one."""
        if plan.options.resume is not None:
            return plan.options.resume
        return experiment_id(plan.options.name, self.stamp, self.suffix)


def continue_attempt(plan: Plan, attempt: Attempt) -> Plan:
    """Return the plan; of a later attempt, one that continues the experiment of an earlier one.

    Failed trials run again, finished ones do not. An experiment that came to its end has only its
    failed trials left; without any, its result is returned as it was.

    Args:
        plan: The plan that the verb made.
        attempt: The present attempt.

    Raises:
        ExperimentRunningError: The driver of an earlier attempt is at work.
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
        # The code that a deployment points to has changed meanwhile.
        warn(
            f"attempt {attempt.number} starts a new experiment, because the one that an earlier "
            f"attempt started does not fit it: {error}"
        )
        return plan
    logger.info("Attempt %s goes on with experiment %s", attempt.number, record.id)
    return plan


def find_started(project: Project, attempt: Attempt) -> ExperimentRecord | None:
    """Return the record of the latest experiment that attempts of a flow run started, or None.

    Args:
        project: The project.
        attempt: Any attempt of the flow run.

    Raises:
        StorageUnavailableError: Storage does not say whether there is one.
    """
    mine = [name for name in names_in(project, EXPERIMENTS) if name.endswith(f"-{attempt.suffix}")]
    complaint = f"attempt {attempt.number} cannot go on with"
    records = intact_records(project, sorted(mine, reverse=True), complaint)
    return next((record for record in records if record.origin == attempt.origin), None)
