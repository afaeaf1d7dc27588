from __future__ import annotations

import copy
import pickle

import pytest

from hopsml_flows import errors
from hopsml_flows.errors import (
    ExperimentFailedError,
    FunctionNotFoundError,
    HopsmlError,
    InvalidArgumentError,
    InvalidClusterError,
    InvalidFunctionError,
    InvalidOutputError,
    InvalidProjectError,
    InvalidSpaceError,
    NotInTrialError,
    PrefectServerError,
    SignatureMismatchError,
    TrialFailedError,
    UnknownArgumentError,
    WorkerLostError,
)

ARGUMENT_ERRORS = [
    InvalidArgumentError,
    InvalidFunctionError,
    FunctionNotFoundError,
    SignatureMismatchError,
    UnknownArgumentError,
    InvalidSpaceError,
    InvalidProjectError,
    InvalidClusterError,
]


@pytest.mark.parametrize(
    ("error", "builtin"),
    [
        (InvalidArgumentError, ValueError),
        (InvalidFunctionError, TypeError),
        (FunctionNotFoundError, ImportError),
        (SignatureMismatchError, TypeError),
        (UnknownArgumentError, TypeError),
        (InvalidSpaceError, ValueError),
        (InvalidProjectError, ValueError),
        (InvalidClusterError, ValueError),
        (InvalidOutputError, ValueError),
        (TrialFailedError, RuntimeError),
        (WorkerLostError, RuntimeError),
        (ExperimentFailedError, RuntimeError),
        (NotInTrialError, RuntimeError),
        (PrefectServerError, RuntimeError),
    ],
)
def test_every_error_is_also_the_builtin_a_caller_would_catch(error, builtin):
    assert issubclass(error, builtin)
    assert issubclass(error, HopsmlError)


def test_every_error_of_the_module_has_the_one_base():
    kinds = [getattr(errors, name) for name in errors.__all__ if name.endswith("Error")]
    assert all(issubclass(kind, HopsmlError) for kind in kinds)


@pytest.mark.parametrize("kind", ARGUMENT_ERRORS)
def test_an_argument_error_names_argument_value_and_what_is_allowed(kind):
    text = str(kind("samples", 0, "must be at least 1"))
    assert text == "samples: must be at least 1; got 0"


@pytest.mark.parametrize("kind", ARGUMENT_ERRORS)
def test_an_argument_error_survives_pickling_with_a_value_that_does_not(kind):
    error = kind("train", lambda: 0, "must be a function")
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is kind
    assert str(again) == str(error)
    assert again.argument == "train"
    assert again.must == "must be a function"


def test_an_argument_error_says_why_a_value_of_the_right_form_cannot_be_used():
    error = InvalidArgumentError("resume", "digits-1", because="it has no record")
    assert str(error) == "resume: 'digits-1' cannot be used, because it has no record"
    again = pickle.loads(pickle.dumps(error))
    assert str(again) == str(error)
    assert (again.must, again.because) == (None, "it has no record")


def test_an_argument_error_can_be_told_of_an_argument_of_another_name():
    error = InvalidArgumentError("low", 3, "must be below high")
    renamed = error.renamed("space['lr']", InvalidSpaceError)
    assert type(renamed) is InvalidSpaceError
    assert str(renamed) == "space['lr']: must be below high; got 3"
    assert type(error.renamed("lr")) is InvalidArgumentError


def test_an_argument_error_pickled_twice_still_says_the_same():
    error = InvalidSpaceError("a", "text", "must be a list")
    again = pickle.loads(pickle.dumps(pickle.loads(pickle.dumps(error))))
    assert str(again) == str(error) == "a: must be a list; got 'text'"


def test_an_argument_error_can_be_copied():
    error = InvalidSpaceError("a", [1], "must be longer")
    assert str(copy.copy(error)) == str(error)


def test_a_long_value_is_cut_in_the_message():
    text = str(InvalidArgumentError("values", list(range(10_000)), "must be short"))
    assert len(text) < 300
    assert text.endswith("(list)")


def test_a_value_whose_repr_fails_does_not_hide_the_error():
    class Broken:
        def __repr__(self):
            raise OSError("no repr")

    assert "Broken" in str(InvalidArgumentError("train", Broken(), "must be a function"))


@pytest.mark.parametrize("kind", [TrialFailedError, ExperimentFailedError])
def test_a_failure_carries_its_result_through_pickling(kind):
    again = pickle.loads(pickle.dumps(kind("all failed", {"number": 3})))
    assert type(again) is kind
    assert str(again) == "all failed"
    assert again.result == {"number": 3}
