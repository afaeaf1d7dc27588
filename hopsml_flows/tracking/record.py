"""The experiment's record, ``experiment.json``, replaced atomically on every change of state.

The record and its directory are the truth about an experiment; the Prefect server only shows it.
"""

from __future__ import annotations

import getpass
import json
import time
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from hopsml_flows.storage.retries import replace_file
from hopsml_flows.trials import State
from hopsml_flows.values.plain import FILE_LEVELS, json_value

if TYPE_CHECKING:
    from hopsml_flows.storage import ExperimentPaths, Project

__all__ = ["SCHEMA", "ExperimentRecord", "RecordFile", "current_user"]

SCHEMA = 1
"""Version of the record's layout, written into each record."""


@dataclass(frozen=True, slots=True)
class ExperimentRecord:
    """What is kept about an experiment: the fields of HopsML's registry, and more.

    Args:
        id: Identifier, also the directory's name.
        name: Name the user gave.
        project: Name of the project.
        description: The user's description, or None.
        state: RUNNING, FINISHED, FAILED or KILLED.
        function: The verb: "launch", "grid_search", …
        experiment_type: EXPERIMENT, PARALLEL_EXPERIMENTS, DISTRIBUTED_TRAINING or MAGGY.
        train: Import string of the training function.
        direction: "MAX", "MIN", or None if nothing is optimized.
        optimization_key: Key of the metric, or None.
        search_space: Hyperparameter name to a description of its domain or value list.
        options: All other arguments of the verb, as JSON values.
        user: Login name of the user who ran it.
        start: Start, ISO 8601 in UTC.
        end: End, ISO 8601 in UTC, or None.
        duration: Seconds that it ran, or None.
        metric: Best metric, or None.
        best_trial: Name of the best trial, or None.
        best_dir: Its directory relative to the project, or None.
        trials_total: Number of trials there will be, or None if unknown.
        trials_succeeded: Number of trials that have a result.
        trials_failed: Number of trials that failed and will not be tried again.
        trials_stopped: Number of those among the succeeded that were ended early.
        program: Path of the versioned program, relative to the project, or None.
        environment: Path of the versioned environment, or None.
        versions: What else is kept of program and environment: ``python``, ``platform``, ``gpus``,
            ``git``, ``modules``, ``lock``, …; empty in records of before.
        flow_run_id: The Prefect flow run, or None.
        flow_run_page: URL of its page, if the Prefect server is one that lasts; otherwise None.
        attempt: Which attempt at the experiment this is, from 1; each time that it is resumed is
            another one.
        origin: Identifier that stays the same when Prefect retries the flow run, or None.
        tensorboard: URL of its TensorBoard while it runs; None without one, and after the end.
        tags: The user's tags.
        model: Linked model, or None.
        confirmation: What came of evaluating the winner again on fresh seeds, as
            :meth:`~hopsml_flows.trials.confirmation.Confirmation.as_json` has it, or None.
        promotion: Whether the winner became a version of a model, as
            :meth:`~hopsml_flows.trials.confirmation.Promotion.as_json` has it, or None.
        error: Why it failed, or None.
        notice: Why a finished experiment ended before its budget was spent, or None.
        note: What the user wrote about it later, or None.
        rerun_of: What it repeats: ``experiment``, the identifier, and ``trial``, the number or null
            for all; empty if it repeats none.
        driver: The driver's process, as ``storage.this_process`` describes it, with ``leased`` if
            a lease says whether it runs.
        schema: Version of this layout.
    """

    id: str
    name: str
    project: str
    function: str
    experiment_type: str
    train: str
    description: str | None = None
    state: State = State.RUNNING
    direction: str | None = None
    optimization_key: str | None = None
    search_space: dict[str, Any] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
    user: str = ""
    start: str = ""
    end: str | None = None
    duration: float | None = None
    metric: float | None = None
    best_trial: str | None = None
    best_dir: str | None = None
    trials_total: int | None = None
    trials_succeeded: int = 0
    trials_failed: int = 0
    trials_stopped: int = 0
    program: str | None = None
    environment: str | None = None
    versions: dict[str, Any] = field(default_factory=dict)
    flow_run_id: str | None = None
    flow_run_page: str | None = None
    attempt: int = 1
    origin: str | None = None
    tensorboard: str | None = None
    tags: tuple[str, ...] = ()
    model: str | None = None
    confirmation: dict[str, Any] | None = None
    promotion: dict[str, Any] | None = None
    error: str | None = None
    notice: str | None = None
    note: str | None = None
    rerun_of: dict[str, Any] = field(default_factory=dict)
    driver: dict[str, Any] = field(default_factory=dict)
    schema: int = SCHEMA

    def to_json(self) -> str:
        """Return the record as the file's content."""
        content = json_value("record", asdict(self), levels=FILE_LEVELS)
        return json.dumps(content, indent=1, allow_nan=False)

    @classmethod
    def from_json(cls, text: str | bytes) -> ExperimentRecord:
        """Parse a record, without keys that this version does not know.

        Raises:
            ValueError: The text is not a record.
        """
        content = json.loads(text)
        if not isinstance(content, dict):
            raise ValueError("an experiment's record is a JSON object")
        known = {name: content[name] for name in cls.__slots__ if name in content}
        # An empty object may have been written as null.
        known |= {name: {} for name in _OBJECTS if name in known and known[name] is None}
        try:
            state, tags = State(known.pop("state")), known.pop("tags", None) or ()
            if not isinstance(tags, (list, tuple)) or not all(isinstance(t, str) for t in tags):
                raise ValueError(f"tags is {tags!r:.80}, not a list of texts")
            record = cls(**known, state=state, tags=tuple(tags))
        except (KeyError, TypeError) as error:
            raise ValueError(f"an experiment's record lacks something ({error})") from error
        for names, kind, what in _KINDS:
            for name in names:
                if not isinstance(getattr(record, name), kind):
                    raise ValueError(f"{name} is {getattr(record, name)!r:.80}, not {what}")
        return record


_OBJECTS = ("search_space", "options", "versions", "rerun_of", "driver")
_TEXTS = ("id", "name", "project", "function", "experiment_type", "train", "user", "start")
_MAYBE_TEXTS = (
    *("description", "direction", "optimization_key", "end", "best_trial", "best_dir", "program"),
    *("environment", "flow_run_id", "flow_run_page", "origin", "tensorboard", "model", "error"),
    *("notice", "note"),
)
_KINDS: tuple[tuple[tuple[str, ...], Any, str], ...] = (
    (_TEXTS, str, "a text"),
    (_MAYBE_TEXTS, str | None, "a text"),
    (_OBJECTS, dict, "an object"),
    (("confirmation", "promotion"), dict | None, "an object"),
    (("duration", "metric"), float | int | None, "a number"),
    (("trials_total",), int | None, "a number"),
    (
        ("trials_succeeded", "trials_failed", "trials_stopped", "attempt", "schema"),
        int,
        "a number",
    ),
)
"""Types of the record's fields; a dataclass does not check them."""


class RecordFile:
    """Writes ``experiment.json`` whenever the experiment changes.

    Args:
        project: The experiment's project.
        paths: The experiment's paths.
        record: The first record. If it has no start, it starts now.
        seconds_before: Seconds that earlier runs of the experiment took.
    """

    def __init__(
        self,
        project: Project,
        paths: ExperimentPaths,
        record: ExperimentRecord,
        *,
        seconds_before: float = 0.0,
    ) -> None:
        self._project = project
        self._paths = paths
        self._began = time.monotonic() - seconds_before
        self.record = replace(record, start=record.start or _now(), user=current_user())

    def write(self, **changes: Any) -> None:
        """Change fields and replace the file."""
        self.change(**changes)
        self.save()

    def change(self, **changes: Any) -> None:
        """Change fields without replacing the file."""
        self.record = replace(self.record, **changes)

    def save(self, *, patience: float | None = None) -> None:
        """Replace the file.

        Args:
            patience: Seconds to retry while storage is unavailable; None for the default.
        """
        replace_file(self._project, self._paths.record, self.record.to_json(), patience=patience)

    def finish(self, state: State, **changes: Any) -> None:
        """Record the end (state, time and duration), and replace the file."""
        self.end(state, **changes)
        self.save()

    def end(self, state: State, **changes: Any) -> None:
        """Record the end (state, time and duration) without replacing the file."""
        duration = round(time.monotonic() - self._began, 3)
        self.record = replace(self.record, state=state, end=_now(), duration=duration, **changes)


def current_user() -> str:
    """Return the login name of the user, or "unknown"."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user id without a name, as in containers
        return "unknown"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
