"""Writes the start and the end of an experiment's record, however the experiment ends."""

from __future__ import annotations

import logging

from prefect.context import FlowRunContext

from hopsml_flows.driver.page_links import lasting_flow_run_page
from hopsml_flows.driver.upkeep import Upkeep
from hopsml_flows.driver.version_keeping import VersionKeeping
from hopsml_flows.errors import InvalidProjectError, StorageUnavailableError
from hopsml_flows.plan.plan import Plan
from hopsml_flows.redaction import redacted
from hopsml_flows.storage import ExperimentPaths, is_of_storage, this_process
from hopsml_flows.storage.retries import replace_file
from hopsml_flows.tracking import (
    ExperimentRecord,
    RecordFile,
    experiment_events,
)
from hopsml_flows.trials import DEFAULT_KEY, State, TrialLoop
from hopsml_flows.values.plain import json_value

__all__ = ["Ending", "record_file", "unwritable", "write_start"]

_logger = logging.getLogger(__name__)


class Ending:
    """Writes the record's end, however the run ends.

    Args:
        record: The record.
        paths: The experiment's paths.
        loop: Knows how far the experiment is.
        upkeep: Knows whether this driver may write.
        versions: Keeps program and environment, which the record names.
    """

    def __init__(
        self,
        record: RecordFile,
        paths: ExperimentPaths,
        loop: TrialLoop,
        upkeep: Upkeep,
        versions: VersionKeeping,
    ) -> None:
        self._record = record
        self._paths = paths
        self._loop = loop
        self._upkeep = upkeep
        self._versions = versions
        self._tried = self._written = False

    @property
    def is_written(self) -> bool:
        """Whether the end has been written."""
        return self._written

    def __enter__(self) -> Ending:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if not self._written:
            self.write(error)

    def write(self, error: BaseException | None) -> None:
        """Write the end.

        Args:
            error: What ended the run, or None if it came to its own end.

        Raises:
            ExperimentInterruptedError: The run came to its own end, and storage took no record of
                that. After another error a record that is not taken is only logged.
            ExperimentTakenOverError: The same, and another driver has the experiment.
        """
        # A second try, or one after a long wait, is to be short.
        given_up = isinstance(error, (InvalidProjectError, StorageUnavailableError))
        patience = 0 if given_up or self._tried else None
        self._versions.settle(_seconds_left(error, patience))
        self._tried = True
        self._end(error)
        if error is None:
            self._upkeep.insist(lambda: self._record.save(patience=0))
        elif self._upkeep.is_ours:
            try:
                self._record.save(patience=patience)
            except Exception as refused:
                if not is_of_storage(refused):
                    raise
                said = redacted(str(refused))
                _logger.warning("the end of %s was not written (%s)", self._paths.id, said)
                return  # the driver tries once more when all else has ended
        self._written = True

    def _end(self, error: BaseException | None) -> None:
        counts, best = self._loop.counts, self._loop.best
        told = self._record.record.trials_total
        reason = self._loop.failure
        state = State.FINISHED if reason is None else State.FAILED
        if error is not None:
            # Ctrl-C, SIGTERM and Prefect's Cancel are no Exceptions.
            state = State.FAILED if isinstance(error, Exception) else State.KILLED
            reason = type(error).__name__
            if said := redacted(str(error)):
                reason = f"{reason}: {said}"
        self._record.end(
            state,
            metric=best.metric if best else None,
            best_trial=best.name if best else None,
            best_dir=self._paths.trial(best.directory) if best else None,
            # A search may know only in the end how many trials there are.
            trials_total=counts.total if told is None else told,
            trials_succeeded=counts.succeeded,
            trials_failed=counts.failed,
            trials_stopped=counts.stopped,
            tensorboard=None,  # it ends with the experiment
            error=reason,
            notice=None if error is not None else self._loop.notice,
        )


def _seconds_left(error: BaseException | None, patience: float | None) -> float:
    """How long the end waits for program and environment that are still being written."""
    if patience is not None:
        return 0.0
    return 10.0 if error is None or isinstance(error, Exception) else 2.0


def record_file(
    plan: Plan,
    paths: ExperimentPaths,
    earlier: ExperimentRecord | None = None,
    *,
    origin: str | None = None,
    tensorboard: str | None = None,
) -> RecordFile:
    """The record of an experiment that begins or is resumed.

    Args:
        plan: The experiment.
        paths: Its paths.
        earlier: The record of the resumed run, or None.
        origin: Identifier that stays the same when Prefect runs this run again, or None.
        tensorboard: URL of the TensorBoard that will show it, or None.
    """
    options = plan.options
    run_context = FlowRunContext.get()
    flow_run = run_context.flow_run if run_context else None
    return RecordFile(
        options.project,
        paths,
        ExperimentRecord(
            id=paths.id,
            # The directory bears the first run's name.
            name=earlier.name if earlier else options.name,
            project=options.project.name,
            function=plan.verb,
            experiment_type=plan.experiment_type,
            train=str(plan.train),
            description=options.description or (earlier.description if earlier else None),
            direction=plan.direction.value if plan.direction else None,
            optimization_key=plan.optimization_key,
            search_space=json_value("search_space", plan.space),
            options={
                "seed": options.seed,
                "seed_trials": options.seed_trials,
                "retries": options.retries,
                "trial_timeout": options.trial_timeout,
                "local_logdir": options.local_logdir,
                "keep_files": list(options.keep_files.keep),
                "isolation": plan.isolation,
                **({} if options.confirm is None else {"confirm": options.confirm}),
                **(
                    {}
                    if options.only_if_better is None
                    else {"only_if_better": options.only_if_better}
                ),
                **({"approve": True} if options.approve else {}),
                "cluster": options.cluster.address or options.cluster.kind,
                **plan.settings,
                **(plan.group.shape.counts if plan.group else {}),
            },
            start=earlier.start if earlier else "",
            model=earlier.model if earlier else None,
            confirmation=earlier.confirmation if earlier else None,
            promotion=earlier.promotion if earlier else None,
            trials_total=plan.trials,
            flow_run_id=str(flow_run.id) if flow_run else None,
            flow_run_page=lasting_flow_run_page(),
            attempt=earlier.attempt + 1 if earlier else 1,
            # Its identifier ends with digits made of the first run's.
            origin=earlier.origin if earlier else origin,
            tensorboard=tensorboard,
            note=earlier.note if earlier else None,
            rerun_of=plan.repeats.as_json() if plan.repeats else {},
            tags=options.tags or (earlier.tags if earlier else ()),
            driver={**this_process(), "leased": True},
        ),
        seconds_before=(earlier.duration or 0.0) if earlier else 0.0,
    )


def write_start(
    plan: Plan, paths: ExperimentPaths, record: RecordFile, versions: VersionKeeping
) -> None:
    """Write the record and what describes the search space; let program and environment follow.

    Args:
        plan: The experiment.
        paths: Its paths; its directory exists.
        record: Its record.
        versions: Keeps program and environment.

    Raises:
        InvalidProjectError: The project does not take them.
    """
    project = plan.options.project
    try:
        record.write()
        versions.write_into(record)
        if plan.own_directory:
            events = experiment_events(
                plan.hyperparameters,
                plan.optimization_key or DEFAULT_KEY,
                plan.direction,
                budgets=plan.has_budgets,
                stops=plan.may_stop,
            )
            replace_file(project, paths.events, events)
    except Exception as error:
        if not is_of_storage(error):
            raise
        raise unwritable(plan, error) from error


def unwritable(plan: Plan, error: Exception) -> InvalidProjectError:
    """The error of an experiment that cannot begin because its project cannot be written.

    Args:
        plan: The experiment.
        error: What storage raised.
    """
    return InvalidProjectError(
        "project",
        plan.options.project.url,
        because=f"writing there failed ({type(error).__name__}: {error})",
    )
