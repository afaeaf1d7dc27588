"""How the result of an experiment shows itself: in two lines of text, and as HTML. Pure.

The HTML is for notebooks. It loads nothing, from nowhere, and takes colours of text and background
from the page that it is shown on. Names, values and messages come from the user and are escaped.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable
from datetime import timedelta
from html import escape
from typing import TYPE_CHECKING, Any, NamedTuple

from hopsml_flows.text import number_text, one_line, plural, value_text
from hopsml_flows.trials.confirmation.words import confirmation_facts, promotion_text
from hopsml_flows.trials.outputs import DEFAULT_KEY, LOG
from hopsml_flows.trials.tables import MOST_ROWS, best_first

if TYPE_CHECKING:
    from hopsml_flows.trials.model import TrialResult
    from hopsml_flows.trials.result import ExperimentResult

__all__ = ["MOST_PICTURE_BYTES", "PageLink", "links_html", "result_html", "result_text"]

MOST_PICTURE_BYTES = 500_000
"""Largest picture that the HTML embeds: a notebook stores it with each execution of a cell."""

_MOST_PARAMETERS = 12
_MOST_OUTPUTS = 6
_MOST_WARNINGS = 3
_MOST_PAIRS = 30
_LONGEST = 40
_LONGEST_WHOLE = 1000

_LEFT = "text-align:left;vertical-align:top"


class PageLink(NamedTuple):
    """A page about an experiment that a browser can open.

    Args:
        name: The text of the link.
        url: The page's address. Others than HTTP's are not shown.
        lasts: Whether the page is there when the experiment has ended.
    """

    name: str
    url: str
    lasts: bool = True


def result_text(result: ExperimentResult) -> str:
    """Return a result as two lines: what came of the experiment, and where its files are.

    Args:
        result: The result.
    """
    facts = [result.state.value]
    if (best := result.best) is not None and best.metric is not None:
        metric = f"{one_line(_metric_name(result))} {number_text(best.metric)}"
        facts.append(f"best {metric} (trial {best.number})")
    facts.append(plural(len(result.trials), "trial"))
    if result.failed:
        facts.append(f"{len(result.failed)} failed")
    if stopped := _stopped(result):
        facts.append(stopped)
    if result.confirmation is not None and result.confirmation.mean is not None:
        facts.append(f"confirmed {number_text(result.confirmation.mean)}")
    said = f"{type(result).__name__} {result.id}: {', '.join(facts)}"
    return f"<{said}\n {one_line(result.path)}>"


def result_html(result: ExperimentResult, found: str = "") -> str:
    """Return a result as HTML: best trial, best 20 trials, picture, warnings, links.

    Args:
        result: The result.
        found: What its trials mean together, as HTML; it comes before the trials.
    """
    of_trials = (_table(result), _picture(result), _warnings(result))
    parts = (_head(result), _facts(result), found, *of_trials)
    return f"<div>{''.join(parts)}<div>{links_html(result.links)}</div></div>"


def links_html(links: Iterable[PageLink]) -> str:
    """Return links as HTML, on one line.

    Args:
        links: The links.
    """
    return " · ".join(
        f'<a href="{_text(link.url)}" target="_blank" rel="noopener">{_text(link.name)}</a>'
        for link in links
        if link.url.startswith(("http://", "https://"))
    )


def _head(result: ExperimentResult) -> str:
    failed = f", {len(result.failed)} failed" if result.failed else ""
    failed += f", {stopped}" if (stopped := _stopped(result)) else ""
    took = timedelta(seconds=round(result.duration))
    trials = plural(len(result.trials), "trial")
    said = f"{result.function}: {result.state.value}, {trials}{failed}, {took}"
    return f"<div><b>{_text(result.id)}</b> · {_text(said)}</div>"


def _facts(result: ExperimentResult) -> str:
    facts: list[tuple[str, str]] = []
    if (best := result.best) is not None:
        if best.metric is not None:
            metric = f"<b>{_text(number_text(best.metric))}</b> in trial {best.number}"
            facts.append((f"best {_metric_name(result)}", metric))
        if best.params:
            facts.append(("parameters", _pairs(best.params)))
        if outputs := _other_outputs(best, _metric_name(result)):
            facts.append(("outputs", _pairs(outputs)))
    if result.confirmation is not None:
        found = confirmation_facts(result.confirmation)
        facts += [(word, _text(said)) for word, said in found]
    if result.promotion is not None:
        facts.append(("promotion", _text(promotion_text(result.promotion))))
    facts.append(("directory", f"<code>{_text(result.best_dir or result.path)}</code>"))
    rows = (
        f'<tr><th style="{_LEFT}">{_text(name)}</th><td style="{_LEFT}">{value}</td></tr>'
        for name, value in facts
    )
    return f"<table>{''.join(rows)}</table>"


def _table(result: ExperimentResult) -> str:
    if len(result.trials) < 2:
        return ""
    shown = best_first(result.trials, result.direction)[:MOST_ROWS]
    parameters = _names(trial.params for trial in shown)[:_MOST_PARAMETERS]
    metric = _metric_name(result)
    measured = any(trial.metric is not None for trial in shown)
    outputs = _names(_other_outputs(trial, metric) for trial in shown)[:_MOST_OUTPUTS]
    budgets = ["budget"] if any(trial.budget is not None for trial in shown) else []
    metrics = [metric] if measured else []
    names = ["#", *budgets, *parameters, *metrics, *outputs, "seconds", "state"]
    rows = [_row("th", map(_short, names))]
    for trial in shown:
        others = _other_outputs(trial, metric)
        cells = [
            str(trial.number),
            *(_short("" if trial.budget is None else trial.budget) for _ in budgets),
            *(_short(trial.params.get(name, "")) for name in parameters),
            *([_short("" if trial.metric is None else trial.metric)] if measured else []),
            *(_short(others.get(name, "")) for name in outputs),
            f"{trial.duration:.1f}",
            _short(_state(trial)),
        ]
        rows.append(_row("td", cells, bold=trial is result.best))
    more = len(result.trials) - len(shown)
    note = f"<div>and {more} more: <code>to_pandas()</code> has all trials</div>" if more else ""
    table = f'<table style="white-space:nowrap">{"".join(rows)}</table>'
    return f'<div style="overflow-x:auto">{table}</div>{note}'


def _picture(result: ExperimentResult) -> str:
    picture = result.picture
    if picture is None or len(picture) > MOST_PICTURE_BYTES:
        return ""
    data = base64.b64encode(picture).decode()
    # Pictures have a white ground, also where the page is dark.
    return (
        '<div><img alt="all trials over their hyperparameters and the metric" '
        f'style="max-width:100%;background:white" src="data:image/png;base64,{data}"></div>'
    )


def _warnings(result: ExperimentResult) -> str:
    lines = []
    if result.failed:
        first = result.failed[0]
        lines.append(f"Trial {first.number} failed: {first.failure or first.state.value}")
        if more := len(result.failed) - 1:
            lines.append(f"and {plural(more, 'trial')} more")
    warned = [trial for trial in result.trials if trial.warnings]
    lines += [f"Trial {trial.number}: {trial.warnings[0]}" for trial in warned[:_MOST_WARNINGS]]
    if (more := len(warned) - _MOST_WARNINGS) > 0:
        lines.append(f"and warnings of {plural(more, 'trial')} more")
    return "".join(f"<div>{_text(line)}</div>" for line in lines)


def _stopped(result: ExperimentResult) -> str:
    """How many trials were stopped early; "" for none."""
    count = sum(trial.why_stopped is not None for trial in result.trials)
    return f"{count} stopped early" if count else ""


def _metric_name(result: ExperimentResult) -> str:
    """The optimization key; where none was named, the one output that is the best metric."""
    if result.optimization_key is not None:
        return result.optimization_key
    best = result.best
    if best is None or best.metric is None:
        return DEFAULT_KEY
    alike = [name for name, value in best.outputs.items() if value == best.metric]
    return alike[0] if len(alike) == 1 else DEFAULT_KEY


def _other_outputs(trial: TrialResult, metric: str) -> dict[str, Any]:
    """The outputs of a trial beside its metric, whose column has its name, and the log."""
    own = metric if metric in trial.outputs else DEFAULT_KEY
    return {
        name: value
        for name, value in trial.outputs.items()
        if value is not None and name not in (LOG, own)
    }


def _names(mappings: Iterable[dict[str, Any]]) -> list[str]:
    return list(dict.fromkeys(name for mapping in mappings for name in mapping))


def _row(tag: str, cells: Iterable[str], *, bold: bool = False) -> str:
    row = "".join(f"<{tag}>{cell}</{tag}>" for cell in cells)
    return f'<tr style="font-weight:bold">{row}</tr>' if bold else f"<tr>{row}</tr>"


def _pairs(values: dict[str, Any]) -> str:
    pairs = [f"{_text(name)}={_short(value)}" for name, value in values.items()]
    more = ["…"] if len(pairs) > _MOST_PAIRS else []
    return ", ".join([*pairs[:_MOST_PAIRS], *more])


def _state(trial: TrialResult) -> str:
    because = trial.failure or trial.why_stopped
    return trial.state.value if because is None else f"{trial.state.value} {because}"


def _short(value: Any) -> str:
    """A value as HTML, cut if it is long; the whole appears below the pointer."""
    text = value_text(value)
    if len(text) <= _LONGEST:
        return _text(text)
    whole = text[:_LONGEST_WHOLE]
    return f'<span title="{_text(whole)}">{_text(text[: _LONGEST - 1])}…</span>'


def _text(text: str) -> str:
    return escape(one_line(text))
