"""A checked experiment: everything a verb was called with, judged before anything starts.

Making a plan has no effect: no process, no connection, no file. :meth:`Plan.check` looks at the
outside world, still without changing it.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from hopsml_flows.board import switched_on
from hopsml_flows.cluster import ClusterConfig
from hopsml_flows.errors import InvalidArgumentError, InvalidProjectError
from hopsml_flows.execution import SYNC_SECONDS, FileRules, TrainingFunction
from hopsml_flows.plan.group_options import GroupOptions, group_of_search
from hopsml_flows.plan.run_form import stored
from hopsml_flows.search import Direction, Domain, Optimizer
from hopsml_flows.storage import Project
from hopsml_flows.trials import ISOLATIONS
from hopsml_flows.values.arguments import seconds, whole_number
from hopsml_flows.values.plain import WRITABLE, is_writable

__all__ = ["Options", "Plan", "WarmStart", "checked_key"]

_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,99}")


@dataclass(frozen=True, slots=True)
class Options:
    """What every verb takes besides its own arguments.

    Args:
        name: The experiment's name.
        description: The user's words, or None.
        local_logdir: Keep event files local until the trial ends.
        project: Where the experiment goes.
        cluster: Which cluster it runs on.
        seed: Seed of the search, or None where nothing is drawn.
        seed_is_drawn: Whether the caller gave none.
        retries: How often a trial whose worker was lost is tried again.
        trial_timeout: Seconds after which a trial is stopped, or None.
        tags: Tags of the flow run and the record.
        resume: Identifier of the experiment to go on with, or None.
        progress: Whether progress and results are printed.
        sync_interval: Seconds between two times that a running trial's files are brought to a
            project that is not local.
        tensorboard: Whether a TensorBoard shows the experiment while it runs.
        group: The processes of a trial, where these are several or have their own; else None.
        files: Which files of a trial are kept, and how many.
        isolation: What a trial runs in, one of :data:`ISOLATIONS`.
    """

    name: str
    description: str | None
    local_logdir: bool
    project: Project
    cluster: ClusterConfig
    seed: int | None
    seed_is_drawn: bool
    retries: int
    trial_timeout: float | None
    tags: tuple[str, ...]
    resume: str | None
    progress: bool
    sync_interval: float = SYNC_SECONDS
    tensorboard: bool = False
    group: GroupOptions | None = None
    files: FileRules = field(default_factory=FileRules)
    isolation: str = ISOLATIONS[0]

    @classmethod
    def checked(
        cls,
        *,
        name: object,
        description: object,
        local_logdir: object,
        project: Any,
        cluster: object,
        seed: object,
        retries: object,
        trial_timeout: object,
        tags: object,
        resume: object,
        progress: object,
        sync_interval: object = SYNC_SECONDS,
        tensorboard: object = None,
        processes_per_trial: object = 1,
        keep_files: object = False,
        isolation: object = ISOLATIONS[0],
        draws: bool = False,
    ) -> Options:
        """Judge the options.

        They are the fields of this class; ``draws`` says whether the search draws at random: then
        it gets a seed, which is kept. ``processes_per_trial`` makes a group of each trial.
        ``keep_files`` becomes ``files``, together with limits from the environment.

        Raises:
            InvalidArgumentError: One is wrong; the message names it.
        """
        if not isinstance(name, str) or not name.strip():
            raise InvalidArgumentError("name", name, "must be a string that is not empty")
        if description is not None and not isinstance(description, str):
            raise InvalidArgumentError("description", description, "must be a string or None")
        config = ClusterConfig.parse(cluster)
        return cls(
            name=name,
            description=description,
            local_logdir=_flag("local_logdir", local_logdir),
            project=project if isinstance(project, Project) else Project(project),
            cluster=config,
            seed=_seed(seed, draws=draws),
            seed_is_drawn=seed is None,
            retries=whole_number("retries", retries, least=0),
            trial_timeout=(
                None
                if trial_timeout is None
                else seconds("trial_timeout", trial_timeout, otherwise=", or None")
            ),
            tags=_tags(tags),
            resume=_experiment(resume),
            progress=_flag("progress", progress),
            sync_interval=seconds("sync_interval", sync_interval),
            tensorboard=switched_on(tensorboard),
            group=group_of_search(config, processes_per_trial),
            files=FileRules.checked(keep_files),
            isolation=_isolation(isolation),
        )


@dataclass(frozen=True, slots=True)
class WarmStart:
    """A wish to begin a search with configurations of an earlier experiment.

    Args:
        source: "last", or the experiment's identifier.
        most: Configurations to take at most.
        taken: Configurations that the search begins with anyway.
    """

    source: str
    most: int
    taken: tuple[Mapping[str, Any], ...] = ()

    @classmethod
    def checked(
        cls, source: object, most: int, taken: Sequence[Mapping[str, Any]] = ()
    ) -> WarmStart | None:
        """Judge the argument ``warm_start``; None where nothing is wished.

        Raises:
            InvalidArgumentError: It is neither "last" nor an experiment's identifier.
        """
        if source is None:
            return None
        if not isinstance(source, str) or not _ID.fullmatch(source):
            raise InvalidArgumentError(
                "warm_start", source, 'must be "last", an experiment\'s identifier, or None'
            )
        return cls(source, most, tuple(taken))


@dataclass(frozen=True, slots=True)
class Plan:
    """An experiment that is ready to run.

    Args:
        verb: Name of the verb.
        experiment_type: HopsML's kind: EXPERIMENT or PARALLEL_EXPERIMENTS.
        train: The training function.
        options: What every verb takes.
        make_search: Makes the search, fresh, of a seed and configurations to evaluate first.
        trials: Trials there will be, or None where that is not known.
        direction: Which way is better, or None where nothing is optimized.
        optimization_key: Key of the metric, or None.
        needs_metric: Whether a trial without a metric has failed.
        own_directory: Whether each trial gets a directory of its own.
        space: The search space as JSON values.
        domains: Domains of the hyperparameters that have one.
        settings: What the verb was called with besides, for the record.
        warm_start: The earlier experiment to begin with, or None.
        first: Configurations of it that are evaluated first.
        notices: What the flow run's log should say when it begins.
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
    notices: tuple[str, ...] = ()

    @property
    def optimized(self) -> Direction:
        """Which way is better, of a search that has a direction."""
        assert self.direction is not None
        return self.direction

    @property
    def hyperparameters(self) -> dict[str, Any]:
        """What is known of each hyperparameter: its domain, or the list of its values."""
        return {name: self.domains.get(name, values) for name, values in self.space.items()}

    @property
    def isolation(self) -> str:
        """What a trial runs in; one with its own processes always has fresh ones."""
        return "process" if self.group else self.options.isolation

    @property
    def group(self) -> GroupOptions | None:
        """The processes of a trial, where these are several or have their own; else None."""
        return self.options.group

    def search(self) -> Optimizer:
        """The search, fresh."""
        return self.make_search(self.options.seed, self.first)

    def parameters(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Flow parameters as Prefect stores them: run again as they are, they make this plan.

        Args:
            given: The verb's arguments as its caller wrote them.

        Raises:
            InvalidArgumentError: One has text that the Prefect server cannot take.
        """
        spaces = {"boundary_dict": self.domains} if "boundary_dict" in given else {}
        kept = stored({**given, **spaces, "train": self.train})
        if given.get("project") is not None:
            kept["project"] = self.options.project.url
        for name, value in kept.items():
            if not is_writable(value):
                raise InvalidArgumentError(name, given.get(name), f"must be {WRITABLE}")
        return kept

    def checked(self) -> Plan:
        """Look whether the project can be written, and the cluster reached.

        Returns:
            The plan; one that resumes an experiment has that one's seed, and one that begins with
            an earlier one has its configurations.

        Raises:
            InvalidProjectError: The project cannot be written, or not be seen by the workers.
            InvalidClusterError: The cluster cannot be had.
            InvalidArgumentError: The experiment to resume, or to begin with, is not there, or
                another one.
        """
        # Import Dask and TensorBoard, which argument errors should not have to wait for.
        from hopsml_flows.cluster.open_cluster import check_reachable, count_workers
        from hopsml_flows.plan.earlier_record import earlier_record
        from hopsml_flows.plan.resume import check_is_over, resumable
        from hopsml_flows.plan.warm_start import warmed

        project = self.options.project
        if project.in_memory and self.options.cluster.kind != "address":
            raise InvalidProjectError(
                "project", project.url, "must be storage that worker processes share"
            )
        project.check_writable()
        if self.options.resume is None:
            plan = warmed(self)
        else:
            record = earlier_record(project, self.options.resume)
            plan = resumable(self, record)
            check_is_over(project, record)
        check_reachable(self.options.cluster, project)
        group = self.group
        if group is not None and group.fills_cluster:
            filling = group.filling(count_workers(self.options.cluster))
            return replace(plan, options=replace(plan.options, group=filling))
        return plan


def checked_key(key: object, *, argument: str = "optimization_key") -> str:
    """Judge the name of the metric.

    Raises:
        InvalidArgumentError: It is not a string, or empty.
    """
    if not isinstance(key, str) or not key:
        raise InvalidArgumentError(argument, key, "must be a string that is not empty")
    return key


def _flag(argument: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise InvalidArgumentError(argument, value, "must be True or False")
    return value


def _seed(seed: object, *, draws: bool) -> int | None:
    if seed is not None:
        return whole_number("seed", seed, least=0)
    return secrets.randbits(32) if draws else None


def _experiment(resume: object) -> str | None:
    if resume is None:
        return None
    if not isinstance(resume, str) or not _ID.fullmatch(resume):
        raise InvalidArgumentError("resume", resume, "must be an experiment's identifier, or None")
    return resume


def _isolation(isolation: object) -> str:
    if not isinstance(isolation, str) or isolation not in ISOLATIONS:
        allowed = " or ".join(f'"{name}"' for name in ISOLATIONS)
        raise InvalidArgumentError("isolation", isolation, f"must be {allowed}")
    return isolation


def _tags(tags: Any) -> tuple[str, ...]:
    if tags is None:
        return ()
    listed = isinstance(tags, Collection) and not isinstance(tags, (str, bytes, Mapping))
    if not listed or not all(isinstance(tag, str) and tag for tag in tags):
        raise InvalidArgumentError("tags", tags, "must be a list of strings")
    return tuple(dict.fromkeys(tags))
