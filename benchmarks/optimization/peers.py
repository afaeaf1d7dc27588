"""Other packages' optimizers. Each is imported only where it runs."""

from __future__ import annotations

import tempfile
import warnings
from typing import Any

from optimization import encoding
from optimization.evaluation import Evaluator
from optimization.problem import Problem

from hopsml_flows.search.space import Categorical, Domain, Int, SearchSpace


def scipy_de(
    problem: Problem,
    budget: int,  # noqa: ARG001 - the evaluator ends it
    seed: int,
    evaluate: Evaluator,
    *,
    population: int,
) -> None:
    """SciPy's with its defaults, but for a population that suits the budget.

    Its own 15 individuals a parameter would never leave the first generation here. Logarithmic
    parameters are given in the logarithm, integers and categories by ``integrality``.
    """
    from scipy.optimize import differential_evolution

    bounds, integrality = encoding.integral_bounds(problem.space)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what its final polishing says of finite differences
        differential_evolution(
            lambda vector: evaluate(encoding.from_integral(problem.space, vector)),
            bounds,
            integrality=integrality,
            popsize=max(1, round(population / len(bounds))),
            rng=seed,
        )


def dehb(problem: Problem, budget: int, seed: int, evaluate: Evaluator, *, population: int) -> None:
    """DEHB's differential evolution at one fidelity, as it advises where there is no other.

    Its settings are those of its ``DEHB`` (rand/1/bin, F and CR 0.5, random repair of bounds), and
    vectors in [0, 1] are read as its ConfigSpace reads them.
    """
    from dehb.optimizers import DE

    def objective(vector: Any) -> dict[str, float]:
        return {"fitness": evaluate(encoding.from_unit(problem.space, vector)), "cost": 1.0}

    # It makes directories and log files where it runs.
    with tempfile.TemporaryDirectory(prefix="bench-dehb-") as directory:
        search = DE(
            f=objective,
            dimensions=len(problem.space),
            pop_size=population,
            mutation_factor=0.5,
            crossover_prob=0.5,
            strategy="rand1_bin",
            seed=seed,
            output_path=directory,
        )
        search.run(generations=budget)


def tpe(
    problem: Problem, budget: int, seed: int, evaluate: Evaluator, *, multivariate: bool = False
) -> None:
    """Optuna's tree-structured Parzen estimator, otherwise with its defaults."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        sampler = optuna.samplers.TPESampler(seed=seed, multivariate=multivariate)
    study = optuna.create_study(sampler=sampler)
    for _ in range(budget):
        trial = study.ask()
        study.tell(trial, evaluate(suggested(trial, problem.space)))


def suggested(trial: Any, space: SearchSpace) -> dict[str, Any]:
    """Return the configuration that one of Optuna's trials suggests."""
    return {name: _suggest(trial, name, domain) for name, domain in space.items()}


def _suggest(trial: Any, name: str, domain: Domain) -> Any:
    if isinstance(domain, Categorical):
        return trial.suggest_categorical(name, list(domain.choices))
    suggest = trial.suggest_int if isinstance(domain, Int) else trial.suggest_float
    return suggest(name, domain.low, domain.high, log=domain.log)
