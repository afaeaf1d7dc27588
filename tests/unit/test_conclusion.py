"""What a driver does when its search has ended: it confirms the winner, and promotes it."""

from __future__ import annotations

import pytest

from hopsml_flows import experiment
from hopsml_flows.driver.driver import Driver
from hopsml_flows.execution import Earlier
from hopsml_flows.storage import ExperimentPaths
from hopsml_flows.tracking import Progress
from hopsml_flows.trials import Failure, SlotsFree, State, TrialDone, TrialResult
from tests.loops import submitted

PATHS = ExperimentPaths("nightly-20260101-020000-abcdef")


def train(x=1):
    return x


class Notes(Progress):
    """A display that keeps its notes."""

    def __init__(self):
        super().__init__("metric")
        self.lines = []

    def _draw(self, line):
        pass

    def note(self, text):
        self.lines.append(text)


class Heard:
    """Stands for what tells Prefect of results."""

    def __init__(self):
        self.begun, self.failed = [], []

    def add_earlier(self, counts, best, result):
        assert result.succeeded

    def begin_confirming(self, intention):
        self.begun.append(intention)

    def add_confirming(self, result):
        if not result.succeeded:
            self.failed.append(result.number)


def result_of(trial, metric=None, failure=None):
    state = State.FINISHED if failure is None else State.FAILED
    return TrialResult(
        trial.number, trial.name, trial.params, state,
        metric=metric, failure=failure, directory=trial.directory, seed=trial.seed,
    )  # fmt: skip


def plan_of(project, grid=(1, 2), **options):
    given = {"project": project.url, "seed": 7, "confirm": 2, **options}
    return experiment.grid_search.plan(train, {"x": list(grid)}, **given)


def searched(plan):
    """What a run leaves whose search has ended: the metric of each trial is its x."""
    params = {place: {"x": x} for place, x in enumerate(plan.space["x"], start=1)}
    results = {
        number: TrialResult(
            number, f"{number:04d}", found, State.FINISHED, float(found["x"]),
            directory=f"{number:04d}",
        )
        for number, found in params.items()
    }  # fmt: skip
    return Earlier(params, results, directories={n: f"{n:04d}" for n in params})


@pytest.fixture
def driver(project):
    """Makes a driver whose search has ended."""

    def make(plan=None):
        project.make_directory(PATHS.root)
        plan = plan or plan_of(project)
        made = Driver(plan, PATHS, Notes(), searched(plan), Heard(), None)
        made.replay()
        assert made.loop.finished
        return made

    return make


def confirming(made):
    """Let a driver begin to confirm its winner; the trials that it would submit."""
    assert made.needs_workers()
    made.begin_confirming()
    return submitted(made._loop.handle(SlotsFree(100)))


def test_trials_that_confirm_a_winner_are_told_and_count_as_running(driver):
    made = driver()
    assert made.counts.running == 0
    assert len(confirming(made)) == 4
    counts = made.counts
    assert (counts.total, counts.done, counts.running) == (2, 2, 4)
    (said,) = made._announcer.begun
    assert said == "Confirming trial 2 (metric 2) on 2 fresh seeds: 4 trials"
    assert made.progress.lines == [said]


def test_why_an_evaluation_failed_is_said_once_for_each_cause(driver):
    made = driver()
    first, second, *rest = confirming(made)
    disk, memory = Failure("OSError", "disk full"), Failure("MemoryError", "out of memory")
    for trial, failure in ((first, disk), (second, disk), (rest[0], memory), (rest[1], None)):
        metric = 2.0 if failure is None else None
        made._obey(made._loop.handle(TrialDone(result_of(trial, metric, failure))), None, None)
    assert made.progress.lines[-2:] == [
        f"Trial {first.number} failed: OSError: disk full",
        f"Trial {rest[0].number} failed: MemoryError: out of memory",
    ]
    assert made._announcer.failed == [first.number, second.number, rest[0].number]
