from __future__ import annotations

import contextvars
import threading
from pathlib import Path

import pytest

from hopsml_flows import devices, hdfs, tensorboard
from hopsml_flows.errors import NotInTrialError
from hopsml_flows.execution import current_trial, running_trial, visible_gpus
from hopsml_flows.storage import Project
from tests.running import context_of


@pytest.fixture
def context(project, tmp_path):
    with context_of(project, tmp_path / "logdir") as context:
        yield context


@pytest.fixture
def other(project, tmp_path):
    with context_of(project, tmp_path / "other", number=2) as context:
        yield context


def in_thread(function):
    found = []
    thread = threading.Thread(target=lambda: found.append(function()))
    thread.start()
    thread.join()
    return found[0]


def test_outside_a_trial_logdir_is_a_typed_error_naming_itself():
    with pytest.raises(NotInTrialError, match=r"tensorboard\.logdir\(\) works only inside"):
        tensorboard.logdir()


def test_inside_a_trial_logdir_is_the_trials_local_directory_with_a_slash(context, tmp_path):
    with running_trial(context):
        assert tensorboard.logdir() == f"{tmp_path}/logdir/"
    with pytest.raises(NotInTrialError):
        tensorboard.logdir()


def test_what_is_added_to_logdir_as_hopsmls_examples_do_lies_inside(context, tmp_path):
    with running_trial(context):
        Path(tensorboard.logdir() + "mnist_cnn.pt").write_bytes(b"weights")
    assert (tmp_path / "logdir" / "mnist_cnn.pt").read_bytes() == b"weights"


def test_the_trial_is_over_when_its_function_raises(context):
    with pytest.raises(LookupError), running_trial(context):
        raise LookupError
    with pytest.raises(NotInTrialError):
        current_trial()


def test_a_thread_of_the_training_function_finds_its_trial(context):
    with running_trial(context):
        assert in_thread(current_trial) is context


def test_trials_in_threads_of_one_process_find_each_their_own(context, other):
    barrier = threading.Barrier(2)
    found = {}

    def trial(own):
        with running_trial(own):
            barrier.wait()
            found[own.trial.number] = current_trial()
            barrier.wait()

    threads = [
        threading.Thread(target=contextvars.Context().run, args=(trial, own))
        for own in (context, other)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {1: context, 2: other}


def test_with_two_trials_beside_it_a_foreign_thread_is_not_guessed_to_be_in_one(context):
    def guessed():
        try:
            return current_trial()
        except NotInTrialError:
            return None

    with running_trial(context), running_trial(context):
        assert in_thread(guessed) is None


def test_the_project_path_inside_a_trial_is_the_experiments(context, project):
    with running_trial(context):
        assert hdfs.project_path() == f"{project.url}/"
        assert hdfs.project_name() == "project"


def test_the_project_path_outside_is_the_default_projects(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert hdfs.project_path() == f"{tmp_path}/hopsml_project/"
    monkeypatch.setenv("HOPSML_PROJECT", "memory://x/demo")
    assert hdfs.project_path() == "memory://x/demo/"
    assert hdfs.project_name() == "demo"


@pytest.mark.parametrize("url", ["memory://", "/"])
def test_the_project_path_of_a_whole_storage_ends_with_its_own_slash(monkeypatch, url):
    monkeypatch.setenv("HOPSML_PROJECT", url)
    assert hdfs.project_path() == url == Project(url).url


def test_the_number_of_gpus_is_that_of_the_visible_ones_and_never_an_error():
    assert devices.get_num_gpus() == len(visible_gpus()) >= 0


@pytest.mark.parametrize("hidden", ["", "-1", "none"])
def test_cuda_visible_devices_hides_every_gpu(monkeypatch, hidden):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", hidden)
    assert devices.get_num_gpus() == 0
