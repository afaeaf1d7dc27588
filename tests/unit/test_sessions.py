"""What the driver tells TensorBoard of trials whose workers are gone."""

from __future__ import annotations

import logging

import pytest

from hopsml_flows.storage import ExperimentPaths, Project, TrialFiles
from hopsml_flows.tracking import Sessions, end_events, start_events
from hopsml_flows.trials import Failure, State, Trial, TrialResult
from tests import events

PATHS = ExperimentPaths("e-1")


@pytest.fixture
def sessions(project):
    return Sessions(project, PATHS, {"x"})


def trial_of(number):
    name = f"{number:04d}-x=1"
    return Trial(number, name, {"x": 1}, directory=name)


@pytest.fixture
def begun(project):
    def begin(number, *, ended=False):
        trial = trial_of(number)
        project.make_directory(PATHS.trial(trial.directory))
        start = PATHS.trial(trial.directory, TrialFiles.EVENTS_START)
        project.replace(start, start_events(trial))
        if ended:
            result = TrialResult(number, trial.name, {"x": 1}, State.FINISHED, 1.0, ended=1.0)
            end = PATHS.trial(trial.directory, TrialFiles.EVENTS_END)
            project.replace(end, end_events(result))
        return trial

    return begin


def failed(trial):
    return TrialResult.without_report(trial, Failure("WorkerLostError", "it died"))


def status(project, trial):
    return events.status(project.local_root / PATHS.trial(trial.directory))


def test_a_trial_whose_worker_is_gone_has_failed(sessions, project, begun):
    trial = begun(1)
    assert status(project, trial) is None
    sessions.end(trial, failed(trial))
    sessions.close()
    assert status(project, trial) == "FAILURE"


def test_a_trial_that_died_before_it_could_say_anything_is_shown_with_its_parameters(
    sessions, project
):
    trial = trial_of(1)
    sessions.end(trial, failed(trial))
    sessions.close()
    assert status(project, trial) == "FAILURE"
    start = project.read(PATHS.trial(trial.directory, TrialFiles.EVENTS_START))
    assert b"\n\x01x" in start  # the hyperparameter's name


def test_when_the_experiment_is_stopped_only_trials_at_work_have_failed(sessions, project, begun):
    running, over, waiting = begun(1), begun(2, ended=True), trial_of(3)
    sessions.fail_running([running, over, waiting])
    assert status(project, running) == "FAILURE"
    assert status(project, over) == "SUCCESS"
    assert project.listdir(PATHS.root) == [running.directory, over.directory]


def test_what_is_run_again_is_forgotten_and_nothing_else(sessions, project, begun):
    again, kept = begun(1, ended=True), begun(2, ended=True)
    project.replace(PATHS.trial(again.directory, TrialFiles.LOG), "log")
    sessions.forget([again.directory, "0009-never-begun"])
    assert project.listdir(PATHS.trial(again.directory)) == [TrialFiles.LOG]
    assert status(project, kept) == "SUCCESS"


def test_storage_that_refuses_costs_a_warning_and_nothing_else(tmp_path, caplog):
    (tmp_path / "project" / "Experiments").mkdir(parents=True)
    (tmp_path / "project" / "Experiments" / "e-1").write_text("in the way")
    sessions = Sessions(Project(tmp_path / "project"), PATHS, ())
    with caplog.at_level(logging.WARNING):
        sessions.end(trial_of(1), failed(trial_of(1)))
        sessions.close()
    (record,) = caplog.records
    assert record.getMessage().startswith("TensorBoard may show a trial that is over as running (")
