"""The options of all verbs. Each is declared once, here: type, default, description, judgement.

A verb takes them as ``**options: Unpack[SearchOptions]``.
:mod:`hopsml_flows.flows.verb_signature` writes them into the verb's signature, its docstring and
its run form. To add an option, add a line to a ``TypedDict`` below, and a field of :class:`Options`
for its judged value.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Annotated, Any, TypedDict, get_args, get_type_hints

from hopsml_flows.board import switched_on
from hopsml_flows.cluster import ClusterConfig
from hopsml_flows.cluster.config_fields import DEBUG
from hopsml_flows.cluster.short_states import reports_all_states
from hopsml_flows.errors import InvalidArgumentError
from hopsml_flows.execution import SYNC_SECONDS, FileRules, TrainingFunction
from hopsml_flows.models import model_name
from hopsml_flows.plan.group_options import (
    GroupOptions,
    checked_count,
    checked_variables,
    checked_wait,
    group_of_search,
)
from hopsml_flows.plan.run_form import (
    ClusterParameter,
    ConfirmParameter,
    CountParameter,
    IsolationParameter,
    KeepFilesParameter,
    PositiveParameter,
    ProjectParameter,
    SecondsParameter,
)
from hopsml_flows.storage import Project
from hopsml_flows.trials import ISOLATIONS
from hopsml_flows.trials.confirmation import MOST_SEEDS
from hopsml_flows.values.arguments import seconds, whole_number

__all__ = [
    "CommonOptions",
    "Option",
    "Options",
    "SearchOptions",
    "TrainingOptions",
    "TrialOptions",
    "WarmOptions",
    "checked_experiment",
    "declared",
]

APPROVE_SECONDS = 24 * 3600.0
"""How long a person is waited for."""

_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,99}")


@dataclass(frozen=True, slots=True)
class Option:
    """The declaration of an option, beside its type.

    Args:
        default: Its value if the caller gives none.
        judge: Takes the argument's name and value; returns the value to use, or raises
            :class:`InvalidArgumentError`.
        words: Its description, for docstrings and run forms.
        before: The option that follows it in signatures; None for the order of declaration.
    """

    default: Any
    judge: Callable[[str, Any], Any]
    words: str
    before: str | None = None


def _text(argument: str, value: Any) -> str | None:
    if value is not None and not isinstance(value, str):
        raise InvalidArgumentError(argument, value, "must be a string or None")
    return value


def _name(argument: str, value: Any, otherwise: str) -> str:
    if value is None:
        return otherwise
    if not isinstance(value, str) or not value.strip():
        raise InvalidArgumentError(argument, value, "must be a string that is not empty, or None")
    return value


def _flag(argument: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise InvalidArgumentError(argument, value, "must be True or False")
    return value


def _project(_: str, value: Any) -> Project:
    return value if isinstance(value, Project) else Project(value)


def _cluster(_: str, value: Any) -> ClusterConfig:
    return ClusterConfig.parse(value)


def _count(argument: str, value: Any) -> int:
    return whole_number(argument, value, least=0)


def _count_or_none(argument: str, value: Any) -> int | None:
    return None if value is None else _count(argument, value)


def _confirm(argument: str, value: Any) -> int | None:
    return None if value is None else whole_number(argument, value, least=2, most=MOST_SEEDS)


def _model_or_none(argument: str, value: Any) -> str | None:
    return None if value is None else model_name(argument, value)


def _seconds_or_none(argument: str, value: Any) -> float | None:
    return None if value is None else seconds(argument, value, otherwise=", or None")


def _tags(argument: str, value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    listed = isinstance(value, Collection) and not isinstance(value, (str, bytes, Mapping))
    if not listed or not all(isinstance(tag, str) and tag for tag in value):
        raise InvalidArgumentError(argument, value, "must be a list of strings")
    return tuple(dict.fromkeys(value))


def checked_experiment(argument: str, value: Any, *, otherwise: str = "") -> str | None:
    """Return an argument that names an experiment, judged.

    Args:
        argument: Its name.
        value: What was passed; None if no experiment is named.
        otherwise: What else is allowed, for the error.

    Raises:
        InvalidArgumentError: It is neither an identifier nor None.
    """
    if value is not None and (not isinstance(value, str) or not _ID.fullmatch(value)):
        raise InvalidArgumentError(
            argument, value, f"must be {otherwise}an experiment's identifier, or None"
        )
    return value


def _isolation(argument: str, value: Any) -> str:
    if not isinstance(value, str) or value not in ISOLATIONS:
        allowed = " or ".join(f'"{name}"' for name in ISOLATIONS)
        raise InvalidArgumentError(argument, value, f"must be {allowed}")
    return value


def _tensorboard(_: str, value: Any) -> bool:
    return switched_on(value)


def _keep_files(_: str, value: Any) -> FileRules:
    return FileRules.from_argument(value)


class CommonOptions(TypedDict, total=False):
    """Options that every verb takes."""

    project: Annotated[
        ProjectParameter,
        Option(None, _project, "Project root as an fsspec URL or a local path."),
    ]
    cluster: Annotated[
        ClusterParameter,
        Option(
            "auto",
            _cluster,
            '"auto", "local", "cuda", "debug", a scheduler\'s address, a YAML file of a cluster\'s '
            "definition, or a ClusterConfig.",
        ),
    ]
    seed: Annotated[
        CountParameter | None,
        Option(
            None,
            _count_or_none,
            "Kept in the record. Of a search that draws at random, the same seed gives the same "
            "search; without one, a seed is drawn.",
        ),
    ]
    seed_trials: Annotated[
        bool,
        Option(
            True,
            _flag,
            "Random numbers of Python, NumPy, TensorFlow, PyTorch and Keras begin in each trial "
            "with a seed of its own. ``HOPSML_SEED`` has it in any case.",
        ),
    ]
    retries: Annotated[
        CountParameter,
        Option(
            1,
            _count,
            "How often a trial whose worker died is tried again. A distributed training goes on "
            "from its last checkpoint.",
        ),
    ]
    trial_timeout: Annotated[
        SecondsParameter | None,
        Option(
            None,
            _seconds_or_none,
            "Seconds after which a trial is stopped and has failed; None for no limit.",
        ),
    ]
    tags: Annotated[
        list[str] | None, Option(None, _tags, "Tags of the flow run and of the record.")
    ]
    resume: Annotated[
        str | None,
        Option(
            None,
            checked_experiment,
            "Identifier of an experiment to continue. Its finished trials are kept, its failed "
            "ones run again; a distributed training goes on from its last checkpoint.",
        ),
    ]
    progress: Annotated[bool, Option(True, _flag, "Print progress and results.")]
    sync_interval: Annotated[
        SecondsParameter,
        Option(
            SYNC_SECONDS,
            seconds,
            "Seconds between two uploads of a running trial's log, events and checkpoints to a "
            "project that is not local.",
        ),
    ]
    tensorboard: Annotated[
        bool | None,
        Option(
            None,
            _tensorboard,
            "Show the experiment in a TensorBoard while it runs. None means yes, unless "
            "HOPSML_TENSORBOARD=false is in the environment.",
        ),
    ]
    keep_files: Annotated[
        KeepFilesParameter,
        Option(
            False,
            _keep_files,
            "Which files of a trial's working directory to keep besides those that it returns: "
            'True for all, or glob patterns such as ``"*.keras"`` or ``"checkpoints/**"``. They '
            "come into the trial's directory files/, also where it fails. Of a distributed "
            "training, they are those of its chief.",
        ),
    ]


class TrialOptions(CommonOptions, total=False):
    """Options of verbs whose trials may share a process."""

    isolation: Annotated[
        IsolationParameter,
        Option(
            ISOLATIONS[0],
            _isolation,
            '"worker": the trials of a worker run one after the other in a process that stays; '
            '"process": each trial gets a fresh process.',
        ),
    ]


class SearchOptions(TrialOptions, total=False):
    """Options of searches."""

    processes_per_trial: Annotated[
        PositiveParameter,
        Option(
            1,
            checked_count,
            "Processes that train together as one trial, each on a worker; they find TensorFlow's "
            "``TF_CONFIG`` and PyTorch's variables set.",
            before="keep_files",
        ),
    ]
    confirm: Annotated[
        ConfirmParameter | None,
        Option(
            None,
            _confirm,
            "Evaluate the winner and the function's defaults again, each on so many fresh seeds, "
            "and keep the corrected metric beside the one that the search found. None for no "
            "confirmation, or for 5 seeds with ``only_if_better``.",
            before="progress",
        ),
    ]
    only_if_better: Annotated[
        str | None,
        Option(
            None,
            _model_or_none,
            "Name of a model. Export the winner's model as its next version, if the winner is "
            "better than the model's best version on the same fresh seeds.",
            before="progress",
        ),
    ]
    approve: Annotated[
        bool,
        Option(
            False,
            _flag,
            "A winner that ``only_if_better`` would promote waits until a person approves it: the "
            "flow run is paused, with a form on its page. Needs a Prefect server that lasts.",
            before="progress",
        ),
    ]
    approve_timeout: Annotated[
        SecondsParameter,
        Option(
            APPROVE_SECONDS,
            seconds,
            "Seconds to wait for that person; then the winner is refused. ``resume`` asks again.",
            before="progress",
        ),
    ]


class WarmOptions(SearchOptions, total=False):
    """Options of searches that may begin with configurations of an earlier experiment."""

    warm_start: Annotated[
        str | None,
        Option(
            None,
            partial(checked_experiment, otherwise='"last", '),
            '"last", or an experiment\'s identifier: begin with the best configurations of the '
            "last finished experiment of this name, or of that one, where they lie in the search "
            "space. "
            "They are evaluated again. They take at most a quarter of a random search's points, "
            "or half of the first generation.",
            before="progress",
        ),
    ]


class TrainingOptions(CommonOptions, total=False):
    """Options of distributed training."""

    wait_for_workers: Annotated[
        float | None,
        Option(
            None,
            checked_wait,
            "Seconds to wait for enough workers; None for 20.",
            before="project",
        ),
    ]
    environment: Annotated[
        dict[str, str] | None,
        Option(
            None,
            checked_variables,
            "Environment variables of the processes, set before they import anything.",
            before="project",
        ),
    ]


def declared(options: Any) -> dict[str, tuple[Any, Option]]:
    """Return the options that a ``TypedDict`` declares, in the order of signatures.

    Args:
        options: The class.

    Returns:
        By name: the type with its schema for run forms, and the declaration.
    """
    found: dict[str, tuple[Any, Option]] = {}
    for name, annotation in get_type_hints(options, include_extras=True).items():
        bare, *extras = get_args(annotation)
        (option,) = (extra for extra in extras if isinstance(extra, Option))
        schemas = [extra for extra in extras if extra is not option]
        found[name] = (Annotated[bare, *schemas] if schemas else bare, option)
    order = list(found)
    for name in list(found):
        if (before := found[name][1].before) in found:
            order.remove(name)
            order.insert(order.index(before), name)
    return {name: found[name] for name in order}


CONFIRMED_SEEDS = 5
"""Fresh seeds on which a winner meets the champion if the caller does not say how many."""


def _check_debug(options: Options) -> None:
    """Refuse what a trial in the driver's own thread cannot have.

    Raises:
        InvalidArgumentError: A time limit, or a process for each trial.
    """
    if options.cluster.kind != DEBUG:
        return
    if options.trial_timeout is not None:
        raise InvalidArgumentError(
            "trial_timeout",
            options.trial_timeout,
            because='cluster="debug" runs trials in the thread that would have to stop them',
        )
    if options.isolation == "process":
        raise InvalidArgumentError(
            "isolation",
            options.isolation,
            because='cluster="debug" runs trials in the process that calls the verb',
        )


@dataclass(frozen=True, slots=True)
class Options:
    """The judged options of one call of a verb. Options that the verb lacks have their default.

    Args:
        name: The experiment's name.
        description: The user's words, or None.
        local_logdir: Whether event files stay on the worker until the trial ends.
        project: The experiment's project.
        cluster: The cluster that it runs on.
        seed: Seed of the search, or None if nothing is drawn.
        seed_trials: Whether random numbers of a trial begin with a seed of its own.
        retries: How often a trial whose worker died is tried again.
        trial_timeout: Seconds after which a trial is stopped, or None.
        tags: Tags of the flow run and the record.
        resume: Identifier of the experiment to continue, or None.
        progress: Whether progress and results are printed.
        sync_interval: Seconds between two uploads of a running trial's files.
        tensorboard: Whether a TensorBoard shows the experiment while it runs.
        keep_files: Which files of a trial are kept, and how many.
        isolation: What a trial runs in, one of :data:`ISOLATIONS`.
        processes_per_trial: Processes of a trial of a search.
        confirm: Fresh seeds on which the winner is evaluated again, or None.
        only_if_better: The model that the winner becomes a version of if it is better, or None.
        approve: Whether a person is asked before.
        approve_timeout: Seconds to wait for their answer.
        warm_start: "last", an experiment's identifier, or None.
        wait_for_workers: Seconds to wait for the workers of a distributed training, or None.
        environment: Environment variables of the processes of a distributed training.
        seed_is_drawn: Whether the caller gave no seed.
        group: The process group of each trial, or None.
        all_states: Whether trials that end within a second report Pending and Running to Prefect.
    """

    name: str
    description: str | None
    local_logdir: bool
    project: Project
    cluster: ClusterConfig
    seed: int | None
    seed_trials: bool
    retries: int
    trial_timeout: float | None
    tags: tuple[str, ...]
    resume: str | None
    progress: bool
    sync_interval: float
    tensorboard: bool
    keep_files: FileRules
    isolation: str = ISOLATIONS[0]
    processes_per_trial: int = 1
    confirm: int | None = None
    only_if_better: str | None = None
    approve: bool = False
    approve_timeout: float = APPROVE_SECONDS
    warm_start: str | None = None
    wait_for_workers: float | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    seed_is_drawn: bool = False
    group: GroupOptions | None = None
    all_states: bool = False

    @classmethod
    def checked(
        cls,
        kind: Any,
        given: Mapping[str, Any],
        *,
        train: TrainingFunction,
        name: object,
        description: object,
        local_logdir: object,
        draws: bool = False,
    ) -> Options:
        """Return the options of a call, judged.

        Args:
            kind: The ``TypedDict`` of the verb's options.
            given: The options that the caller gave.
            train: The training function.
            name: The experiment's name; None for the function's.
            description: The user's words.
            local_logdir: Whether event files stay on the worker until the trial ends.
            draws: Whether the search draws at random. If so, it gets a seed, which is kept.

        Raises:
            InvalidArgumentError: One, or a variable of the environment, is wrong; the message
                names it.
        """
        judged: dict[str, Any] = {
            "name": _name("name", name, train.name),
            "description": _text("description", description),
            "local_logdir": _flag("local_logdir", local_logdir),
            "all_states": reports_all_states(),
        }
        for argument, (_, option) in declared(kind).items():
            judged[argument] = option.judge(argument, given.get(argument, option.default))
        options = cls(**judged)
        _check_debug(options)
        if options.approve and options.only_if_better is None:
            nothing = "only_if_better names no model, so there is nothing to approve"
            raise InvalidArgumentError("approve", options.approve, because=nothing)
        if options.only_if_better is not None and options.confirm is None:
            options = replace(options, confirm=CONFIRMED_SEEDS)
        drawn = options.seed is None
        return replace(
            options,
            seed=secrets.randbits(32) if drawn and draws else options.seed,
            seed_is_drawn=drawn,
            group=group_of_search(options.cluster, options.processes_per_trial),
        )
