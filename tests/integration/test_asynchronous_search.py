"""Reports of running trials, early stops, budgets and checkpoints, on real worker processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from contextlib import suppress
from pathlib import Path

import pytest

from hopsml_flows import experiment
from hopsml_flows.errors import (
    ExperimentFailedError,
    HopsmlWarning,
    InvalidArgumentError,
    UnsupportedOperationError,
)
from hopsml_flows.search import Categorical, RandomSearch, SearchSpace, Stop, Why
from hopsml_flows.service.replay import replay
from hopsml_flows.storage import ExperimentPaths, Project
from hopsml_flows.trials import State
from tests import events
from tests.servers.homes import used_home
from tests.servers.prefect import task_runs
from tests.waiting import wait_until

SPACE = {"x": [0.0, 1.0]}


class BelowHalf:
    """Stops a trial whose third report, or a later one, is below 0.5."""

    def judge(self, trial, curve):
        if len(curve) >= 3 and curve.values[-1] < 0.5:
            value = curve.values[-1]
            return Stop(
                Why("half", value, "its {value} is below {threshold}", curve.steps[-1], 0.5)
            )
        return None

    def end(self, trial, curve):
        pass


def training(x, reporter):
    import time

    for step in range(30):
        reporter.broadcast(x + step / 1000)
        time.sleep(0.02)
    return {"metric": x}


def journal_of(result):
    lines = Path(result.path, "journal.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def replayed(result, project):
    return replay(Project(str(project)), ExperimentPaths(result.id))


@pytest.fixture
def stopped(options):
    """A search of which some trials are stopped."""
    return experiment.optimize(
        training, SPACE, num_trials=8, optimizer="random", early_stop=BelowHalf, seed=1, **options
    )


def test_bad_trials_are_stopped_and_keep_what_they_reported(stopped):
    states = {trial.number: trial.state for trial in stopped.trials}
    assert {n for n, state in states.items() if state is State.STOPPED} == {
        trial.number for trial in stopped.trials if trial.params["x"] < 0.49
    }
    assert stopped.failed == ()
    for trial in stopped.trials:
        if trial.state is State.STOPPED:
            assert 2 <= trial.step < 29
            assert trial.metric == pytest.approx(trial.params["x"] + trial.step / 1000)
            assert trial.outputs["metric"] == trial.metric
            assert trial.why_stopped.rule == "half"
            assert trial.why_stopped.threshold == 0.5
        else:
            assert trial.metric == trial.params["x"]


def test_every_report_is_in_the_journal_and_in_the_trials_curve(stopped):
    reported = {}
    for entry in journal_of(stopped):
        if entry["event"] == "report":
            reported.setdefault(entry["trial"], []).extend(step for step, _ in entry["reports"])
    for trial in stopped.trials:
        assert reported[trial.number] == list(range(trial.step + 1))
        curve = events.scalars(Path(stopped.path, trial.directory))["outputs/metric"]
        assert [step for step, _ in curve][-1] == trial.step


def test_stopped_trials_are_shown_as_such(stopped):
    summary = json.loads(Path(stopped.path, ".summary.json").read_text())["combinations"]
    record = json.loads(Path(stopped.path, "experiment.json").read_text())
    count = sum(trial.state is State.STOPPED for trial in stopped.trials)
    assert record["trials_stopped"] == count > 0
    assert record["trials_failed"] == 0
    assert sum(entry["state"] == "STOPPED" for entry in summary) == count
    assert all(("why_stopped" in e) == (e["state"] == "STOPPED") for e in summary)
    runs = {run["name"]: run for run in task_runs(stopped.flow_run_id, len(stopped.trials))}
    for trial in stopped.trials:
        state = runs[trial.name]["state"]
        assert state["type"] == "COMPLETED"
        if trial.state is State.STOPPED:
            assert state["name"] == "Stopped"
            assert state["message"] == str(trial.why_stopped)


def test_the_journal_replays(options, project):
    result = experiment.optimize(
        training,
        SPACE,
        num_trials=8,
        optimizer="random",
        early_stop={"rule": "median", "min_finished": 2},
        seed=1,
        **options,
    )
    done = replayed(result, project)
    assert done.mismatches == []
    assert done.proposals == 8
    # A trial may end by itself before it hears of the decision.
    assert done.stops >= sum(trial.state is State.STOPPED for trial in result.trials)


def test_an_optimizer_that_is_an_object_serves_several_runs(options, project):
    def run(**more):
        return experiment.optimize(lambda x: x, SPACE, optimizer=given, **options, **more)

    given = RandomSearch(SearchSpace(SPACE), samples=3, seed=1)
    first, second = run(), run()
    assert first.id != second.id
    again = run(resume=first.id)
    for result in (first, second, again):
        assert len(result.trials) == 3
        assert [t.params for t in result.trials] == [t.params for t in first.trials]
    with pytest.raises(UnsupportedOperationError, match="the experiment was given an object"):
        replayed(second, project)


def test_a_function_may_clean_up_and_return_when_it_is_stopped(options):
    def train(x, reporter):
        from hopsml_flows.errors import EarlyStopError

        try:
            for _step in range(1000):
                reporter.broadcast(0.1)
                time.sleep(0.02)
        except EarlyStopError as stop:
            return {"metric": 0.25, "why": str(stop)}

    result = experiment.optimize(
        train, SPACE, num_trials=1, optimizer="random", early_stop=BelowHalf, **options
    )
    (trial,) = result.trials
    assert trial.state is State.STOPPED
    assert trial.outputs["metric"] == trial.metric == 0.25
    assert trial.outputs["why"] == str(trial.why_stopped)


@pytest.mark.parametrize("caught", ["Exception", "BaseException"])
def test_a_function_that_swallows_the_stop_is_ended(options, monkeypatch, caught):
    from hopsml_flows.execution import report_link

    def train(x, reporter):
        import builtins

        report_link.HEED_SECONDS = 0.5
        while True:
            try:
                reporter.broadcast(0.1)
            except getattr(builtins, caught):
                pass
            time.sleep(0.02)

    result = experiment.optimize(
        train, SPACE, num_trials=1, optimizer="random", early_stop=BelowHalf, **options
    )
    (trial,) = result.trials
    assert trial.state is State.STOPPED
    assert trial.metric == 0.1


def test_a_distributed_trial_that_swallows_the_stop_is_ended_and_not_tried_again(options):
    def train(x, reporter):
        while True:
            with suppress(BaseException):
                reporter.broadcast(0.1)
            time.sleep(0.02)

    call = {"num_trials": 1, "optimizer": "random", "early_stop": BelowHalf, "retries": 1}
    result = experiment.optimize(train, SPACE, processes_per_trial=2, **call, **options)
    (trial,) = result.trials
    assert (trial.state, trial.metric, trial.attempt) == (State.STOPPED, 0.1, 1)
    assert trial.why_stopped.rule == "half"


def test_a_trial_that_reports_rarely_may_clean_up_when_it_is_stopped(options):
    def train(x, reporter):
        from hopsml_flows.errors import EarlyStopError

        for _ in range(3):
            reporter.broadcast(0.1)
        time.sleep(16)  # longer than a function may go on that swallows requests
        try:
            reporter.broadcast(0.2)
        except EarlyStopError:
            time.sleep(1)
            return {"metric": 0.2, "saved": "yes"}
        return 1.0

    call = {"num_trials": 1, "optimizer": "random", "early_stop": BelowHalf}
    result = experiment.optimize(train, SPACE, **call, **options)
    (trial,) = result.trials
    assert (trial.state, trial.metric) == (State.STOPPED, 0.2)
    assert trial.outputs["saved"] == "yes"
    assert "swallowed" not in Path(result.path, trial.directory, "output.log").read_text()


def test_an_error_of_code_that_cleans_up_after_a_stop_is_told(options):
    def train(x, reporter):
        from hopsml_flows.errors import EarlyStopError

        try:
            while True:
                reporter.broadcast(0.1)
                time.sleep(0.02)
        except EarlyStopError:
            raise OSError("no space for the model") from None

    call = {"num_trials": 1, "optimizer": "random", "early_stop": BelowHalf}
    (trial,) = experiment.optimize(train, SPACE, **call, **options).trials
    assert (trial.state, trial.metric) == (State.STOPPED, 0.1)
    assert any("OSError: no space for the model" in told for told in trial.warnings)


def test_a_distributed_trial_that_is_stopped_shows_so_in_prefect(options):
    def train(x, reporter):
        while True:
            reporter.broadcast(0.1)
            time.sleep(0.02)

    call = {"num_trials": 1, "optimizer": "random", "early_stop": BelowHalf}
    result = experiment.optimize(train, SPACE, processes_per_trial=2, **call, **options)
    (trial,) = result.trials
    assert trial.state is State.STOPPED
    states = {run["state"]["name"]: run["state"] for run in task_runs(result.flow_run_id, 2)}
    assert set(states) == {"Stopped", "Cancelled"}  # the process that reports; the other one
    assert states["Stopped"]["message"] == str(trial.why_stopped)


def test_a_trial_that_never_reports_is_never_stopped(options):
    result = experiment.optimize(
        lambda x: x, SPACE, num_trials=3, optimizer="random", early_stop=BelowHalf, **options
    )
    assert {trial.state for trial in result.trials} == {State.FINISHED}


def test_a_wrong_report_fails_the_trial_where_it_was_made(options):
    def train(x, reporter):
        reporter.broadcast(x, step=3)
        reporter.broadcast(x, step=2)

    with pytest.raises(ExperimentFailedError) as raised:
        experiment.optimize(train, SPACE, num_trials=1, optimizer="random", **options)
    (trial,) = raised.value.result.trials
    assert trial.failure.kind == "InvalidReportError"
    assert trial.failure.place.startswith(__file__)


def test_no_trial_begins_after_max_seconds(options):
    def train(x):
        time.sleep(0.3)
        return x

    result = experiment.optimize(train, SPACE, max_seconds=2, optimizer="random", **options)
    first = min(trial.started for trial in result.trials)
    assert len(result.trials) >= 2
    assert max(trial.started for trial in result.trials) - first < 10


@pytest.mark.parametrize("storage", ["local", "s3"])
def test_a_promoted_trial_goes_on_from_its_checkpoint(options, url_of, storage):
    def train(x, budget):
        from pathlib import Path

        from hopsml_flows import checkpoint

        state = Path(checkpoint.dir(), "state.txt")
        done = int(state.read_text()) if state.exists() else 0
        state.write_text(str(int(budget)))
        return {"metric": x, "begins_at": done, "ends_at": int(budget)}

    result = experiment.optimize(
        train,
        SPACE,
        num_trials=7,
        optimizer={"optimizer": "asha", "reduction_factor": 2, "min_budget": 1, "max_budget": 4},
        seed=3,
        **{**options, "project": url_of(storage)},
    )
    assert result.failed == ()
    spans = sorted((t.outputs["begins_at"], t.outputs["ends_at"]) for t in result.trials)
    assert spans.count((0, 1)) >= 4
    assert spans.count((1, 2)) >= 1
    assert {end for _, end in spans} <= {1, 2, 4}
    assert all(begin in (0, end // 2) for begin, end in spans)


def test_an_experiment_without_a_limit_is_an_error_before_anything_starts(options, project):
    with pytest.raises(InvalidArgumentError, match="num_trials: must be given, or else max_secon"):
        experiment.optimize(lambda x: x, SPACE, optimizer="random", **options)
    assert not project.exists()


def loss_of(x):
    """The training of searches that are resumed."""
    if x < 0.3:
        raise ValueError("too small")
    return {"metric": -((x - 0.7) ** 2)}


@pytest.mark.parametrize("optimizer", ["evolution", "random"])
def test_a_search_goes_on_with_more_trials_and_its_journal_replays(options, project, optimizer):
    given = {"optimizer": optimizer, "seed": 4, **options}
    first = experiment.optimize(loss_of, SPACE, num_trials=10, **given)
    more = experiment.optimize(loss_of, SPACE, num_trials=14, resume=first.id, **given)
    assert [trial.number for trial in more.trials] == list(range(1, 15))
    kept = {trial.number: trial for trial in first.trials}
    for trial in more.trials[:10]:  # also those that failed: the search has gone on from them
        assert (trial.state, trial.params) == (kept[trial.number].state, kept[trial.number].params)
    assert len(more.failed) >= len(first.failed) > 0
    shown = [events.status(Path(more.path, trial.directory)) for trial in more.trials]
    assert shown == ["SUCCESS" if trial.succeeded else "FAILURE" for trial in more.trials]
    done = replayed(more, project)
    assert not done.mismatches
    assert done.proposals == 14


def test_a_search_that_ran_out_of_time_goes_on_when_it_is_resumed(options, project):
    def train(x):
        time.sleep(0.3)
        return x

    given = {"optimizer": "random", "seed": 4, **options}
    first = experiment.optimize(train, SPACE, num_trials=40, max_seconds=1.0, **given)
    begun = len(first.trials)
    assert 0 < begun < 40
    more = experiment.optimize(train, SPACE, num_trials=begun + 2, resume=first.id, **given)
    assert len(more.trials) == begun + 2
    assert not replayed(more, project).mismatches


def test_fewer_trials_than_have_begun_are_refused_on_resume(options, tmp_path):
    def train(x):
        (tmp_path / "done").touch(exist_ok=False)  # the first one alone succeeds
        return x

    given = {"optimizer": "random", "seed": 4, **options}
    first = experiment.optimize(train, SPACE, num_trials=8, **given)
    assert first.trials[-1].state is State.FAILED
    before = Path(first.path, "journal.jsonl").read_text()
    with pytest.raises(
        InvalidArgumentError, match=r"it has trial 8 already, .* end at 7: a budget"
    ):
        experiment.optimize(train, SPACE, num_trials=7, resume=first.id, **given)
    assert Path(first.path, "journal.jsonl").read_text() == before


def test_a_search_in_which_all_failed_begins_again(options, project, tmp_path):
    data = tmp_path / "data.csv"

    def train(x):
        return float(data.read_text()) * x

    given = {"num_trials": 4, "seed": 4, "name": "again", **options}
    with pytest.raises(ExperimentFailedError, match="all 4 trials failed") as failed:
        experiment.optimize(train, SPACE, **given)
    data.write_text("2")
    more = experiment.optimize(train, SPACE, resume=failed.value.result.id, **given)
    assert [trial.metric for trial in more.trials] == [2 * t.params["x"] for t in more.trials]
    assert [t.params for t in failed.value.result.trials][:1] == [more.trials[0].params]
    assert not replayed(more, project).mismatches


def test_a_resumed_search_gives_values_as_they_were_written(options):
    def train(kernel, x):
        return kernel[0] * x

    space = {"kernel": Categorical([(3, 3), (5, 5)]), **SPACE}
    given = {"optimizer": "random", "seed": 4, **options}
    first = experiment.optimize(train, space, num_trials=3, **given)
    more = experiment.optimize(train, space, num_trials=4, resume=first.id, **given)
    assert [trial.params for trial in more.trials[:3]] == [trial.params for trial in first.trials]
    assert {type(trial.params["kernel"]) for trial in more.trials} == {tuple}


def test_another_optimizer_is_refused_on_resume(options):
    first = experiment.optimize(loss_of, SPACE, num_trials=4, optimizer="random", seed=4, **options)
    before = Path(first.path, "journal.jsonl").read_text()
    with pytest.raises(InvalidArgumentError, match=r"resume: .*its optimizer is .*random"):
        experiment.optimize(loss_of, SPACE, num_trials=6, seed=4, resume=first.id, **options)
    assert Path(first.path, "journal.jsonl").read_text() == before


def test_a_trial_whose_outputs_are_damaged_runs_again(options, project):
    given = {"optimizer": "evolution", "seed": 4, **options}
    first = experiment.optimize(loss_of, SPACE, num_trials=8, **given)
    hurt = next(trial for trial in first.trials if trial.succeeded)
    outputs = Path(first.path, hurt.directory, ".outputs.json")
    outputs.write_text("{")
    with pytest.warns(HopsmlWarning, match=r"is run again: .*is not JSON"):
        more = experiment.optimize(loss_of, SPACE, num_trials=10, resume=first.id, **given)
    (again,) = [trial for trial in more.trials if trial.number == hurt.number]
    assert (again.params, again.metric, again.outputs) == (hurt.params, hurt.metric, hurt.outputs)
    assert again.started > hurt.started
    assert json.loads(outputs.read_text())
    assert len(more.trials) == 10
    assert not replayed(more, project).mismatches


DRIVER = """
    import sys, time
    from hopsml_flows import experiment


    def train(x, budget, reporter):
        for step in range(int(budget)):
            time.sleep(0.05)
            reporter.broadcast(x)
        return x


    options = dict(
        num_trials=60,
        optimizer={"optimizer": "asha", "reduction_factor": 2, "min_budget": 1, "max_budget": 4},
        seed=5, name="killed", project="project", cluster="local", progress=False,
    )
    if __name__ == "__main__":
        resume = {"resume": sys.argv[1]} if len(sys.argv) > 1 else {}
        result = experiment.optimize(train, {"x": [0.0, 1.0]}, **options, **resume)
        print(result.id, len(result.trials), len(result.failed))
"""


@pytest.mark.parametrize(
    "kills",  # after how many lines more, of which the first are the resume's
    [
        pytest.param((6, 12), id="twice"),
        pytest.param((6, 12, 9, 15, 7, 11, 14, 8, 13, 10), id="ten times", marks=pytest.mark.slow),
    ],
)
def test_a_search_whose_driver_is_killed_loses_nothing_and_its_journal_replays(tmp_path, kills):
    script = tmp_path / "driver.py"
    script.write_text(textwrap.dedent(DRIVER))
    environment = {**os.environ, "PREFECT_HOME": str(used_home(tmp_path / "prefect"))}
    command = [sys.executable, str(script)]

    def journal():
        return list(tmp_path.glob("project/Experiments/*/journal.jsonl"))

    def lines():
        return journal()[0].read_text().count("\n") if journal() else 0

    for more in kills:
        resume = [path.parent.name for path in journal()]
        before = lines()
        driver = subprocess.Popen(
            [*command, *resume], cwd=tmp_path, env=environment, start_new_session=True,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            enough = before + more
            wait_until(lambda enough=enough: lines() >= enough, 120, "lines of the journal")
        finally:
            os.killpg(driver.pid, signal.SIGKILL)
            driver.wait()
    (identifier,) = {path.parent.name for path in journal()}
    results = tmp_path.glob(f"project/Experiments/{identifier}/*/.outputs.json")
    committed = {path.parent.name: path.read_text() for path in results}
    again = subprocess.run(
        [*command, identifier], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert again.returncode == 0, again.stderr
    assert again.stdout.splitlines()[-1] == f"{identifier} 60 0"
    assert committed
    for name, content in committed.items():
        kept = tmp_path / "project" / "Experiments" / identifier / name / ".outputs.json"
        assert kept.read_text() == content
    done = replay(Project(str(tmp_path / "project")), ExperimentPaths(identifier))
    assert done.mismatches == []
    assert done.proposals == 60
