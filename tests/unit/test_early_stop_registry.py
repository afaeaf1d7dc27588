from __future__ import annotations

import importlib
import threading

import pytest

from hopsml_flows.earlystop import Curve, EarlyStop, HalvingStop, MedianStop, Report
from hopsml_flows.errors import InvalidArgumentError
from hopsml_flows.trials.early_stop.registry import early_stop_rule, rule_settings


class Patience:
    """An own rule, without a direction."""

    def __init__(self, patience=3):
        self.patience = patience
        self.judged = []

    @property
    def settings(self):
        return {"patience": self.patience}

    def judge(self, trial, curve):
        self.judged.append(trial)

    def end(self, trial, curve):
        pass


class Quantile(Patience):
    def __init__(self, quantile, *, direction):
        super().__init__()
        self.quantile = quantile
        self.direction = direction


class Anything(Patience):
    def __init__(self, **arguments):
        super().__init__()
        self.arguments = arguments


class Locked(Patience):
    def __init__(self):
        super().__init__()
        self.lock = threading.Lock()


OWN_RULE = Patience(9)


def resolve(text):
    module, _, name = text.partition(":")
    return getattr(importlib.import_module(module), name)


@pytest.mark.parametrize(
    "value", [None, "none", "None", " NONE ", {"rule": "none"}, {"rule": None}]
)
def test_none_is_no_rule(value):
    assert early_stop_rule(value, direction="max") is None


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("median", "MedianStop(min_finished=10, interval=1, direction='MIN')"),
        ("Median", "MedianStop(min_finished=10, interval=1, direction='MIN')"),
        ("halving", "HalvingStop(min_reports=1, reduction_factor=2, direction='MIN')"),
        (MedianStop, "MedianStop(min_finished=10, interval=1, direction='MIN')"),
        (
            MedianStop(min_finished=3, direction="min"),
            "MedianStop(min_finished=3, interval=1, direction='MIN')",
        ),
        (
            {"rule": "median", "min_finished": 3, "interval": 2},
            "MedianStop(min_finished=3, interval=2, direction='MIN')",
        ),
        (
            {"rule": HalvingStop, "reduction_factor": 3},
            "HalvingStop(min_reports=1, reduction_factor=3, direction='MIN')",
        ),
        (
            "hopsml_flows.earlystop:HalvingStop",
            "HalvingStop(min_reports=1, reduction_factor=2, direction='MIN')",
        ),
    ],
)
def test_a_rule_is_made_for_the_experiments_direction(value, shown):
    rule = early_stop_rule(value, direction="min", resolve=resolve)
    assert isinstance(rule, EarlyStop)
    assert repr(rule) == shown


def test_an_own_class_gets_the_direction_if_it_takes_one():
    assert early_stop_rule(Patience, direction="min").patience == 3
    rule = early_stop_rule({"rule": Quantile, "quantile": 0.25}, direction="min")
    assert (rule.quantile, rule.direction) == (0.25, "MIN")
    assert early_stop_rule(Anything, direction="min").arguments == {"direction": "MIN"}


def test_an_import_string_names_a_class_or_a_rule():
    made = early_stop_rule(f"{__name__}:Patience", direction="max", resolve=lambda text: Patience)
    assert made.patience == 3
    given = early_stop_rule("package.rules:own", direction="max", resolve=lambda text: OWN_RULE)
    assert given.patience == 9
    with_arguments = {"rule": "file.py:Patience", "patience": 5}
    made = early_stop_rule(with_arguments, direction="max", resolve=lambda text: Patience)
    assert made.patience == 5


def test_a_rule_that_is_given_is_copied_with_what_it_knows():
    given = MedianStop(min_finished=0)
    curve = Curve()
    curve.add(Report(0.5, step=1))
    given.end(1, curve)
    first, second = (early_stop_rule(given, direction="max") for _ in range(2))
    low = Curve()
    low.add(Report(0.25, step=1))
    assert first.judge(2, low) is not None
    for trial in (3, 4, 5):
        first.end(trial, low)
    assert first.judge(6, low) is None  # the median is 0.25 now
    assert second.judge(2, low) is not None
    assert given.judge(2, low) is not None


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        (
            "medain",
            r"must be 'none', 'median', 'halving', .*\(did you mean 'median'\?\); got 'meda",
        ),
        ("halfing", r"\(did you mean 'halving'\?\); got 'halfing'"),
        ("hyperband", r"a rule, or its class; got 'hyperband'"),
        ("", r"a rule, or its class; got ''"),
        ("rules.py:Own", r"a rule, or its class; got 'rules.py:Own'"),  # nothing resolves it
        (True, r"must be a rule: have judge\(\) and end\(\); got True"),
        (0.5, r"must be a rule: have judge\(\) and end\(\); got 0.5"),
        (dict, r"must be a rule: have judge\(\) and end\(\); got <class 'dict'>"),
        ({"min_finished": 3}, r"must name the rule as 'rule'; got {'min_finished': 3}"),
        ({"rule": {"rule": "median"}}, r"must be a rule"),
        ({"rule": "none", "interval": 3}, r"must have a rule that takes arguments; None does not"),
        (
            {"rule": OWN_RULE, "patience": 3},
            r"must have a rule that takes arguments; <.*> does not",
        ),
        (
            {"rule": "median", "min_finshed": 3},
            r"cannot be used, because MedianStop\(.*min_finished.*\).*: got an unexpected keyword",
        ),
        (Quantile, r"because Quantile\(quantile, \*, direction\): missing a required argument"),
        (MedianStop(), r"must have the experiment's direction, 'MIN'; got MedianStop\("),
        ({"rule": "median", "direction": "max"}, r"must have the experiment's direction, 'MIN'"),
        (Locked(), r"cannot be used, because copying it raised TypeError: cannot pickle"),
    ],
)
def test_what_is_no_rule_is_an_error_that_says_what_is_one(value, complaint):
    with pytest.raises(InvalidArgumentError, match=rf"^early_stop: .*{complaint}"):
        early_stop_rule(value, direction="min")


def test_a_rules_own_complaint_is_passed_on():
    with pytest.raises(InvalidArgumentError, match=r"^interval: must be an integer of at least 1"):
        early_stop_rule({"rule": "median", "interval": 0}, direction="max")


@pytest.mark.parametrize(
    "value",
    [None, "median", "halving", MedianStop(min_finished=3), HalvingStop(min_reports=5)],
    ids=repr,
)
def test_what_the_record_says_of_a_rule_makes_it_again(value):
    rule = early_stop_rule(value, direction="max")
    again = early_stop_rule(rule_settings(rule), direction="max")
    assert repr(again) == repr(rule)


def test_the_record_names_own_rules_by_their_import_string():
    rule = Patience(5)
    default = {"rule": f"{__name__}:Patience", "patience": 5}
    assert rule_settings(rule) == default
    assert rule_settings(rule, "own/rules.py:Patience") == {
        **default,
        "rule": "own/rules.py:Patience",
    }
    named = {"rule": "own/rules.py:Patience", "patience": 5}
    assert rule_settings(rule, named) == named
    # Names of an instance, and the rule itself: the arguments go with the class.
    assert rule_settings(rule, "own/rules.py:OWN_RULE") == default
    assert rule_settings(rule, rule) == default

    class Unsaid:
        def judge(self, trial, curve):
            pass

        end = judge

    name = "test_the_record_names_own_rules_by_their_import_string.<locals>.Unsaid"
    assert rule_settings(Unsaid()) == {"rule": f"{__name__}:{name}"}
