"""What is said when an experiment ends: the trials, the best one, where to look next.

All of it is printed; the result is also the final state of the Prefect flow run.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

from prefect.settings import PREFECT_UI_URL
from rich.console import Console

from hopsml_flows.ablation.findings import Findings
from hopsml_flows.ablation.report import findings_table
from hopsml_flows.driver.failure_summary import failure_lines, place_text
from hopsml_flows.driver.shell_commands import logs_command, project_option
from hopsml_flows.driver.trial_table import LONGEST_VALUE, TrialTable
from hopsml_flows.execution.current_directory import here
from hopsml_flows.notebook import in_notebook
from hopsml_flows.plan.plan import Plan
from hopsml_flows.server.embedded import embedded_idle_seconds, embedded_url
from hopsml_flows.text import fitting, number_text, readable, say, value_text
from hopsml_flows.tracking.prefect.markdown import as_text
from hopsml_flows.tracking.prefect.outcome import outcome_text
from hopsml_flows.tracking.progress_line import clock
from hopsml_flows.trials import ExperimentResult, Generation, State, TrialResult
from hopsml_flows.trials.confirmation import confirmation_facts, promotion_text
from hopsml_flows.trials.reasons import reasons
from hopsml_flows.trials.saved_time import SavedTime

__all__ = ["FinalState", "failure_text", "final_state", "generation_line", "print_report"]

_LONGEST = 500


@dataclass(frozen=True, slots=True)
class FinalState:
    """The state in which the flow run of a finished experiment ends; its type is COMPLETED.

    Args:
        name: The state's name, which the Prefect UI shows.
        message: The experiment's result.
    """

    name: str
    message: str


def final_state(plan: Plan, result: ExperimentResult, notice: str | None) -> FinalState:
    """The final state that shows an experiment's result, and whether most of its trials failed.

    Args:
        plan: The experiment.
        result: Its result.
        notice: Why it ended before its budget was spent, or None.
    """
    failed = len(result.failed)
    message = outcome_text(
        plan.optimization_key,
        result.best,
        len(result.trials),
        failed,
        searched=plan.direction is not None,
        stopped=sum(trial.state is State.STOPPED for trial in result.trials),
    )
    if notice is not None:
        message += f". Ended before its budget was spent: {as_text(notice, _LONGEST)}"
    if result.confirmation is not None and result.confirmation.mean is not None:
        message += f". Confirmed: {number_text(result.confirmation.mean)} on fresh seeds"
    if result.promotion is not None:
        message += f". {as_text(promotion_text(result.promotion), _LONGEST)}"
    if isinstance(result.findings, Findings):
        message += f". {as_text(result.findings.words, _LONGEST)}"
    mostly = 2 * failed > len(result.trials)
    return FinalState("Mostly failed" if mostly else "Completed", message)


def print_report(plan: Plan, result: ExperimentResult) -> None:
    """Print the result of an experiment.

    Args:
        plan: The experiment.
        result: Its result.
    """
    console = Console()
    failures = failure_lines(
        result.trials, partial(logs_command, result.id), width=console.width, here=here() or ""
    )
    if in_notebook():  # there the result shows its trials and its directory itself
        for line in (*failures, *_outcome(plan, result), *_warnings(result)):
            say(readable(line))
        return
    title = f"{plan.verb}: trials of {plan.options.name}"
    table, notes = TrialTable(title, result.trials, result.best, fitting, plan.direction).drawn(
        console.width
    )
    with console.capture() as drawn:
        console.print(table)
    say("\n".join(line.rstrip() for line in drawn.get().rstrip().split("\n")))
    effects = _effects(result, console.width)
    for line in (*notes, *failures, *effects, *_outcome(plan, result), *_next_steps(result)):
        say(readable(line))


def _effects(result: ExperimentResult, width: int) -> list[str]:
    """The effects of an ablation study as a table and in words; nothing of another experiment."""
    if not isinstance(result.findings, Findings):
        return []
    return ["", *findings_table(result.findings, width=width).split("\n"), ""]


def _outcome(plan: Plan, result: ExperimentResult) -> list[str]:
    failed = len(result.failed)
    succeeded = f"{len(result.trials) - failed} of {len(result.trials)} trials succeeded"
    if stopped := _stopped_text(result.trials):
        succeeded += f", {stopped}"
    lines = [
        f"Finished Experiment {result.id}: {result.state.value}, {succeeded}, total time "
        + str(timedelta(seconds=round(result.duration)))
    ]
    if result.best is not None and result.best.metric is not None and plan.direction is not None:
        metrics = [r.metric for r in result.trials if r.metric is not None]
        worst = max(metrics, key=plan.direction.loss)
        average = math.fsum(metric / len(metrics) for metric in metrics)
        best = f"BEST  {plan.optimization_key} {number_text(result.best.metric)}"
        lines += [
            f"{best} with {_pairs(result.best.params)}",
            f"WORST {plan.optimization_key} {number_text(worst)}, AVERAGE {number_text(average)}",
        ]
    if result.confirmation is not None:
        found = confirmation_facts(result.confirmation)
        lines += [f"{word.upper():9} {said}" for word, said in found]
    if result.promotion is not None:
        lines.append(f"{result.promotion.word.upper():9} {promotion_text(result.promotion)}")
    return lines


def _stopped_text(trials: Sequence[TrialResult]) -> str:
    """How many trials were stopped early, and the time that this saved; "" for none."""
    saved = SavedTime()
    for trial in trials:
        if trial.succeeded:
            saved.add(trial)
    if not saved.stopped:
        return ""
    about = f" (about {clock(saved.seconds)} saved)" if saved.seconds >= 1 else ""
    return f"{saved.stopped} stopped early{about}"


def generation_line(over: Generation, key: str) -> str:
    """One line about a generation that has ended: average metric, best so far, its parameters.

    Args:
        over: The generation.
        key: The metric's name.
    """
    parts = [f"Generation {over.number}"]
    if over.average is not None:
        parts.append(f"average {key} {number_text(over.average)}")
    if over.best is not None and over.best.metric is not None:
        parts.append(f"best {key} {number_text(over.best.metric)}")
        parts.append(f"best parameters {_pairs(over.best.params)}")
    if over.failed:
        parts.append(f"{over.failed} of {len(over.results)} trials failed")
    return " | ".join(parts)


def failure_text(experiment_id: str, reason: str, first: TrialResult) -> str:
    """The message of an experiment of which no trial succeeded, for the current flow run.

    Args:
        experiment_id: The experiment's identifier.
        reason: Why it failed.
        first: The failed trial that the reason quotes.
    """
    place = first.failure.place if first.failure is not None else ""
    at = f", at {place_text(place, here() or '')}" if place else ""
    return f"{experiment_id}: {reason}{at} (log: {logs_command(experiment_id, first.number)})"


def _next_steps(result: ExperimentResult) -> list[str]:
    lines = [*_warnings(result), f"Files:       {result.path}"]
    if result.best is not None and result.best.directory:
        lines.append(f"Best trial:  {result.best_dir}")
    project = project_option()
    lines += [
        f"Logs:        hopsml logs {result.id}{project}",
        f"TensorBoard: hopsml tensorboard {result.id}{project}",
    ]
    if reasons(result.trials):
        lines.append(f"Decisions:   hopsml show {result.id}{project}")
    return [*lines, *_where_in_prefect(result)]


def _warnings(result: ExperimentResult) -> list[str]:
    """One line for all trials: the first warning, and how many trials have any."""
    warned = [trial for trial in result.trials if trial.warnings]
    if not warned:
        return []
    first = warned[0]
    trials = f"{len(warned)} of {len(result.trials)} trials have warnings"
    return [f"Warnings:    {trials}; trial {first.number}: {first.warnings[0]}"]


def _where_in_prefect(result: ExperimentResult) -> list[str]:
    """Where to see the flow run; an embedded server ends, but its database stays."""
    run = f"/runs/flow-run/{result.flow_run_id}" if result.flow_run_id else ""
    url = embedded_url()
    if url is None:
        return [f"Prefect:     {str(PREFECT_UI_URL.value()).rstrip('/')}{run}"]
    seconds = embedded_idle_seconds()
    if seconds == 0:
        return [f"Prefect:     prefect server start, then http://127.0.0.1:4200{run}"]
    return [
        f"Prefect:     {url.removesuffix('/api')}{run}",
        f"             for {seconds:g} s; after that: prefect server start",
    ]


def _pairs(params: dict[str, Any]) -> str:
    return ", ".join(f"{name}={value_text(value, LONGEST_VALUE)}" for name, value in params.items())
