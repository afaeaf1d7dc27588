from __future__ import annotations

import numpy as np
import pytest

from hopsml_flows.values.plain import plain


@pytest.mark.parametrize(
    ("scalar", "kind", "value"),
    [
        (np.float64(0.5), float, 0.5),
        (np.float32(0.5), float, 0.5),
        (np.float16(0.5), float, 0.5),
        (np.longdouble(0.5), float, 0.5),
        (np.int64(3), int, 3),
        (np.uint8(3), int, 3),
        (np.bool_(True), bool, True),
        (np.str_("sgd"), str, "sgd"),
        (np.array(0.5), float, 0.5),
        (np.array(3), int, 3),
    ],
)
def test_a_numpy_scalar_becomes_the_python_value_it_holds(scalar, kind, value):
    got = plain(scalar)
    assert type(got) is kind
    assert got == value


@pytest.mark.parametrize("value", [1, 0.5, True, "sgd", None, [1], {"a": 1}, (1, 2)])
def test_a_python_value_stays_the_same_object(value):
    assert plain(value) is value


def test_an_array_with_dimensions_stays_an_array():
    array = np.array([0.5])
    assert plain(array) is array


def test_a_tensor_that_has_no_item_is_asked_for_its_numpy_value():
    class EagerTensor:  # the shape of TensorFlow's
        ndim = 0

        def numpy(self):
            return np.float32(0.25)

    got = plain(EagerTensor())
    assert type(got) is float
    assert got == 0.25
