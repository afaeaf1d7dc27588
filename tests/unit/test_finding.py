from __future__ import annotations

import json

import pytest

from hopsml_flows.errors import NotFoundError
from hopsml_flows.service import (
    experiments,
    find_experiment,
    find_trial,
    trial_directories,
)
from hopsml_flows.storage import ExperimentPaths, Project
from tests.written import over

OLD = "digits-20240101-120000-aaaaaa"
NEW = "digits-20240301-120000-000000"
OTHER = "a-b-20240201-120000-ffffff"


class CountingProject(Project):
    """A project that knows what it was asked."""

    def __init__(self, url):
        super().__init__(url)
        self.asked = []

    def entries(self, path=""):
        self.asked.append(("list", path))
        return super().entries(path)

    def exists(self, path):
        self.asked.append(("exists", path))
        return super().exists(path)

    def read(self, path):
        self.asked.append(("read", path))
        return super().read(path)


@pytest.fixture
def project(tmp_path):
    return CountingProject(tmp_path / "project")


def made(project, *names, record=None):
    for name in names:
        paths = ExperimentPaths(name)
        project.make_directory(paths.root)
        project.replace(paths.record, json.dumps(record or {}))
    return paths


def begun(project, paths, *directories, file=".hparams.json"):
    for directory in directories:
        project.make_directory(paths.trial(directory))
        project.replace(paths.trial(directory, file), "{}")


def test_experiments_come_in_the_order_of_their_start(project):
    made(project, NEW, OLD, OTHER)
    project.make_directory("Experiments/application_1588_0001_1")
    project.replace("Experiments/notes-20240101-120000-aaaaaa", "a file")
    assert experiments(project) == [OLD, OTHER, NEW]


def test_a_project_without_experiments_has_none(project):
    assert experiments(project) == []
    with pytest.raises(NotFoundError, match="has no experiment"):
        find_experiment(project, "last")


@pytest.mark.parametrize(
    ("text", "means"),
    [(OLD, OLD), ("digits-20240301", NEW), ("a", OTHER), ("a-b-20240201-120000-f", OTHER)],
)
def test_an_identifier_or_the_beginning_of_one_means_an_experiment(project, text, means):
    made(project, NEW, OLD, OTHER)
    assert find_experiment(project, text) == ExperimentPaths(means)


def test_a_whole_identifier_costs_one_request(project):
    made(project, NEW, OLD)
    find_experiment(project, OLD)
    assert project.asked == [("exists", f"Experiments/{OLD}/experiment.json")]


def test_last_is_the_experiment_that_was_started_last_and_reads_none(project):
    made(project, NEW, OLD, OTHER)
    assert find_experiment(project, "last").id == NEW
    assert [kind for kind, _ in project.asked] == ["list"]


def test_of_experiments_started_in_one_second_the_records_tell_the_last(project):
    a, b, c = (f"x-20240301-120000-{digit * 6}" for digit in "abc")
    needed = {"id": "x", "name": "x", "project": "p", "function": "launch", "state": "RUNNING"}
    needed |= {"experiment_type": "EXPERIMENT", "train": "m:f"}
    made(project, a, record=needed | {"start": "2024-03-01T12:00:00.700+00:00"})
    made(project, b, record=needed | {"start": "2024-03-01T12:00:00.900+00:00"})
    project.make_directory(ExperimentPaths(c).root)  # its record is not there yet
    assert find_experiment(project, "last").id == b


@pytest.mark.parametrize("text", ["", "nothing", "../Experiments", f"{OLD}x", OLD[:-1] + "b"])
def test_what_means_no_experiment_is_an_error_that_says_what_there_is(project, text):
    made(project, NEW, OLD)
    with pytest.raises(NotFoundError) as caught:
        find_experiment(project, text)
    assert f"last, {NEW}, {OLD}" in str(caught.value)


def test_what_means_several_experiments_is_an_error_that_names_them(project):
    made(project, NEW, OLD, OTHER)
    with pytest.raises(
        NotFoundError,
        match=f"'digits' cannot be used, because it matches 2 experiments .*: {NEW}, {OLD}",
    ):
        find_experiment(project, "digits")


def test_a_message_names_a_few_of_many(project):
    made(project, *(f"x-20240301-1200{n:02d}-aaaaaa" for n in range(20)))
    with pytest.raises(NotFoundError, match=r"x-20240301-120019-aaaaaa.* and 12 more"):
        find_experiment(project, "y")


def test_trials_come_by_number_and_generation(project):
    paths = made(project, NEW)
    begun(project, paths, "generation.10/0012-x=3", "generation.2/0004-x=2", "0002-x=1")
    begun(project, paths, "0001-x=0", "10001-x=9", "checkpoints")
    project.replace(paths.trial("0003-x=5"), "a file of that name")
    found = list(trial_directories(project, paths))
    assert [(t.number, t.directory, t.generation) for t in found] == [
        (1, "0001-x=0", None),
        (2, "0002-x=1", None),
        (10001, "10001-x=9", None),
        (4, "generation.2/0004-x=2", 2),
        (12, "generation.10/0012-x=3", 10),
    ]


@pytest.mark.parametrize("file", [".hparams.json", "output.log", "chief_0_output.log"])
def test_an_experiment_without_trial_directories_has_one_trial(project, file):
    paths = made(project, NEW)
    begun(project, paths, "", file=file)
    project.make_directory(paths.trial("0001-directory-of-the-users"))
    [trial] = trial_directories(project, paths)
    assert (trial.number, trial.name, trial.directory) == (1, "", "")
    assert find_trial(project, paths, "1") == find_trial(project, paths, "0001") == trial


@pytest.mark.parametrize(
    "text",
    ["7", "07", "0007", "0007-lr=0.1-x=1", "0007-", "generation.1/0007-lr=0.1-x=1"],
)
def test_a_number_a_name_or_the_beginning_of_one_means_a_trial(project, text):
    paths = made(project, NEW)
    begun(project, paths, "generation.0/0001-lr=0.1-x=1", "generation.1/0007-lr=0.1-x=1")
    begun(project, paths, "generation.1/0070-lr=0.1-x=1", "generation.1/7000-lr=0.1-x=1")
    assert find_trial(project, paths, text).directory == "generation.1/0007-lr=0.1-x=1"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("3", "has begun: 0001-x=0, 0002-x=1; got '3'"),
        ("", "has begun: 0001-x=0, 0002-x=1"),
        ("²", "has begun: 0001-x=0, 0002-x=1"),
        ("000", "has begun: 0001-x=0, 0002-x=1"),
        ("0002-y", "has begun: 0001-x=0, 0002-x=1"),
    ],
)
def test_what_means_no_trial_is_an_error_that_says_what_there_is(project, text, message):
    paths = made(project, NEW)
    begun(project, paths, "0001-x=0", "0002-x=1")
    with pytest.raises(NotFoundError, match=message):
        find_trial(project, paths, text)


def test_what_means_several_trials_is_an_error_that_names_them(project):
    paths = made(project, NEW)
    begun(project, paths, "0001-x=0", "0001-x=1")  # of two generations, had they such numbers
    with pytest.raises(NotFoundError, match=r"matches 2 trials .*: 0001-x=0, 0001-x=1"):
        find_trial(project, paths, "0001-")


def test_an_experiment_that_has_begun_no_trial_says_so(project):
    with pytest.raises(NotFoundError, match=r"no trial of .* has begun"):
        find_trial(project, made(project, NEW), "1")


def test_a_trial_of_many_generations_is_found_without_listing_those_behind_it(project):
    paths = made(project, NEW)
    begun(project, paths, *(f"generation.{n}/{n + 1:04d}-x={n}" for n in range(9)))
    find_trial(project, paths, "2")
    assert len(project.asked) == 3


def test_a_run_of_a_name_is_counted_from_the_newest(project):
    made(project, OLD, NEW, OTHER)
    for text, found in (
        ("digits@-1", NEW),
        ("digits@-2", OLD),
        ("Digits@-2", OLD),
        ("a-b@-1", OTHER),
        ("@-1", NEW),
        ("@-3", OLD),
    ):
        assert find_experiment(project, text).id == found


def test_runs_of_one_second_are_ordered_by_their_records(project):
    names = [f"digits-20240301-120000-00000{n}" for n in (1, 2, 3)]
    for name, millisecond in zip(names, (200, 300, 100), strict=True):
        over(project, name, start=f"2024-03-01T12:00:00.{millisecond}+00:00")
    found = [find_experiment(project, f"digits@-{back}").id for back in (1, 2, 3)]
    assert found == [names[1], names[0], names[2]]
    assert find_experiment(project, "last").id == names[1]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("digits@-3", "one of the 2 experiments of that name: digits@-1 is the newest"),
        ("digits@-0", "one of the 2 experiments"),
        ("digit@-1", "must begin with a name that"),
        ("digits@1", "must be an experiment of"),
        ("digits@-", "must be an experiment of"),
    ],
)
def test_a_run_that_there_is_not_is_an_error_that_says_what_there_is(project, text, words):
    made(project, OLD, NEW, OTHER)
    with pytest.raises(NotFoundError, match=words):
        find_experiment(project, text)
