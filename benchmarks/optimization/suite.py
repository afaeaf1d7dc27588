"""All problems by name."""

from __future__ import annotations

from functools import cache

from environment import HERE
from optimization import digits, functions, tables
from optimization.problem import Problem

CACHE = HERE / ".cache"
"""What is kept between runs of the benchmark; may be deleted."""


@cache
def _functions() -> dict[str, Problem]:
    found = [*functions.continuous(), *functions.mixed(), *functions.tuning()]
    return {problem.name: problem for problem in [*found, digits.digits(CACHE)]}


@cache
def problem(name: str) -> Problem:
    """The problem of that name."""
    return tables.table(name, CACHE) if name in tables.TABLES else _functions()[name]


def names(*wanted: str) -> list[str]:
    """Names of problems.

    Args:
        wanted: Names, or ``functions`` or ``tables`` for all of these, or ``synthetic`` for the
            functions without training.

    Raises:
        KeyError: There is no such problem.
    """
    groups = {
        "functions": list(_functions()),
        "synthetic": [name for name, one in _functions().items() if one.kind != "training"],
        "tables": list(tables.TABLES),
    }
    chosen: list[str] = []
    for name in wanted:
        if name not in groups and name not in _functions() and name not in tables.TABLES:
            raise KeyError(name)
        chosen += groups.get(name, [name])
    return list(dict.fromkeys(chosen))
