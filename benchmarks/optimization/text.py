"""The results as Markdown."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from optimization.scoring import Mean
from optimization.settings import OURS
from optimization.studies import ASYNC_BUDGET, AskCost, Asynchrony
from optimization.summary import Check, Group, order
from optimization.workers import SIGMA, WORKERS
from report import number, table


def head(about: Mapping[str, Any], seeds: Mapping[str, int]) -> str:
    """Title, where and with what it ran, and how to read it."""
    versions = ", ".join(f"{name} {number}" for name, number in about["versions"].items())
    sizes = ", ".join(f"{size} at {budget:,}" for budget, size in OURS.items())
    runs = " and ".join(f"{count} seeds on the {group}" for group, count in seeds.items())
    return (
        "# How good the optimizers are\n\n"
        f"{about['date']}, commit {about['commit']}; {about['cores']} cores ({about['cpu']}), "
        f"{about['system']}.\nPython {about['python']}, {versions}.\n\n"
        f"Means of {runs}, ± the standard error over seeds. Regret: 0 is the best value that "
        "anybody found in any run, 1 the median of random search after as many evaluations. "
        f"Rank: 1 is best. Our populations: {sizes}. README.md says more.\n"
    )


def functions(group: Group, labels: Mapping[str, str]) -> str:
    """The comparison on the functions and the training task."""
    columns = [f"regret at {budget}" for budget in group.budgets]
    columns += [f"rank at {budget}" for budget in group.budgets]
    rows = [
        [
            labels[name],
            *(_mean(group.regret(name, budget)) for budget in group.budgets),
            *(f"{group.rank(name, budget).value:.1f}" for budget in group.budgets),
            number(group.thinking[name], 2),
        ]
        for name in order(group)
    ]
    return (
        f"## Functions ({len(group.problems)} problems)\n\n"
        + table(["", *columns, "ms a proposal"], rows)
        + _saturated(group)
    )


def tables(group: Group, labels: Mapping[str, str]) -> str:
    """The comparison on the tables."""
    columns = [f"gap at {budget}, %" for budget in group.budgets]
    columns += [f"regret at {budget}" for budget in group.budgets]
    columns += [f"rank at {budget}" for budget in group.budgets]
    rows = [
        [
            labels[name],
            *(_mean(group.gap(name, budget), 3) for budget in group.budgets),
            *(_mean(group.regret(name, budget)) for budget in group.budgets),
            *(f"{group.rank(name, budget).value:.1f}" for budget in group.budgets),
        ]
        for name in order(group)
    ]
    return (
        f"## Tables ({len(group.problems)})\n\n"
        "Gap: how far from the table's optimum, in percent of how far the table's median is.\n\n"
        + table(["", *columns], rows)
        + _saturated(group)
    )


def by_problem(group: Group, names: Sequence[str], *, gaps: bool) -> str:
    """One row a problem: the mean regret (or gap) of some contenders at each budget."""
    figures = group.gaps if gaps else group.regrets
    names = [name for name in names if name in group.contenders]
    found = {
        (name, budget): figures(name, budget).mean(axis=1)
        for name in names
        for budget in group.budgets
    }
    columns = [f"{name}, {budget}" for budget in group.budgets for name in names]
    rows = [
        [problem, *(_figure(found[name, b][i]) for b in group.budgets for name in names)]
        for i, problem in enumerate(group.problems)
    ]
    what = "gap in %" if gaps else "regret"
    return f"### By problem: {what}\n\n" + table(["", *columns], rows)


def targets(checks: Sequence[Check]) -> str:
    """What was to be reached, and what was."""
    if not checks:
        return ""
    rows = [
        [check.text, number(check.value), f"{check.most:g}", "yes" if check.met else "**no**"]
        for check in checks
    ]
    return "## Targets\n\n" + table(["", "reached", "at most", "met"], rows)


def asked(costs: Sequence[AskCost]) -> str:
    """What proposals cost."""
    if not costs:
        return ""
    rows = [
        [cost.problem, number(cost.mean), number(cost.last), number(cost.most)] for cost in costs
    ]
    columns = ["1,000 evaluations", "mean, ms a proposal", "last hundred, ms", "slowest, ms"]
    return "## What a proposal costs\n\n" + table(columns, rows)


def asynchrony(found: Mapping[str, Asynchrony]) -> str:
    """What asynchrony saves and costs."""
    if not found:
        return ""
    rows = [
        [
            updating,
            _mean(one.wall),
            _mean(one.queue),
            _mean(one.utilisation),
            _mean(one.regret),
        ]
        for updating, one in found.items()
    ]
    return (
        f"## Asynchrony\n\n{ASYNC_BUDGET} trials on {WORKERS} workers, durations lognormal with "
        f"sigma {SIGMA:g}, a virtual clock, the functions.\n\n"
        + table(
            [
                "updating",
                "wall ÷ (sum ÷ workers)",
                "the same without waiting",
                "limit ÷ makespan",
                "regret",
            ],
            rows,
        )
    )


def _mean(mean: Mean, digits: int = 3) -> str:
    if math.isnan(mean.value):
        return "-"
    error = "" if math.isnan(mean.error) else f" ± {number(mean.error, 2)}"
    return f"{number(mean.value, digits)}{error}"


def _figure(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.3f}"


def _saturated(group: Group) -> str:
    said = [
        f"- at {budget} evaluations not in the mean regret: {', '.join(names)} (random search's "
        "median is the best value)\n"
        for budget in group.budgets
        if (names := group.saturated(budget))
    ]
    return "\n" + "".join(said) if said else ""
