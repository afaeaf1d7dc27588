"""Which searches ``hopsml replay`` makes again from a journal, and which it refuses."""

from __future__ import annotations

import random

import pytest

from hopsml_flows import Searchspace, experiment
from hopsml_flows.earlystop import AbstractEarlyStop, MedianStop
from hopsml_flows.errors import UnsupportedOperationError
from hopsml_flows.flows.lagom import verb_of
from hopsml_flows.maggy.calls import described
from hopsml_flows.optimizer import AbstractOptimizer
from hopsml_flows.search import BaseSearch, RandomSearch, SearchSpace, Stop, Why
from hopsml_flows.service.replay import replay
from hopsml_flows.storage import ExperimentPaths, Project
from hopsml_flows.tracking import ExperimentRecord
from hopsml_flows.trial import Trial
from hopsml_flows.trials import Report, SlotsFree, State, TrialDone, TrialLoop, TrialReported
from hopsml_flows.trials.journal_lines import header_line, line_of, run_line
from hopsml_flows.trials.model import TrialResult
from tests.loops import submitted

SPACE = {"x": [0.0, 1.0]}
LISTS = Searchspace(units=("DISCRETE", [8, 16, 32]), opt=("CATEGORICAL", ["sgd", "adam"]))
ID = "digits-1"


def train(x):
    return x


class Own(BaseSearch):
    """Proposes multiples of a step."""

    def __init__(self, space=None, *, num_trials=4, step=0.1):
        super().__init__()
        self.num_trials, self.step = num_trials, step

    @property
    def total(self):
        return self.num_trials

    def _propose(self, number):
        return {"x": self.step * number} if number <= self.num_trials else None


OWN = Own(step=0.2)


class Below:
    """Stops what reports less than a bound."""

    def __init__(self, bound=0.0):
        self.bound = bound

    def judge(self, trial, curve):
        value = curve.values[-1]
        return Stop(Why("below", value, "{value}")) if value < self.bound else None

    def end(self, trial, curve):
        pass


class BelowWithSettings(Below):
    @property
    def settings(self):
        return {"bound": self.bound}


BELOW = Below(0.2)


class ByType(AbstractOptimizer):
    """Draws from the first list of the space; how often depends on its type."""

    def __init__(self, share=1):
        super().__init__()
        self.share = share

    def initialize(self):
        name, kind = next(iter(self.searchspace.names().items()))
        values = self.searchspace.get(name)
        count = self.num_trials if kind == "DISCRETE" else 1
        self.left = [random.choice(values) for _ in range(count)]

    def get_suggestion(self, trial=None):
        return Trial({"units": self.left.pop(), "opt": "sgd"}) if self.left else None

    def finalize_experiment(self, trials):
        pass


class Policy(AbstractEarlyStop):
    def __init__(self, share=None):
        if share is not None:
            self.share = share

    @staticmethod
    def earlystop_check(to_check, finalized_trials, direction):
        return None


def of_main(kind):
    """The same class as a script would have it."""
    return type(kind.__name__, (kind,), {"__module__": "__main__"})


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def written(plan, project):
    """Run a plan's search without training, and write its record and its journal."""
    loop = TrialLoop(plan.search(), direction=plan.direction, retries=0, rule=plan.rule())
    lines = [header_line(ID), run_line(plan.making, {})]

    def handle(event):
        instructions = loop.handle(event)
        lines.append(line_of(event, instructions) or "")
        return submitted(instructions)

    while not loop.finished:
        for trial in handle(SlotsFree(2)):
            metric = trial.number / 8
            handle(TrialReported(trial.number, trial.attempt, (Report(metric, 1),)))
            result = TrialResult(trial.number, trial.name, trial.params, State.FINISHED, metric)
            handle(TrialDone(result))
    record = ExperimentRecord(
        ID,
        "digits",
        project.name,
        plan.verb,
        plan.experiment_type,
        str(plan.train),
        direction=plan.direction.value,
        search_space=dict(plan.space),
        options=dict(plan.settings),
    )
    paths = ExperimentPaths(ID)
    project.make_directory(paths.root)
    project.replace(paths.record, record.to_json())
    project.replace(paths.journal, "".join(lines))
    return paths


def replayed(plan, tmp_path):
    project = Project(str(tmp_path / "project"))
    return replay(project, written(plan, project))


def optimize(**given):
    given = {"num_trials": 4, "optimizer": "random", "seed": 3, **given}
    return experiment.optimize.plan(train, SPACE, **given)


def lagom(**given):
    given = {"searchspace": LISTS, "optimizer": ByType, "num_trials": 4, **given}
    flow, arguments = verb_of(described([lambda units, opt: units], given))
    return flow.plan(**arguments)


@pytest.mark.parametrize(
    "plan",
    [
        lambda: optimize(optimizer=Own),
        lambda: optimize(optimizer={"optimizer": Own, "step": 0.2}),
        lambda: optimize(optimizer=f"{__name__}:Own"),
        lambda: optimize(optimizer=f"{__name__}:OWN"),
        lambda: optimize(early_stop=MedianStop(min_finished=1)),
        lambda: optimize(early_stop=Below),
        lambda: optimize(early_stop=BelowWithSettings(0.2)),
        lambda: optimize(early_stop={"rule": Below, "bound": 0.2}),
        lambda: optimize(early_stop=f"{__name__}:BELOW"),
        lambda: lagom(),
        lambda: lagom(es_policy=Policy),
        lambda: lagom(es_policy=Policy()),
    ],
)
def test_a_search_of_names_classes_and_import_strings_is_made_again(plan, tmp_path):
    planned = plan()
    done = replayed(planned, tmp_path)
    assert (done.proposals, list(done.mismatches)) == (4, [])
    shown = [planned.settings["optimizer"], planned.settings["early_stop"]]
    assert not any("is_object" in one for one in shown)


@pytest.mark.parametrize(
    ("plan", "argument", "name"),
    [
        (lambda: optimize(optimizer=Own(step=0.2)), "optimizer", "Own"),
        (
            lambda: optimize(optimizer=RandomSearch(SearchSpace(SPACE), samples=4)),
            "optimizer",
            "RandomSearch",
        ),
        (lambda: optimize(early_stop=Below(0.2)), "early_stop", "Below"),
        (lambda: lagom(optimizer=ByType(2)), "optimizer", "ByType"),
        (lambda: lagom(es_policy=Policy(2)), "early_stop", "AdaptedEarlyStop"),
    ],
)
def test_an_object_is_not_made_again(plan, argument, name, tmp_path):
    planned = plan()
    assert planned.settings[argument]["is_object"] is True
    words = rf"^{argument} '.*:{name}' cannot be made again: the experiment was given an object"
    with pytest.raises(UnsupportedOperationError, match=words):
        replayed(planned, tmp_path)


def of_a_function():
    class Local(Own):
        pass

    return Local


@pytest.mark.parametrize(
    ("plan", "words"),
    [
        (lambda: optimize(optimizer=of_main(Own)), "optimizer 'Own' .* of a script"),
        (lambda: optimize(early_stop=of_main(Below)), "early_stop 'Below' .* of a script"),
        (lambda: lagom(optimizer=of_main(ByType)), "optimizer 'ByType' .* of a script"),
        (lambda: lagom(es_policy=of_main(Policy)), "early_stop 'Policy' .* of a script"),
        (lambda: optimize(optimizer=of_a_function()), "optimizer .*Local' .* of a function"),
    ],
)
def test_what_no_other_process_can_import_is_not_made_again(plan, words, tmp_path):
    with pytest.raises(UnsupportedOperationError, match=rf"^{words}"):
        replayed(plan(), tmp_path)
