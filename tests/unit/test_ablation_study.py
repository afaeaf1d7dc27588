"""Studies as users write them: what they include, in which order, and what is wrong at once."""

from __future__ import annotations

import pytest

from hopsml_flows import AblationStudy
from hopsml_flows.ablation.arms import Arm, arms_of
from hopsml_flows.ablation.components import BASE, label_of
from hopsml_flows.ablation.findings import Design
from hopsml_flows.ablation.result import pairs_among
from hopsml_flows.ablation.search import ArmsSearch, SequentialSearch
from hopsml_flows.ablation.sequential import SequentialRule
from hopsml_flows.ablation.structure import Structure, chain
from hopsml_flows.errors import AblationError, InvalidArgumentError, InvalidFunctionError
from hopsml_flows.trials import State, TrialResult


def titanic():
    study = AblationStudy("titanic_train_dataset", 1, "survived")
    study.features.include("pclass", "fare")
    study.features.include(["sex"])
    study.model.layers.include("my_dense_two", "my_dense_three", "my_dense_four", "my_dense_five")
    study.model.layers.include_groups(["my_dense_two", "my_dense_four"])
    study.model.layers.include_groups(prefix="my_dense")
    study.model.add_custom_model_generator(lambda: "wide", "wide")
    return study


TITANIC = [
    {"ablated_feature": "None", "ablated_layer": "None"},
    {"ablated_feature": "pclass", "ablated_layer": "None"},
    {"ablated_feature": "fare", "ablated_layer": "None"},
    {"ablated_feature": "sex", "ablated_layer": "None"},
    {"ablated_feature": "None", "ablated_layer": "my_dense_two"},
    {"ablated_feature": "None", "ablated_layer": "my_dense_three"},
    {"ablated_feature": "None", "ablated_layer": "my_dense_four"},
    {"ablated_feature": "None", "ablated_layer": "my_dense_five"},
    {"ablated_feature": "None", "ablated_layer": ["my_dense_two", "my_dense_four"]},
    {"ablated_feature": "None", "ablated_layer": "Layers prefixed my_dense"},
    {"ablated_feature": "None", "ablated_layer": "Custom model: wide"},
]


def test_the_base_comes_first_then_features_layers_groups_and_custom_models():
    assert [arm.params for arm in arms_of(titanic().components)] == TITANIC


def test_the_order_in_which_kinds_are_included_does_not_matter():
    study = AblationStudy()
    study.model.add_custom_model_generator(lambda: 1, "wide")
    study.model.modules.include("b", "d")
    study.model.layers.include_groups(prefix="b")
    study.model.layers.include_groups(["b", "c"])
    study.model.layers.include("c")
    study.features.include("x")
    assert [arm.label for arm in arms_of(study.components)] == [
        "base",
        "feature x",
        "layer c",
        "layers b, c",
        "layers prefixed b",
        "module: b to d",
        "custom model: wide",
    ]


def test_labels_are_those_of_the_hyperparameters_and_differ():
    arms = arms_of(titanic().components, interactions=2)
    labels = [arm.label for arm in arms]
    assert labels[0] == BASE
    assert len(set(labels)) == len(labels)
    assert labels == [label_of(arm.params) for arm in arms]


def test_pairs_leave_out_two_parts_that_share_nothing():
    labels = [arm.label for arm in arms_of(titanic().components, interactions=2)][11:]
    assert labels[:3] == ["feature pclass + fare", "feature pclass + sex",
                          "feature pclass + layer my_dense_two"]  # fmt: skip
    assert "layer my_dense_two + my_dense_three" in labels
    assert (
        "layer [my_dense_two, my_dense_four] + my_dense_three" not in labels
    )  # order of the study
    assert "layer my_dense_three + [my_dense_two, my_dense_four]" in labels
    assert "feature sex + custom model: wide" in labels
    within = [label for label in labels if "my_dense_two + [my_dense_two" in label]
    of_prefix = [label for label in labels if "my_dense_two + Layers prefixed" in label]
    of_custom = [label for label in labels if "my_dense_two + Custom" in label]
    assert within == of_prefix == of_custom == []


def test_a_result_knows_which_arms_are_pairs_of_which():
    arms = arms_of(titanic().components, interactions=2)
    trials = [TrialResult(n, "", arm.params, State.FINISHED) for n, arm in enumerate(arms, 1)]
    assert pairs_among(trials) == {
        arm.label: tuple(Arm((one,)).label for one in arm.components)
        for arm in arms
        if len(arm.components) == 2
    }


def test_every_repeat_trains_all_arms_in_order_and_has_its_number():
    arms = arms_of(titanic().components)
    asked = ArmsSearch(Design.of_arms(arms), repeats=3).ask()
    assert [proposal.params for proposal in asked] == TITANIC * 3
    assert [proposal.repeat for proposal in asked] == [1] * 11 + [2] * 11 + [3] * 11


def sequential(fails, *, most=5):
    """What a sequential study asks for, whose trials of some repeats and arms fail."""
    arms = {"base": {"x": 2}, "worse": {"x": 1}, "same": {"x": 0}}
    noise = {("worse", n): 0.1 * n for n in range(9)}
    search = SequentialSearch(Design(arms, {}, SequentialRule(least=2, most=most)))
    asked = []
    while not search.finished:
        proposals = search.ask()
        assert proposals
        for proposal in proposals:
            arm = next(name for name, params in arms.items() if params == proposal.params)
            asked.append((proposal.repeat, arm))
            if (proposal.repeat, arm) in fails:
                search.tell(proposal.id, failure="it fell over")
            else:
                cost = 5.0 if arm == "worse" else 0.0
                search.tell(proposal.id, 9.0 - cost - noise.get((arm, proposal.repeat), 0.0))
    return asked


FIRST_TWO = [(repeat, arm) for repeat in (1, 2) for arm in ("base", "worse", "same")]


def test_a_sequential_study_asks_again_for_the_arms_that_are_undecided():
    assert sequential(()) == [*FIRST_TWO, (3, "base"), (3, "worse")]


def test_a_trial_that_fails_costs_a_sequential_study_its_pair_only():
    # The third pair comes with the fourth repeat.
    fails = [(2, "worse")]
    assert sequential(fails) == [
        *FIRST_TWO, (3, "base"), (3, "worse"), (4, "base"), (4, "worse"),
    ]  # fmt: skip


def test_a_base_that_fails_costs_a_sequential_study_the_pairs_of_all_arms():
    asked = sequential([(1, "base")])
    assert asked[:6] == FIRST_TWO
    assert {arm for repeat, arm in asked if repeat == 3} == {"base", "worse", "same"}


def test_a_sequential_study_ends_if_its_base_or_all_trials_always_fail():
    of_base = [(repeat, "base") for repeat in range(1, 9)]
    everything = [(repeat, arm) for repeat in range(1, 9) for arm in ("base", "worse", "same")]
    assert sequential(of_base) == sequential(everything) == FIRST_TWO


def test_what_is_excluded_is_not_left_out(capsys):
    study = titanic()
    study.features.exclude("fare", ["sex"])
    study.model.layers.exclude(["my_dense_two", "my_dense_three", "my_dense_four"])
    study.model.layers.exclude_groups(["my_dense_four", "my_dense_two"], prefix="MY_dense")
    assert repr(study) == "AblationStudy(1 feature, 1 layer, 1 custom model)"
    study.features.list_all()
    study.model.layers.print_all()
    assert capsys.readouterr().out == "pclass\nmy_dense_five\n"


def test_groups_are_printed_as_files_name_them(capsys):
    titanic().model.layers.print_all_groups()
    printed = capsys.readouterr().out
    assert printed == "['my_dense_two', 'my_dense_four']\nLayers prefixed my_dense\n"


def test_a_study_that_is_changed_later_does_not_change_what_runs():
    study = titanic()
    parts = study.parts()
    study.features.include("age")
    study.model.add_custom_model_generator(lambda: 1, "deep")
    assert parts.features == ("pclass", "fare", "sex")
    assert list(parts.custom_models) == ["wide"]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda s: s.features.include("sex"), "features.include: 'sex' cannot be used, because it"),
        (lambda s: s.features.include("age", "age"), "it is included already"),
        (lambda s: s.features.include(), "must get at least one name"),
        (lambda s: s.features.include([]), "must not be an empty list"),
        (lambda s: s.features.include(3), "must be a name"),
        (lambda s: s.features.include("None"), "files of trials that leave nothing out say so"),
        (lambda s: s.features.exclude("age"), "must be included; included are"),
        (lambda s: s.model.layers.include("my_dense_two"), "it is included already"),
        (lambda s: s.model.layers.include_groups(), "must get lists of layers, or a prefix"),
        (lambda s: s.model.layers.include_groups([]), "must be a list of at least two layers"),
        (lambda s: s.model.layers.include_groups(["a"]), "layers.include.. takes one layer"),
        (lambda s: s.model.layers.include_groups(["a", "a"]), "must name each layer once"),
        (lambda s: s.model.layers.include_groups("ab"), "must be a list of at least two layers"),
        (
            lambda s: s.model.layers.include_groups(["my_dense_four", "my_dense_two"]),
            "it is included already",
        ),
        (lambda s: s.model.layers.include_groups(prefix="My_Dense"), "it is included already"),
        (lambda s: s.model.layers.include_groups(prefix=""), "prefix: must be a name"),
        (lambda s: s.model.modules.include("a", "a"), "begin and end with different layers"),
        (
            lambda s: s.model.add_custom_model_generator(lambda: 1, "wide"),
            "there is a custom model of this name",
        ),
        (lambda s: AblationStudy("a", 0), "training_dataset_version: must be"),
        (lambda s: AblationStudy(feature_names=["a", "a"]), "must name each column once"),
        (lambda s: AblationStudy(feature_names="ab"), "must be a list of names"),
        (lambda s: AblationStudy().parts(), "it leaves nothing out"),
        (lambda s: s.set_dataset(None), "must be a dataset"),
    ],
)
def test_wrong_names_are_errors_at_once(wrong, said):
    with pytest.raises(InvalidArgumentError, match=said):
        wrong(titanic())


@pytest.mark.parametrize(
    "wrong",
    [
        lambda s: s.set_dataset_generator("file.csv"),
        lambda s: s.model.set_base_model_generator(3),
        lambda s: s.model.add_custom_model_generator(None, "deep"),
    ],
)
def test_generators_must_be_functions(wrong):
    with pytest.raises(InvalidFunctionError, match="must be a function"):
        wrong(titanic())


def test_the_label_is_no_feature():
    study = titanic()
    study.features.include("survived")
    with pytest.raises(InvalidArgumentError, match="'survived' cannot be used, because it is the"):
        study.parts()


def test_components_whose_names_look_alike_are_an_error():
    study = AblationStudy()
    study.features.include("a", "b", "a + b")
    with pytest.raises(InvalidArgumentError, match="have this name"):
        arms_of(study.components, interactions=2)


SKIP = Structure(
    ("input", "one", "two", "three", "add", "last"),
    frozenset({"input", "one", "last"}),
    {
        "one": (("input",),),
        "two": (("one",),),
        "three": (("two",),),
        "add": (("one", "three"),),
        "last": (("add",),),
    },
)


def component(add):
    study = AblationStudy()
    add(study.model)
    (one,) = study.model
    return one


@pytest.mark.parametrize(
    ("add", "names"),
    [
        (lambda m: m.layers.include("two"), ("two",)),
        (lambda m: m.layers.include_groups(["three", "two"]), ("two", "three")),
        (lambda m: m.layers.include_groups(prefix="T"), ("two", "three")),
        (lambda m: m.modules.include("two", "add"), ("two", "three", "add")),
    ],
)
def test_components_mean_layers_in_the_models_order(add, names):
    assert SKIP.named(component(add)) == names


def test_a_prefix_leaves_the_first_and_the_last_layer():
    structure = chain(["dense_1", "dense_2", "dense_3"])
    assert structure.named(component(lambda m: m.layers.include_groups(prefix="dense"))) == (
        "dense_2",
    )


@pytest.mark.parametrize(
    ("add", "said"),
    [
        (lambda m: m.layers.include("Tow"), "has input, one, two, three, add, last; did you mean"),
        (lambda m: m.layers.include("last"), "must be a layer between the first and the last one"),
        (lambda m: m.layers.include("one"), "of two, three, add"),
        (lambda m: m.layers.include_groups(["two", "last"]), "between the first and the last"),
        (lambda m: m.layers.include_groups(prefix="la"), "must begin the name of a layer"),
        (lambda m: m.modules.include("three", "two"), "one that 'three' leads to"),
        (lambda m: m.modules.include("two", "nine"), "must be a layer of the base model"),
    ],
)
def test_layers_that_are_unknown_or_at_an_end_are_errors(add, said):
    with pytest.raises(InvalidArgumentError, match=said):
        SKIP.named(component(add))


def test_a_layer_that_merges_cannot_be_left_out_alone_but_with_its_way():
    with pytest.raises(AblationError, match="'add' cannot be left out alone: it merges one and th"):
        SKIP.check_sources(["add"])
    SKIP.check_sources(["two", "three", "add"])
