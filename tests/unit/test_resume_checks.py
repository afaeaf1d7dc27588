"""What may be resumed, judged before anything starts."""

from __future__ import annotations

import json
import os
from contextlib import ExitStack

import psutil
import pytest

from hopsml_flows import experiment
from hopsml_flows.driver.driver import Driver
from hopsml_flows.driver.record_keeping import record_file
from hopsml_flows.errors import InvalidArgumentError
from hopsml_flows.execution import Earlier
from hopsml_flows.plan.check import prepare
from hopsml_flows.plan.earlier_record import earlier_record
from hopsml_flows.search import DifferentialEvolution, SearchSpace
from hopsml_flows.storage import ExperimentPaths, this_process
from hopsml_flows.storage.lease import take_lease
from hopsml_flows.tracking import open_progress
from hopsml_flows.trials import SlotsFree, State, TrialResult
from tests.loops import closed, start, submitted

PATHS = ExperimentPaths("digits-1")
BOUNDS = {"rate": [0.1, 0.2], "units": [1, 9]}


def training(rate, units=1):
    return rate * units


class Deaf:
    """Stands for what tells Prefect of results."""

    def add_earlier(self, counts, best, result):
        assert result.succeeded


@pytest.fixture
def evolution(project):
    """Makes a plan; the defaults are those of the experiment that is there."""

    def make(bounds=BOUNDS, **options):
        settings = {"project": project.url, "seed": 7, "direction": "max", **options}
        return experiment.differential_evolution.plan(training, bounds, **settings)

    return make


@pytest.fixture
def there(project, evolution):
    """Writes the record of an experiment of the project."""

    def write(plan=None, **changes):
        project.make_directory(PATHS.root)
        record = record_file(plan or evolution(), PATHS)
        record.finish(State.KILLED)
        content = {**json.loads(project.read(PATHS.record)), **changes}
        project.replace(PATHS.record, json.dumps(content))

    return write


def refused(plan, part):
    with pytest.raises(InvalidArgumentError, match=rf"^{part}"):
        prepare(plan)


@pytest.mark.parametrize("state", ["KILLED", "FAILED", "FINISHED", "RUNNING"])
def test_an_experiment_that_has_ended_can_be_resumed_with_its_own_seed(there, evolution, state):
    # Its driver ended without a word, if it is said to be running.
    there(state=state, driver={**this_process(), "created": 1.0})
    for seed in (None, 7):
        plan = prepare(evolution(seed=seed, resume="digits-1"))
        assert plan.options.seed == 7
        assert plan.search().ask() == evolution().search().ask()


def test_an_experiment_that_is_running_cannot_be_resumed(there, evolution):
    parent = psutil.Process(os.getppid())
    driver = {**this_process(), "pid": parent.pid, "created": parent.create_time()}
    there(state="RUNNING", driver=driver)
    refused(
        evolution(resume="digits-1"),
        rf"resume: .* cannot be used, because it is still running \(process {parent.pid} on ",
    )


def test_an_experiment_whose_lease_is_held_cannot_be_resumed_whatever_its_record_says(
    there, evolution, project
):
    there(state="FAILED", driver={**this_process(), "leased": True})
    with take_lease(project, PATHS, pytest.fail):
        refused(evolution(resume="digits-1"), rf"resume: .*\(process {os.getpid()} on ")
    assert prepare(evolution(resume="digits-1")).options.seed == 7


def test_a_driver_of_this_process_that_is_over_is_no_hindrance(there, evolution):
    """Storage refused its record's end, and the user goes on in the same notebook."""
    there(state="RUNNING", driver={**this_process(), "leased": True})
    assert prepare(evolution(resume="digits-1")).options.seed == 7


def test_an_experiment_whose_driver_is_elsewhere_or_unknown_can_be_resumed(there, evolution):
    for driver in ({**this_process(), "host": "elsewhere"}, {}):
        there(state="RUNNING", driver=driver)
        assert prepare(evolution(resume="digits-1")).options.seed == 7


def test_the_budget_and_the_way_to_it_may_change(there, evolution):
    there()
    plan = prepare(evolution(
        resume="digits-1", generations=9, strategy="best1bin", updating="immediate", mutation=0.9,
        patience=3, retries=5, trial_timeout=9.0, name="other",
    ))  # fmt: skip
    assert plan.trials == 60


def test_a_resumed_experiment_keeps_its_name_and_counts_its_attempts(project, there, evolution):
    there(name="digits")
    plan = prepare(evolution(resume="digits-1", name="other"))
    assert (plan.options.name, plan.attempt) == ("digits", 2)
    there(attempt=4)
    assert prepare(evolution(resume="digits-1")).attempt == 5
    earlier = earlier_record(project, "digits-1")
    assert record_file(plan, PATHS, earlier).record.attempt == 5


@pytest.mark.parametrize(
    ("changed", "part"),
    [
        (
            {"bounds": {**BOUNDS, "units": [1, 8]}},
            "resume: .* cannot be used, because its search space is",
        ),
        (
            {"bounds": {"rate": [0.1, 0.2]}},
            "resume: .* cannot be used, because its search space is",
        ),
        ({"direction": "min"}, "resume: .* cannot be used, because its direction is 'MAX'"),
        (
            {"optimization_key": "loss"},
            "resume: .* cannot be used, because its optimization_key is 'metric'",
        ),
        ({"population": 5}, "resume: .* cannot be used, because its population is 6"),
        (
            {"population": 12, "generations": 9},
            "resume: .* cannot be used, because its population is 6",
        ),
        ({"seed": 8}, "seed: must be the seed of the experiment to resume, 7"),
    ],
)
def test_what_its_trials_have_in_common_may_not_change(there, evolution, changed, part):
    there()
    refused(evolution(resume="digits-1", **changed), part)


def test_another_verb_cannot_resume_it(there, project):
    there()
    options = {"project": project.url, "resume": "digits-1"}
    refused(
        experiment.random_search.plan(training, BOUNDS, **options),
        "resume: .* cannot be used, because its verb is 'differential_evolution'",
    )
    refused(
        experiment.launch.plan(training, {"rate": [1]}, **options),
        "resume: .* cannot be used, because its verb",
    )


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"state": "PAUSED"}'])
def test_a_record_that_cannot_be_read_is_said_to_be_so(there, evolution, project, text):
    there()
    project.replace(PATHS.record, text)
    refused(evolution(resume="digits-1"), r"resume: .* because its record cannot be read")


def test_an_experiment_of_another_project_is_not_there(there, evolution, tmp_path):
    there()
    refused(evolution(resume="digits-2"), "resume: must be an experiment of")
    other = str(tmp_path / "other")
    refused(
        evolution(resume="digits-1", project=other), f"resume: must be an experiment of {other}"
    )
    assert not (tmp_path / "other").exists()


def test_judging_leaves_the_experiment_as_it_is(there, evolution, project):
    there()
    before = project.read(PATHS.record)
    prepare(evolution(resume="digits-1"))
    assert project.read(PATHS.record) == before
    assert project.listdir(PATHS.root) == ["experiment.json"]


@pytest.mark.parametrize("verb", ["grid_search", "launch", "random_search"])
def test_every_verb_resumes_its_own_experiments(there, project, verb):
    arguments = BOUNDS if verb == "random_search" else {"rate": [0.1, 0.2]}
    options = {"project": project.url}
    there(getattr(experiment, verb).plan(training, arguments, **options))
    plan = getattr(experiment, verb).plan(training, arguments, resume="digits-1", **options)
    assert prepare(plan).options.resume == "digits-1"


def grid_of(project, grid, **options):
    def anything(**hyperparameters):
        return 0

    return experiment.grid_search.plan(anything, grid, project=project.url, **options)


@pytest.mark.parametrize(
    ("then", "now"),
    [
        ({"a": [1, 2], "b": [3]}, {"b": [3], "a": [1, 2]}),  # a grid is counted in its order
        ({"a": [1, 0.0]}, {"a": [1.0, 0]}),
        ({"a": [1]}, {"a": [True]}),
        ({"a": ["x"]}, {"a": ["x", "y"]}),
        ({"a": [{1, 2}]}, {"a": [{1, 3}]}),
    ],
)
def test_a_grid_of_other_values_or_of_another_order_cannot_go_on(there, project, then, now):
    there(grid_of(project, then))
    refused(
        grid_of(project, now, resume="digits-1"),
        "resume: .* cannot be used, because its search space is",
    )


def test_a_grid_of_the_same_values_goes_on_whatever_the_order_of_its_sets(there, project):
    words = [f"word{i}" for i in range(20)]
    there(grid_of(project, {"a": [{*words}], "b": [float("nan"), {"x": 1, "y": 2}]}))
    same = {"a": [{*words[::-1]}], "b": [float("nan"), {"y": 2, "x": 1}]}
    assert prepare(grid_of(project, same, resume="digits-1")).options.resume == "digits-1"


def test_a_record_without_its_options_or_driver_goes_on_where_they_are_not_needed(there, project):
    there(grid_of(project, {"a": [1]}), options=None, driver=None, state="RUNNING")
    assert prepare(grid_of(project, {"a": [1]}, resume="digits-1")).options.resume == "digits-1"


@pytest.mark.parametrize(
    "driver", [{"pid": "x"}, {"pid": -5}, {"pid": None}, {"pid": 1, "created": "x"}]
)
def test_a_driver_that_cannot_be_told_is_none_that_lives(there, evolution, driver):
    there(state="RUNNING", driver={**this_process(), **driver})
    assert prepare(evolution(resume="digits-1")).options.resume == "digits-1"


# Going through what is there


def test_results_of_other_hyperparameters_are_not_taken_for_a_trials(project):
    project.make_directory(PATHS.root)
    params = {1: {"a": [1, 2]}, 2: {"a": 5}, 3: {"a": 3}}
    results = {
        number: TrialResult(number, "", found, State.FINISHED, 0.5, directory=f"{number:04d}-x")
        for number, found in params.items()
    }
    left = Earlier(params, results, directories={n: f"{n:04d}-x" for n in params})
    plan = grid_of(project, {"a": [(1, 2), 4, 3]}, resume="digits-1")
    made = Driver(plan, PATHS, open_progress(show=False), left, Deaf(), None)
    made.replay()
    assert [(r.number, r.params, r.name) for r in made.results] == [
        (1, {"a": (1, 2)}, "0001-x"),
        (3, {"a": 3}, "0003-x"),
    ]
    (damage,) = made.damaged
    assert damage.directory == "0002-x"
    assert str(damage.error) == (
        f"{project.full(PATHS.root)}/0002-x/.hparams.json has other hyperparameters than the "
        "search gives trial 2: {'a': 5}, not {'a': 4}"
    )
    (waiting,) = made._waiting
    assert (waiting.params, waiting.directory) == ({"a": 4}, "0002-a=4")
    assert not project.exists(PATHS.summary)  # nothing is written


def earlier_of(search, count, failed=()):
    """What a run that was killed left: the first trials of a search, some of them not done."""
    params, results = {}, {}
    while len(params) < count:
        for proposal in search.ask(1):
            directory = f"generation.{proposal.generation}/{proposal.id:04d}"
            metric = training(**proposal.params)
            params[proposal.id] = proposal.params
            search.tell(proposal.id, metric)
            if proposal.id not in failed:
                results[proposal.id] = TrialResult(
                    proposal.id,
                    f"{proposal.id:04d}",
                    proposal.params,
                    State.FINISHED,
                    metric,
                    directory=directory,
                    generation=proposal.generation,
                )
    return Earlier(params, results)


@pytest.fixture
def driver(evolution, project):
    with ExitStack() as stack:

        def make(left, **options):
            project.make_directory(PATHS.root)
            plan = evolution(resume="digits-1", **options)
            lease = stack.enter_context(take_lease(project, PATHS, pytest.fail))
            return Driver(plan, PATHS, open_progress(show=False), left, Deaf(), lease)

        yield make


def fresh(**options):
    return DifferentialEvolution(SearchSpace(BOUNDS), seed=7, **options)


@pytest.mark.parametrize("updating", ["deferred", "immediate"])
def test_what_is_done_is_taken_over_and_the_search_goes_on_behind_it(driver, updating):
    search = fresh(updating=updating)
    made = driver(earlier_of(search, 12), updating=updating)
    made.replay()
    assert [result.number for result in made.results] == list(range(1, 13))
    assert made.loop.counts.succeeded == 12
    assert made.loop.best.metric == search.best.value
    said = made.loop.handle(SlotsFree(3))
    assert closed(said) == []  # they were reported by the run that was killed
    started = submitted(said)
    assert [trial.number for trial in started] == [13, 14, 15]
    assert [trial.params for trial in started] == [p.params for p in search.ask(3)]


def test_what_is_not_done_is_left_to_run(driver):
    made = driver(earlier_of(fresh(), 6, failed=(2, 5)))
    made.replay()
    assert [result.number for result in made.results] == [1, 3, 4, 6]
    assert made.loop.running == 2
    assert not made.loop.finished
    assert start(made.loop, 5) == []  # the generation waits for them


def test_all_of_a_search_that_was_done_is_taken_over(driver):
    search = fresh()
    made = driver(earlier_of(search, 30))
    made.replay()
    assert made.loop.finished
    assert made.loop.failure is None
    assert made.loop.best.metric == search.best.value


def test_without_earlier_trials_it_begins_at_the_beginning(driver):
    made = driver(Earlier({}, {}))
    made.replay()
    assert made.results == []
    assert [trial.number for trial in start(made.loop, 2)] == [1, 2]


def test_what_had_begun_is_run_with_what_it_began_with_though_the_search_has_changed(driver):
    left = earlier_of(fresh(strategy="rand1bin"), 12, failed=(8, 11))
    made = driver(left, strategy="best1bin", generations=9)
    made.replay()
    assert {trial.number: trial.params for trial in made._waiting} == {
        number: left.params[number] for number in (8, 11)
    }


def test_what_a_killed_run_had_no_time_to_write_is_proposed_anew(driver):
    """Three workers, one of whose trials had begun and written nothing when all was killed."""
    search = fresh(updating="immediate")
    left = earlier_of(search, 12, failed=(8, 11))
    del left.params[8]
    made = driver(left, updating="immediate")
    made.replay()
    assert [result.number for result in made.results] == [1, 2, 3, 4, 5, 6, 7, 9, 10, 12]
    waiting = {trial.number: trial.params for trial in made._waiting}
    assert sorted(waiting) == [8, 11]
    assert waiting[11] == left.params[11]
    assert waiting[8] not in left.params.values()
