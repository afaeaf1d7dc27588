"""Optimizers that :mod:`optimization.at_once` can run: this project's, and peers."""

from __future__ import annotations

import warnings
from typing import Any

from optimization import encoding
from optimization.peers import suggested
from optimization.problem import Problem

from hopsml_flows.search.space import Categorical, Domain, Int, SearchSpace


class Own:
    """One of this project's searches."""

    def __init__(self, search: Any) -> None:
        self._search = search

    def ask(self) -> tuple[int, dict[str, Any]]:
        """Return a proposal's number and configuration."""
        (proposal,) = self._search.ask(1)
        return proposal.id, proposal.params

    def tell(self, handle: int, value: float) -> None:
        """Tell the metric of a proposal."""
        self._search.tell(handle, value)


def evolution(problem: Problem, budget: int, seed: int, running: int) -> Own:
    """The default of ``experiment.optimize``."""
    from hopsml_flows.search import AsynchronousEvolution

    return Own(
        AsynchronousEvolution(
            problem.space, num_trials=budget, workers=running, direction="min", seed=seed
        )
    )


def random(problem: Problem, budget: int, seed: int, running: int) -> Own:  # noqa: ARG001 - it never learns
    """Random search."""
    from hopsml_flows.search import RandomSearch

    return Own(RandomSearch(problem.space, samples=budget, direction="min", seed=seed))


class Optuna:
    """A study with one of Optuna's samplers."""

    def __init__(self, problem: Problem, sampler: Any) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._space = problem.space
        self._study = optuna.create_study(sampler=sampler)

    def ask(self) -> tuple[Any, dict[str, Any]]:
        """Return a trial and its configuration."""
        trial = self._study.ask()
        return trial, suggested(trial, self._space)

    def tell(self, handle: Any, value: float) -> None:
        """Tell the value of a trial."""
        self._study.tell(handle, value)


def tpe(problem: Problem, budget: int, seed: int, running: int) -> Optuna:  # noqa: ARG001 - it knows no budget
    """Optuna's TPE, multivariate; with the constant liar where trials run at once."""
    import optuna

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        sampler = optuna.samplers.TPESampler(
            seed=seed, multivariate=True, constant_liar=running > 1
        )
    return Optuna(problem, sampler)


def gp(problem: Problem, budget: int, seed: int, running: int) -> Optuna:  # noqa: ARG001 - as above
    """Optuna's Gaussian process with its defaults; it takes running trials into account itself."""
    import optuna

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        sampler = optuna.samplers.GPSampler(seed=seed)
    return Optuna(problem, sampler)


class CatCma:
    """CatCMA with margin of the package cmaes, with its defaults.

    It is told whole generations: what ends is kept until there are enough results.
    """

    def __init__(self, problem: Problem, seed: int) -> None:
        from cmaes import CatCMAwM

        self._space = problem.space
        self._kinds = {name: _kind(domain) for name, domain in problem.space.items()}
        named = {kind: [n for n, k in self._kinds.items() if k == kind] for kind in "xzc"}
        self._names = named
        space = problem.space
        self._search = CatCMAwM(
            x_space=[_bounds(space[name]) for name in named["x"]] or None,
            z_space=[range(space[n].low, space[n].high + 1) for n in named["z"]] or None,
            c_space=[len(_choices(space[name])) for name in named["c"]] or None,
            seed=seed,
        )
        self._told: list[tuple[Any, float]] = []

    def ask(self) -> tuple[Any, dict[str, Any]]:
        """Return a solution and the configuration that it stands for."""
        solution = self._search.ask()
        found: dict[str, Any] = {}
        for place, name in enumerate(self._names["x"]):
            found[name] = encoding.from_number(self._space[name], float(solution.x[place]))
        for place, name in enumerate(self._names["z"]):
            found[name] = int(solution.z[place])
        for place, name in enumerate(self._names["c"]):
            choices = _choices(self._space[name])
            found[name] = choices[int(solution.c[place].argmax())]
        return solution, {name: found[name] for name in self._space}

    def tell(self, handle: Any, value: float) -> None:
        """Keep the value of a solution, or tell a generation."""
        self._told.append((handle, value))
        if len(self._told) == self._search.population_size:
            self._search.tell(self._told)
            self._told = []


def catcma(problem: Problem, budget: int, seed: int, running: int) -> CatCma:  # noqa: ARG001 - as above
    """CatCMAwM."""
    return CatCma(problem, seed)


def _kind(domain: Domain) -> str:
    """Return x for a real number, z for an integer, c for a category."""
    if isinstance(domain, Categorical) or domain.cardinality == 2:
        return "c"  # two integers too, as its documentation advises
    return "z" if isinstance(domain, Int) and not domain.log else "x"


def _choices(domain: Domain) -> list[Any]:
    if isinstance(domain, Categorical):
        return list(domain.choices)
    return list(range(int(domain.low), int(domain.high) + 1))


def _bounds(domain: Domain) -> tuple[float, float]:
    """Return the bounds of a real number, in the logarithm where the scale is logarithmic."""
    (bounds,), _ = encoding.integral_bounds(SearchSpace({"x": domain}))
    return bounds
