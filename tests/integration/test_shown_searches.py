"""What is shown of an asynchronous search: leaderboard, page, story, table, picture, and why."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hopsml_flows import experiment
from hopsml_flows.cli import main
from hopsml_flows.storage import ExperimentFiles
from hopsml_flows.trials import State
from tests import events
from tests.servers.prefect import artifacts

from .test_asynchronous_search import SPACE, BelowHalf


def training(x, reporter, budget=3):
    import time

    for step in range(10 * int(budget)):
        reporter.broadcast(x + step / 1000)
        time.sleep(0.01)
    return {"metric": x + step / 1000}


def shown_in_the_end(result, name):
    """Artifacts of an experiment, once they tell of its end."""
    return artifacts(
        result.flow_run_id,
        lambda shown: (
            ": FINISHED" in shown.get(f"{name}-summary", "")
            and "RUNNING" not in shown.get(f"{name}-leaderboard", "RUNNING")
            and len(json.loads(shown.get(f"{name}-trials", "[]"))) == len(result.trials)
        ),
    )


def said_by_show(result, project, capsys):
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        main(["show", result.id, "--project", str(project)])
    assert not ended.value.code
    return capsys.readouterr().out


def test_stopped_trials_are_on_the_leaderboard_the_page_and_in_show(options, project, capsys):
    result = experiment.optimize(
        training, SPACE, num_trials=6, optimizer="random", early_stop=BelowHalf, seed=1,
        name="board", **{**options, "progress": True},
    )  # fmt: skip
    printed = capsys.readouterr().out
    stopped = [trial for trial in result.trials if trial.state is State.STOPPED]
    assert 0 < len(stopped) < 6
    assert f"6 of 6 trials succeeded, {len(stopped)} stopped early" in printed
    assert f"Decisions:   hopsml show {result.id}" in printed
    shown = shown_in_the_end(result, "board")
    rows = json.loads(shown["board-leaderboard"])
    ranked = sorted(result.trials, key=lambda trial: -trial.metric)
    assert [row["trial"] for row in rows] == [trial.number for trial in ranked]
    assert [row["state"] for row in rows] == [trial.state.value for trial in ranked]
    for row, trial in zip(rows, ranked, strict=True):
        assert row["x"] == pytest.approx(trial.params["x"], rel=1e-5)
        assert row["metric"] == pytest.approx(trial.metric, rel=1e-5)
        assert row["best metric"] == pytest.approx(trial.metric, rel=1e-5)
        assert row["step"] == trial.step
    said = said_by_show(result, project, capsys)
    for trial in stopped:
        sentence = f"Trial {trial.number} was stopped by half at step {trial.why_stopped.step}: "
        assert sentence in said
        assert sentence in shown["board-summary"]
    assert f"{len(stopped)} stopped early" in shown["board-summary"]
    assert Path(result.path, ExperimentFiles.CURVES_PICTURE).read_bytes().startswith(b"\x89PNG")
    assert "What each trial reported over its steps" in shown["board-pictures"]


def promotions_in(result):
    entries = json.loads(Path(result.path, ".summary.json").read_text())["combinations"]
    return {
        entry["trial"]: (entry["continues"], entry["budget"], entry["why_promoted"])
        for entry in entries
        if "why_promoted" in entry
    }


def test_promoted_trials_say_why_also_after_the_experiment_is_resumed(options, project, capsys):
    how = {
        "optimizer": {"optimizer": "asha", "reduction_factor": 2, "max_budget": 4},
        "seed": 1,
        **options,
    }
    first = experiment.optimize(training, SPACE, num_trials=10, name="rungs", **how)
    kept = promotions_in(first)
    assert 2 in {budget for _, budget, _ in kept.values()}  # which others depends on the workers
    by_number = {trial.number: trial for trial in first.trials}
    for name, (continues, budget, (why,)) in kept.items():
        before = by_number[continues]
        assert (why["rule"], why["budget"], why["value"]) == ("asha", budget, before.metric)
        assert why["threshold"] <= why["value"]
        said = f"Trial {int(name[:4])} goes on from trial {continues} with budget {budget}, by asha"
        assert said in said_by_show(first, project, capsys)

    second = experiment.optimize(training, SPACE, num_trials=12, resume=first.id, **how)
    assert len(second.trials) == 12
    again = promotions_in(second)
    assert {name: again[name] for name in kept} == kept
    assert second.best in second.trials
    rows = json.loads(shown_in_the_end(second, "rungs")["rungs-leaderboard"])
    assert {row["trial"]: row["budget"] for row in rows} == {
        trial.number: trial.budget for trial in second.trials
    }


def test_tensorboard_has_budgets_and_stops_beside_the_reported_curves(options):
    result = experiment.optimize(
        training,
        SPACE,
        num_trials=5,
        optimizer={"optimizer": "asha", "max_budget": 2, "reduction_factor": 2},
        early_stop=BelowHalf,
        seed=1,
        **options,
    )
    for trial in result.trials:
        found = events.scalars(Path(result.path, trial.directory))
        assert {value for _, value in found["trial/budget"]} == {trial.budget}
        assert ("trial/stopped_at_step" in found) == (trial.state is State.STOPPED)
        assert [step for step, _ in found["outputs/metric"]][-1] == trial.step
    assert any(trial.state is State.STOPPED for trial in result.trials)
