"""Maggy's trial: what optimizers and rules of early stopping that were written for Maggy handle."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from contextlib import nullcontext
from typing import Any

from hopsml_flows.errors import DamagedFileError, InvalidArgumentError
from hopsml_flows.values.plain import json_value

__all__ = ["Trial", "trial_id"]


def trial_id(params: Mapping[str, Any]) -> str:
    """Return the identifier that Maggy gives to a trial: a hash of its hyperparameters.

    Args:
        params: Name to value.

    Raises:
        InvalidArgumentError: It is no dict, or names something by no string.

    Example:
        >>> trial_id({"param1": 5, "param2": "ada"})
        '3d1cc9fdb1d4d001'
    """
    if not isinstance(params, Mapping):
        raise InvalidArgumentError("params", params, "must be a dict of hyperparameters")
    if not all(isinstance(name, str) for name in params):
        raise InvalidArgumentError("params", params, "must name hyperparameters by strings")
    text = json.dumps(json_value("params", params), sort_keys=True)
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()[:16]


class Trial:
    """A trial as Maggy's optimizers make it, and as its rules of early stopping see it.

    Args:
        params: Hyperparameter name to value.
        trial_type: "optimization" or "ablation".
        info_dict: What the optimizer notes about the trial.

    Raises:
        InvalidArgumentError: ``params`` is no dict, or names something by no string.

    Example:
        >>> trial = Trial({"param1": 5, "param2": "ada"})
        >>> trial.trial_id, trial.status, trial.final_metric
        ('3d1cc9fdb1d4d001', 'PENDING', None)
    """

    PENDING = "PENDING"
    SCHEDULED = "SCHEDULED"
    RUNNING = "RUNNING"
    ERROR = "ERROR"
    FINALIZED = "FINALIZED"

    def __init__(
        self,
        params: Mapping[str, Any],
        trial_type: str = "optimization",
        info_dict: Mapping[str, Any] | None = None,
    ) -> None:
        self.trial_type = trial_type
        self.trial_id = trial_id(params)
        self.params = dict(params)
        self.info_dict = dict(info_dict or {})
        self.status = self.PENDING
        self.early_stop = False
        self.final_metric: float | None = None
        self.metric_history: list[float] = []
        self.step_history: list[int] = []
        self.metric_dict: dict[int, float] = {}
        self.start: float | None = None
        self.duration: float | None = None
        # Maggy's has a lock, since threads share it. Here one thread has it, and it is copied.
        self.lock = nullcontext()

    def get_early_stop(self) -> bool:
        """Whether the trial is to be stopped."""
        return self.early_stop

    def set_early_stop(self) -> None:
        """Mark the trial as one to be stopped."""
        self.early_stop = True

    def append_metric(self, metric_data: Mapping[str, Any]) -> int | None:
        """Add a report.

        Args:
            metric_data: ``{"value": metric, "step": step}``.

        Returns:
            The step; None if the trial has reported it before, or there is no metric.
        """
        step, value = metric_data["step"], metric_data["value"]
        if step in self.metric_dict or value is None:
            return None
        self.metric_dict[step] = value
        self.metric_history.append(value)
        self.step_history.append(step)
        return int(step)

    def to_dict(self) -> dict[str, Any]:
        """Return the attributes by name, and the class's name as ``__class__``."""
        kept = {name: value for name, value in vars(self).items() if name not in ("lock", "start")}
        return {"__class__": type(self).__name__, **kept}

    def to_json(self) -> str:
        """Return :meth:`to_dict` as JSON."""
        return json.dumps(json_value("trial", self.to_dict()))

    @classmethod
    def from_json(cls, json_str: str) -> Trial:
        """Return the trial that :meth:`to_json` wrote.

        Args:
            json_str: The text.

        Raises:
            DamagedFileError: It is the text of something else.

        Example:
            >>> Trial.from_json(Trial({"units": 8}).to_json()).params
            {'units': 8}
        """
        read = json.loads(json_str)
        if not isinstance(read, dict) or read.pop("__class__", None) != cls.__name__:
            raise DamagedFileError("json_str", "is not a Trial object")
        trial = cls(read["params"])
        trial.__dict__.update(read)
        trial.metric_dict = dict(zip(trial.step_history, trial.metric_history, strict=True))
        return trial

    def __repr__(self) -> str:
        return f"Trial({self.params!r}, status={self.status!r}, final_metric={self.final_metric!r})"
