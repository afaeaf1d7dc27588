"""What the Keras callbacks report and show, called by hand as Keras calls them."""

from __future__ import annotations

import math
import pickle

import numpy as np
import pytest

from hopsml_flows.callbacks import KerasBatchEnd, KerasEpochEnd, KerasReporter
from hopsml_flows.errors import InvalidArgumentError, InvalidReportError, NotInTrialError
from hopsml_flows.execution import running_trial
from tests import events
from tests.running import context_of

EPOCH = {"loss": 0.5, "accuracy": 0.75, "val_loss": 0.25, "val_accuracy": 1.0}
BATCH = {"loss": 0.5, "accuracy": 0.75}


@pytest.fixture
def fit(project, tmp_path):
    """Call a callback as ``fit`` does, within a trial; the curves."""

    def run(callback, *, epochs=2, batches=3, times=1, key="accuracy"):
        with context_of(project, tmp_path / "trial", key=key) as context, running_trial(context):
            for _ in range(times):
                callback.set_params({"epochs": epochs, "steps": batches})
                callback.set_model("model")
                callback.on_train_begin()
                for epoch in range(epochs):
                    callback.on_epoch_begin(epoch)
                    for batch in range(batches):
                        callback.on_train_batch_begin(batch)
                        callback.on_train_batch_end(batch, logs=dict(BATCH))
                    callback.on_epoch_end(epoch, dict(EPOCH))
                callback.on_train_end()
        return events.scalars(tmp_path / "trial")

    return run


def test_the_metric_of_each_batch_is_reported_one_step_after_the_other(fit):
    assert fit(KerasBatchEnd()) == {"outputs/accuracy": [(step, 0.5) for step in range(6)]}


def test_the_metric_of_each_epoch_is_reported_with_the_epoch_as_step(fit):
    assert fit(KerasEpochEnd()) == {"outputs/accuracy": [(0, 0.25), (1, 0.25)]}


def test_a_second_fit_goes_on_behind_the_first(fit):
    curves = fit(KerasReporter(), times=2)
    assert [step for step, _ in curves["outputs/accuracy"]] == [0, 1, 2, 3]
    assert [step for step, _ in curves["epoch/loss"]] == [0, 1, 2, 3]


def test_all_logs_of_each_epoch_are_curves_and_the_optimization_key_is_reported(fit):
    assert fit(KerasReporter()) == {
        "outputs/accuracy": [(0, 1.0), (1, 1.0)],  # of the validation
        **{f"epoch/{name}": [(0, value), (1, value)] for name, value in EPOCH.items()},
    }


def test_each_batch_is_reported_and_shown_where_that_is_asked_for(fit):
    curves = fit(KerasReporter(each="batch"))
    assert curves["outputs/accuracy"] == [(step, 0.75) for step in range(6)]
    assert curves["batch/loss"] == [(step, 0.5) for step in range(6)]
    assert curves["epoch/val_loss"] == [(0, 0.25), (1, 0.25)]


def test_a_named_metric_is_reported_instead_of_the_optimization_key(fit):
    assert fit(KerasReporter("val_loss"))["outputs/accuracy"] == [(0, 0.25), (1, 0.25)]


def test_without_a_metric_that_keras_has_there_are_curves_only(fit):
    curves = fit(KerasReporter(), key="f1")
    assert set(curves) == {f"epoch/{name}" for name in EPOCH}


@pytest.mark.parametrize("callback", [KerasEpochEnd(metric="f1"), KerasReporter("f1")])
def test_a_metric_that_keras_has_not_is_a_typed_error_that_lists_what_there_is(fit, callback):
    with pytest.raises(
        InvalidReportError,
        match=r"^metric: must be one of accuracy, loss, val_accuracy, val_loss; got 'f1'$",
    ):
        fit(callback)


@pytest.mark.parametrize(
    ("callback", "value"),
    [(KerasBatchEnd(metric="acc"), 0.75), (KerasEpochEnd(metric="val_acc"), 1)],
)
def test_an_accuracy_may_have_the_name_that_it_had_before_tensorflow_2(fit, callback, value):
    assert fit(callback)["outputs/accuracy"][0] == (0, value)


def test_a_metric_of_the_validation_needs_one(fit):
    with pytest.raises(InvalidReportError, match=r"one of accuracy, loss; val_… come with"):
        fit(KerasBatchEnd(metric="val_loss"))


def test_logs_that_are_no_numbers_are_no_curves(project, tmp_path):
    callback = KerasReporter("loss")
    logs = {"loss": np.float32(0.5), "per_class": np.array([1.0, 2.0]), "nan": math.nan, "x": "y"}
    with context_of(project, tmp_path) as context, running_trial(context):
        callback.on_epoch_end(0, logs)
    assert set(events.scalars(tmp_path)) == {"epoch/loss", "epoch/nan", "outputs/metric"}


def test_a_given_reporter_is_used_also_outside_of_its_trials_threads(project, tmp_path):
    with context_of(project, tmp_path, key="loss") as context:
        KerasEpochEnd(context.reporter, "loss").on_epoch_end(4, {"loss": 0.5})
        KerasBatchEnd(context.reporter).on_train_batch_end(0, {"loss": 0.25})
    assert events.scalars(tmp_path) == {"outputs/loss": [(4, 0.5), (5, 0.25)]}


@pytest.mark.parametrize("kind", [KerasBatchEnd, KerasEpochEnd, KerasReporter])
def test_outside_a_trial_reporting_is_a_typed_error_that_names_the_callback(kind):
    callback = kind(metric="loss")
    end = callback.on_train_batch_end if kind is KerasBatchEnd else callback.on_epoch_end
    with pytest.raises(NotInTrialError, match=f"^{kind.__name__} works only inside"):
        end(0, EPOCH)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: KerasEpochEnd("val_loss"), "^reporter: must be the reporter of a trial, or None"),
        (lambda: KerasBatchEnd(metric=""), "^metric: must be a name in Keras' logs; got ''"),
        (lambda: KerasEpochEnd(metric=None), "^metric: must be a name in Keras' logs; got None"),
        (lambda: KerasReporter(metric=3), "^metric: must be a name in Keras' logs; got 3"),
        (lambda: KerasReporter(each="step"), '^each: must be "epoch" or "batch"; got \'step\''),
    ],
)
def test_wrong_arguments_are_typed_errors_that_name_them(make, message):
    with pytest.raises(InvalidArgumentError, match=message):
        make()


def test_a_subclass_may_use_the_older_names_of_the_batch_methods(fit):
    seen = []

    class Mine(KerasEpochEnd):
        def on_batch_end(self, batch, logs=None):
            seen.append((batch, self.model, self.params["epochs"]))

    fit(Mine(metric="loss"), epochs=1)
    assert seen == [(0, "model", 1), (1, "model", 1), (2, "model", 1)]
    assert Mine()._implements_train_batch_hooks()


@pytest.mark.parametrize("each", ["epoch", "batch"])
def test_a_callback_that_has_not_begun_can_be_sent_elsewhere(fit, each):
    copied = pickle.loads(pickle.dumps(KerasReporter(each=each)))
    assert len(fit(copied)["outputs/accuracy"]) == (2 if each == "epoch" else 6)
