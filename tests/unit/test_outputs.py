from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from collections import OrderedDict
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hopsml_flows.errors import InvalidOutputError
from hopsml_flows.trials import checked_outputs
from hopsml_flows.values.plain import json_value

NAN, INF = math.nan, math.inf


@pytest.fixture
def warnings():
    """Takes the warnings of a trial."""
    return []


@pytest.mark.parametrize(
    ("returned", "metric"),
    [
        (0.5, 0.5),
        (3, 3.0),
        (-2.5, -2.5),
        (np.float64(0.5), 0.5),
        (np.float32(0.5), 0.5),
        (np.int64(3), 3.0),
        (np.longdouble(0.5), 0.5),
        (np.array(0.5), 0.5),
    ],
)
def test_a_number_becomes_the_metric(returned, metric):
    outputs, found = checked_outputs(returned, key="metric", required=True)
    assert outputs == {"metric": metric}
    assert found == metric
    assert type(found) is float
    assert json.loads(json.dumps(outputs)) == outputs


def test_a_number_is_the_metric_whatever_the_optimization_key():
    assert checked_outputs(0.5, key="accuracy", required=True) == ({"metric": 0.5}, 0.5)


def test_the_optimization_key_picks_the_metric_from_a_dict():
    outputs, metric = checked_outputs(
        {"loss": np.float32(0.25), "accuracy": 0.5, "history": [np.float64(0.5), 1]},
        key="accuracy",
        required=True,
    )
    assert metric == 0.5
    assert outputs == {"loss": 0.25, "accuracy": 0.5, "history": [0.5, 1]}


def test_any_mapping_will_do():
    assert checked_outputs(OrderedDict(metric=1), key="metric", required=True)[1] == 1.0


def test_a_one_key_dict_needs_no_optimization_key():
    outputs, metric = checked_outputs({"accuracy": 0.5}, key="metric", required=True)
    assert (outputs, metric) == ({"accuracy": 0.5}, 0.5)


def test_a_one_key_dict_with_another_key_than_the_named_one_is_refused():
    with pytest.raises(InvalidOutputError, match=r"lacks the optimization key 'f1'.*accuracy"):
        checked_outputs({"accuracy": 0.5}, key="f1", required=True)


def test_a_dict_that_lacks_the_key_is_refused_naming_what_it_has():
    with pytest.raises(InvalidOutputError, match=r"'metric'.*\['accuracy', 'loss'\]"):
        checked_outputs({"loss": 1, "accuracy": 0.5}, key="metric", required=True)


def test_an_empty_dict_is_refused_where_a_metric_is_needed():
    with pytest.raises(InvalidOutputError, match="lacks"):
        checked_outputs({}, key="metric", required=True)


@pytest.mark.parametrize("value", [NAN, INF, -INF, np.float32("nan"), np.array(np.inf)])
@pytest.mark.parametrize("required", [True, False])
def test_a_metric_that_is_not_finite_is_refused_saying_so(value, required):
    for returned in (value, {"metric": value, "other": 1}):
        with pytest.raises(InvalidOutputError, match=r"'metric' is .*must be a finite number"):
            checked_outputs(returned, key="metric", required=required)


def test_a_returned_number_that_is_not_finite_is_named_as_the_user_names_it():
    with pytest.raises(InvalidOutputError, match=r"^the metric 'accuracy' is NaN"):
        checked_outputs(NAN, key="accuracy", required=True)


def test_an_integer_beyond_all_floats_is_no_finite_metric():
    with pytest.raises(InvalidOutputError, match="finite"):
        checked_outputs(10**400, key="metric", required=True)


def test_other_outputs_may_be_nan_and_stay_floats():
    returned = {
        "metric": 1,
        "loss": NAN,
        "best": np.float32("inf"),
        "curve": np.array([[1.0, -INF]]),
        "deep": {"said": "NaN", "is": (NAN,)},
    }
    outputs, metric = checked_outputs(returned, key="metric", required=True)
    assert repr(outputs) == repr(
        {
            "metric": 1,
            "loss": NAN,
            "best": INF,
            "curve": [[1.0, -INF]],
            "deep": {"said": "NaN", "is": [NAN]},
        }
    )
    assert metric == 1.0


def test_a_single_value_that_is_not_finite_stays_a_float_among_others():
    outputs, _ = checked_outputs([NAN, "NaN"], key=None, required=False)
    assert repr(outputs) == "{'metric': [nan, 'NaN']}"


@pytest.mark.parametrize(
    ("returned", "outputs"),
    [
        ({"metric": 1, 1: "a", "1": "b"}, {"metric": 1, "1": "a", "1_": "b"}),
        ({"metric": 1, "x": {1: 0, "1": 2}}, {"metric": 1, "x": {"1": 0, "1_": 2}}),
        ({"metric": 1, "_commit": 2}, {"metric": 1, "_commit_": 2}),
    ],
)
def test_outputs_whose_keys_clash_are_all_kept_with_a_warning(returned, outputs, warnings):
    found, metric = checked_outputs(returned, key="metric", required=True, warn=warnings.append)
    assert (found, metric) == (outputs, 1.0)
    [warning] = warnings
    assert "kept as" in warning


@pytest.mark.parametrize("value", ["0.9", "high", True, np.bool_(True), None, [0.9], {"x": 1}])
def test_a_metric_that_is_no_number_is_refused(value):
    with pytest.raises(InvalidOutputError, match="must be a number"):
        checked_outputs({"metric": value, "other": 1}, key="metric", required=True)


@pytest.mark.parametrize(
    "returned",
    [None, "0.9", True, [0.9], (0.9, 1), np.array([0.9, 1]), np.array([True]), object(), b"x"],
    ids=lambda value: type(value).__name__,
)
def test_a_search_needs_a_number_or_a_dict(returned):
    with pytest.raises(InvalidOutputError, match="must return a number, or a dict"):
        checked_outputs(returned, key="metric", required=True)


@pytest.mark.parametrize(
    ("returned", "outputs", "metric"),
    [
        (None, {"metric": None}, None),  # as in HopsML
        ({}, {}, None),
        ("done", {"metric": "done"}, None),
        ([0.1, 0.2], {"metric": [0.1, 0.2]}, None),
        ({"a": 1, "b": 2}, {"a": 1, "b": 2}, None),
        ({"a": 1}, {"a": 1}, 1.0),
        ({"a": "text"}, {"a": "text"}, None),
        (0.5, {"metric": 0.5}, 0.5),
    ],
)
def test_a_single_run_may_return_anything_json_holds(returned, outputs, metric):
    assert checked_outputs(returned, key=None, required=False) == (outputs, metric)


def test_a_single_run_that_names_a_key_must_return_it():
    with pytest.raises(InvalidOutputError, match="lacks"):
        checked_outputs({"a": 1, "b": 2}, key="c", required=False)


class Tensor:
    """The shape of a PyTorch tensor that needs a gradient, or lies on a GPU."""

    ndim = 1

    def numpy(self):
        raise RuntimeError("call detach() or cpu() first")

    def tolist(self):
        return [0.5, 1.5]


class EagerTensor:
    """The shape of TensorFlow's."""

    ndim = 1

    def numpy(self):
        return np.array([0.5, 1.5], dtype=np.float32)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Path("a") / "b", "a/b"),
        (np.arange(3), [0, 1, 2]),
        (np.array([[1.0, NAN]]), [[1.0, "NaN"]]),
        ((1, 2), [1, 2]),
        ({3}, [3]),
        ({1: {"x": np.int8(2)}}, {"1": {"x": 2}}),
        (pd.Series([1, 2]), [1, 2]),
        (-INF, "-Infinity"),
        (INF, "Infinity"),
        (True, True),
        (None, None),
        (np.str_("x"), "x"),
        (Tensor(), [0.5, 1.5]),
        (EagerTensor(), [0.5, 1.5]),
    ],
)
def test_values_become_what_json_knows(value, expected):
    got = json_value("x", value)
    assert got == expected
    assert json.loads(json.dumps(got, allow_nan=False)) == expected


class Rude:
    """Raises whatever is done with it."""

    def __repr__(self):
        raise RuntimeError("no")

    __str__ = tolist = __repr__


CYCLE: list = []
CYCLE.append(CYCLE)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (object(), "<object object at"),
        (len, "<built-in function len>"),
        (b"bytes", "b'bytes'"),
        (1j, "1j"),
        (np.complex128(1j), "np.complex128(1j)"),
        (np.array([object()]), "array([<object"),
        (np.datetime64("2026"), "np.datetime64('2026')"),
        (Decimal("0.1"), "Decimal('0.1')"),
        (Rude(), "<Rude, whose repr raised RuntimeError>"),
        (10**5000, "1000000"),
        (b"x\x1b[31m", "b'x"),
    ],
    ids=lambda value: type(value).__name__,
)
@pytest.mark.parametrize("required", [True, False])
def test_of_an_output_that_json_cannot_hold_the_text_is_kept(value, text, required, warnings):
    returned = {"metric": 0.5, "x": {"deep": [1, value]}, "y": 2}
    if isinstance(value, int):
        text = "<int, whose repr raised ValueError>"  # Python writes no integer of so many digits
    outputs, metric = checked_outputs(
        returned, key="metric", required=required, warn=warnings.append
    )
    assert metric == 0.5
    assert outputs["x"]["deep"][0] == 1
    assert outputs["x"]["deep"][1].startswith(text)
    assert outputs["y"] == 2
    json.dumps(outputs, allow_nan=False)
    [warning] = warnings
    assert "outputs['x']['deep'][1]" in warning
    assert "text is kept" in warning


def test_a_value_that_holds_itself_is_cut_where_it_is_deep(warnings):
    outputs, metric = checked_outputs(
        {"metric": 1, "x": CYCLE}, key="metric", required=True, warn=warnings.append
    )
    assert metric == 1.0
    json.dumps(outputs)
    assert len(warnings) == 1


def test_of_many_values_that_json_cannot_hold_a_few_are_named(warnings):
    values = [object() for _ in range(1000)]
    outputs, _ = checked_outputs(
        {"metric": 1, "x": values}, key="metric", required=True, warn=warnings.append
    )
    assert all(text.startswith("<object") for text in outputs["x"])
    assert len(warnings) == 11
    assert warnings[-1].startswith("990 more")


def test_what_a_single_run_returns_and_json_cannot_hold_is_kept_as_text(warnings):
    outputs, metric = checked_outputs(object(), key=None, required=False, warn=warnings.append)
    assert outputs["metric"].startswith("<object object at")
    assert metric is None
    assert len(warnings) == 1


def test_a_metric_that_json_cannot_hold_is_refused_with_its_own_type():
    with pytest.raises(InvalidOutputError, match=r"'metric' is Rude <Rude, .*must be a number"):
        checked_outputs({"metric": Rude(), "y": 1}, key="metric", required=True)


class Torch:
    """The shape of a PyTorch tensor of one element that needs a gradient."""

    def __init__(self, ndim):
        self.ndim = ndim

    def item(self):
        return 0.5

    def numpy(self):
        raise RuntimeError("call detach() first")


class OneEagerTensor:
    """The shape of TensorFlow's of one element."""

    ndim = 2

    def numpy(self):
        return np.array([[0.5]], dtype=np.float32)


@pytest.mark.parametrize(
    "value",
    [
        np.array(0.5),
        np.array([0.5]),
        np.array([[0.5]], dtype=np.float16),
        np.array([0.5], dtype=np.longdouble),
        pd.Series([0.5]),
        Torch(0),
        Torch(1),
        OneEagerTensor(),
        Decimal("0.5"),
        Fraction(1, 2),
    ],
    ids=lambda value: type(value).__name__,
)
@pytest.mark.parametrize("required", [True, False])
def test_an_array_of_one_element_is_a_metric(value, required):
    for returned in (value, {"metric": value, "y": 1}, {"metric": value}):
        outputs, metric = checked_outputs(returned, key="metric", required=required)
        assert metric == outputs["metric"] == 0.5
        assert type(outputs["metric"]) is type(metric) is float
    assert checked_outputs({"loss": value}, key=None, required=False) == ({"loss": 0.5}, 0.5)


REAL_LIBRARIES = """
import jax.numpy as jnp
import tensorflow as tf
from hopsml_flows.trials import checked_outputs

for value in (
    tf.constant(0.5),
    tf.constant([0.5]),
    tf.Variable(0.5),
    tf.Variable([[0.5]]),
    jnp.array(0.5),
    jnp.array([0.5]),
):
    for returned in (value, {"metric": value}, {"metric": value, "y": value}):
        outputs, metric = checked_outputs(returned, key="metric", required=True)
        assert metric == outputs["metric"] == 0.5, value
print("all are metrics")
"""


@pytest.mark.slow  # their import
def test_scalars_and_arrays_of_one_element_of_real_libraries_are_metrics():
    # In a process of its own: after JAX is imported, a process must not fork any more.
    done = subprocess.run(
        [sys.executable, "-c", REAL_LIBRARIES],
        capture_output=True,
        text=True,
        timeout=240,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert done.stdout == "all are metrics\n", done.stderr


@pytest.mark.parametrize(
    "value", [np.array([]), np.array(["0.5"]), np.array([True]), np.array([1j]), pd.Series([0, 1])]
)
def test_an_array_that_holds_no_single_number_is_no_metric(value):
    for returned in (value, {"metric": value, "y": 1}):
        with pytest.raises(InvalidOutputError, match=r"must (be|return) a number"):
            checked_outputs(returned, key="metric", required=True)


def test_other_arrays_of_one_element_stay_lists():
    outputs, _ = checked_outputs({"metric": 1, "x": np.array([2])}, key="metric", required=True)
    assert outputs == {"metric": 1, "x": [2]}


@pytest.mark.parametrize(
    "missing",
    [np.ma.masked, np.ma.array(0.5, mask=True), np.ma.array([0.5], mask=[True])],
    ids=["constant", "scalar", "array"],
)
def test_a_masked_metric_is_no_number(missing):
    with pytest.raises(InvalidOutputError, match="the metric 'accuracy' is Masked"):
        checked_outputs({"accuracy": missing}, key="accuracy", required=True)
    assert checked_outputs(np.ma.array(0.5, mask=False), key=None, required=True)[1] == 0.5


def test_the_warning_of_an_output_of_many_lines_has_one_line(warnings):
    frame = pd.DataFrame({"a": [1, 2]})
    checked_outputs(
        {"metric": 1, "frame": frame}, key="metric", required=True, warn=warnings.append
    )
    assert len(warnings) == 1
    assert "\n" not in warnings[0]
