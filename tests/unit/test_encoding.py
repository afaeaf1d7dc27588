from __future__ import annotations

import math

import numpy as np
import pytest

from hopsml_flows.search import Categorical, Float, Int, SearchSpace
from hopsml_flows.search.encoding import UnitCube

NARROW = [
    Int(2**62, 2**62 + 100, log=True),
    Int(2**63 - 2, 2**63 - 1, log=True),
    Float(1e300, math.nextafter(1e300, math.inf), log=True),
    Float(0.1, math.nextafter(0.1, 1.0), log=True),
]
"""Scales of which both ends have one logarithm."""

DOMAINS = [
    Float(-2.0, 3.0),
    Float(1e-5, 1e-1, log=True),
    Int(-3, 8),
    Int(1, 1000, log=True),
    Categorical(["a", "b", "c"]),
    Categorical([True, False]),
    Categorical([1, True, 1.0, None, "1", [1]]),
    *NARROW,
]
DOMAIN = pytest.mark.parametrize("domain", DOMAINS, ids=repr)


def cube_of(domain):
    return UnitCube(SearchSpace({"x": domain}))


def value_at(domain, place):
    return cube_of(domain).params(np.array([place]))["x"]


@DOMAIN
def test_every_place_stands_for_a_python_value_of_the_domain(domain):
    for place in (0.0, 1e-300, 0.1, 0.5, 0.9999999999999999, 1.0):
        value = value_at(domain, place)
        assert value in domain
        assert not isinstance(value, np.generic)


@pytest.mark.parametrize(
    ("domain", "low", "high"),
    [
        (Float(-2.0, 3.0), -2.0, 3.0),
        (Float(1e-5, 1e-1, log=True), 1e-5, 1e-1),
        (Float(5e-324, 1.7e308, log=True), 5e-324, 1.7e308),
        (Int(-3, 8), -3, 8),
        (Int(1, 1000, log=True), 1, 1000),
        (Int(-(2**63), 2**63 - 1), -(2**63), 2**63 - 1),
        (Categorical(["a", "b", "c"]), "a", "c"),
    ],
    ids=repr,
)
def test_the_ends_of_the_cube_are_the_ends_of_the_domain(domain, low, high):
    ends = value_at(domain, 0.0), value_at(domain, 1.0)
    if isinstance(domain, Float):
        assert ends == pytest.approx((low, high))
    else:
        assert ends == (low, high)
    assert value_at(domain, 0.0) in domain
    assert value_at(domain, 1.0) in domain


def test_the_middle_of_a_log_scale_is_the_geometric_mean():
    assert value_at(Float(1e-5, 1e-1, log=True), 0.5) == pytest.approx(1e-3)
    assert value_at(Float(-2.0, 3.0), 0.5) == 0.5
    assert value_at(Int(1, 1000, log=True), 0.5) in (22, 23)


@DOMAIN
def test_a_value_becomes_a_place_and_the_same_value_again(domain):
    cube = cube_of(domain)
    rng = np.random.default_rng(1)
    for _ in range(50):
        value = domain.sample(rng)
        (place,) = vector = cube.vector({"x": value})
        assert 0.0 <= place <= 1.0
        back = cube.params(vector)["x"]
        assert type(back) is type(value)
        assert back == (pytest.approx(value, rel=1e-9) if isinstance(value, float) else value)


@pytest.mark.parametrize("domain", [d for d in DOMAINS if not isinstance(d, Float)], ids=repr)
def test_all_of_a_cell_snaps_to_one_place_that_keeps_its_value(domain):
    cube = cube_of(domain)
    vectors = np.linspace(0.0, 1.0, 501)[:, None]
    snapped = cube.snapped(vectors)
    places = {}
    for vector, moved in zip(vectors, snapped, strict=True):
        value = cube.params(vector)["x"]
        assert repr(cube.params(moved)["x"]) == repr(value)
        places.setdefault(repr(value), set()).add(float(moved[0]))
    assert all(len(of_value) == 1 for of_value in places.values())
    # A configuration has one vector, whichever way it came about.
    for moved in snapped:
        assert cube.vector(cube.params(moved)) == pytest.approx(moved, abs=1e-12)


def test_snapping_leaves_continuous_coordinates_and_its_argument_alone():
    space = SearchSpace({"a": [0.0, 1.0], "b": Float(1.0, 9.0, log=True), "c": ["x", "y"]})
    vectors = np.array([[0.123, 0.456, 0.2], [0.9, 0.0, 0.51]])
    kept = vectors.copy()
    snapped = UnitCube(space).snapped(vectors)
    assert (vectors == kept).all()
    assert (snapped[:, :2] == kept[:, :2]).all()
    assert snapped[:, 2].tolist() == [0.25, 0.75]


@pytest.mark.parametrize(
    "domain", [Int(-3, 8), Categorical(["a", "b", "c"]), Categorical([True, False])], ids=repr
)
def test_cells_are_equally_wide(domain):
    count = 120 * domain.cardinality
    values = [repr(value_at(domain, (i + 0.5) / count)) for i in range(count)]
    assert {values.count(value) for value in set(values)} == {120}
    assert len(set(values)) == domain.cardinality


def test_cells_of_a_log_scale_are_as_wide_as_their_share_of_it():
    domain = Int(1, 8, log=True)
    values = [value_at(domain, (i + 0.5) / 10_000) for i in range(10_000)]
    whole = math.log(8.5 / 0.5)
    for value in range(1, 9):
        share = math.log((value + 0.5) / (value - 0.5)) / whole
        assert values.count(value) / 10_000 == pytest.approx(share, abs=0.001)


def test_coordinates_come_in_the_order_of_the_space():
    space = SearchSpace({"b": [0.0, 1.0], "a": ["x", "y", "z"], "c": [1, 4]})
    cube = UnitCube(space)
    assert cube.size == 3
    assert cube.categories.tolist() == [0, 3, 0]
    assert cube.params(np.array([0.25, 0.99, 0.0])) == {"b": 0.25, "a": "z", "c": 1}
    assert list(cube.params(np.zeros(3))) == ["b", "a", "c"]
    # The order of a dict that was read from a file does not matter.
    shuffled = cube.vector({"c": 1, "b": 0.25, "a": "z"})
    assert shuffled == pytest.approx(cube.vector({"b": 0.25, "a": "z", "c": 1}))


def test_numpy_scalars_have_the_place_of_the_number_they_hold():
    cube = UnitCube(SearchSpace({"x": [0.0, 1.0], "n": [1, 4]}))
    plain = cube.vector({"x": 0.25, "n": 2})
    assert (cube.vector({"x": np.float64(0.25), "n": np.int16(2)}) == plain).all()


def test_a_value_that_is_no_choice_is_an_error_that_names_it():
    with pytest.raises(ValueError, match="'d' is not one of"):
        cube_of(Categorical(["a", "b"])).vector({"x": "d"})


def test_a_choice_that_is_no_number_has_a_place():
    domain = Categorical([1.0, math.nan, None])
    cube = cube_of(domain)
    for place, choice in enumerate(domain.choices):
        vector = cube.vector({"x": choice})
        assert vector == pytest.approx([(place + 0.5) / 3])
        assert cube.params(vector)["x"] is choice
    assert cube.vector({"x": float("nan")}) == pytest.approx([0.5])


def test_fixed_values_have_no_coordinate_and_are_in_every_configuration():
    space = SearchSpace(
        {"a": Float(0.1, 0.1), "x": [0.0, 1.0], "b": Int(3, 3, log=True), "c": Categorical(["d"])}
    )
    cube = UnitCube(space)
    assert (cube.size, cube.categories.tolist()) == (1, [0])
    params = cube.params(np.array([0.25]))
    assert params == {"a": 0.1, "x": 0.25, "b": 3, "c": "d"}
    assert list(params) == list(space)
    assert cube.vector(params).tolist() == [0.25]


def test_a_space_of_fixed_values_alone_has_a_cube_without_coordinates():
    cube = UnitCube(SearchSpace({"a": [0.1], "b": [3, 3]}))
    assert cube.size == 0
    assert cube.params(np.zeros(0)) == {"a": 0.1, "b": 3}
    assert cube.vector({"a": 0.1, "b": 3}).shape == (0,)
    assert cube.snapped(np.zeros((4, 0))).shape == (4, 0)
