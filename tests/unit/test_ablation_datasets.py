"""Features that are left out of datasets are gone, and what else was there stays."""

from __future__ import annotations

import pickle
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_iris

from hopsml_flows import AblationStudy
from hopsml_flows.ablation.ablated_function import AblatedFunction, check_function
from hopsml_flows.ablation.arms import arms_of
from hopsml_flows.ablation.datasets import DatasetFunction, feature_names, without_features
from hopsml_flows.ablation.generators import check_generator
from hopsml_flows.ablation.inspection import check_parts, inspect_study
from hopsml_flows.errors import AblationError, InvalidArgumentError, SignatureMismatchError
from hopsml_flows.execution.returned import Returned

NAMES = ["age", "fare", "sex"]
TABLE = pd.DataFrame({"age": [22, 38], "fare": [7.25, 71.28], "sex": [0, 1], "survived": [0, 1]})
ARRAY = TABLE[NAMES].to_numpy()
LABEL = TABLE["survived"].to_numpy()


class Split(NamedTuple):
    train: Any
    test: Any


def without_fare(data, **given):
    return without_features(data, ["fare"], **given)


def test_a_column_of_a_data_frame_is_gone_and_the_frame_stays():
    left = without_fare(TABLE)
    assert list(left.columns) == ["age", "sex", "survived"]
    assert "fare" in TABLE.columns
    assert left["age"].tolist() == [22, 38]


@pytest.mark.parametrize("shape", [tuple, list, Split._make])
def test_parts_of_a_dataset_all_lose_it(shape):
    left = without_fare(shape([(TABLE, LABEL), (TABLE[:1], LABEL[:1])]))
    assert type(left) is type(shape([1, 2]))
    for table, label in left:
        assert "fare" not in table.columns
        assert len(table) == len(label)


def test_a_dict_of_parts_and_a_dict_of_columns_lose_it():
    columns = {"age": [1, 2], "fare": [3, 4], "label": [0, 1]}
    assert without_fare(columns) == {"age": [1, 2], "label": [0, 1]}
    left = without_fare({"train": TABLE, "test": (columns, [0, 1])})
    assert "fare" not in left["train"].columns
    assert left["test"] == ({"age": [1, 2], "label": [0, 1]}, [0, 1])
    left = without_fare({"x": ARRAY, "y": LABEL}, names=NAMES)
    assert left["x"].tolist() == TABLE[["age", "sex"]].to_numpy().tolist()
    assert left["y"] is LABEL


def test_rows_as_dicts_lose_it():
    rows = TABLE.to_dict("records")
    assert all("fare" not in row and "age" in row for row in without_fare(rows))


def test_a_column_of_an_array_with_names_is_gone():
    x, y = without_features((ARRAY, LABEL), ["age", "sex"], NAMES)
    assert x.tolist() == [[7.25], [71.28]]
    assert y is LABEL
    images = np.zeros((4, 5, 3))
    assert without_fare(images, names=NAMES).shape == (4, 5, 2)


def test_a_field_of_a_structured_array_is_gone_from_its_bytes_too():
    array = np.array([(22, 7.25), (38, 71.28)], dtype=[("age", "i4"), ("fare", "f8")])
    left = without_fare(array)
    assert left.dtype.names == ("age",)
    assert left.dtype.itemsize == 4
    assert np.float64(71.28).tobytes() not in left.tobytes()


def test_datasets_of_scikit_learn_have_names_of_their_own():
    iris = load_iris()
    left = without_features(iris, ["petal width (cm)"])
    assert type(left) is type(iris)
    assert left.data.shape == (150, 3)
    assert left.feature_names == iris.feature_names[:3]
    assert left.target.shape == (150,)
    table = without_features(load_iris(as_frame=True), ["petal width (cm)"])
    assert list(table.data.columns) == iris.feature_names[:3]


def test_elements_of_an_iterator_lose_it_one_by_one():
    def batches():
        yield {"age": 1, "fare": 2}, 0
        yield {"age": 3}, 1

    left = without_fare(batches())
    assert next(left) == ({"age": 1}, 0)
    with pytest.raises(AblationError, match="feature 'fare' is not in the dataset, which has age"):
        next(left)


def test_iterators_in_parts_of_a_dataset_lose_it():
    def rows(count=3):
        return ({"age": place, "fare": place, "on": 1} for place in range(count))

    assert feature_names((rows(), rows())) == ["age", "fare", "on"]
    left = without_fare({"train": rows(), "test": (rows(), 0), "none": rows(0)})
    assert list(left["train"]) == [{"age": place, "on": 1} for place in range(3)]
    assert [list(one) for one in left["test"][0]] == [["age", "on"]] * 3
    assert list(left["none"]) == []


def test_a_study_of_an_iterator_is_checked_by_its_first_element():
    def rows():
        yield {"age": 1, "fare": 2}

    study = AblationStudy(dataset_generator=rows)
    study.features.include("fare")
    inspect_study(study.parts(), elsewhere=False)
    study.features.include("fares")
    with pytest.raises(InvalidArgumentError, match=r"which has age, fare; did you mean fare\?"):
        inspect_study(study.parts(), elsewhere=False)
    study.set_dataset(rows())
    with pytest.raises(InvalidArgumentError, match="an iterator gives its elements once"):
        check_parts(study.parts())


def test_a_column_may_be_a_list_of_numbers_of_numpy():
    columns = {"age": list(ARRAY[:, 0]), "fare": list(ARRAY[:, 1])}
    assert feature_names(columns) == ["age", "fare"]
    assert without_fare((columns, list(LABEL))) == ({"age": [22, 38]}, [0, 1])


def test_what_has_no_such_feature_or_no_names_is_an_error():
    with pytest.raises(
        AblationError, match="which has age, fare, sex, survived; did you mean fare"
    ):
        without_features(TABLE, ["Fair"])
    with pytest.raises(AblationError, match="without names: give feature_names= of its columns"):
        without_fare((ARRAY, LABEL))
    with pytest.raises(AblationError, match="without names"):
        without_fare((ARRAY[:, :2], LABEL), names=NAMES)


def test_a_label_with_as_many_columns_is_not_taken_for_features():
    with pytest.raises(AblationError, match="one of them may be the label"):
        without_fare((ARRAY, np.eye(3)[:2]), names=NAMES)
    study = AblationStudy(feature_names=NAMES)
    study.set_dataset((ARRAY, np.eye(3)[:2]))
    study.features.include("age")
    with pytest.raises(InvalidArgumentError, match="'its dataset' cannot be used, because two arr"):
        check_parts(study.parts())
    left, label = without_fare((TABLE[NAMES], np.eye(3)[:2]))
    assert (left.shape, label.shape) == ((2, 2), (2, 3))


def test_without_features_to_leave_out_the_dataset_is_the_same_object():
    assert without_features(TABLE, []) is TABLE


@pytest.mark.parametrize(
    ("data", "given", "names"),
    [
        (TABLE, None, [*NAMES, "survived"]),
        ((ARRAY, LABEL), NAMES, NAMES),
        ((ARRAY, LABEL), None, []),
        ({"train": TABLE[NAMES], "test": TABLE[NAMES]}, None, NAMES),
    ],
)
def test_names_are_read_where_there_are_some(data, given, names):
    assert feature_names(data, given) == names


# Generators


def dataset_of(generator, features=("fare",), **given):
    study = AblationStudy("titanic", 2, "survived", generator, **given)
    study.features.include(*(features or ["age"]))
    return DatasetFunction(study.parts(), features)


def test_a_generator_gets_what_it_names():
    def by_name(training_dataset_name, training_dataset_version, *, batch_size, other=3):
        return TABLE.assign(told=f"{training_dataset_name} {training_dataset_version} {batch_size}")

    left = dataset_of(by_name)(5, 32)
    assert left["told"].tolist() == ["titanic 2 32"] * 2
    assert "fare" not in left.columns


def test_a_generator_of_maggy_gets_epochs_and_batch_size_in_order():
    def in_order(epochs, size):
        return {"fare": [epochs], "epochs": [epochs], "size": [size]}

    assert dataset_of(in_order)(5, 32) == {"epochs": [5], "size": [32]}
    assert dataset_of(in_order)(num_epochs=2, batch_size=8) == {"epochs": [2], "size": [8]}


def test_a_generator_that_returns_a_function_is_called_as_maggys_own():
    def make(ablated_feature=None):
        def create(num_epochs, batch_size):
            return {"told": [ablated_feature], "epochs": [num_epochs], "size": [batch_size]}

        return create

    assert dataset_of(make)(5, 32) == {"told": ["fare"], "epochs": [5], "size": [32]}
    assert dataset_of(make, ())(5, 32)["told"] == [None]


def test_a_generator_that_is_told_may_leave_it_out_or_not():
    def leaves(ablated_feature):
        return ARRAY if ablated_feature is None else np.delete(ARRAY, 1, axis=1)

    def forgets(ablated_feature):
        return TABLE

    assert dataset_of(leaves)().shape == (2, 2)
    assert "fare" not in dataset_of(forgets)().columns


def test_two_features_of_a_pair_are_told_as_a_list():
    def leaves(ablated_feature):
        return {"told": ablated_feature}

    assert dataset_of(leaves, ("fare", "age"))() == {"told": ["fare", "age"]}


def test_a_study_without_a_dataset_says_how_to_give_one():
    study = AblationStudy()
    study.features.include("age")
    with pytest.raises(AblationError, match=r"call study\.set_dataset_generator"):
        DatasetFunction(study.parts(), ["age"])()


def test_a_generator_that_needs_something_else_is_an_error():
    with pytest.raises(SignatureMismatchError, match="must have only arguments among num_epochs"):
        check_generator("dataset_generator", lambda path, num_epochs: 1, ["num_epochs"], 2)
    check_generator("dataset_generator", lambda *args, **kwargs: 1, ["num_epochs"], 2)
    check_generator("dataset_generator", lambda a, b: 1, ["num_epochs"], 2)


def test_features_of_data_in_memory_are_checked_with_the_nearest_name():
    study = AblationStudy()
    study.set_dataset(TABLE)
    study.features.include("ages")
    with pytest.raises(InvalidArgumentError, match=r"did you mean age\?; got 'ages'"):
        check_parts(study.parts())
    study = AblationStudy(feature_names=NAMES)
    study.set_dataset((ARRAY, LABEL))
    study.features.include("sex")
    check_parts(study.parts())


def test_features_of_a_configurations_datasets_are_checked_too():
    study = AblationStudy().configured({"dataset": [TABLE, TABLE[:1]]})
    study.features.include("fares")
    with pytest.raises(InvalidArgumentError, match=r"did you mean fare\?; got 'fares'"):
        check_parts(study.parts())
    study.features.exclude("fares")
    study.features.include("fare")
    check_parts(study.parts())
    arrays = AblationStudy(feature_names=NAMES).configured({"dataset": [ARRAY, ARRAY]})
    arrays.features.include("sex")
    check_parts(arrays.parts())


# Training functions


def function_of(train, study, **given):
    parts = study.parts()
    return AblatedFunction(train, parts, arms_of(study.components, **given))


def of_table():
    study = AblationStudy()
    study.set_dataset(TABLE)
    study.features.include("age", "fare")
    return study


def test_the_training_function_gets_the_dataset_of_its_arm():
    def train(dataset_function):
        return list(dataset_function(1, 32).columns)

    function = function_of(train, pickle.loads(pickle.dumps(of_table())))
    assert function(ablated_feature="None", ablated_layer="None") == [*NAMES, "survived"]
    assert function(ablated_feature="fare", ablated_layer="None") == ["age", "sex", "survived"]


@pytest.mark.parametrize("is_given", [False, True])
def test_what_a_trial_does_to_a_dataset_in_memory_does_not_reach_the_next(is_given):
    def train(dataset_function, dataset):
        table, array = dataset if is_given else dataset_function()
        array += 1
        return int(table.pop("fare").iloc[0] + array[0, 0])

    data = [TABLE.copy(), np.zeros((2, 2))]
    study = AblationStudy()
    study.features.include("age")
    study.model.add_custom_model_generator(dict, "other")
    if is_given:
        study = study.configured({"dataset": data})
    else:
        study.set_dataset(data)
    function = function_of(train, study)
    arms = arms_of(study.components)
    assert [function(**arm.params) for arm in arms] == [8, 8, 8]
    assert data[0].equals(TABLE)
    assert not data[1].any()


def test_the_training_function_gets_what_it_names_in_any_style():
    def train(hparams, ablated_feature, reporter, extra=3):
        return hparams["dataset_function"]().shape[1], hparams["ablated_feature"], reporter, extra

    function = function_of(train, of_table())
    returned = function(ablated_feature="age", ablated_layer="None", reporter="r")
    assert returned == (3, "age", "r", 3)


def test_the_datasets_of_a_configuration_lose_the_feature_too():
    def train(train_set, test_set, dataset, model):
        return list(train_set.columns), list(test_set.columns), len(dataset), model

    study = AblationStudy().configured({"dataset": [TABLE, TABLE[:1]]})
    study.features.include("fare")
    left = ["age", "sex", "survived"]
    function = function_of(train, study)
    returned = function(ablated_feature="fare", ablated_layer="None")
    assert returned == {"metric": left, "returned": [left, left, 2, None]}


class Linear:
    """Looks like a fitted linear model of scikit-learn."""

    coef_ = np.zeros((2, 3))


def test_a_trial_tells_how_many_parameters_its_model_has_beside_what_was_returned():
    def train(model_function):
        model_function()
        return 0.5

    study = AblationStudy()
    study.model.set_base_model_generator(Linear)
    study.model.add_custom_model_generator(lambda: "none", "uncounted")
    function = function_of(train, study)
    base = {"ablated_feature": "None", "ablated_layer": "None"}
    assert function(**base) == Returned(0.5, {"parameters": 6})
    assert function(**{**base, "ablated_layer": "Custom model: uncounted"}) == 0.5


@pytest.mark.parametrize(
    ("train", "said"),
    [
        (lambda: 1, "must have dataset_function or model_function"),
        (lambda model_function: 1, "must have dataset_function as an argument"),
        (lambda dataset_function, rate: 1, "must have only arguments among dataset_function"),
        (lambda dataset: 1, "the configuration has no dataset"),
    ],
)
def test_functions_that_would_train_the_same_in_all_arms_are_errors(train, said):
    with pytest.raises(SignatureMismatchError, match=said):
        check_function(train, of_table().parts())


def test_a_function_that_ignores_the_model_is_an_error_where_layers_are_left_out():
    study = AblationStudy()
    study.model.layers.include("two")
    with pytest.raises(SignatureMismatchError, match="must have model_function as an argument"):
        check_function(lambda dataset_function: 1, study.parts())
