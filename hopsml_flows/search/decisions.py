"""What becomes of a running trial, and why. Pure values.

A search, or a rule of early stopping, answers a report with a decision. None means: go on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hopsml_flows.errors import InvalidArgumentError
from hopsml_flows.text import number_text
from hopsml_flows.values.arguments import python_number, whole_number
from hopsml_flows.values.plain import is_finite

__all__ = ["Decision", "GoOn", "Pause", "Stop", "Why"]

_set = object.__setattr__  # values are frozen, but not before they are made


@dataclass(frozen=True, slots=True)
class Why:
    """Why a trial was stopped, paused or promoted.

    Args:
        rule: Name of the rule or the search that decided, such as ``"median"``.
        value: The trial's own value.
        words: How the value and the threshold relate, with ``{value}`` and ``{threshold}`` where
            they stand, such as ``"its best {value} is below {threshold}"``.
        step: Step of the report that decided; None if the trial's result did.
        threshold: What the value was compared with; None if with nothing.

    Example:
        >>> print(Why("median", 0.61, "its best {value} is below {threshold}", 7, 0.73))
        median at step 7: its best 0.61 is below 0.73

    Numbers have six digits, and all of them where six show no difference.

    Raises:
        InvalidArgumentError: A text is none, or a number; those of NumPy's and tensors are some.
    """

    rule: str
    value: float
    words: str
    step: int | None = None
    threshold: float | None = None

    def __post_init__(self) -> None:
        for name in ("rule", "words"):
            if not isinstance(getattr(self, name), str):
                raise InvalidArgumentError(name, getattr(self, name), "must be a string")
        _set(self, "value", python_number("value", self.value, finite=False))
        if self.step is not None:
            _set(self, "step", whole_number("step", self.step, least=0))
        if self.threshold is not None:
            _set(self, "threshold", python_number("threshold", self.threshold, finite=False))

    def as_json(self) -> dict[str, Any]:
        """The reason as strict JSON; numbers that are not finite are strings."""
        entry = {name: getattr(self, name) for name in self.__slots__}
        return {
            name: str(value) if isinstance(value, float) and not is_finite(value) else value
            for name, value in entry.items()
        }

    @classmethod
    def from_json(cls, entry: Mapping[str, Any]) -> Why:
        """The reason that was written.

        Args:
            entry: What :meth:`as_json` returned.

        Raises:
            KeyError: It lacks something.
            ValueError: A number is none.
        """
        threshold = entry.get("threshold")
        return cls(
            str(entry["rule"]),
            float(entry["value"]),
            str(entry["words"]),
            entry.get("step"),
            None if threshold is None else float(threshold),
        )

    def __str__(self) -> str:
        at = "" if self.step is None else f" at step {self.step}"
        numbers = {"value": number_text(self.value)}
        if self.threshold is not None:
            numbers["threshold"] = number_text(self.threshold)
            if numbers["value"] == numbers["threshold"] and self.value != self.threshold:
                numbers = {"value": repr(self.value), "threshold": repr(self.threshold)}
        words = self.words
        for name, number in numbers.items():
            words = words.replace(f"{{{name}}}", number)
        return f"{self.rule}{at}: {words}"


@dataclass(frozen=True, slots=True)
class Stop:
    """End the trial now. Its last report is its result.

    Args:
        why: Why.
    """

    why: Why


@dataclass(frozen=True, slots=True)
class Pause:
    """End the trial now, to be continued from its checkpoint by a later proposal, or never.

    Args:
        why: Why.
    """

    why: Why


@dataclass(frozen=True, slots=True)
class GoOn:
    """Let the trial go on, to a larger budget.

    Args:
        budget: The budget it has now.
        why: Why.

    Raises:
        InvalidArgumentError: The budget is no finite number.
    """

    budget: float
    why: Why

    def __post_init__(self) -> None:
        _set(self, "budget", python_number("budget", self.budget))


Decision = Stop | Pause | GoOn
