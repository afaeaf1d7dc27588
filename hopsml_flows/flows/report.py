"""What is printed when an experiment is over: the trials, the best one, where to look next."""

from __future__ import annotations

import shlex
from datetime import timedelta
from typing import Any

from prefect.context import FlowRunContext
from prefect.settings import PREFECT_UI_URL
from rich.table import Table

from hopsml_flows.flows.plan import Plan
from hopsml_flows.server.embedded import server_is_embedded
from hopsml_flows.tracking.console import open_console
from hopsml_flows.trials import ExperimentResult, Generation, TrialResult

__all__ = ["generation_line", "print_report"]

_MAX_ROWS = 20


def print_report(plan: Plan, result: ExperimentResult) -> None:
    """Print the end of an experiment.

    Args:
        plan: What was run.
        result: What came of it.
    """
    console = open_console()
    console.print(_table(plan, result))
    failed = len(result.failed)
    console.print(
        f"Finished Experiment {result.id}: {result.state.value}, "
        f"{len(result.trials) - failed} of {len(result.trials)} trials succeeded, "
        f"total time {timedelta(seconds=round(result.duration))}",
        highlight=False,
        soft_wrap=True,
    )
    if result.best is not None and plan.direction is not None:
        metrics = [r.metric for r in result.trials if r.metric is not None]
        worst = min(metrics) if plan.direction.value == "MAX" else max(metrics)
        console.print(
            f"BEST  {plan.optimization_key} {result.best.metric:.6g} with "
            f"{_pairs(result.best.params)}\n"
            f"WORST {plan.optimization_key} {worst:.6g}, AVERAGE {sum(metrics) / len(metrics):.6g}",
            highlight=False,
            soft_wrap=True,
        )
    for line in _next_steps(result):
        console.print(line, highlight=False, soft_wrap=True)


def generation_line(over: Generation) -> str:
    """What is said of a generation that is over: average metric, best so far, its parameters.

    Args:
        over: The generation.
    """
    parts = [f"Generation {over.number}"]
    if over.average is not None:
        parts.append(f"average metric {over.average:.6g}")
    if over.best is not None:
        parts.append(f"best metric {over.best.metric:.6g}")
        parts.append(f"best parameters {_pairs(over.best.params)}")
    if over.failed:
        parts.append(f"{over.failed} of {len(over.results)} trials failed")
    return " | ".join(parts)


def _table(plan: Plan, result: ExperimentResult) -> Table:
    names = list(result.trials[0].params) if result.trials else []
    outputs = list(dict.fromkeys(name for r in result.trials for name in r.outputs))[:6]
    table = Table(title=f"{plan.verb}: trials of {plan.options.name}", title_justify="left")
    table.add_column("#", justify="right")
    for name in [*names, *outputs]:
        table.add_column(name, justify="right", no_wrap=True, overflow="ellipsis")
    table.add_column("time", justify="right")
    table.add_column("state")
    for shown in result.trials[:_MAX_ROWS]:
        table.add_row(
            str(shown.number),
            *(_text(shown.params[name]) for name in names),
            *(_output(result, shown, name) for name in outputs),
            f"{shown.duration:.1f} s",
            _state(shown),
            style="bold" if shown is result.best else None,
        )
    if len(result.trials) > _MAX_ROWS:
        table.caption = f"and {len(result.trials) - _MAX_ROWS} more: see .summary.json"
    return table


def _output(result: ExperimentResult, shown: TrialResult, name: str) -> str:
    value = shown.outputs.get(name, "")
    inside = f"/{result.id}/"
    if isinstance(value, str) and inside in value:  # an attached file
        value = value.rsplit("/", 1)[-1]
    return _text(value)


def _next_steps(result: ExperimentResult) -> list[str]:
    lines = [*_warnings(result), f"Files:       {result.path}"]
    if result.best is not None and result.best.directory:
        lines.append(f"Best trial:  {result.best_dir}")
    lines.append(f"TensorBoard: hopsml tensorboard {result.id}{_project()}")
    lines.append(f"Prefect:     {_server()}{_run(result)}")
    return lines


def _warnings(result: ExperimentResult) -> list[str]:
    """One line for all: the first warning, and how many trials have any."""
    warned = [trial for trial in result.trials if trial.warnings]
    if not warned:
        return []
    first = warned[0]
    trials = f"{len(warned)} of {len(result.trials)} trials have warnings"
    return [f"Warnings:    {trials}; trial {first.number}: {first.warnings[0]}"]


def _project() -> str:
    """The option that names the project as the verb was told it, if it was."""
    context = FlowRunContext.get()
    project = (context.parameters or {}).get("project") if context else None
    return f" --project {shlex.quote(str(project))}" if project else ""


def _server() -> str:
    """Where the flow run is seen: an embedded server is gone by then, its database is not."""
    if server_is_embedded():
        return "prefect server start, then http://127.0.0.1:4200"
    return str(PREFECT_UI_URL.value()).rstrip("/")


def _run(result: ExperimentResult) -> str:
    return f"/runs/flow-run/{result.flow_run_id}" if result.flow_run_id else ""


def _state(result: TrialResult) -> str:
    if result.failure is None:
        return result.state.value
    reason = f"FAILED {result.failure}"
    return reason if len(reason) <= 60 else f"{reason[:59]}…"


def _pairs(params: dict[str, Any]) -> str:
    return ", ".join(f"{name}={_text(value)}" for name, value in params.items())


def _text(value: Any) -> str:
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    return text if len(text) <= 40 else f"{text[:39]}…"
