"""Which configurations of an earlier search a new one begins with."""

from __future__ import annotations

import pytest

from hopsml_flows.search import Categorical, Direction, Float, Int, SearchSpace
from hopsml_flows.trials import Past, chosen

SPACE = SearchSpace({"rate": Float(0.01, 1.0, log=True), "act": Categorical(["relu", "tanh"])})


def past(*trials):
    return [Past(f"{n:04d}", params, metric) for n, (params, metric) in enumerate(trials, 1)]


def choose(trials, space=SPACE, **options):
    return chosen(trials, space, **{"direction": Direction.MAX, "most": 2, **options})


TRIALS = past(
    ({"rate": 0.1, "act": "relu"}, 0.5),
    ({"rate": 0.2, "act": "tanh"}, 0.9),
    ({"rate": 0.3, "act": "relu"}, 0.7),
    ({"rate": 0.4, "act": "relu"}, 0.1),
)


def test_the_best_ones_are_taken_the_best_first():
    assert choose(TRIALS).trials == ("0002", "0003")
    assert choose(TRIALS, direction=Direction.MIN).trials == ("0004", "0001")
    assert choose(TRIALS).configurations[0] == {"rate": 0.2, "act": "tanh"}
    assert choose(TRIALS, most=0).trials == ()
    assert choose([]).trials == ()


def test_of_equal_ones_the_first_is_taken():
    equal = past(*[({"rate": rate, "act": "relu"}, 1.0) for rate in (0.5, 0.6, 0.7)])
    assert choose(reversed(equal)).trials == ("0001", "0002")


def test_what_does_not_fit_is_named_with_its_reason_and_the_next_ones_are_taken():
    narrower = SearchSpace({"rate": Float(0.05, 0.35), "act": Categorical(["relu", "elu"])})
    seeds = choose(TRIALS, narrower)
    assert seeds.trials == ("0003", "0001")
    assert seeds.unfit == (("0002", "act='tanh' is outside"),)
    # What is worse than the last one that is taken would not have been taken anyway.
    assert choose(TRIALS, narrower, most=1).unfit == seeds.unfit
    assert choose(TRIALS, narrower, most=9).unfit == (
        ("0002", "act='tanh' is outside"),
        ("0004", "rate=0.4 is outside"),
    )


def test_a_gained_hyperparameter_had_the_functions_default():
    wider = SearchSpace({**SPACE, "units": Int(1, 64)})
    seeds = choose(TRIALS, wider, defaults={"units": 32, "other": object()})
    assert seeds.configurations[0] == {"rate": 0.2, "act": "tanh", "units": 32}
    assert list(seeds.configurations[0]) == list(wider)


@pytest.mark.parametrize(
    ("defaults", "reason"),
    [({}, "it has no units"), ({"units": 128}, "units=128 is outside")],
)
def test_a_gained_hyperparameter_without_a_default_in_the_space_fits_nothing(defaults, reason):
    wider = SearchSpace({**SPACE, "units": Int(1, 64)})
    seeds = choose(TRIALS, wider, defaults=defaults)
    assert seeds.trials == ()
    assert [why for _, why in seeds.unfit] == [reason] * 4


def test_a_lost_hyperparameter_is_left_out_and_named():
    only = SearchSpace({"act": ["relu", "tanh"]})
    seeds = choose(TRIALS, only)
    assert seeds.configurations == ({"act": "tanh"}, {"act": "relu"})
    assert seeds.trials == ("0002", "0003")
    assert seeds.left_out == ("rate",)


def test_no_configuration_is_taken_twice_nor_one_that_is_taken_already():
    twice = [*TRIALS, Past("0005", {"rate": 0.2, "act": "tanh"}, 0.8)]
    assert choose(twice).trials == ("0002", "0003")
    taken = [{"act": "tanh", "rate": 0.2}]
    assert choose(twice, taken=taken).trials == ("0003", "0001")


def test_values_are_those_of_the_space():
    space = SearchSpace({"rate": Float(0, 2), "size": Categorical([(1, 2), (3, 4)])})
    seeds = choose(past(({"rate": 1, "size": [3, 4]}, 1.0)), space)
    assert repr(seeds.configurations) == "({'rate': 1.0, 'size': (3, 4)},)"
    integers = SearchSpace({"rate": Int(0, 2), "size": Categorical([(1, 2), (3, 4)])})
    assert choose(past(({"rate": 1.0, "size": [3, 4]}, 1.0)), integers).trials == ()


def test_a_metric_that_is_no_number_is_the_worst():
    assert choose([Past("0000", TRIALS[0].params, float("nan")), *TRIALS]).trials[0] == "0002"
