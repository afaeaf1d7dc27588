"""The local directory that TensorBoard reads in place of remote or several directories."""

from __future__ import annotations

from uuid import uuid4

import pytest
from tensorboard.plugins.hparams import metadata

from hopsml_flows.board import Shown
from hopsml_flows.board.view import View
from hopsml_flows.search import Categorical, Direction, Float, Int
from hopsml_flows.storage import ExperimentPaths, Project, TrialFiles
from hopsml_flows.tracking import end_events, experiment_events, start_events
from hopsml_flows.trials import State, Trial, TrialResult
from tests import events

ONE = ExperimentPaths("one-20260101-120000-abcdef")
OTHER = ExperimentPaths("other-20260101-120000-abcdef")
CURVE = "events.out.tfevents.1.host"
DONE = end_events(TrialResult(1, "1", {}, State.FINISHED, 0.5, {"metric": 0.5}, ended=7.0))


@pytest.fixture(params=["remote", "local"])
def storage(request, tmp_path):
    """A project on remote storage, as this process sees it, or on this machine."""
    if request.param == "local":
        return Project(tmp_path / "project")
    return Project(f"memory://{uuid4().hex}")


@pytest.fixture
def view_of(storage, tmp_path):
    def view(*paths):
        return View(Shown.experiments(storage, paths), tmp_path / "view")

    return view


def put(project, path, content):
    project.make_directory(path.rpartition("/")[0])
    project.replace(path, content)


def seen(view):
    """What TensorBoard finds: path to content."""
    return {
        path.relative_to(view.root).as_posix(): path.read_bytes()
        for path in view.root.rglob("*")
        if path.is_file()
    }


def test_one_experiments_runs_are_named_as_they_are(storage, view_of):
    put(storage, ONE.trial("0001", CURVE), b"curve")
    put(storage, ONE.trial("generation.1/0002", CURVE), b"other")
    put(storage, ONE.trial("0001", "output.log"), b"not for TensorBoard")
    put(storage, ONE.record, b"{}")
    view = view_of(ONE)
    assert view.round() == []
    assert seen(view) == {f"0001/{CURVE}": b"curve", f"generation.1/0002/{CURVE}": b"other"}


def test_runs_of_several_are_named_after_their_experiments(storage, view_of):
    put(storage, ONE.trial("0001", CURVE), b"curve")
    put(storage, OTHER.trial("0001", CURVE), b"other")
    view = view_of(ONE, OTHER)
    view.round()
    assert seen(view) == {
        f"{ONE.id}/0001/{CURVE}": b"curve",
        f"{OTHER.id}/0001/{CURVE}": b"other",
    }


def test_what_profilers_keep_is_shown_too(storage, view_of):
    put(storage, ONE.trial("0001", "plugins/profile/now/host.xplane.pb"), b"profile")
    view = view_of(ONE)
    view.round()
    assert seen(view) == {"0001/plugins/profile/now/host.xplane.pb": b"profile"}


def test_a_file_that_grows_is_read_on_under_its_name(storage, view_of):
    path = ONE.trial("0001", CURVE)
    put(storage, path, b"12")
    view = view_of(ONE)
    view.round()
    with (view.root / "0001" / CURVE).open("rb") as reader:  # as the data server keeps it
        assert reader.read() == b"12"
        for more in (b"", b"34", b"5" * 100):
            storage.append(path, more)
            view.round()
            assert reader.read() == more
    assert list(seen(view)) == [f"0001/{CURVE}"]


def test_only_what_is_new_of_a_remote_file_is_read(tmp_path, monkeypatch):
    project = Project(f"memory://{uuid4().hex}")
    path = ONE.trial("0001", CURVE)
    put(project, path, b"0123456789")
    view = View(Shown.experiments(project, [ONE]), tmp_path / "view")
    view.round()
    asked = []
    read = Project.read

    def watched(self, name, start=0, stop=None):
        asked.append(start)
        return read(self, name, start, stop)

    monkeypatch.setattr(Project, "read", watched)
    view.round()
    assert asked == []
    project.append(path, b"abc")
    asked.clear()
    view.round()
    assert asked[0] == 10
    assert seen(view) == {f"0001/{CURVE}": b"0123456789abc"}


def test_a_file_that_another_one_replaced_gets_a_name_of_its_own(storage, view_of):
    path = ONE.trial("0001", CURVE)
    put(storage, path, b"a long first attempt")
    view = view_of(ONE)
    view.round()
    put(storage, path, b"second")
    view.round()
    [(name, content)] = seen(view).items()
    assert content == b"second"
    assert name != f"0001/{CURVE}"
    assert "tfevents" in name
    storage.append(path, b" goes on")
    view.round()
    assert seen(view) == {name: b"second goes on"}


def test_a_file_that_is_removed_goes(storage, view_of):
    put(storage, ONE.trial("0001", CURVE), b"curve")
    put(storage, ONE.trial("0001", TrialFiles.EVENTS_START), b"start")
    view = view_of(ONE)
    view.round()
    storage.remove(ONE.trial("0001", CURVE))
    view.round()
    assert seen(view) == {f"0001/{TrialFiles.EVENTS_START}": b"start"}


def test_a_trial_that_is_over_is_not_listed_again_soon(storage, view_of, monkeypatch):
    put(storage, ONE.trial("0001", TrialFiles.EVENTS_END), DONE)
    put(storage, ONE.trial("0002", CURVE), b"curve")
    view = view_of(ONE)
    view.round()
    view.round()
    listed = []
    entries = Project.entries

    def watched(self, path=""):
        listed.append(path)
        return entries(self, path)

    monkeypatch.setattr(Project, "entries", watched)
    view.round()
    assert listed == [ONE.root, ONE.trial("0002")]
    # One that is run again after all is found in time.
    put(storage, ONE.trial("0001", CURVE), b"again")
    for _ in range(40):
        view.round()
    assert seen(view)[f"0001/{CURVE}"] == b"again"


def test_storage_that_fails_is_asked_again_and_the_rest_is_shown(storage, view_of, monkeypatch):
    put(storage, ONE.trial("0001", CURVE), b"curve")
    put(storage, ONE.trial("0002", CURVE), b"other")
    view = view_of(ONE)
    entries = Project.entries

    def failing(self, path=""):
        if path.endswith("0001"):
            raise ConnectionError("away")
        return entries(self, path)

    monkeypatch.setattr(Project, "entries", failing)
    [error] = view.round()
    assert str(error) == "away"
    assert seen(view) == {f"0002/{CURVE}": b"other"}
    monkeypatch.undo()
    assert view.round() == []
    assert seen(view)[f"0001/{CURVE}"] == b"curve"


def test_an_experiment_that_is_not_there_yet_is_nothing(view_of):
    view = view_of(ONE, OTHER)
    assert view.round() == []
    assert seen(view) == {}


def described(view):
    """The HPARAMS tab's columns, as TensorBoard reads them: domains and metrics."""
    run = events.Run(view.root)
    run.reload()
    experiment = metadata.parse_experiment_plugin_data(run.hparams[metadata.EXPERIMENT_TAG])
    domains = {}
    for info in experiment.hparam_infos:
        domain = info.WhichOneof("domain")
        if domain == "domain_interval":
            domains[info.name] = (info.domain_interval.min_value, info.domain_interval.max_value)
        elif domain == "domain_discrete":
            values = info.domain_discrete.values
            domains[info.name] = [getattr(value, value.WhichOneof("kind")) for value in values]
        else:
            domains[info.name] = None
    return domains, [metric.display_name for metric in experiment.metric_infos]


def test_several_experiments_have_one_description_with_what_each_has(storage, view_of):
    one = {
        "rate": Float(0.1, 1.0),
        "units": [8, 16],
        "opt": Categorical(["sgd", "adam"]),
        "kind": [1, 2],
        "bias": [True],
        "own": Int(1, 3),
    }
    other = {
        "rate": Float(0.01, 0.5),
        "units": Int(2, 12),
        "opt": Categorical(["adam", "lion"]),
        "kind": ["a", "b"],
        "bias": [False],
    }
    put(storage, ONE.events, experiment_events(one, "accuracy", Direction.MAX))
    put(storage, OTHER.events, experiment_events(other, "loss", Direction.MIN))
    start = start_events(Trial(1, "1", {"own": 1}))
    put(storage, ONE.trial("0001", TrialFiles.EVENTS_START), start)
    view = view_of(ONE, OTHER)
    view.round()
    name = TrialFiles.EVENTS_START
    assert set(seen(view)) == {name, f"{ONE.id}/0001/{name}"}
    domains, metrics = described(view)
    assert domains == {
        "rate": (0.01, 1.0),
        "units": (2, 16),
        "opt": ["adam", "sgd", "lion"],
        "kind": None,
        "bias": [True, False],
        "own": (1, 3),
    }
    assert metrics == ["accuracy", "loss"]


def test_the_trial_of_a_launch_is_shown_and_its_start_is_no_description(storage, view_of):
    start = start_events(Trial(1, "0001", {}))
    put(storage, ONE.trial("", TrialFiles.EVENTS_START), start)
    put(storage, OTHER.events, experiment_events({"x": [1, 2]}, None))
    view = view_of(ONE, OTHER)
    view.round()
    assert seen(view)[f"{ONE.id}/{TrialFiles.EVENTS_START}"] == start
    assert described(view) == ({"x": [1.0, 2.0]}, [])


def test_a_description_that_comes_later_is_added(storage, view_of):
    put(storage, ONE.events, experiment_events({"x": [1]}, None))
    view = view_of(ONE, OTHER)
    view.round()
    put(storage, OTHER.events, experiment_events({"x": [2]}, None))
    view.round()
    assert described(view)[0] == {"x": [1.0, 2.0]}
    before = seen(view)
    view.round()
    assert seen(view) == before
