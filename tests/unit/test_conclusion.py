"""What a driver does when its search has ended: it confirms the winner, and promotes it."""

from __future__ import annotations

import json
import os
import time
from dataclasses import replace

import pytest

from hopsml_flows import experiment
from hopsml_flows.driver.conclusion import Conclusion
from hopsml_flows.driver.confirming import Confirmed
from hopsml_flows.driver.driver import Driver
from hopsml_flows.driver.record_keeping import record_file
from hopsml_flows.driver.search_journal import read_journal
from hopsml_flows.execution import Earlier
from hopsml_flows.models import Origin
from hopsml_flows.models.exporter import Details, export_version
from hopsml_flows.models.model_files import local_files
from hopsml_flows.models.repository import versions_of
from hopsml_flows.models.version_claim import claim_next, other_writer
from hopsml_flows.storage import ExperimentPaths, ModelPaths, this_process
from hopsml_flows.tracking import Progress
from hopsml_flows.tracking.record_reader import read_record
from hopsml_flows.trials import BudgetSpent, Failure, SlotsFree, State, TrialDone, TrialResult
from hopsml_flows.trials.confirmation import Confirmation
from tests.loops import submitted
from tests.written import CONFIRMATION

PATHS = ExperimentPaths("nightly-20260101-020000-abcdef")


def train(x=1):
    return x


def certain(x, place):
    """A metric with a little noise: a larger x is better beyond doubt."""
    return x + place / 100 * x


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
        self.begun, self.failed, self.confirmed, self.promoted = [], [], [], []

    def add_earlier(self, counts, best, result):
        assert result.succeeded

    def confirm(self, confirmation):
        self.confirmed.append(confirmation)

    def add_exports(self, result):
        assert not result.lineage.exports

    def promote(self, promotion, place, trial):
        self.promoted.append((promotion, place))

    def follow(self, curves):
        assert list(curves) == []

    def begin_confirming(self, intention):
        self.begun.append(intention)

    def add_confirming(self, result):
        if not result.succeeded:
            self.failed.append(result.number)


def result_of(trial, metric=None, failure=None, outputs=None):
    state = State.FINISHED if failure is None else State.FAILED
    return TrialResult(
        trial.number, trial.name, trial.params, state, metric=metric, outputs=outputs or {},
        failure=failure, directory=trial.directory, seed=trial.seed,
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


class Night:
    """An experiment whose search has ended, and that a driver concludes, as often as it is told.

    Its files and its record are in the project; results of trials that confirm are kept here.
    """

    def __init__(self, project, name=PATHS.id):
        self.project, self.paths = project, ExperimentPaths(name)
        self.left = Earlier({}, {}, directories={})
        self.ran = []
        project.make_directory(self.paths.root)

    def conclude(self, plan, metric=certain, before=lambda: None):
        """Confirm and conclude; returns what was told to Prefect.

        Args:
            plan: The search.
            metric: The metric of an evaluation, of its x and the place of its seed.
            before: Called when all is evaluated, and nothing is concluded.
        """
        heard = Heard()
        again = Confirmed.of(self.left, read_record(self.project, self.paths.id))
        made = Driver(plan, self.paths, Notes(), searched(plan), heard, None, confirmed=again)
        made.replay()
        self.ran = []
        if made.needs_workers():
            made.begin_confirming()
            self.ran = submitted(made._loop.handle(SlotsFree(100)))
        for trial in map(made.confirming.dressed, self.ran):
            model = self.paths.trial(trial.directory, "net.pt")
            self.project.make_directory(self.paths.trial(trial.directory))
            self.project.replace(model, f"weights of {trial.number}")
            value = metric(trial.params["x"], trial.number % 100)
            done = result_of(trial, value, outputs={"model": model})
            made._obey(made._loop.handle(TrialDone(done)), None, None)
            self.left.params[trial.number] = trial.params
            self.left.results[trial.number] = done
            self.left.directories[trial.number] = trial.directory
        before()
        file = record_file(plan, self.paths, read_record(self.project, self.paths.id))
        Conclusion(plan, made, file, heard).draw()
        file.finish(State.FINISHED)
        return heard

    @property
    def promotion(self):
        return read_record(self.project, self.paths.id).promotion


def promoting(project, grid=(1, 2), **options):
    return plan_of(project, grid, only_if_better="net", **options)


def versions(project):
    return [record.version for record in versions_of(project, "net").records]


ZEROTH = "nightly-20251231-020000-abcdef"
SECOND = "nightly-20260102-020000-abcdef"


@pytest.fixture
def export(project, tmp_path):
    """Exports a version of the model that no search has evaluated; the version's number."""
    (tmp_path / "weights").write_text("weights")

    def make(metric, x, **more):
        details = Details({"metric": metric}, origin=Origin("by-hand", 1, params={"x": x}))
        files = local_files(tmp_path / "weights")
        return export_version(project, "net", files, details, **more).version

    return make


def test_a_better_winner_becomes_the_next_version(project):
    first, second = Night(project), Night(project, SECOND)
    ((told, place),) = first.conclude(promoting(project)).promoted
    assert (told.promoted, told.version, told.champion, told.trial) == (True, 1, None, 1000001)
    assert place == project.full("Models/net/1")
    ((told, _),) = second.conclude(promoting(project, (1, 4))).promoted
    assert (told.promoted, told.version, told.champion) == (True, 2, 1)
    assert second.promotion["version"] == 2
    assert project.read("Models/net/2/net.pt") == b"weights of 1000001"


def test_a_version_that_comes_while_the_winner_is_evaluated_is_not_overlooked(project, export):
    night = Night(project)
    ((told, _),) = night.conclude(promoting(project), before=lambda: export(9.0, 9)).promoted
    assert (told.promoted, told.why) == (False, "meanwhile version 1 is the model's best one")
    assert versions(project) == [1]
    assert project.listdir("Models/net") == ["1"]  # what was claimed is given back


def test_two_searches_that_promote_at_the_same_time_are_not_both_promoted(project, export):
    night = Night(project)
    seen = []

    def promote_meanwhile(version):
        """Conclude another search after this export has claimed its version, before it is there."""
        ((told, _),) = night.conclude(promoting(project)).promoted
        seen.append(told)

    assert export(9.0, 9, check=promote_meanwhile) == 1
    (told,) = seen
    assert not told.promoted
    assert told.why.startswith("meanwhile version 1 is being written by process ")
    assert versions(project) == [1]


def test_of_two_exports_that_have_claimed_their_versions_each_finds_the_other(project):
    first, second = claim_next(project, "net"), claim_next(project, "net")
    assert other_writer(project, "net", first.paths.version)[0] == second.paths.version == 2
    assert other_writer(project, "net", second.paths.version)[0] == first.paths.version == 1
    second.give_back()
    assert other_writer(project, "net", first.paths.version) is None


def test_what_the_champions_evaluations_say_does_not_make_another_one_the_best(project, export):
    export(5.0, 1)  # it was lucky: its metric on fresh seeds is about 1
    export(2.5, 2)
    ((told, _),) = Night(project).conclude(promoting(project, (1, 4))).promoted
    assert (told.promoted, told.version, told.champion) == (True, 3, 1)


def test_an_export_that_was_killed_on_this_machine_refuses_none(project):
    project.make_directory("Models/net/1")
    gone = {**this_process(), "pid": 2**22 + 1}
    project.replace(ModelPaths("net", 1).claim, json.dumps({"token": "a", "process": gone}))
    ((told, _),) = Night(project).conclude(promoting(project)).promoted
    assert (told.promoted, told.version) == (True, 2)


@pytest.mark.parametrize(("minutes", "promoted"), [(1, False), (90, True)])
def test_an_export_on_another_machine_counts_for_an_hour(project, tmp_path, minutes, promoted):
    project.make_directory("Models/net/1")
    elsewhere = {**this_process(), "host": "elsewhere"}
    project.replace(ModelPaths("net", 1).claim, json.dumps({"token": "a", "process": elsewhere}))
    began = time.time() - 60 * minutes
    os.utime(tmp_path / "project" / ModelPaths("net", 1).claim, (began, began))
    ((told, _),) = Night(project).conclude(promoting(project)).promoted
    assert told.promoted is promoted


def test_a_winner_that_storage_kept_from_being_promoted_is_promoted_when_resumed(project):
    night = Night(project)
    project.replace("Models", "in the way")
    ((told, _),) = night.conclude(promoting(project)).promoted
    assert not told.promoted
    assert told.why.startswith("the model repository could not be used (")
    assert not night.promotion["promoted"]
    project.remove("Models")
    ((told, _),) = night.conclude(promoting(project)).promoted
    assert (told.promoted, told.version) == (True, 1)
    assert night.promotion["promoted"]
    assert night.ran == []  # no trial runs for it


def test_a_refusal_that_stays_is_told_once(project, export):
    export(9.0, 9)
    night = Night(project)
    ((told, _),) = night.conclude(promoting(project)).promoted
    assert not told.promoted
    assert night.conclude(promoting(project)).promoted == []
    assert night.promotion == told.as_json()


def test_a_promoted_winner_stays_promoted_when_a_later_night_was_promoted_too(project):
    zeroth, first, second = (Night(project, name) for name in (ZEROTH, PATHS.id, SECOND))
    zeroth.conclude(promoting(project, (1, 2)))
    ((told, _),) = first.conclude(promoting(project, (1, 4))).promoted
    assert (told.version, told.champion) == (2, 1)
    before = read_record(project, PATHS.id)
    ((later, _),) = second.conclude(promoting(project, (1, 9))).promoted
    assert (later.version, later.champion) == (3, 2)
    heard = first.conclude(promoting(project, (1, 4)))
    assert first.ran == []  # the later version is not evaluated for it
    assert (heard.promoted, heard.confirmed) == ([], [])
    after = read_record(project, PATHS.id)
    assert (after.promotion, after.confirmation) == (before.promotion, before.confirmation)


def test_more_seeds_for_a_promoted_winner_meet_the_champion_that_it_has_beaten(project):
    first, second = Night(project), Night(project, SECOND)
    first.conclude(promoting(project))
    second.conclude(promoting(project, (1, 4)))
    second.conclude(promoting(project, (1, 4), confirm=3))
    assert sorted(trial.number for trial in second.ran) == [1000003, 1000103, 1000203]
    assert second.promotion["version"] == 2
    found = read_record(project, SECOND).confirmation
    assert (found["champion"]["version"], found["champion"]["pairs"]) == (1, 3)


@pytest.mark.parametrize("later", [False, True])
def test_a_driver_that_died_after_the_export_has_promoted_its_winner(project, later):
    night = Night(project)
    night.conclude(promoting(project))
    record = read_record(project, PATHS.id)
    lost = replace(record, confirmation=None, promotion=None)
    project.replace(night.paths.record, lost.to_json())
    if later:
        Night(project, SECOND).conclude(promoting(project, (1, 4)))
    ((told, _),) = night.conclude(promoting(project)).promoted
    assert (told.promoted, told.version, told.champion) == (True, 1, None)
    assert versions(project) == ([1, 2] if later else [1])


def test_another_winner_after_a_resumption_has_to_beat_the_one_that_was_promoted(project):
    night = Night(project)
    night.conclude(promoting(project, (1, 2)))
    ((told, _),) = night.conclude(promoting(project, (1, 2, 4))).promoted
    assert (told.promoted, told.version, told.champion) == (True, 2, 1)


def test_what_was_found_out_about_another_winner_is_forgotten(project):
    night = Night(project)
    night.conclude(promoting(project, (1, 2)))
    night.conclude(plan_of(project, (1, 2), confirm=None))
    record = read_record(project, PATHS.id)
    assert (record.confirmation["trial"], record.promotion["version"]) == (2, 1)
    night.conclude(plan_of(project, (1, 2, 4), confirm=None))
    record = read_record(project, PATHS.id)
    assert (record.confirmation, record.promotion) == (None, None)


def test_another_winner_that_is_only_confirmed_has_not_the_promotion_of_the_one_before(project):
    night = Night(project)
    night.conclude(promoting(project, (1, 2)))
    night.conclude(plan_of(project, (1, 2, 4)))
    record = read_record(project, PATHS.id)
    assert (record.confirmation["trial"], record.promotion) == (3, None)


def run_until_its_time_is_over(plan, project):
    """Run an asynchronous search of two trials; what it left."""
    made = Driver(plan, PATHS, Notes(), Earlier({}, {}), Heard(), None)
    made.replay()
    results = {}
    for trial in submitted(made.loop.handle(SlotsFree(2))):
        results[trial.number] = result_of(trial, trial.params["x"])
        made.loop.handle(TrialDone(results[trial.number]))
    made.loop.handle(BudgetSpent())
    made._journal.file.write(patience=0)
    params = {number: result.params for number, result in results.items()}
    directories = {number: result.directory for number, result in results.items()}
    return Earlier(params, results, directories=directories)


@pytest.mark.parametrize(
    ("began", "told", "goes_on"),
    [(False, None, True), (True, None, False), (True, CONFIRMATION, True)],
    ids=["killed while it searched", "killed while it confirmed", "came to its end"],
)
def test_a_search_whose_time_was_over_goes_on_unless_it_was_killed_while_it_confirmed(
    project, began, told, goes_on
):
    project.make_directory(PATHS.root)
    plan = experiment.optimize.plan(
        train, {"x": [0.0, 1.0]}, max_seconds=60, optimizer="random", seed=7, confirm=2,
        project=project.url,
    )  # fmt: skip
    left = run_until_its_time_is_over(plan, project)
    trials = Earlier({1000001: {"x": 0.5}} if began else {}, {})
    for _ in range(2):  # it may be killed again
        made = Driver(
            plan, PATHS, Notes(), left, Heard(), None, read_journal(project, PATHS),
            confirmed=Confirmed(trials, Confirmation.from_json(told)),
        )  # fmt: skip
        made.replay()
        made._journal.file.write(patience=0)
        assert made.loop.counts.succeeded == 2
        assert made.loop.finished is not goes_on
