"""The rungs of successive halving: who has which budget, and who is promoted. Pure."""

from __future__ import annotations

import heapq
from bisect import bisect_left, insort
from dataclasses import dataclass
from fractions import Fraction

from hopsml_flows.errors import InvalidArgumentError
from hopsml_flows.search.decisions import Why
from hopsml_flows.search.direction import Direction
from hopsml_flows.text import value_text
from hopsml_flows.values.arguments import is_number, whole_number
from hopsml_flows.values.plain import is_finite, plain

__all__ = ["Promotion", "Rungs", "rung_budgets"]


@dataclass(frozen=True, slots=True)
class Promotion:
    """A trial that may get the next budget.

    Args:
        trial: Its number.
        rung: The rung that it is promoted to, from 1.
        why: Why.
    """

    trial: int
    rung: int
    why: Why


def rung_budgets(min_budget: float, max_budget: float, factor: int) -> tuple[float, ...]:
    """Return ``min_budget * factor**k`` for k from 0, as far as ``max_budget``.

    Floats count as the decimal numbers that they are written as, so that no rung is lost to
    rounding: 3 * 0.1 is 0.3. The budgets are integers if ``min_budget`` is one.

    Args:
        min_budget: The smallest budget, positive.
        max_budget: The largest that is allowed.
        factor: An integer of at least 2.

    Raises:
        InvalidArgumentError: An argument is none of these.

    Example:
        >>> rung_budgets(0.1, 0.3, 3), rung_budgets(1, 10, 3)
        ((0.1, 0.3), (1, 3, 9))
    """
    step = whole_number("reduction_factor", factor, least=2)
    low = _positive("min_budget", min_budget)
    high = _positive("max_budget", max_budget)
    if high < low:
        raise InvalidArgumentError(
            "max_budget", max_budget, f"must be at least min_budget={value_text(low)}"
        )
    budgets: list[float] = []
    budget, limit = _exact(low), _exact(high)
    while budget <= limit:
        budgets.append(int(budget) if isinstance(low, int) else float(budget))
        budget *= step
    return tuple(budgets)


class Rungs:
    """The results at each budget.

    The best ``floor(n / factor)`` of the n results of a rung may go on to the next one
    (Li et al., MLSys 2020, algorithm 2). Of equal results, that of the lower number is better.

    Args:
        budgets: The budget of each rung, the lowest first.
        factor: The reduction factor.
        direction: Which results are better.

    Example:
        >>> rungs = Rungs((1, 2, 4), 2, Direction.MIN)
        >>> for trial, loss in enumerate([0.5, 0.3, 0.4], start=1):
        ...     rungs.add(trial, 0, loss)
        ...     rungs.release(trial, 0)
        >>> promotion = rungs.promotable()
        >>> promotion.trial, promotion.rung, str(promotion.why)
        (2, 1, 'asha: its 0.3 is the best of 3 at budget 1')
    """

    def __init__(self, budgets: tuple[float, ...], factor: int, direction: Direction) -> None:
        self.budgets = budgets
        self._factor = factor
        self._direction = direction
        self._ranked: list[list[tuple[float, int]]] = [[] for _ in budgets]
        self._waiting: list[list[tuple[float, int]]] = [[] for _ in budgets]  # heaps
        self._losses: list[dict[int, float]] = [{} for _ in budgets]
        self._promoted: list[set[int]] = [set() for _ in budgets]
        self._reserved: set[int] = set()

    @property
    def top(self) -> int:
        """The highest rung, which has the largest budget."""
        return len(self.budgets) - 1

    @property
    def fewest_trials(self) -> int:
        """How many trials, one after the other, are sure to bring one to the top."""
        return sum(self._factor**rung for rung in range(len(self.budgets)))

    def add(self, trial: int, rung: int, value: float) -> None:
        """Add a result. It counts from now on, but the trial is not promoted until it is released.

        Args:
            trial: Its number.
            rung: The rung of the budget that it had.
            value: Its metric, finite.
        """
        loss = self._direction.loss(value)
        self._losses[rung][trial] = loss
        insort(self._ranked[rung], (loss, trial))

    def release(self, trial: int, rung: int) -> None:
        """Let a trial with a result be promoted from now on.

        Args:
            trial: Its number.
            rung: The rung of its result.
        """
        if rung < self.top:
            heapq.heappush(self._waiting[rung], (self._losses[rung][trial], trial))

    def has(self, trial: int, rung: int) -> bool:
        """Whether there is a result of a trial.

        Args:
            trial: Its number.
            rung: The rung.
        """
        return trial in self._losses[rung]

    def promote(self, trial: int, rung: int) -> None:
        """Note that a trial is promoted, so that it is not promoted again.

        Args:
            trial: Its number; its result may come later.
            rung: The rung that it is promoted to.
        """
        self._promoted[rung - 1].add(trial)

    def reserve(self, trial: int) -> None:
        """Never return a trial as promotable: it is known which proposal will continue it.

        Args:
            trial: Its number.
        """
        self._reserved.add(trial)

    def promotable(self) -> Promotion | None:
        """Return the trial to promote now, from the highest rung that has one, or None."""
        for rung in reversed(range(self.top)):
            waiting, gone = self._waiting[rung], self._promoted[rung]
            while waiting and (waiting[0][1] in gone or waiting[0][1] in self._reserved):
                heapq.heappop(waiting)
            if waiting and self.may_go_on(waiting[0][1], rung):
                trial = waiting[0][1]
                return Promotion(trial, rung + 1, self.why(trial, rung))
        return None

    def may_go_on(self, trial: int, rung: int) -> bool:
        """Whether a trial's result is now among the best, and the trial is not promoted yet.

        Args:
            trial: Its number.
            rung: The rung of its result.
        """
        return trial not in self._promoted[rung] and self._is_among_best(trial, rung)

    def why(self, trial: int, rung: int, step: int | None = None) -> Why:
        """Say how a trial's result compares with the others of its rung now.

        Args:
            trial: Its number.
            rung: The rung of its result.
            step: The step of the report that is the result, if it is one.
        """
        best, every = self._best_count(rung), len(self._ranked[rung])
        where = f"at budget {value_text(self.budgets[rung])}"
        if best == 0:
            first = "the first result" if every == 1 else f"among the first {every} results"
            words = f"its {{value}} is {first} {where}; the best is chosen from {self._factor}"
        else:
            verb = "is" if self._is_among_best(trial, rung) else "is not"
            which = "the best" if best == 1 else f"among the best {best}"
            words = f"its {{value}} {verb} {which} of {every} {where}"
        bound = self._ranked[rung][best - 1][0] if best else None
        return Why(
            "asha",
            self._direction.loss(self._losses[rung][trial]),
            words,
            step,
            None if bound is None else self._direction.loss(bound),
        )

    def _best_count(self, rung: int) -> int:
        return len(self._ranked[rung]) // self._factor

    def _is_among_best(self, trial: int, rung: int) -> bool:
        place = bisect_left(self._ranked[rung], (self._losses[rung][trial], trial))
        return place < self._best_count(rung)


def _positive(argument: str, value: object) -> float:
    number = plain(value)
    if not is_number(number) or not is_finite(number) or number <= 0:
        raise InvalidArgumentError(argument, value, "must be a positive number")
    return number


def _exact(number: float) -> Fraction:
    return Fraction(number) if isinstance(number, int) else Fraction(repr(number))
