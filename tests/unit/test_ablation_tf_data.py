"""Features that are left out of a ``tf.data.Dataset`` are in none of its elements."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from hopsml_flows.ablation.datasets import feature_names, without_features
from hopsml_flows.errors import AblationError

NAMES = ["age", "fare", "sex"]


def of_columns():
    columns = {"age": [22.0, 38.0, 4.0], "fare": [7.25, 71.28, 8.0]}
    return tf.data.Dataset.from_tensor_slices((columns, [0, 1, 1]))


def of_vectors():
    rows = np.arange(9.0).reshape(3, 3)
    return tf.data.Dataset.from_tensor_slices((rows, [0, 1, 1]))


@pytest.mark.parametrize("batched", [False, True])
def test_a_key_of_the_elements_is_gone_and_labels_stay(batched):
    dataset = of_columns().batch(2) if batched else of_columns()
    left = without_features(dataset, ["fare"])
    assert set(left.element_spec[0]) == {"age"}
    found = list(left.as_numpy_iterator())
    assert all(set(columns) == {"age"} for columns, _ in found)
    ages = np.concatenate([np.atleast_1d(columns["age"]) for columns, _ in found])
    labels = np.concatenate([np.atleast_1d(label) for _, label in found])
    assert (ages.tolist(), labels.tolist()) == ([22.0, 38.0, 4.0], [0, 1, 1])


def test_a_column_of_batches_is_gone_where_columns_have_names():
    left = without_features(of_vectors().batch(2), ["fare"], NAMES)
    (first, label), *_ = left.as_numpy_iterator()
    assert (first.tolist(), label.tolist()) == ([[0.0, 2.0], [3.0, 5.0]], [0, 1])
    # As many labels in a batch as there are names are no row of features.
    (_, label), *_ = without_features(
        of_vectors().batch(3, drop_remainder=True), ["fare"], NAMES
    ).as_numpy_iterator()
    assert label.tolist() == [0, 1, 1]
    with pytest.raises(AblationError, match="without names"):
        without_features(of_vectors().batch(2), ["fare"])


def test_vectors_that_are_not_batched_lose_it_too():
    left = without_features(of_vectors(), ["age", "sex"], NAMES)
    assert left.element_spec[0].shape == (1,)
    assert [row.tolist() for row, _ in left.as_numpy_iterator()] == [[1.0], [4.0], [7.0]]


def test_elements_that_are_no_pairs_lose_it():
    columns = of_columns().map(lambda columns, label: {**columns, "label": label})
    assert feature_names(columns) == ["age", "fare", "label"]
    assert set(without_features(columns, ["fare"]).element_spec) == {"age", "label"}


def test_both_of_a_training_and_a_test_dataset_lose_it():
    for left in without_features((of_columns(), of_columns().take(1)), ["fare"]):
        assert set(left.element_spec[0]) == {"age"}


def test_an_unknown_feature_is_an_error_that_names_what_is_there():
    with pytest.raises(AblationError, match="which has age, fare; did you mean fare"):
        without_features(of_columns(), ["fair"])
