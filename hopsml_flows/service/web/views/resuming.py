"""How to go on with an experiment: in words, and as the Python that does it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hopsml_flows.service.index import ExperimentEntry, ExperimentState
from hopsml_flows.service.web.views.trial import function_lines
from hopsml_flows.text import plural
from hopsml_flows.tracking.record import ExperimentRecord
from hopsml_flows.trials import DEFAULT_KEY
from hopsml_flows.values.plain import IS_OBJECT

__all__ = ["GoingOn", "going_on"]

_EVOLUTION = (
    *("generations", "population", "mutation", "crossover", "strategy", "updating", "initial"),
    *("tol", "patience", "max_failed_generations"),
)
_SEARCH = ("optimizer", "early_stop", "num_trials", "max_seconds", "initial")
_OF_ALL = (
    *("retries", "isolation", "trial_timeout", "local_logdir", "keep_files", "seed_trials"),
    *("confirm", "only_if_better", "approve"),
)
_OTHERWISE: Mapping[str, Any] = {
    "retries": 1, "isolation": "worker", "trial_timeout": None, "local_logdir": False,
    "keep_files": [], "initial": [], "max_seconds": None, "num_trials": None, "patience": None,
    "seed_trials": True, "confirm": None, "only_if_better": None, "approve": False,
}  # fmt: skip
"""What a call means that lacks the argument."""

_GROUPS = ("processes_per_trial", "num_workers", "searchspace")
"""Settings of calls whose other arguments are not in the record."""


@dataclass(frozen=True, slots=True)
class GoingOn:
    """What a call with ``resume=`` does to an experiment that is over.

    Args:
        title: What it is, in two or three words.
        words: What it does, in sentences.
        call: The call in Python; "" where the record does not have all of it.
        argument: What the same call needs besides.
    """

    title: str
    words: str
    call: str
    argument: str


def going_on(entry: ExperimentEntry, project: str) -> GoingOn | None:
    """Return how to go on with an experiment; None where nothing is left to do, or where it runs.

    Args:
        entry: The experiment.
        project: The project's URL or path.
    """
    record = entry.record
    if record is None or entry.state is ExperimentState.RUNNING:
        return None
    done, failed = entry.trials_done, record.trials_failed
    total = record.trials_total
    is_cut_off = entry.state is not ExperimentState.FINISHED
    interrupted = is_cut_off and (total is None or done < total)
    unconfirmed = is_cut_off and _lacks_confirmation(record, done)
    # A search that has a journal was told of the failures, unless nothing but failures came.
    again = failed > 0 and (record.function != "optimize" or record.trials_succeeded == 0)
    if not interrupted and not unconfirmed and not again:
        return None
    argument = f'resume="{entry.id}"'
    if unconfirmed and not interrupted:
        words = "It ended before its winner was confirmed. This runs the missing evaluations"
        words += f", and {plural(failed, 'failed trial')} again before." if again else "."
        title = "Go on"
    elif interrupted:
        ended = plural(done, "trial") if total is None else f"{done} of {plural(total, 'trial')}"
        words = f"It ended after {ended}. This runs those that are missing"
        words += f", and {plural(failed, 'failed trial')} again." if again else "."
        words += " Then it confirms the winner." if unconfirmed else ""
        title = "Go on"
    else:
        words = f"This runs {plural(failed, 'failed trial')} again, and no other."
        title = "Run failed trials again"
    return GoingOn(title, words, _call(record, argument, project), argument)


def _lacks_confirmation(record: ExperimentRecord, done: int) -> bool:
    """Whether the winner was to be confirmed, and was not. Where all trials failed, none won."""
    if not record.options.get("confirm") or record.confirmation is not None:
        return False
    return not done or record.trials_failed < done


def _call(record: ExperimentRecord, resume: str, project: str) -> str:
    arguments = _arguments(record)
    if arguments is None:
        return ""
    lines, name = function_lines(record.train)
    cluster = record.options.get("cluster")
    if cluster not in (None, "local"):
        lines.append(f"# It ran on the cluster {cluster!r}: pass cluster= as before.")
    texts = [name, *(f"{key}={value!r}" if key else repr(value) for key, value in arguments)]
    texts += [f"project={project!r}", resume]
    body = "".join(f"    {text},\n" for text in texts)
    return "\n".join([*lines, "", f"experiment.{record.function}(\n{body})"])


def _arguments(record: ExperimentRecord) -> list[tuple[str, Any]] | None:
    """Name and value of what a verb was called with, besides the function; None if not known."""
    options, space = record.options, record.search_space
    if any(name in options for name in _GROUPS):
        return None
    key = record.optimization_key
    aim: list[tuple[str, Any]] = [] if record.direction in (None, "MAX") else [("direction", "MIN")]
    if key not in (None, DEFAULT_KEY):
        aim.append(("optimization_key", key))
    own: list[tuple[str, Any]]
    match record.function:
        case "launch":
            own = [("", space)] if space else []
            aim = [] if key is None else [("metric_key", key)]
        case "grid_search":
            own = [("", space)]
        case "random_search" if record.trials_total is not None:
            own = [("", space), ("samples", record.trials_total)]
        case "differential_evolution":
            own = [("", space), *_settings(options, _EVOLUTION)]
        case "optimize" if not _has_objects(options):
            own = [("", space or None), *_settings(options, _SEARCH)]
        case _:
            return None
    return [*own, *aim, *_settings(options, _OF_ALL)]


def _settings(options: Mapping[str, Any], names: tuple[str, ...]) -> list[tuple[str, Any]]:
    known = [(name, options[name]) for name in names if name in options]
    return [pair for pair in known if pair[0] not in _OTHERWISE or pair[1] != _OTHERWISE[pair[0]]]


def _has_objects(options: Mapping[str, Any]) -> bool:
    """Whether the optimizer or the rule was an object, which its settings do not make again."""
    parts = [options.get(name) for name in ("optimizer", "early_stop")]
    known = [part for part in parts if isinstance(part, Mapping)]
    return len(known) < 2 or any(part.get(IS_OBJECT) or "policy" in part for part in known)
