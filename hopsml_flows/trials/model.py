"""A trial and its result: values that cross process boundaries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from hopsml_flows.redaction import redacted
from hopsml_flows.search.decisions import Why
from hopsml_flows.text import readable
from hopsml_flows.trials.lineage import Lineage
from hopsml_flows.trials.usage import DeviceUsage

__all__ = ["ISOLATIONS", "Failure", "Promoted", "State", "Trial", "TrialResult"]

ISOLATIONS = ("worker", "process")
"""What a trial of one process runs in: the training process of its worker, which stays from trial
to trial, or a fresh one."""


class State(StrEnum):
    """State of an experiment or of a trial."""

    RUNNING = "RUNNING"
    FINISHED = "FINISHED"
    FAILED = "FAILED"
    KILLED = "KILLED"
    STOPPED = "STOPPED"  # of a trial: ended early, with the result that it had


@dataclass(frozen=True, slots=True)
class Promoted:
    """That a trial got a larger budget: when it was proposed, or while it ran.

    Args:
        budget: The budget that it got.
        why: Why; the value is its own, or that of the trial that it goes on from.
    """

    budget: float
    why: Why

    def as_json(self) -> dict[str, Any]:
        """The promotion as strict JSON."""
        return {"budget": self.budget, **self.why.as_json()}

    @classmethod
    def from_json(cls, entry: Mapping[str, Any]) -> Promoted:
        """The promotion that was written.

        Args:
            entry: What :meth:`as_json` returned.

        Raises:
            KeyError: It lacks something.
            ValueError: A number is none.
        """
        return cls(entry["budget"], Why.from_json(entry))


@dataclass(frozen=True, slots=True)
class Trial:
    """One evaluation of the training function.

    Args:
        number: From 1, in the order the search proposed.
        name: Directory and task-run name, unique in the experiment.
        params: Hyperparameter name to value, as the search has it.
        attempt: From 1; above 1 after a worker was lost.
        directory: Directory relative to the experiment's; "" is the experiment's own.
        generation: The generation it belongs to, from 0, or None.
        interrupted: Whether storage interrupted it, so that it runs again as the same attempt.
        budget: How much it may spend, in the search's own unit; None if the search has no budgets.
        continues: Directory, like ``directory``, of the trial whose checkpoint it may go on from;
            None if it begins afresh.
        promotions: Why it got its budgets, in order; none of a trial with its first budget.
        seed: A seed of its own; None for the one that belongs to its repeat, or to its number.
        repeat: Which repeat of its hyperparameters it is, from 1; trials of one repeat have the
            same seed. None if it is not repeated.
    """

    number: int
    name: str
    params: dict[str, Any]
    attempt: int = 1
    directory: str = ""
    generation: int | None = None
    interrupted: bool = False
    budget: float | None = None
    continues: str | None = None
    promotions: tuple[Promoted, ...] = ()
    seed: int | None = None
    repeat: int | None = None

    @property
    def may_have_begun(self) -> bool:
        """Whether files of an earlier run of it in this experiment may be there."""
        return self.attempt > 1 or self.interrupted


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a trial has no result.

    Args:
        kind: Name of the exception's type.
        message: Its message.
        traceback: Formatted traceback, or "".
        kept: Where the trial's files are, as ``host:directory``, if storage did not take them.
        place: Where in the user's code it failed, as ``file:line``, or "".

    All of it is the user's text, and goes to logs, terminals and the Prefect server, so it is kept
    in readable form. Secrets in URLs are struck out, because libraries quote URLs in messages.
    """

    kind: str
    message: str
    traceback: str = ""
    kept: str = ""
    place: str = ""

    def __post_init__(self) -> None:
        for name in ("kind", "message", "traceback", "place"):  # frozen, but not before it is made
            object.__setattr__(self, name, readable(redacted(getattr(self, name))))

    def __str__(self) -> str:
        return f"{self.kind}: {self.message}" if self.message else self.kind


@dataclass(frozen=True, slots=True)
class TrialResult:
    """The result of a trial.

    Args:
        number: The trial's number, from 1.
        name: The trial's name.
        params: Its hyperparameters.
        state: FINISHED, STOPPED (ended early; its last report is its metric) or FAILED.
        metric: The optimized number, or None.
        outputs: What the function returned, as JSON values, numbers that are not finite among
            them; files as paths relative to the project, and under "log" that of the log, unless
            the function returned something of that name.
        directory: The trial's directory relative to the experiment's.
        attempt: Which attempt this was.
        started: Start, seconds since the epoch.
        ended: End, seconds since the epoch.
        worker: Address of the Dask worker.
        failure: Why it failed, or None.
        generation: The trial's generation, or None.
        step: The last step that the function reported a metric of, or None.
        devices: How much of its machine it used; None if its process was not its own.
        warnings: Possible mistakes that did not make it fail, such as an output that looks like a
            path and leads nowhere.
        budget: The trial's budget, or None.
        why_stopped: Why it was ended early, or None.
        promotions: Why it got its budgets, in order; none of a trial with its first budget.
        continues: Number of the trial that it goes on from, or None.
        seed: The trial's seed, as ``HOPSML_SEED`` had it; None if the trial could not tell.
        lineage: The files that it read through this package, and the models that it exported.
        repeat: Which repeat of its hyperparameters it is, from 1; None if it is no repeat.
    """

    number: int
    name: str
    params: dict[str, Any]
    state: State
    metric: float | None = None
    outputs: dict[str, Any] = field(default_factory=dict)
    directory: str = ""
    attempt: int = 1
    started: float = 0.0
    ended: float = 0.0
    worker: str = ""
    failure: Failure | None = None
    generation: int | None = None
    step: int | None = None
    devices: DeviceUsage | None = None
    warnings: tuple[str, ...] = ()
    budget: float | None = None
    why_stopped: Why | None = None
    promotions: tuple[Promoted, ...] = ()
    continues: int | None = None
    seed: int | None = None
    lineage: Lineage = field(default_factory=Lineage)
    repeat: int | None = None

    @classmethod
    def without_report(
        cls, trial: Trial, failure: Failure, *, started: float = 0.0, ended: float = 0.0
    ) -> TrialResult:
        """The failed result of a trial that could not report itself.

        Args:
            trial: The trial.
            failure: Why.
            started: When it began, seconds since the epoch; 0 if it did not.
            ended: When it ended.
        """
        return cls(
            number=trial.number,
            name=trial.name,
            params=trial.params,
            state=State.FAILED,
            directory=trial.directory,
            attempt=trial.attempt,
            started=started,
            ended=ended,
            failure=failure,
            generation=trial.generation,
            budget=trial.budget,
            repeat=trial.repeat,
        )

    @property
    def duration(self) -> float:
        """Seconds from start to end."""
        return max(0.0, self.ended - self.started)

    @property
    def succeeded(self) -> bool:
        """Whether there is a result."""
        return self.state in (State.FINISHED, State.STOPPED)
