"""Who takes part, and how each is run: this project's optimizers, HopsML's rule, and peers.

A contender is a function of a problem, an evaluation budget, a seed and an evaluator; it evaluates
until it is done or the evaluator raises :class:`~optimization.evaluation.BudgetSpentError`.
"""

from __future__ import annotations

import ast
import contextlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from optimization import own, peers, settings, workers
from optimization.evaluation import BudgetSpentError, Evaluator, Run
from optimization.hopsml_rule import hopsml_rule
from optimization.problem import Problem
from optimization.settings import population

Minimise = Callable[..., dict[str, float] | None]

BEST_KNOWN = "tpe-multivariate"
RANDOM = "random"
OURS = "ours"


@dataclass(frozen=True)
class Contender:
    """One of those compared.

    Args:
        label: Its name in tables.
        minimise: Called with problem, budget, seed, evaluator, and the options.
        sizes: Evaluations to individuals, where it has to be set up for the budget; without them
            the longest run is cut for the smaller budgets.
        packages: Whose versions its results depend on.
        sources: Files that its results depend on, from the repository's root, as patterns.
        options: More arguments for ``minimise``.
        own: Whether it is this project's differential evolution.
        study: Whether it is run for a study of its own and is not compared.
    """

    label: str
    minimise: Minimise
    sizes: Mapping[int, int] | None = None
    packages: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    own: bool = False
    study: bool = False

    def settings(self, budget: int) -> dict[str, int]:
        """What depends on the budget."""
        return {"population": population(budget, self.sizes)} if self.sizes else {}

    def run(self, problem: Problem, budget: int, seed: int) -> Run:
        """Minimise a problem once."""
        evaluator = Evaluator(problem, budget)
        begun = time.process_time()
        figures = None
        with contextlib.suppress(BudgetSpentError):
            options = {**self.settings(budget), **self.options}
            figures = self.minimise(problem, budget, seed, evaluator, **options)
        thinking = time.process_time() - begun - evaluator.seconds
        return Run(evaluator.values, {"thinking_s": thinking, **(figures or {})})


def differential_evolution(
    problem: Problem, budget: int, seed: int, evaluate: Evaluator, **options: Any
) -> None:
    """This project's, a proposal at a time; options go to its constructor."""
    search = own.differential_evolution(problem, budget, seed, **options)
    while not search.finished:
        proposals = search.ask(1)
        if not proposals:
            raise RuntimeError(
                "the search is not finished, waits for nothing, and proposes nothing"
            )
        for proposal in proposals:
            search.tell(proposal.id, evaluate(proposal.params))


def random_search(problem: Problem, budget: int, seed: int, evaluate: Evaluator) -> None:
    """This project's random search, which never repeats a configuration."""
    from hopsml_flows.search import RandomSearch

    search = RandomSearch(problem.space, samples=budget, direction="MIN", seed=seed)
    for proposal in search.ask():
        search.tell(proposal.id, evaluate(proposal.params))


def _strategy(label: str, **options: Any) -> Contender:
    return Contender(
        label,
        differential_evolution,
        sizes=settings.OURS,
        sources=_SEARCH,
        options=options,
        own=True,
    )


_SEARCH = ("hopsml_flows/search/**/*.py", "benchmarks/optimization/own.py")
_HERE = "benchmarks/optimization/"


CONTENDERS = {
    OURS: _strategy(f"this project, {own.default_strategy()} (default)"),
    **{
        f"ours-{strategy}": _strategy(f"this project, {strategy}", strategy=strategy)
        for strategy in own.STRATEGIES
        if strategy != own.default_strategy()
    },
    RANDOM: Contender(
        "random search",
        random_search,
        sources=("hopsml_flows/search/random.py", "hopsml_flows/search/space.py"),
    ),
    "hopsml": Contender("HopsML's rule", hopsml_rule, sources=(f"{_HERE}hopsml_rule.py",)),
    "scipy": Contender(
        "SciPy differential_evolution",
        peers.scipy_de,
        sizes=settings.SCIPY,
        packages=("scipy",),
        sources=(f"{_HERE}encoding.py",),
    ),
    "scipy-large": Contender(
        "SciPy, larger population",
        peers.scipy_de,
        sizes=settings.SCIPY_LARGE,
        packages=("scipy",),
        sources=(f"{_HERE}encoding.py",),
    ),
    "dehb": Contender(
        "DEHB, one fidelity",
        peers.dehb,
        sizes=settings.DEHB,
        packages=("dehb",),
        sources=(f"{_HERE}encoding.py",),
    ),
    "tpe": Contender("Optuna TPE", peers.tpe, packages=("optuna",)),
    BEST_KNOWN: Contender(
        "Optuna TPE, multivariate",
        peers.tpe,
        packages=("optuna",),
        options={"multivariate": True},
    ),
}

STUDIES = {
    updating: Contender(
        f"this project, {updating}",
        workers.on_workers,
        sizes=settings.OURS,
        sources=(*_SEARCH, f"{_HERE}workers.py"),
        options={"updating": updating},
        own=True,
        study=True,
    )
    for updating in ("deferred", "immediate")
}
"""Runs with a virtual clock, for what asynchrony saves and costs."""


def variant(text: str) -> tuple[str, Contender]:
    """A contender from ``NAME:OPTION=VALUE,…``: this project's with other arguments.

    Values are Python literals; what is none is a string.
    """
    name, _, given = text.partition(":")
    options: dict[str, Any] = {}
    for item in filter(None, given.split(",")):
        option, _, value = item.partition("=")
        try:
            options[option] = ast.literal_eval(value)
        except (SyntaxError, ValueError):
            options[option] = value
    return name, _strategy(f"this project, {name}", **options)
