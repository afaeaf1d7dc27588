"""A rule of early stopping that was written for Maggy, as one of this package's."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

from hopsml_flows.errors import InvalidArgumentError
from hopsml_flows.execution.function import imported
from hopsml_flows.maggy.trial import Trial
from hopsml_flows.search import Direction, Stop, Why
from hopsml_flows.trials.curves import Curve
from hopsml_flows.user_warnings import warn
from hopsml_flows.values.arguments import whole_number

__all__ = ["AbstractEarlyStop", "AdaptedEarlyStop"]


class AbstractEarlyStop(ABC):
    """The base of rules of early stopping that are written for Maggy.

    Example:
        >>> class Hopeless(AbstractEarlyStop):
        ...     @staticmethod
        ...     def earlystop_check(to_check, finalized_trials, direction):
        ...         return to_check.trial_id if max(to_check.metric_history) < 0.1 else None
    """

    @staticmethod
    @abstractmethod
    def earlystop_check(to_check: Trial, finalized_trials: list[Trial], direction: str) -> Any:
        """Decide about a running trial that has just reported.

        Args:
            to_check: The trial, with ``metric_history`` and ``step_history``.
            finalized_trials: The trials that have ended.
            direction: "max" or "min".

        Returns:
            The trial's ``trial_id``, or a list with it, to stop it; anything else to let it go on.
        """


class AdaptedEarlyStop:
    """Asks a rule of Maggy's when Maggy does.

    It is asked at each step that a trial reports for the first time, other than 0, that
    ``es_interval`` divides, as soon as more than ``es_min`` trials have ended. If it raises an
    exception, the trial goes on, as in Maggy; a warning says so once.

    Args:
        policy: A subclass of :class:`AbstractEarlyStop`, an instance of one, or the import string
            of a class, ``"package.module:Class"``.
        direction: Which way is better.
        es_min: More trials than this must have ended.
        es_interval: The rule is asked at the steps that this number divides.

    Raises:
        InvalidArgumentError: An argument is something else, or out of range.

    Example:
        >>> class Falling(AbstractEarlyStop):
        ...     @staticmethod
        ...     def earlystop_check(to_check, finalized_trials, direction):
        ...         first, *_, last = to_check.metric_history
        ...         return to_check.trial_id if last < first else None
        >>> from hopsml_flows.trials import Report
        >>> curve = Curve()
        >>> curve.add(Report(0.5, step=0))
        >>> curve.add(Report(0.4, step=1))
        >>> rule = AdaptedEarlyStop(Falling, es_min=0)
        >>> rule.end(1, curve)
        >>> print(rule.judge(2, curve).why)
        Falling at step 1: earlystop_check stopped it at 0.4
    """

    def __init__(
        self,
        policy: AbstractEarlyStop | type[AbstractEarlyStop] | str,
        *,
        direction: Direction | str = Direction.MAX,
        es_min: int = 10,
        es_interval: int = 1,
    ) -> None:
        found = imported("es_policy", policy) if isinstance(policy, str) else policy
        self._kind: type = found if isinstance(found, type) else type(found)
        if not issubclass(self._kind, AbstractEarlyStop):
            raise InvalidArgumentError(
                "es_policy", policy, "must be a subclass of AbstractEarlyStop"
            )
        self._rule: Any = _made(found) if isinstance(found, type) else found
        self._is_object = not isinstance(found, type) and bool(getattr(found, "__dict__", None))
        self.direction = Direction.parse(direction)
        self._es_min = whole_number("es_min", es_min, least=0)
        self._es_interval = whole_number("es_interval", es_interval, least=1)
        self._params: dict[int, Mapping[str, Any]] = {}
        self._running: dict[int, tuple[Trial, int]] = {}
        self._ended: list[Trial] = []
        self._warned = False

    @property
    def settings(self) -> dict[str, Any]:
        """The arguments other than the direction, as JSON values."""
        return {
            "policy": f"{self._kind.__module__}:{self._kind.__qualname__}",
            "es_min": self._es_min,
            "es_interval": self._es_interval,
        }

    @property
    def is_object(self) -> bool:
        """Whether the policy is an object with attributes, which its class alone lacks."""
        return self._is_object

    def begin(self, trial: int, params: Mapping[str, Any]) -> None:
        """Take note that a trial starts. The rule sees no hyperparameters of one that did not.

        Args:
            trial: The trial's number.
            params: Its hyperparameters.
        """
        self._params[trial] = params

    def judge(self, trial: int, curve: Curve) -> Stop | None:
        """Decide about a running trial that has just reported.

        Args:
            trial: The trial's number.
            curve: All that it has reported in this attempt, the new report last.

        Returns:
            The reason to stop it; None if it goes on.
        """
        seen, is_new = self._updated(trial, curve)
        step = curve.steps[-1] if len(curve) else 0
        if len(self._ended) <= self._es_min or not is_new or not step or step % self._es_interval:
            return None
        if not self._stops(seen):
            return None
        seen.set_early_stop()
        words = "earlystop_check stopped it at {value}"
        return Stop(Why(self._kind.__name__, curve.values[-1], words, step))

    def end(self, trial: int, curve: Curve) -> None:
        """Take note that a trial has ended with a metric, by itself or stopped.

        Args:
            trial: The trial's number.
            curve: All that it has reported, and its metric.
        """
        seen, _ = self._updated(trial, curve)
        del self._running[trial]
        self._params.pop(trial, None)
        seen.status = Trial.FINALIZED
        seen.final_metric = curve.metric
        self._ended.append(seen)

    def _updated(self, number: int, curve: Curve) -> tuple[Trial, bool]:
        """Return Maggy's trial with all reports, and whether the last one was of a new step."""
        trial, taken = self._running.get(number, (None, 0))
        if trial is None or taken > len(curve):  # another attempt
            trial, taken = self._begun(number), 0
        last = None
        for step, value in zip(curve.steps[taken:], curve.values[taken:], strict=True):
            last = trial.append_metric({"step": step, "value": value})
        self._running[number] = trial, len(curve)
        return trial, last is not None

    def _begun(self, number: int) -> Trial:
        trial = Trial(self._params.get(number, {}))
        trial.status = Trial.RUNNING
        if number not in self._params:  # all hashes would be equal
            trial.trial_id = f"{number:016x}"
        return trial

    def _stops(self, trial: Trial) -> bool:
        try:
            answer = self._rule.earlystop_check(trial, self._ended, self.direction.lower())
        except Exception as error:  # the rule is the user's code
            if not self._warned:
                self._warned = True
                said = f"{type(error).__name__}: {error}"
                warn(f"{self._kind.__name__}.earlystop_check raised {said}; no trial is stopped")
            return False
        ids = answer if isinstance(answer, (list, tuple, set)) else [answer]
        return trial.trial_id in ids


def _made(kind: type) -> Any:
    try:
        return kind()
    except TypeError as error:
        raise InvalidArgumentError(
            "es_policy", kind, because=f"making one without arguments raised {error}"
        ) from error
