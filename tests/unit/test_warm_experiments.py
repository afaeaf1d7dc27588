"""Which earlier experiment a search begins with, and what its record says of that."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest

from hopsml_flows import experiment
from hopsml_flows.driver.record_keeping import record_file
from hopsml_flows.errors import HopsmlWarning, InvalidArgumentError, StorageUnavailableError
from hopsml_flows.plan.check import prepare
from hopsml_flows.plan.resume import continue_experiment
from hopsml_flows.search import Categorical
from hopsml_flows.storage import ExperimentPaths, Project, retries
from hopsml_flows.tracking import ExperimentRecord
from hopsml_flows.trials import State

BOUNDS = {"rate": [0.1, 0.9], "units": [1, 9]}


def training(rate, units=4):
    return rate * units


@pytest.fixture
def plan(project):
    def make(verb=experiment.differential_evolution, bounds=BOUNDS, train=training, **options):
        return verb.plan(train, bounds, **{"project": project.url, "name": "nightly", **options})

    return make


@pytest.fixture
def there(project, plan):
    """Writes an experiment of the project: its record, and a summary of three trials."""

    def write(identifier, *, of=None, state=State.FINISHED, trials=3, **changes):
        paths = ExperimentPaths(identifier)
        project.make_directory(paths.root)
        record = record_file(of or plan(), paths)
        record.finish(state)
        content = {**json.loads(project.read(paths.record)), **changes}
        project.replace(paths.record, json.dumps(content))
        entries = [
            {
                "trial": f"{n:04d}",
                "parameters": {"rate": n / 10, "units": n},
                "state": "FINISHED",
                "metric": float(n),
            }
            for n in range(1, trials + 1)
        ]
        entries.append({"trial": "0009", "parameters": {}, "state": "FAILED", "metric": None})
        project.replace(paths.summary, json.dumps({"combinations": entries}))
        return ExperimentRecord.from_json(project.read(paths.record))

    return write


FIRST, SECOND, THIRD = (f"nightly-2026010{day}-020000-abcdef" for day in (1, 2, 3))


def seeds(plan):
    return plan.settings["seeds"]


def test_the_last_finished_experiment_of_the_name_gives_its_best_configurations(there, plan):
    there(FIRST)
    there(SECOND)
    there(THIRD, state=State.KILLED)
    there("nightly-2-20270101-020000-abcdef", name="nightly 2")
    there("nightly-20270102-020000-abcdef", name="Nightly")  # another name of the same letters
    ready = prepare(plan(warm_start="last"))
    assert seeds(ready) == {
        "experiment": SECOND,
        "trials": ["0003", "0002", "0001"],
        "configurations": [{"rate": n / 10, "units": n} for n in (3, 2, 1)],
    }
    assert [p.params for p in ready.search().ask(3)] == seeds(ready)["configurations"]
    assert ready.notices == (f"begins with 3 seeds of {SECOND}: 0003, 0002, 0001",)
    again = prepare(plan(warm_start="last", direction="max", seed=ready.options.seed))
    assert again.search().ask() == ready.search().ask()


def test_trials_that_were_run_again_are_not_the_last_search(there, plan):
    there(FIRST)
    there(SECOND, trials=1, function="rerun", rerun_of={"experiment": FIRST, "trial": 1})
    assert seeds(prepare(plan(warm_start="last")))["experiment"] == FIRST


def test_half_of_a_population_or_a_quarter_of_the_samples_are_seeds(there, plan):
    there(FIRST, trials=9)
    assert len(seeds(prepare(plan(warm_start="last", population=9)))["trials"]) == 4
    at_random = prepare(plan(experiment.random_search, warm_start="last", samples=8))
    assert seeds(at_random)["trials"] == ["0009", "0008"]
    assert (
        len(seeds(prepare(plan(experiment.random_search, warm_start="last", samples=3)))["trials"])
        == 1
    )
    given = [{"rate": 0.9, "units": 9}, {"rate": 0.15, "units": 1}, {"rate": 0.16, "units": 1}]
    with_own = prepare(plan(warm_start="last", population=4, initial=given))
    assert seeds(with_own)["trials"] == ["0008"]  # one place is left, and the best is there already
    assert [p.params for p in with_own.search().ask()][:3] == given
    full = plan(warm_start="last", population=4, initial=[*given, {"rate": 0.2, "units": 2}])
    assert prepare(full).notices == ("begins with no seeds: initial leaves no room",)


def test_the_first_run_of_a_schedule_begins_with_none_and_says_so(there, plan):
    there(FIRST, state=State.FAILED)
    ready = prepare(plan(warm_start="last"))
    assert ready.notices == ("begins with no seeds: no experiment 'nightly' has finished yet",)
    assert (seeds(ready)["experiment"], ready.first) == (None, ())


def test_no_more_than_fifty_records_are_read(there, plan, project, monkeypatch):
    for n in range(60):
        there(f"nightly-20260101-0200{n:02d}-abcdef", state=State.FAILED)
    read: list[str] = []
    kind = type(project)
    original = kind.read
    monkeypatch.setattr(
        kind, "read", lambda self, path: (read.append(path), original(self, path))[1]
    )
    (notice,) = prepare(plan(warm_start="last")).notices
    assert notice.endswith("has finished yet among its last 50")
    assert len(read) == 50
    there("nightly-20260101-020059-abcdef")
    read.clear()
    assert seeds(prepare(plan(warm_start="last")))["experiment"].endswith("020059-abcdef")
    assert len(read) == 2  # the record and the summary of the newest one


@pytest.mark.parametrize(
    ("changed", "part"),
    [
        ({"direction": "min"}, "direction is 'MAX'"),
        ({"optimization_key": "loss"}, "optimization_key"),
    ],
)
def test_an_experiment_with_another_aim_gives_none(there, plan, changed, part):
    there(FIRST)
    with pytest.warns(HopsmlWarning, match=rf"{FIRST}.*its {part}"):
        ready = prepare(plan(warm_start="last", **changed))
    assert (seeds(ready)["experiment"], ready.first) == (None, ())
    with pytest.raises(
        InvalidArgumentError, match=rf"^warm_start: .* cannot be used, because its {part}"
    ):
        prepare(plan(warm_start=FIRST, **changed))


def test_an_experiment_is_named_whatever_its_name_and_its_end(there, plan):
    other = "other-20250101-020000-abcdef"
    there(other, of=plan(experiment.random_search, name="other"), state=State.KILLED)
    there(FIRST)
    assert seeds(prepare(plan(warm_start=other)))["experiment"] == other


@pytest.mark.parametrize("value", ["", "Last!", "../x", 7, True, ["last"]])
def test_what_is_no_experiment_is_refused(plan, value):
    with pytest.raises(InvalidArgumentError, match=r'^warm_start: must be "last", an experiment'):
        plan(warm_start=value)


def test_an_experiment_that_is_not_there_or_empty_or_broken_is_refused(there, plan, project):
    with pytest.raises(InvalidArgumentError, match=r"^warm_start: must be 'last' or an experiment"):
        prepare(plan(warm_start=FIRST))
    there(FIRST, trials=0)
    with pytest.raises(
        InvalidArgumentError,
        match=r"^warm_start: .* cannot be used, because it has no finished trial",
    ):
        prepare(plan(warm_start=FIRST))
    project.remove(ExperimentPaths(FIRST).summary)
    with pytest.raises(
        InvalidArgumentError,
        match=r"^warm_start: .* cannot be used, because it has no finished trial",
    ):
        prepare(plan(warm_start=FIRST))
    project.replace(ExperimentPaths(FIRST).record, "[]")
    with pytest.raises(InvalidArgumentError, match=r"^warm_start: .* its record cannot be"):
        prepare(plan(warm_start=FIRST))


def test_damaged_files_are_named_and_are_not_taken_for_missing_ones(there, plan, project):
    there(FIRST)
    there(SECOND)
    record = ExperimentPaths(SECOND).record
    project.replace(record, "[]")
    with pytest.warns(HopsmlWarning, match=rf"no seeds of {SECOND}: {project.full(record)} is no"):
        assert seeds(prepare(plan(warm_start="last")))["experiment"] == FIRST
    summary = ExperimentPaths(FIRST).summary
    content = json.loads(project.read(summary))
    content["combinations"][0] = {"trial": 5}
    project.replace(summary, json.dumps(content))
    text = rf"^{project.full(summary)} has 1 entries that cannot be read"
    with pytest.warns(HopsmlWarning, match=text):
        assert seeds(prepare(plan(warm_start=FIRST)))["trials"] == ["0003", "0002"]
    project.replace(summary, "[]")
    with pytest.raises(
        InvalidArgumentError, match=rf"^warm_start: .* cannot be used, because .*{summary}"
    ):
        prepare(plan(warm_start=FIRST))
    project.remove(record)
    with pytest.warns(HopsmlWarning, match=rf"no seeds of {FIRST}: .*{summary} holds a list"):
        assert prepare(plan(warm_start="last")).first == ()


@pytest.mark.parametrize("file", ["record", "summary"])
def test_storage_that_is_away_for_a_moment_costs_no_seeds(there, plan, monkeypatch, file):
    there(FIRST)
    name = getattr(ExperimentPaths(FIRST), file)
    read, errors = Project.read, [TimeoutError("busy"), OSError("I/O error")]

    def failing_read(self, path):
        if path == name and errors:
            raise errors.pop()
        return read(self, path)

    monkeypatch.setattr(Project, "read", failing_read)
    monkeypatch.setattr(retries, "_FIRST_PAUSE", 0.01)
    for source in ("last", FIRST):
        assert len(seeds(prepare(plan(warm_start=source)))["trials"]) == 3
    errors += [PermissionError(13, "Permission denied")]
    for source in ("last", FIRST):
        errors[:] = [PermissionError(13, "Permission denied")]
        with pytest.raises(StorageUnavailableError, match=rf"{name} cannot be read"):
            prepare(plan(warm_start=source))


def test_seeds_are_the_spaces_own_values_also_when_the_experiment_goes_on(there, plan, project):
    space = {"size": Categorical([(3, 3), (5, 5), Path("a"), math.nan, {2, 1}]), "units": [1, 9]}
    options = {"train": lambda size, units: units, "bounds": space, "seed": 3}
    there(FIRST)
    summary = ExperimentPaths(FIRST).summary
    images = ([3, 3], "a", "NaN", [1, 2])
    entries = [
        {
            "trial": f"{n}",
            "parameters": {"size": image, "units": n},
            "state": "FINISHED",
            "metric": n,
        }
        for n, image in enumerate(images, 1)
    ]
    project.replace(summary, json.dumps({"combinations": entries}))
    began = prepare(plan(warm_start="last", population=8, **options))
    sizes = [params["size"] for params in began.first]
    assert repr(sizes) == f"[{{1, 2}}, nan, {Path('a')!r}, (3, 3)]"
    record = there(SECOND, of=began)
    on = continue_experiment(plan(population=8, **options), record)
    assert repr(on.first) == repr(began.first)


@pytest.mark.parametrize("kept", [5, None, {}, {"configurations": {}}, {"configurations": [1]}])
def test_a_record_whose_seeds_cannot_be_read_is_not_gone_on_with(there, plan, kept):
    there(FIRST)
    record = there(SECOND, of=prepare(plan(warm_start="last", seed=3)))
    record = replace(record, options={**record.options, "seeds": kept})
    with pytest.raises(
        InvalidArgumentError, match=r"^resume: .* cannot be used, because the seeds in its record"
    ):
        continue_experiment(plan(seed=3), record)


def test_trials_outside_the_space_are_named_in_a_warning(there, plan):
    there(FIRST, trials=9)
    with pytest.warns(HopsmlWarning) as caught:
        ready = prepare(plan(warm_start="last", bounds={"rate": [0.1, 0.15], "units": [1, 9]}))
    (warning,) = caught
    text = str(warning.message)
    assert "0009: rate=0.9 is outside; 0008: rate=0.8 is outside" in text
    assert text.endswith("; and 3 more)")
    assert seeds(ready)["trials"] == ["0001"]
    assert text in ready.notices


def test_a_space_that_changed_is_bridged_by_the_functions_defaults(there, plan):
    there(FIRST)
    last = {"warm_start": "last"}
    with pytest.warns(HopsmlWarning, match="lack rate, which is not searched any more"):
        fewer = prepare(plan(train=lambda units, rate=0.5: units, bounds={"units": [1, 9]}, **last))
    assert seeds(fewer)["configurations"] == [{"units": 3}, {"units": 2}, {"units": 1}]
    wider = {**BOUNDS, "layers": [1, 5]}
    more = prepare(plan(train=lambda rate, units, layers=2: units, bounds=wider, **last))
    assert [params["layers"] for params in seeds(more)["configurations"]] == [2, 2, 2]


def test_an_experiment_that_goes_on_has_the_seeds_it_began_with(there, plan):
    there(FIRST)
    began = prepare(plan(warm_start="last", seed=3))
    record = there(SECOND, of=began, trials=9)
    for now in (plan(warm_start="last", seed=3), plan(seed=3)):
        on = now if now.warm_start is None else prepare(now)
        on = continue_experiment(on, record)
        assert seeds(on) == seeds(began)
        assert on.settings["warm_start"] == "last"
        assert on.search().ask() == began.search().ask()
        assert on.notices == ()
    cold = there(THIRD, of=plan(seed=3))
    on = continue_experiment(prepare(plan(warm_start=SECOND, seed=3)), cold)
    assert on.first == ()
    assert "seeds" not in on.settings
