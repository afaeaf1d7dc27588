"""A checked experiment: everything a verb was called with, judged before anything starts.

Making a plan has no effect: no process, no connection, no file. :mod:`hopsml_flows.plan.check`
compares it with storage and cluster.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hopsml_flows.ablation.findings import Findings
from hopsml_flows.cluster.config_fields import DEBUG
from hopsml_flows.errors import InvalidArgumentError
from hopsml_flows.execution import IN_DRIVER, TrainingFunction
from hopsml_flows.plan.few_points import PointsWanted
from hopsml_flows.plan.group_options import GroupOptions
from hopsml_flows.plan.options import Options
from hopsml_flows.plan.run_form import stored
from hopsml_flows.search import Direction, Domain, Optimizer
from hopsml_flows.trials import EarlyStop, ExperimentResult, TrialResult
from hopsml_flows.values.plain import WRITABLE, is_writable

__all__ = ["Plan", "Repeats", "WarmStart", "checked_key"]


@dataclass(frozen=True, slots=True)
class WarmStart:
    """A request to begin a search with configurations of an earlier experiment.

    Args:
        source: "last", or the experiment's identifier.
        most: Configurations to take at most.
        taken: Configurations that the search evaluates first in any case.
    """

    source: str
    most: int
    taken: tuple[Mapping[str, Any], ...] = ()

    @classmethod
    def wished(
        cls, source: str | None, most: int, taken: Sequence[Mapping[str, Any]] = ()
    ) -> WarmStart | None:
        """Return the request of a call; None if its source is None."""
        return None if source is None else cls(source, most, tuple(taken))


@dataclass(frozen=True, slots=True)
class Repeats:
    """What an experiment repeats.

    Args:
        experiment: Identifier of the earlier experiment.
        trial: Number of the one trial of it that is repeated; None for all.
        seeds: Seeds of the trials, by their number in the new experiment.
    """

    experiment: str
    trial: int | None = None
    seeds: Mapping[int, int] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """What is repeated, for the record."""
        return {"experiment": self.experiment, "trial": self.trial}


@dataclass(frozen=True, slots=True)
class Plan:
    """An experiment that is ready to run.

    Args:
        verb: Name of the verb.
        experiment_type: HopsML's kind: EXPERIMENT or PARALLEL_EXPERIMENTS.
        train: The training function.
        options: What every verb takes.
        make_search: Makes a new search from a seed and the configurations to evaluate first.
        trials: The number of trials, or None if it is not known.
        direction: Which way is better, or None if nothing is optimized.
        optimization_key: Key of the metric, or None.
        needs_metric: Whether a trial without a metric counts as failed.
        own_directory: Whether each trial gets a directory of its own.
        space: The search space as JSON values.
        domains: Domains of the hyperparameters that have one.
        settings: The verb's other arguments, for the record.
        warm_start: The earlier experiment to begin with, or None.
        first: Its configurations that are evaluated first.
        make_rule: Makes the rule of early stopping, afresh; None for no rule.
        is_asynchronous: Whether trials tell the driver their reports, and the search has a journal.
        max_seconds: Seconds after which no further trial is proposed, or None.
        points: The points that a search of a space asks for, or None.
        notices: Lines for the flow run's log when it begins.
        attempt: Which attempt at the experiment it is, as far as is known before it begins.
        result_type: The class that the verb returns; it says how a result unpacks.
        repeats: The experiment that it repeats, or None.
        look: Checks what only the user's code can tell, such as names of a model's layers; None if
            there is nothing to check.
        judge: Says what its trials mean together, of an ablation study; None of other verbs.
    """

    verb: str
    experiment_type: str
    train: TrainingFunction
    options: Options
    make_search: Callable[[int | None, Sequence[Mapping[str, Any]]], Optimizer]
    trials: int | None
    direction: Direction | None
    optimization_key: str | None
    needs_metric: bool
    own_directory: bool = True
    space: Mapping[str, Any] = field(default_factory=dict)
    domains: Mapping[str, Domain] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    warm_start: WarmStart | None = None
    first: tuple[Mapping[str, Any], ...] = ()
    make_rule: Callable[[], EarlyStop | None] | None = None
    is_asynchronous: bool = False
    max_seconds: float | None = None
    points: PointsWanted | None = None
    notices: tuple[str, ...] = ()
    attempt: int = 1
    result_type: type[ExperimentResult] = ExperimentResult
    repeats: Repeats | None = None
    look: Callable[[], None] | None = None
    judge: Callable[[Sequence[TrialResult]], Findings] | None = None

    @property
    def optimized(self) -> Direction:
        """The direction of a search that has one."""
        assert self.direction is not None
        return self.direction

    @property
    def hyperparameters(self) -> dict[str, Any]:
        """Each hyperparameter's domain, or the list of its values."""
        return {name: self.domains.get(name, values) for name, values in self.space.items()}

    @property
    def isolation(self) -> str:
        """What a trial runs in. The members of a process group are always fresh processes."""
        if self.options.cluster.kind == DEBUG:
            return IN_DRIVER
        return "process" if self.group else self.options.isolation

    @property
    def group(self) -> GroupOptions | None:
        """The process group of each trial, or None."""
        return self.options.group

    @property
    def making(self) -> dict[str, Any]:
        """What the search and the rule are made of, as JSON values."""
        return {**self.settings, "seed": self.options.seed, "retries": self.options.retries}

    def search(self) -> Optimizer:
        """Make a new search."""
        return self.make_search(self.options.seed, self.first)

    @property
    def has_budgets(self) -> bool:
        """Whether the search gives trials budgets."""
        return self.is_asynchronous and bool(getattr(self.search(), "budgets", ()))

    @property
    def may_stop(self) -> bool:
        """Whether a rule, or the search, may stop trials early."""
        if not self.is_asynchronous:
            return False
        return self.rule() is not None or getattr(self.search(), "judges_reports", True)

    def rule(self) -> EarlyStop | None:
        """Make the rule of early stopping; None for no rule."""
        return None if self.make_rule is None else self.make_rule()

    def parameters(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return flow parameters for Prefect to store. Called with them, the verb makes this plan.

        Args:
            given: The verb's arguments as its caller wrote them.

        Raises:
            InvalidArgumentError: One has text that the Prefect server cannot store.
        """
        spaces = {
            name: self.domains for name in ("boundary_dict", "space") if given.get(name) is not None
        }
        kept = stored({**given, **spaces, "train": self.train})
        if given.get("project") is not None:
            kept["project"] = self.options.project.url
        for name, value in kept.items():
            if not is_writable(value):
                raise InvalidArgumentError(name, given.get(name), f"must be {WRITABLE}")
        return kept


def checked_key(key: object, *, argument: str = "optimization_key") -> str:
    """Return the name of the metric, judged.

    Raises:
        InvalidArgumentError: It is not a string, or empty.
    """
    if not isinstance(key, str) or not key:
        raise InvalidArgumentError(argument, key, "must be a string that is not empty")
    return key
