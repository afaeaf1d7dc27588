"""Makes the Markdown page and the table of trials that the Prefect UI shows. Pure.

Names, values and messages come from the user: they are escaped, so that the UI takes nothing in
them for Markdown or HTML, and they are cut to a bounded length.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from hopsml_flows.storage import ExperimentFiles
from hopsml_flows.text import number_text, readable, shortened
from hopsml_flows.tracking.progress_line import clock
from hopsml_flows.trials import DEFAULT_KEY, LOG, State

if TYPE_CHECKING:
    from hopsml_flows.search import Direction
    from hopsml_flows.tracking.record import ExperimentRecord
    from hopsml_flows.trials import Counts, TrialResult

__all__ = [
    "MOST_BYTES",
    "Standing",
    "as_text",
    "cell",
    "column",
    "escaped",
    "fitted",
    "page",
    "table_note",
    "trial_rows",
]

MOST_ROWS = 500

MOST_BYTES = 4 * 1024 * 1024
"""Largest content of an artifact; Prefect Cloud refuses requests above 5 MiB."""

_CELL = 200
_LINE = 300
_SHOWN_FAILURES = 5
_SHOWN_REASONS = 10
_SHOWN_VALUES = 30

# "://" and "@" are escaped too: a UI would make links of addresses, with the backslashes in them.
_SPECIAL = re.compile(r"[\\`*_{}\[\]<>()#+!|~&$^=@-]|:(?=//)")
# Cells escape only what Markdown would misread: not every UI removes the backslashes there.
_IN_CELL = re.compile(
    r"[\\`*<&~]|\](?=[(\[:])|(?<!\w)_|_(?!\w)|^[#>+-](?=\s|$|[#=-])|(?<=^\d)[.)](?=\s|$)"
)
_SPACE = re.compile(r"\s+")
_MOST_OUTPUTS = 20


@dataclass(frozen=True, slots=True)
class Standing:
    """The facts that the page shows.

    Args:
        record: The experiment's record.
        directory: The experiment's directory, as a path or a URL without a password.
        counts: The counts of trials.
        best: The best trial so far, or None.
        failures: The failed trials.
        tensorboard: URL of the TensorBoard that shows it, or None.
        pictures: URL or key of its pictures' artifact, or None.
        reasons: Why trials were stopped and promoted, as sentences.
    """

    record: ExperimentRecord
    directory: str
    counts: Counts
    best: TrialResult | None = None
    failures: Sequence[TrialResult] = ()
    tensorboard: str | None = None
    pictures: str | None = None
    reasons: Sequence[str] = ()


def page(standing: Standing) -> str:
    """Return a page about an experiment: its best trial, counts, links and failed trials.

    Args:
        standing: The facts.
    """
    record, best = standing.record, standing.best
    parts = [f"## {escaped(record.name)}: {record.state.value}"]
    if record.description:
        parts.append(escaped(record.description, 2 * _LINE))
    if record.error and record.state is not State.FINISHED:
        parts.append(escaped(record.error))
    if record.notice and record.state is State.FINISHED:
        parts.append(escaped(f"Ended before its budget was spent: {record.notice}"))
    parts.append(_two_columns(_facts(standing)))
    if best is not None:
        where = f"{standing.directory}/{best.directory}".rstrip("/")
        parts.append(f"### Best trial: {escaped(best.name)}")
        parts.append(_two_columns([*best.params.items()], "hyperparameter"))
        parts.append(_two_columns([*best.outputs.items()], "output"))
        parts.append(f"Directory: {_code(where)}")
    if standing.failures:
        failures = sorted(standing.failures, key=lambda result: result.number)
        parts.append("### Failed trials")
        lines = [
            f"- {escaped(result.name)}: {escaped(result.failure)}"
            for result in failures[:_SHOWN_FAILURES]
        ]
        if len(failures) > _SHOWN_FAILURES:
            lines.append(f"- and {len(failures) - _SHOWN_FAILURES} more")
        parts.append("\n".join(lines))
    if standing.reasons:
        parts.append("### Stopped and promoted trials")
        lines = [f"- {escaped(line)}" for line in standing.reasons[-_SHOWN_REASONS:]]
        if len(standing.reasons) > _SHOWN_REASONS:
            command = _code(f"hopsml show {record.id}")
            lines.insert(
                0, f"- {len(standing.reasons) - _SHOWN_REASONS} more before: {command} has all"
            )
        parts.append("\n".join(lines))
    return "\n\n".join(part for part in parts if part) + "\n"


def trial_rows(
    results: Sequence[TrialResult], direction: Direction | None, key: str | None = None
) -> list[dict[str, Any]]:
    """Return results as rows of a table: best first, failures last, at most 500 rows.

    All rows have the same columns: hyperparameters, the metric under its name, other outputs.

    Args:
        results: The results.
        direction: Which way is better; None sorts by trial number.
        key: Key of the metric, or None.
    """

    def order(result: TrialResult) -> tuple[bool, float, int]:
        value = 0.0
        if direction is not None and result.metric is not None:
            value = direction.loss(result.metric)
        return not result.succeeded, value, result.number

    shown = sorted(results, key=order)[:MOST_ROWS]
    with_budget = any(result.budget is not None for result in shown)
    with_stops = any(result.why_stopped is not None for result in shown)
    metric = column(key or DEFAULT_KEY, "metric", _AROUND)
    own = (*_AROUND, metric)
    params = {
        name: column(name, "parameter", own)
        for name in dict.fromkeys(name for result in shown for name in result.params)
    }
    outputs = {
        name: column(name, "output", (*own, *params.values()))
        for name in _other_outputs(shown, key)
    }
    return [
        {
            "trial": result.number,
            **({"budget": cell(result.budget)} if with_budget else {}),
            **{head: cell(result.params.get(name)) for name, head in params.items()},
            metric: cell(result.metric),
            **{head: cell(_output(result, name)) for name, head in outputs.items()},
            "state": result.state.value,
            **({"stopped by": cell(str(result.why_stopped or ""))} if with_stops else {}),
            "seconds": round(result.duration, 2),
            "error": cell(str(result.failure)) if result.failure else "",
        }
        for result in shown
    ]


def _other_outputs(results: Sequence[TrialResult], key: str | None) -> list[str]:
    """Names of outputs besides log and metric, at most 20."""
    measured = [result for result in results if result.outputs]
    names = dict.fromkeys(name for result in measured for name in result.outputs)
    single = len(names.keys() - {LOG}) == 1  # then it is the metric, whatever its name

    def is_metric(name: str) -> bool:
        named = single or name == (key or DEFAULT_KEY)
        return named and all(result.outputs.get(name) == result.metric for result in measured)

    return [name for name in names if name != LOG and not is_metric(name)][:_MOST_OUTPUTS]


def _output(result: TrialResult, name: str) -> Any:
    """An output; of a file in the trial's directory, the file's name."""
    value = result.outputs.get(name)
    if isinstance(value, str) and result.directory and f"/{result.directory}/" in value:
        return value.rsplit("/", 1)[-1]
    return value


def table_note(title: str, shown: int, count: int, directory: str) -> str:
    """Return the text above the table of trials.

    Args:
        title: The experiment's title.
        shown: Number of rows of the table.
        count: Number of trials that are done.
        directory: The experiment's directory.
    """
    note = f"Trials of {escaped(title)}"
    if shown == count:
        return note
    file = _code(f"{directory}/{ExperimentFiles.SUMMARY}")
    return f"{note}: the best {shown} of {count}; all of them are in {file}"


def fitted(rows: list[dict[str, Any]], most: int = MOST_BYTES) -> list[dict[str, Any]]:
    """Return as many of the first rows as fit into a request.

    Args:
        rows: Rows of JSON values.
        most: Largest size, in bytes of JSON.
    """
    size = len(json.dumps(rows))
    while size > most and rows:
        rows = rows[: min(len(rows) - 1, len(rows) * most // size)]
        size = len(json.dumps(rows))
    return rows


def as_text(value: Any, most: int = _CELL) -> str:
    """Return a value as one line of limited length; a longer one loses its middle.

    Args:
        value: Any value.
        most: Most characters.
    """
    text = number_text(value) if isinstance(value, float) else readable(str(value))
    text = _SPACE.sub(" ", "".join(c if c.isprintable() else " " for c in text)).strip()
    return shortened(text, most)


def _facts(standing: Standing) -> list[tuple[str, Any]]:
    record, counts, best = standing.record, standing.counts, standing.best
    done = f"{counts.done} of {'?' if counts.total is None else counts.total} done"
    facts: list[tuple[str, Any]] = []
    if best is not None and best.metric is not None:
        key = record.optimization_key or "metric"
        facts.append((f"best {key}", f"{number_text(best.metric)} ({record.direction})"))
    trials = f"{done}, {counts.failed} failed, {counts.running} running"
    if counts.stopped:
        trials += f", {counts.stopped} stopped early ({clock(counts.saved)} saved)"
    facts.append(("trials", trials))
    if record.duration is not None:
        facts.append(("time", timedelta(seconds=round(record.duration))))
    facts.append(("kind", f"{record.function} of {record.train}"))
    seeds = record.options.get("seeds") or {}
    if seeds.get("experiment"):
        facts.append(
            ("begins with", f"{len(seeds.get('trials', ()))} seeds of {seeds['experiment']}")
        )
    facts.append(("experiment", _Code(record.id)))
    facts.append(("directory", _Code(standing.directory)))
    if record.state is State.RUNNING and standing.tensorboard:
        facts.append(("TensorBoard", _Link(standing.tensorboard)))
    else:
        facts.append(("TensorBoard", _Code(f"hopsml tensorboard {record.id}")))
    facts.append(("logs", _Code(f"hopsml logs {record.id}")))
    if standing.pictures:
        facts.append(("pictures", _Link(standing.pictures)))
    return facts


class _Code(str):
    """Text to show in a fixed-width font."""

    __slots__ = ()


class _Link(str):
    """A URL to show as a link."""

    __slots__ = ()


def _two_columns(rows: Sequence[tuple[str, Any]], head: str = "") -> str:
    if not rows:
        return ""
    lines = [f"| {head} | {'value' if head else ''} |", "|---|---|"]
    lines += [f"| {escaped(name)} | {_shown(value)} |" for name, value in rows[:_SHOWN_VALUES]]
    if len(rows) > _SHOWN_VALUES:
        lines.append(f"| and {len(rows) - _SHOWN_VALUES} more | |")
    return "\n".join(lines)


def _shown(value: Any) -> str:
    if isinstance(value, _Code):
        return _code(value)
    return _link(value) if isinstance(value, _Link) else escaped(value)


def escaped(value: Any, most: int = _LINE) -> str:
    """Return text that Markdown shows unchanged: special characters get a backslash."""
    return _SPECIAL.sub(r"\\\g<0>", as_text(value, most))


def _code(text: str) -> str:
    """Return a path or command as a code span; escaped text if it could end a span or a cell."""
    line = as_text(text, 1000)
    return escaped(line, 2000) if re.search(r"[`|\\]", line) else f"`{line}`"


def _link(url: str) -> str:
    if re.fullmatch(r"https?://[^\s<>\"'`|\\]+", url):
        return f"<{url}>"
    return _code(url)


_AROUND = ("trial", "state", "seconds", "error", "budget", "stopped by")
"""Columns of the table that are neither a hyperparameter nor an output."""


def column(name: str, kind: str, taken: Collection[str]) -> str:
    """Return the column's name for a value of a trial, distinct from other columns.

    Args:
        name: Name of the value.
        kind: What it is, added if the name is taken.
        taken: Names of the other columns.
    """
    return f"{name} ({kind})" if name in taken else name


def cell(value: Any) -> Any:
    """Return a value as JSON for a table's cell, numbers with six significant digits.

    Args:
        value: Any value.
    """
    if isinstance(value, float):
        return float(number_text(value)) if math.isfinite(value) else str(value)
    if value is None or isinstance(value, bool):
        return value
    # Browsers read JSON numbers as doubles, which are exact for integers below 2**53.
    if isinstance(value, int) and abs(value) < 2**53:
        return value
    # One of Prefect's two UIs reads strings in tables as Markdown, the other shows the backslashes.
    return _IN_CELL.sub(r"\\\g<0>", as_text(value))
