"""Keras callbacks that report a trial's training, named as in Maggy.

They work with Keras 3 on any of its back ends and with tf-keras, and import neither: only the
training function decides which of them it uses. Both accept any object with a callback's methods.

Example:
    >>> from hopsml_flows import callbacks
    >>> def train(units):
    ...     import keras
    ...     model = keras.Sequential([keras.layers.Dense(units), keras.layers.Dense(1)])
    ...     model.compile(loss="mse")
    ...     model.fit([[0.0]], [0.0], callbacks=[callbacks.KerasReporter("loss")])
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

from hopsml_flows.errors import InvalidArgumentError, InvalidReportError
from hopsml_flows.execution import Reporter, current_trial
from hopsml_flows.trials import as_number

__all__ = ["KerasBatchEnd", "KerasEpochEnd", "KerasReporter"]

Logs = Mapping[str, Any] | None

_FORMER = {"acc": "accuracy", "val_acc": "val_accuracy"}
"""Names of metrics in the logs of Keras before TensorFlow 2, which Maggy's programs ask for."""


class _Callback:
    """A callback of Keras and tf-keras whose hooks do nothing.

    ``_is_default`` and the names below that begin with an underscore are their private marks for
    hooks that need not be called. A test compares them with both libraries.
    """

    model: Any = None
    params: Any = None
    _supports_tf_logs = False
    _chief_worker_only: bool | None = None

    def set_model(self, model: Any) -> None:
        """Keep the model; Keras calls this."""
        self.model = model

    def set_params(self, params: Any) -> None:
        """Keep the parameters of the training; Keras calls this."""
        self.params = params

    def _implements_train_batch_hooks(self) -> bool:
        names = ("on_batch_begin", "on_batch_end", "on_train_batch_begin", "on_train_batch_end")
        return self._implements(*names)

    def _implements_test_batch_hooks(self) -> bool:
        return self._implements("on_test_batch_begin", "on_test_batch_end")

    def _implements_predict_batch_hooks(self) -> bool:
        return self._implements("on_predict_batch_begin", "on_predict_batch_end")

    def _implements(self, *names: str) -> bool:
        return not all(getattr(getattr(self, name), "_is_default", False) for name in names)


def _hook(name: str, older: str | None = None) -> Callable[..., None]:
    """Return a no-op hook; if ``older`` is given, the hook forwards to that older one."""

    def hook(self: _Callback, *args: Any, **kwargs: Any) -> None:
        """Do nothing, or call the older hook; Keras calls this."""
        if older is not None:
            getattr(self, older)(*args, **kwargs)

    hook.__name__ = name
    vars(hook)["_is_default"] = True
    return hook


for _when in ("begin", "end"):
    for _what in ("epoch", "batch", "test_batch", "predict_batch", "train", "test", "predict"):
        setattr(_Callback, f"on_{_what}_{_when}", _hook(f"on_{_what}_{_when}"))
    _batch = f"on_train_batch_{_when}"
    setattr(_Callback, _batch, _hook(_batch, older=f"on_batch_{_when}"))


class _Reporting(_Callback):
    """A callback with a reporter: the one it was given, or the running trial's."""

    def __init__(self, reporter: Reporter | None) -> None:
        if reporter is not None and not isinstance(reporter, Reporter):
            raise InvalidArgumentError(
                "reporter", reporter, "must be the reporter of a trial, or None"
            )
        self._reporter = reporter

    @property
    def reporter(self) -> Reporter:
        """The reporter that receives the reports.

        Raises:
            NotInTrialError: The callback was given none, and no trial is running here.
        """
        return self._reporter or current_trial(type(self).__name__).reporter


class KerasBatchEnd(_Reporting):
    """Reports a metric at the end of each training batch.

    Args:
        reporter: The trial's reporter; None for the running trial's.
        metric: Its name in Keras' logs. At the end of a batch they have no validation metrics.

    Raises:
        InvalidArgumentError: ``reporter`` or ``metric`` is something else.
    """

    def __init__(self, reporter: Reporter | None = None, metric: str = "loss") -> None:
        super().__init__(reporter)
        self._metric = _name_of(metric)

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:  # noqa: ARG002 - Keras'
        """Report the metric; Keras calls this.

        Raises:
            InvalidReportError: Keras' logs lack the metric; the message names those they have.
        """
        self.reporter.broadcast(_logged(logs, self._metric))


class KerasEpochEnd(_Reporting):
    """Reports a metric at the end of each epoch.

    Args:
        reporter: The trial's reporter; None for the running trial's.
        metric: Its name in Keras' logs of each epoch.

    Raises:
        InvalidArgumentError: ``reporter`` or ``metric`` is something else.
    """

    def __init__(self, reporter: Reporter | None = None, metric: str = "val_loss") -> None:
        super().__init__(reporter)
        self._metric = _name_of(metric)

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Report the metric; Keras calls this.

        Raises:
            InvalidReportError: Keras' logs lack the metric; the message names those they have.
        """
        value = _logged(logs, self._metric)
        self.reporter.broadcast(value, _following(self.reporter.step, epoch))


class KerasReporter(_Reporting):
    """Reports a metric after each epoch or batch, and shows all of Keras' logs in TensorBoard.

    A curve's name is the metric's name in the logs after ``epoch/``, or after ``batch/`` for
    ``each="batch"``.

    Args:
        metric: Name in Keras' logs of the metric to report. None for the experiment's optimization
            key, with ``val_`` before it if the logs have that; nothing is reported if they have
            neither.
        each: "epoch" to report after each epoch, "batch" to report after each batch.
        reporter: The trial's reporter; None for the running trial's.

    Raises:
        InvalidArgumentError: One of the arguments is something else.
    """

    def __init__(
        self,
        metric: str | None = None,
        each: Literal["epoch", "batch"] = "epoch",
        reporter: Reporter | None = None,
    ) -> None:
        super().__init__(reporter)
        if each not in ("epoch", "batch"):
            raise InvalidArgumentError("each", each, 'must be "epoch" or "batch"')
        self._metric = None if metric is None else _name_of(metric)
        self._each = each
        self._epoch: int | None = None
        self._batch = 0
        if each == "batch":  # otherwise Keras need not wait for each batch's logs
            self.on_train_batch_end = self._on_batch_end

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Show the logs, and report the metric; Keras calls this.

        Raises:
            InvalidReportError: Keras' logs lack the metric; the message names those they have.
        """
        self._epoch = _following(self._epoch, epoch)
        self._show("epoch", logs, self._epoch)
        if self._each == "epoch":
            self._report(logs, _following(self.reporter.step, epoch))

    def _on_batch_end(self, batch: int, logs: Logs = None) -> None:  # noqa: ARG002 - Keras'
        self._show("batch", logs, self._batch)
        self._batch += 1
        self._report(logs, None)

    def _show(self, prefix: str, logs: Logs, step: int) -> None:
        for name, value in (logs or {}).items():
            number = as_number(value)
            if number is not None:
                self.reporter.scalar(f"{prefix}/{name}", number, step)

    def _report(self, logs: Logs, step: int | None) -> None:
        metric = self._metric
        if metric is None:
            key = self.reporter.key
            metric = next((name for name in (f"val_{key}", key) if name in (logs or {})), None)
            if metric is None:
                return
        self.reporter.broadcast(_logged(logs, metric), step)


def _name_of(metric: object) -> str:
    if not isinstance(metric, str) or not metric:
        raise InvalidArgumentError("metric", metric, "must be a name in Keras' logs")
    return metric


def _logged(logs: Logs, metric: str) -> Any:
    """Return the metric's value in Keras' logs."""
    if logs is not None and metric not in logs:
        metric = _FORMER.get(metric, metric)
    if logs is None or metric not in logs:
        hint = "; val_… come with validation data" if metric.startswith("val_") else ""
        raise InvalidReportError(
            "metric", metric, f"must be one of {', '.join(sorted(logs or {}))}{hint}"
        )
    return logs[metric]


def _following(last: int | None, epoch: int) -> int:
    """Return the step of an epoch: its number, or the next step if another ``fit`` began at 0."""
    return epoch if last is None or epoch > last else last + 1
