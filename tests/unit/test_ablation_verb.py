"""What ``ablation`` and ``lagom`` plan for a study, and their errors before anything starts."""

from __future__ import annotations

import pickle

import pytest

from hopsml_flows import AblationStudy, experiment
from hopsml_flows.ablation.arms import Arm
from hopsml_flows.ablation.result import AblationResult
from hopsml_flows.config import AblationConfig
from hopsml_flows.driver.record_keeping import record_file
from hopsml_flows.errors import (
    FunctionNotFoundError,
    InvalidArgumentError,
    SignatureMismatchError,
)
from hopsml_flows.execution import Job, packed
from hopsml_flows.experiment import LagomAblationResult
from hopsml_flows.flows.lagom import _OPTIONS, verb_of
from hopsml_flows.maggy.calls import described
from hopsml_flows.plan.check import prepare
from hopsml_flows.plan.run_form import deployed, stored
from hopsml_flows.search import Direction
from hopsml_flows.storage import ExperimentPaths, Project
from hopsml_flows.trials import Failure, State, TrialLoop, TrialResult, trial_seed
from hopsml_flows.trials.loop_messages import SlotsFree
from tests.written import over, result

TABLE = {"age": [22.0, 38.0], "fare": [7.25, 71.28], "survived": [0, 1]}


def train(dataset_function, model_function):
    return len(dataset_function()) + model_function()


def of_data(dataset_function):
    return float(len(dataset_function()))


def study(*, model=True):
    made = AblationStudy(label_name="survived")
    made.set_dataset(TABLE)
    made.features.include("age", "fare")
    if model:
        made.model.set_base_model_generator(lambda: 0.5)
        made.model.add_custom_model_generator(lambda: 0.75, "larger")
    return made


OF_MODULE = study(model=False)


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_the_plan_has_every_arm_five_times():
    plan = experiment.ablation.plan(train, study())
    assert (plan.verb, plan.trials, plan.direction) == ("ablation", 20, "MAX")
    assert plan.result_type is AblationResult
    assert plan.settings == {"repeats": 5, "interactions": 1, "adapt": False, "sequential": False}
    assert plan.space == {
        "ablated_feature": ["None", "age", "fare"],
        "ablated_layer": ["None", "Custom model: larger"],
    }
    assert plan.train.name == "train"
    assert plan.train.endswith("test_ablation_verb:train")


def test_pairs_are_arms_of_their_own():
    plan = experiment.ablation.plan(of_data, study(model=False), repeats=2, interactions=2)
    asked = [proposal.params["ablated_feature"] for proposal in plan.search().ask()]
    assert asked == ["None", "age", "fare", "age + fare"] * 2


@pytest.mark.parametrize(
    "args",
    [
        ((train,), {"experiment_type": "ablation", "ablation_study": study(), "ablator": "loco"}),
        ((train, AblationConfig(study())), {}),
    ],
    ids=["by name", "configuration"],
)
def test_lagom_trains_each_arm_once_as_maggy_does(args):
    flow, arguments = verb_of(described(*args))
    plan = flow.plan(**arguments)
    assert (plan.verb, plan.experiment_type, plan.trials) == ("lagom", "MAGGY", 4)
    assert plan.result_type is LagomAblationResult


def test_lagom_takes_the_options_of_the_plain_verb():
    given = {"ablation_study": study(), "experiment_type": "ablation", "repeats": 3}
    flow, arguments = verb_of(described((train,), given, options=_OPTIONS))
    assert flow.plan(**arguments).trials == 12
    more = {**given, "sequential": True}
    flow, arguments = verb_of(described((train,), more, options=_OPTIONS))
    assert flow.plan(**arguments).settings["sequential"] is True


def test_a_configuration_may_have_the_base_model():
    config = AblationConfig(study(model=False), model=lambda: 0.25)
    flow, arguments = verb_of(described((train, config), {}))
    function = flow.plan(**arguments).train.callable
    assert function(ablated_feature="age", ablated_layer="None") == 2.25


def test_trials_of_a_repeat_have_the_same_seed_in_all_arms():
    plan = experiment.ablation.plan(of_data, study(model=False), repeats=2, seed=7)
    loop = TrialLoop(plan.search(), direction=plan.direction, retries=0)
    trials = [one.trial for one in loop.handle(SlotsFree(slots=6, ahead=0))]
    job = Job(
        function=packed(plan.train.callable, by_value=False),
        project=Project("."),
        experiment_id="study",
        optimization_key="metric",
        needs_metric=True,
        local_logdir=False,
        directory="",
        seed=7,
    )
    assert [trial.repeat for trial in trials] == [1, 1, 1, 2, 2, 2]
    assert [job.trial_seed(trial) for trial in trials] == [trial_seed(7, 1)] * 3 + [
        trial_seed(7, 2)
    ] * 3


def test_the_result_has_metrics_by_arm_and_repeat():
    def trial(number, feature, repeat, metric):
        params = {"ablated_feature": feature, "ablated_layer": "None"}
        state = State.FAILED if metric is None else State.FINISHED
        return TrialResult(number, f"{number:04d}", params, state, metric, repeat=repeat)

    trials = (
        trial(1, "None", 1, 0.5), trial(2, "age", 1, 0.25), trial(3, "fare", 1, None),
        trial(4, "None", 2, 0.75), trial(5, "age", 2, 0.5), trial(6, "fare", 2, None),
    )  # fmt: skip
    for kind in (AblationResult, LagomAblationResult):
        result = kind("a", "ablation", "/a", State.FINISHED, Direction.MAX, trials[3], trials, 1.0)
        expected = {"base": {1: 0.5, 2: 0.75}, "feature age": {1: 0.25, 2: 0.5}, "feature fare": {}}
        assert result.metrics_by_arm == expected
        assert next(iter(result.metrics_by_arm)) == result.base
    best_dir, _, _ = AblationResult(
        "a", "ablation", "/a", State.FINISHED, Direction.MAX, trials[3], trials, 1.0
    )
    assert best_dir == "/a"
    assert pickle.loads(pickle.dumps(trials[4])) == trials[4]


def test_a_deployment_gets_a_study_by_its_name():
    name = f"{__name__}:OF_MODULE"
    assert experiment.ablation.plan(of_data, name, repeats=1).trials == 3
    assert stored({"study": name}) == deployed({"study": name}) == {"study": name}
    assert stored({"study": OF_MODULE}) == {"study": "AblationStudy(2 features)"}
    with pytest.raises(InvalidArgumentError, match="must be an import string"):
        deployed({"study": OF_MODULE})


SEARCH = "digits-20240301-120000-bbbbbb"


def of_budget(rate, budget):
    return rate * budget


def of_rate(rate=0.5):
    return rate


def searched(project, train, trials, **more):
    name = f"{__name__}:{train.__name__}"
    space = {"rate": {"type": "float", "low": 0.0, "high": 1.0, "log": False}}
    over(project, SEARCH, trials, train=name, search_space=space, **more)
    return {"around": SEARCH, "project": project.url}


@pytest.mark.parametrize("sequential", [True, False])
def test_every_arm_around_a_winner_gets_the_winners_budget(project, sequential):
    trials = [result(1, {"rate": 0.9}, 0.7, budget=27), result(2, {"rate": 0.1}, 0.3, budget=1)]
    given = searched(project, of_budget, trials, function="optimize")
    plan = experiment.ablation.plan(of_budget, sequential=sequential, repeats=2, **given)
    search, asked = plan.search(), []
    while not search.finished:
        for proposal in search.ask():
            asked.append((proposal.params["rate"], proposal.budget, proposal.repeat))
            search.tell(proposal.id, proposal.params["rate"])
    assert asked == [(0.9, 27, 1), (0.5, 27, 1), (0.9, 27, 2), (0.5, 27, 2)]


def test_a_winner_may_have_been_stopped_early(project):
    trials = [
        result(1, {"rate": 0.9}, 0.7, state=State.STOPPED),
        result(2, {"rate": 0.1}, 0.3),
        result(3, {"rate": 0.2}, state=State.FAILED, failure=Failure("ValueError", "no")),
    ]
    given = searched(project, of_rate, trials)
    assert experiment.ablation.plan(of_rate, **given).space == {"rate": [0.9, 0.5]}
    assert experiment.ablation.plan(of_rate, direction="min", **searched(
        project, of_rate, trials, direction="MIN"
    )).space == {"rate": [0.1, 0.5]}  # fmt: skip


def test_a_search_without_a_summary_or_with_a_damaged_one_has_no_winner(project):
    given = searched(project, of_rate, [])
    with pytest.raises(InvalidArgumentError, match="it has no best trial"):
        experiment.ablation.plan(of_rate, **given)
    project.replace(ExperimentPaths(SEARCH).summary, "half")
    with pytest.raises(InvalidArgumentError, match=r"^around: .*is not JSON"):
        experiment.ablation.plan(of_rate, **given)


def test_how_many_trials_a_sequential_study_has_is_not_known_before():
    assert experiment.ablation.plan(of_data, OF_MODULE, sequential=True).trials is None


def of_pipeline(model_function):
    return 0.0


def pipeline():
    from sklearn.linear_model import LinearRegression
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import StandardScaler

    return Pipeline([("scale", StandardScaler()), ("fit", LinearRegression())])


@pytest.mark.parametrize(
    ("include", "said"),
    [
        (lambda m: m.layers.include("scael"), "which has scale, fit; did you mean scale"),
        (lambda m: m.layers.include_groups(["scale", "fit"]), "between the first and the last"),
    ],
)
def test_a_step_that_a_pipeline_lacks_is_an_error_before_anything_starts(project, include, said):
    made = AblationStudy()
    made.model.set_base_model_generator(pipeline)
    include(made.model)
    with pytest.raises(InvalidArgumentError, match=said):
        prepare(experiment.ablation.plan(of_pipeline, made, project=project.url))
    assert not project.exists("Experiments")


def test_a_function_that_needs_a_budget_which_the_search_did_not_give_is_an_error(project):
    given = searched(project, of_budget, [result(1, {"rate": 0.9}, 0.7)])
    with pytest.raises(InvalidArgumentError) as caught:
        experiment.ablation.plan(of_budget, **given)
    assert str(caught.value) == (
        f"around: {SEARCH!r} cannot be used, because its best trial has no value of budget, which "
        "the function needs: that search gave no budgets, so let budget have a default"
    )


def test_an_arm_around_a_winner_that_fails_does_not_end_the_study(project):
    given = searched(project, of_rate, [result(1, {"rate": 0.9}, 0.7)])
    plan = experiment.ablation.plan(of_rate, sequential=True, repeats=4, **given)
    search, asked = plan.search(), []
    while not search.finished:
        for proposal in search.ask():
            asked.append((proposal.repeat, proposal.params["rate"]))
            fails = proposal.params["rate"] == 0.5
            search.tell(proposal.id, **({"failure": "no"} if fails else {"value": 0.7}))
    assert asked == [(1, 0.9), (1, 0.5), (2, 0.9), (2, 0.5)]
    trials = [
        TrialResult(n, "", {"rate": rate}, state, metric, repeat=repeat)
        for n, (repeat, rate) in enumerate(asked, 1)
        for state, metric in [(State.FAILED, None) if rate == 0.5 else (State.FINISHED, 0.7)]
    ]
    found = plan.judge(trials)
    assert found.words == "rate=0.5 (default) is unknown"
    assert found.is_sequential


@pytest.mark.parametrize(
    ("changed", "part"),
    [
        ({"adapt": True}, "its adapt is False, not True"),
        ({"sequential": True}, "its sequential is False, not True"),
        ({"interactions": 2}, "its search space is"),
    ],
)
def test_a_study_cannot_be_resumed_as_another_one(project, changed, part):
    def plan(**given):
        return experiment.ablation.plan(of_data, OF_MODULE, project=project.url, **given)

    paths = ExperimentPaths("study-1")
    project.make_directory(paths.root)
    record_file(plan(), paths).finish(State.KILLED)
    assert prepare(plan(resume="study-1", repeats=7)).trials == 21
    with pytest.raises(InvalidArgumentError, match=part):
        prepare(plan(resume="study-1", **changed))


def test_the_time_of_an_arm_is_not_that_of_its_first_imports():
    plan = experiment.ablation.plan(of_data, OF_MODULE, repeats=3)
    took = iter([60.0, 2.0, 1.0, 3.0, 2.5, 1.5, 2.0, 2.25, 1.25])
    trials = [
        TrialResult(
            proposal.id, "", proposal.params, State.FINISHED, 0.5, repeat=proposal.repeat,
            started=100.0, ended=100.0 + next(took),
        )
        for proposal in plan.search().ask()
    ]  # fmt: skip
    found = plan.judge(trials)
    assert found.base.seconds == 3.0
    assert {one.effect.arm: one.effect.seconds for one in found.effects} == {
        "feature age": 2.25,
        "feature fare": 1.25,
    }


def test_a_notebook_shows_the_effects(project):
    params = {"ablated_feature": "age <b>", "ablated_layer": "None"}
    trials = tuple(
        TrialResult(n, f"{n:04d}", one, State.FINISHED, metric, repeat=(n + 1) // 2, started=n,
                    ended=n + 1.0)
        for n, (one, metric) in enumerate(
            zip([Arm(()).params, params] * 3, [0.9, 0.5, 0.8, 0.45, 0.85, 0.47], strict=True), 1
        )
    )  # fmt: skip
    for kind in (AblationResult, LagomAblationResult):
        made = kind("a", "ablation", "/a", State.FINISHED, Direction.MAX, trials[0], trials, 1.0)
        shown = made._repr_html_()
        assert '<th scope="row">feature age &lt;b&gt;</th><td>0.377</td>' in shown
        assert "matters at 3 repeats" in shown
        assert "<svg" in shown
        assert "<b>age" not in shown
        failed = kind("a", "ablation", "/a", State.FAILED, Direction.MAX, None, (), 1.0)
        assert "<svg" not in failed._repr_html_()


def with_unknown_feature():
    made = study(model=False)
    made.features.include("fair")
    return made


def without_dataset():
    made = AblationStudy()
    made.features.include("age")
    return made


def without_model():
    made = AblationStudy()
    made.model.layers.include("two")
    return made


def with_wrong_generator():
    made = without_model()
    made.model.set_base_model_generator(lambda units: units)
    return made


@pytest.mark.parametrize(
    ("args", "given", "kind", "said"),
    [
        ((train, study()), {"repeats": 0}, InvalidArgumentError, "^repeats: "),
        ((train, study()), {"interactions": 3}, InvalidArgumentError, "interactions: must be 1 or"),
        ((train, study()), {"adapt": 1}, InvalidArgumentError, "adapt: must be True or False"),
        ((train, None), {}, InvalidArgumentError, "study: must be an AblationStudy"),
        ((train, "nothing:here"), {}, FunctionNotFoundError, "study: "),
        ((train, AblationStudy()), {}, InvalidArgumentError, "it leaves nothing out"),
        ((train, 7), {}, InvalidArgumentError, "study: must be an AblationStudy"),
        ((train, study()), {"sequential": 1}, InvalidArgumentError, "sequential: must be True or"),
        ((train, study()), {"sequential": True, "repeats": 1}, InvalidArgumentError, "at least 2"),
        (
            (train, study()),
            {"sequential": True, "interactions": 2},
            InvalidArgumentError,
            "all arms of a pair need the same repeats",
        ),
        ((of_rate, study()), {"around": SEARCH}, InvalidArgumentError, "leaves out no parts"),
        ((of_rate,), {"around": SEARCH, "adapt": True}, InvalidArgumentError, "^adapt: "),
        ((of_rate,), {"around": SEARCH, "interactions": 2}, InvalidArgumentError, "^interactions"),
        ((of_rate,), {"around": 7}, InvalidArgumentError, "must be the result of a search"),
        ((of_rate,), {"around": SEARCH}, InvalidArgumentError, "must be an experiment of"),
        ((of_data, with_unknown_feature()), {}, InvalidArgumentError, "did you mean fare"),
        ((of_data, without_dataset()), {}, InvalidArgumentError, "no dataset to leave features"),
        ((train, study(model=False)), {}, InvalidArgumentError, "it has no base model"),
        ((train, without_model()), {}, InvalidArgumentError, "it has no base model"),
        ((of_data, study()), {}, SignatureMismatchError, "must have model_function"),
        ((train, with_wrong_generator()), {}, SignatureMismatchError, "base_model_generator: "),
        ((of_data, study(model=False)), {"seed": -1}, InvalidArgumentError, "^seed: "),
    ],
)
def test_a_wrong_call_is_an_error_before_anything_starts(args, given, kind, said):
    with pytest.raises(kind, match=said):
        experiment.ablation(*args, **given)
