"""The head of an experiment's pages, and all that its record says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hopsml_flows.service.index import ExperimentEntry, ExperimentState
from hopsml_flows.service.web.views.confirmation import ConfirmationPanel, confirmation_panel
from hopsml_flows.service.web.views.experiment_list import ExperimentRow
from hopsml_flows.service.web.views.resuming import going_on
from hopsml_flows.service.web.views.words import cell_text, clock_time, long_text
from hopsml_flows.trials import TrialResult
from hopsml_flows.values.arguments import is_whole

__all__ = [
    "ExperimentHead",
    "Repeated",
    "described",
    "details",
    "repeated_of",
    "space_rows",
    "web_address",
]


@dataclass(frozen=True, slots=True)
class ExperimentHead:
    """What stands above all pages of an experiment.

    Args:
        row: The experiment as a list shows it.
        best: The best trial, or None.
        directory: Its directory: a local path or a URL.
        runs: Number of runs of the same name.
    """

    row: ExperimentRow
    best: TrialResult | None
    directory: str
    runs: int = 1

    @property
    def entry(self) -> ExperimentEntry:
        """The experiment."""
        return self.row.entry

    @property
    def problems(self) -> list[str]:
        """What a reader must know before the results, in sentences."""
        entry, record = self.entry, self.entry.record
        found = []
        if entry.problem:
            found.append(f"The record {entry.problem}.")
        elif record is None:
            found.append("There is no record, yet or any more.")
        if entry.summary_problem:
            found.append(f"The summary {entry.summary_problem}. Trials may be missing below.")
        if entry.unread:
            found.append(f"{entry.unread} entries of the summary cannot be read.")
        if entry.state is ExperimentState.LOST:
            found.append(
                "The record says that it runs, but its process is gone. "
                f'To go on, make the same call with resume="{entry.id}".'
            )
        return found

    @property
    def confirmation(self) -> ConfirmationPanel | None:
        """What came of evaluating its winner again; None if nothing was."""
        return confirmation_panel(self.entry)

    @property
    def left(self) -> str:
        """What can be done with the trials that are missing or failed, in words; "" for nothing."""
        more = going_on(self.entry, "")
        return more.title if more else ""

    @property
    def errors(self) -> list[str]:
        """Why it failed, or ended before its budget was spent."""
        record = self.entry.record
        return [text for text in (record.error, record.notice) if text] if record else []

    @property
    def flow_run_page(self) -> str:
        """The page of its flow run on the Prefect server, or ""."""
        return web_address(self.entry.record.flow_run_page) if self.entry.record else ""

    @property
    def note(self) -> str:
        """The user's note."""
        return (self.entry.record.note or "") if self.entry.record else ""

    @property
    def tags(self) -> Sequence[str]:
        """The user's tags."""
        return self.entry.record.tags if self.entry.record else ()


@dataclass(frozen=True, slots=True)
class Repeated:
    """What an experiment repeats.

    Args:
        experiment: The earlier experiment's identifier.
        trial: The number of the only trial that is repeated, or None.
        is_there: Whether the earlier experiment is there.
    """

    experiment: str
    trial: int | None = None
    is_there: bool = False


def repeated_of(entry: ExperimentEntry) -> Repeated | None:
    """Return what a record says that an experiment repeats; None if it repeats none.

    Args:
        entry: The experiment. Its record is a file's content: anything may be wrong in it.
    """
    told = {} if entry.record is None else entry.record.rerun_of
    experiment, trial = told.get("experiment"), told.get("trial")
    if not isinstance(experiment, str) or not experiment:
        return None
    return Repeated(experiment, trial if is_whole(trial) and trial > 0 else None)


def details(entry: ExperimentEntry, directory: str) -> Iterator[tuple[str, str]]:
    """Yield name and text of each fact of a record that there is.

    Args:
        entry: The experiment.
        directory: Its directory: a local path or a URL.
    """
    yield "Identifier", entry.id
    yield "Directory", directory
    record = entry.record
    if record is None:
        return
    direction = {"MAX": "maximize", "MIN": "minimize"}.get(record.direction or "", "")
    key = record.optimization_key or ("metric" if direction else "")
    facts: Mapping[str, Any] = {
        "Name": record.name,
        "Kind": record.function,
        "Type": record.experiment_type,
        "Training function": record.train,
        "Optimization": f"{direction} {key}".strip(),
        "Optimizer": described(record.options.get("optimizer")),
        "Early stopping": described(record.options.get("early_stop")),
        "Seed": record.options.get("seed"),
        "Cluster": described(record.options.get("cluster")),
        "User": record.user,
        "Started": clock_time(entry.started),
        "Ended": clock_time(entry.ended) if entry.ended else "",
        "Attempt": record.attempt if record.attempt != 1 else None,
        "Prefect flow run": web_address(record.flow_run_page) or record.flow_run_id,
        "TensorBoard": record.tensorboard,
        "Host": record.driver.get("host"),
        "Model": record.model,
    }
    for name, value in facts.items():
        if value is not None and value != "":
            yield name, long_text(value)


def web_address(text: str | None) -> str:
    """Return the address of a page in a record; "" where it is none that a link may have.

    Args:
        text: What the record has.

    Example:
        >>> web_address("http://prefect:4200/runs"), web_address("javascript:alert(1)")
        ('http://prefect:4200/runs', '')
    """
    return text if text and text.startswith(("http://", "https://")) else ""


def described(value: Any) -> str:
    """Return a setting of an experiment: its name, and its arguments.

    Args:
        value: A text, an object whose first entry is the name, or anything.

    Example:
        >>> described({"name": "asha", "reduction_factor": 2})
        'asha (reduction_factor=2)'
    """
    if value is None:
        return ""
    if not isinstance(value, Mapping) or not value:
        return cell_text(value)
    first, *others = value.items()
    pairs = ", ".join(f"{key}={cell_text(each)}" for key, each in others)
    return f"{cell_text(first[1])} ({pairs})" if pairs else cell_text(first[1])


def space_rows(entry: ExperimentEntry) -> list[tuple[str, str]]:
    """Return name and domain of each hyperparameter that was searched.

    Args:
        entry: The experiment.
    """
    record = entry.record
    if record is None:
        return []
    return [(name, _domain(value)) for name, value in record.search_space.items()]


def _domain(value: Any) -> str:
    if isinstance(value, Mapping) and value:
        kind, *others = value.values()
        pairs = list(value.items())[1:]
        if others:
            return f"{cell_text(kind)} " + ", ".join(f"{k} {cell_text(v)}" for k, v in pairs)
        return cell_text(kind)
    return cell_text(value)
