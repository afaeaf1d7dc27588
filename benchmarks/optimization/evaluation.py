"""One run: a contender minimises a problem until its evaluations are spent."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

from optimization.problem import Problem


class BudgetSpentError(Exception):
    """Every evaluation is used up: the contender ends here."""


@dataclass
class Evaluator:
    """Evaluates a problem at most ``budget`` times, repeats included, and keeps the values.

    Args:
        problem: What is minimised.
        budget: Evaluations that there are.
    """

    problem: Problem
    budget: int
    values: list[float] = field(default_factory=list)
    seconds: float = 0.0

    def __call__(self, params: dict[str, Any]) -> float:
        """The value of a configuration.

        Raises:
            BudgetSpentError: There are no evaluations left.
            ValueError: The configuration is not in the space.
        """
        if len(self.values) >= self.budget:
            raise BudgetSpentError
        space = self.problem.space
        if params.keys() != space.keys() or any(params[name] not in space[name] for name in space):
            raise ValueError(f"{params} is not in the space of {self.problem.name}")
        begun = time.process_time()
        value = float(self.problem.function(params))
        self.seconds += time.process_time() - begun
        self.values.append(value)
        return value


@dataclass(frozen=True)
class Run:
    """What came of one run.

    Args:
        values: Of the evaluations in their order.
        figures: What else there is to say; ``thinking_s`` is the contender's own processor time.
    """

    values: list[float]
    figures: dict[str, float]
