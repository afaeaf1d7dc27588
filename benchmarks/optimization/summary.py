"""The figures of a benchmark: everything that its tables, its plot and its JSON say."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from optimization.contenders import BEST_KNOWN, OURS
from optimization.scoring import Curves, Mean, Scale, final, rank

TARGETS = {
    (BEST_KNOWN, 30): 1.0,
    (BEST_KNOWN, 100): 0.6,
    (BEST_KNOWN, 300): 0.6,
    ("scipy", 100): 0.4,
    ("scipy", 300): 0.4,
    ("hopsml", 30): 0.3,
    ("hopsml", 100): 0.3,
    ("hopsml", 300): 0.3,
}
"""What our mean regret on the functions may be at most, as a multiple of a peer's."""

GAP_TARGETS = {100: 3.0, 300: 1.0}
"""What our mean gap on the tables may be at most, in percent."""


@dataclass(frozen=True)
class Group:
    """The results on one group of problems.

    Args:
        problems: Their names.
        contenders: Who ran on all of them.
        budgets: Evaluations.
        curves: Best values so far.
        scales: What they are worth.
        thinking: Milliseconds of a contender's own processor time a proposal, in longest runs.
        substitutes: Contenders that are ranked in the place of this project's default.
    """

    problems: Sequence[str]
    contenders: Sequence[str]
    budgets: Sequence[int]
    curves: Curves
    scales: Mapping[str, Scale]
    thinking: Mapping[str, float]
    substitutes: frozenset[str] = frozenset()

    def regrets(self, contender: str, budget: int) -> np.ndarray:
        """Normalised regret: a row a problem, a column a seed."""
        found = final(self.curves, contender, self.problems, budget)
        scales = (self.scales[name] for name in self.problems)
        return np.array(
            [scale.regret(row, budget) for scale, row in zip(scales, found, strict=True)]
        )

    def gaps(self, contender: str, budget: int) -> np.ndarray:
        """Distance to the tables' optima in percent: a row a table, a column a seed."""
        found = final(self.curves, contender, self.problems, budget)
        scales = (self.scales[name] for name in self.problems)
        return np.array([scale.gap(row) for scale, row in zip(scales, found, strict=True)])

    def regret(self, contender: str, budget: int) -> Mean:
        """Mean normalised regret."""
        return Mean.of(self.regrets(contender, budget))

    def gap(self, contender: str, budget: int) -> Mean:
        """Mean distance to the tables' optima in percent."""
        return Mean.of(self.gaps(contender, budget))

    def rank(self, contender: str, budget: int) -> Mean:
        """Mean rank among the peers and this project's default.

        This project's other strategies take the default's place, so that they do not crowd it.
        """
        rivals = [name for name in self.contenders if name not in self.substitutes]
        if contender in self.substitutes:
            rivals = [name for name in rivals if name != OURS]
        others = [
            final(self.curves, name, self.problems, budget) for name in rivals if name != contender
        ]
        return rank(final(self.curves, contender, self.problems, budget), others)

    def saturated(self, budget: int) -> list[str]:
        """Problems where random search's median is the best value: they say nothing."""
        spreads = ((name, self.scales[name]) for name in self.problems)
        return [
            name
            for name, scale in spreads
            if math.isnan(float(scale.regret(np.array(scale.best), budget)))
        ]

    def figures(self) -> dict[str, Any]:
        """All of it as JSON values."""
        measures = {"regret": self.regrets}
        if all(self.scales[name].problem.is_table for name in self.problems):
            measures["gap_percent"] = self.gaps
        said: dict[str, Any] = {}
        for name in self.contenders:
            said[name] = {"thinking_ms": _plain(self.thinking[name])}
            for budget in self.budgets:
                entry: dict[str, Any] = {"rank": _said(self.rank(name, budget))}
                for measure, figures in measures.items():
                    found = figures(name, budget)
                    entry[measure] = _said(Mean.of(found))
                    entry[f"{measure}_by_problem"] = {
                        problem: _plain(row.mean())
                        for problem, row in zip(self.problems, found, strict=True)
                    }
                said[name][str(budget)] = entry
        best = {name: _plain(self.scales[name].best) for name in self.problems}
        return {"contenders": said, "best_seen": best}


@dataclass(frozen=True)
class Check:
    """A target and what was reached.

    Args:
        text: What is measured.
        value: The figure.
        most: What it may be.
    """

    text: str
    value: float
    most: float

    @property
    def met(self) -> bool:
        """Whether it is reached."""
        return self.value <= self.most


def checks(functions: Group | None, tables: Group | None, labels: Mapping[str, str]) -> list[Check]:
    """The targets of the comparison that these results can judge."""
    found: list[Check] = []
    for (peer, budget), most in TARGETS.items():
        if functions and {OURS, peer} <= set(functions.contenders) and budget in functions.budgets:
            ratio = functions.regret(OURS, budget).value / functions.regret(peer, budget).value
            text = f"functions, {budget} evaluations: regret ÷ {labels[peer]}"
            found.append(Check(text, ratio, most))
    for budget, most in GAP_TARGETS.items():
        if tables and OURS in tables.contenders and budget in tables.budgets:
            value = tables.gap(OURS, budget).value
            found.append(Check(f"tables, {budget} evaluations: gap in percent", value, most))
    return found


def order(group: Group) -> list[str]:
    """Contenders, best first at the middle budget; random search is among them."""
    budget = group.budgets[len(group.budgets) // 2]
    return sorted(group.contenders, key=lambda name: group.regret(name, budget).value)


def _said(mean: Mean) -> list[float | None]:
    return [_plain(mean.value), _plain(mean.error)]


def _plain(value: float) -> float | None:
    """Five digits are enough; JSON has no NaN."""
    return float(f"{value:.5g}") if math.isfinite(value) else None
