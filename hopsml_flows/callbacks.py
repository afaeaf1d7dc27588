"""Keras callbacks that report a trial's training, named as in Maggy.

They work with Keras 3 on any of its back ends and with tf-keras, and import neither: which of
them a training function uses is known only there. Both take whatever has a callback's methods.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

from hopsml_flows.errors import InvalidArgumentError, InvalidReportError
from hopsml_flows.execution import Reporter, current_trial
from hopsml_flows.trials import as_number

__all__ = ["KerasBatchEnd", "KerasEpochEnd", "KerasReporter"]

Logs = Mapping[str, Any] | None


class _Callback:
    """What Keras and tf-keras expect of a callback, with nothing done in it.

    ``_is_default`` and the names below that begin with an underscore are their private marks for
    what need not be called; a test compares them with both libraries.
    """

    model: Any = None
    params: Any = None
    _supports_tf_logs = False
    _chief_worker_only: bool | None = None

    def set_model(self, model: Any) -> None:
        """Called by Keras."""
        self.model = model

    def set_params(self, params: Any) -> None:
        """Called by Keras."""
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
    """A method that Keras calls and that does nothing, but call one of an older name."""

    def hook(self: _Callback, *args: Any, **kwargs: Any) -> None:
        """Called by Keras."""
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
    """A callback with a reporter: the given one, or the running trial's."""

    def __init__(self, reporter: Reporter | None) -> None:
        if reporter is not None and not isinstance(reporter, Reporter):
            raise InvalidArgumentError(
                "reporter", reporter, "must be the reporter of a trial, or None"
            )
        self._reporter = reporter

    @property
    def reporter(self) -> Reporter:
        """What is reported to.

        Raises:
            NotInTrialError: None was given, and no trial is running here.
        """
        return self._reporter or current_trial(type(self).__name__).reporter


class KerasBatchEnd(_Reporting):
    """Reports a metric at the end of each training batch.

    Args:
        reporter: The trial's reporter; None for the running trial's.
        metric: Its name in Keras' logs; there are none of the validation at this time.

    Raises:
        InvalidArgumentError: One of them is something else.
    """

    def __init__(self, reporter: Reporter | None = None, metric: str = "loss") -> None:
        super().__init__(reporter)
        self._metric = _name_of(metric)

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:  # noqa: ARG002 - Keras'
        """Called by Keras.

        Raises:
            InvalidReportError: Keras has no such metric; the message names those it has.
        """
        self.reporter.broadcast(_logged(logs, self._metric))


class KerasEpochEnd(_Reporting):
    """Reports a metric at the end of each epoch.

    Args:
        reporter: The trial's reporter; None for the running trial's.
        metric: Its name in Keras' logs, in those of every epoch.

    Raises:
        InvalidArgumentError: One of them is something else.
    """

    def __init__(self, reporter: Reporter | None = None, metric: str = "val_loss") -> None:
        super().__init__(reporter)
        self._metric = _name_of(metric)

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Called by Keras.

        Raises:
            InvalidReportError: Keras has no such metric; the message names those it has.
        """
        value = _logged(logs, self._metric)
        self.reporter.broadcast(value, _following(self.reporter.step, epoch))


class KerasReporter(_Reporting):
    """Reports a metric of each epoch or batch, and shows all of Keras' logs in TensorBoard.

    The curves are called as in the logs, after ``epoch/`` and, for ``each="batch"``, ``batch/``.

    Args:
        metric: The name in Keras' logs of the metric to report. None for the experiment's
            optimization key, as far as Keras has it: of the validation first, else of the training.
        each: Whether the metric of each "epoch" is reported, or that of each "batch".
        reporter: The trial's reporter; None for the running trial's.

    Raises:
        InvalidArgumentError: One of them is something else.
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
        if each == "batch":  # otherwise Keras has no need to wait for each batch's logs
            self.on_train_batch_end = self._on_batch_end

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Called by Keras.

        Raises:
            InvalidReportError: Keras has no such metric; the message names those it has.
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
    """The metric's value in Keras' logs."""
    if logs is None or metric not in logs:
        hint = "; val_… come with validation data" if metric.startswith("val_") else ""
        raise InvalidReportError(
            "metric", metric, f"must be one of {', '.join(sorted(logs or {}))}{hint}"
        )
    return logs[metric]


def _following(last: int | None, epoch: int) -> int:
    """The step of an epoch: its number, or the next step where a further ``fit`` begins at 0."""
    return epoch if last is None or epoch > last else last + 1
