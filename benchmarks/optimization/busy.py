"""The comparison with evaluations at once: what is run, and its figures, tables and targets."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from optimization import runner, suite
from optimization.at_once import SIGMA, at_once
from optimization.cache import Cache
from optimization.contenders import Contender
from optimization.runner import Job
from optimization.scoring import Mean, Scale
from optimization.summary import Check
from report import number, table

OWN = "evolution"
RANDOM = "random"
RUNNING = (1, 4, 8)
BUDGETS = (30, 100, 300)
REFERENCE_SEEDS = 50
"""Runs of random search, whose median is regret 1. It never learns: how many run is the same."""

LABELS = {
    OWN: "this project, `AsynchronousEvolution`",
    "tpe": "Optuna TPE, multivariate",
    "gp": "Optuna GPSampler",
    "catcma": "cmaes CatCMAwM",
    RANDOM: "random search",
}
OPTUNAS = ("tpe", "gp")

ITS_OWN = 1.15
OPTUNAS_BEST = 0.7
BEST_PEER = {30: 0.85, 100: 0.6, 300: 0.6}


@dataclass(frozen=True)
class Slow:
    """How much of a peer is run that takes seconds for a proposal."""

    running: tuple[int, ...]
    length: int
    seeds: int


OWN_SEEDS = 10
"""Runs of this project's own on each problem, at least: they take seconds."""

SLOW = {"gp": Slow((1,), 30, 2)}

_OWN_SOURCES = ("hopsml_flows/search/**/*.py", "benchmarks/optimization/asked.py")
_PACKAGES = {"tpe": ("optuna",), "gp": ("optuna", "torch", "scipy"), "catcma": ("cmaes",)}

_HOW = f"""{{problems}} functions without training. A virtual clock: durations are lognormal (sigma
{SIGMA:g}) and seeded; a free slot asks at once, and what ends is told at once. Regret: 0 is the
best value found in any run here, 1 the median of random search after as many evaluations.
± is the standard error over seeds, n their number. A ratio is of the problems and seeds that both
ran. GPSampler takes up to a second for a proposal: it has few seeds and evaluations, one at a time.
"""

Runs = Mapping[tuple[str, int], np.ndarray]
"""(problem, seed) to the best value so far after each evaluation."""


@dataclass(frozen=True)
class Busy:
    """The comparison.

    Args:
        problems: Names of functions.
        seeds: Runs on each, by number of evaluations.
        cache: Where runs are kept.
        first_seed: The first of them.
    """

    problems: Sequence[str]
    seeds: Mapping[int, int]
    cache: Cache
    first_seed: int = 0

    def run(self, only: Sequence[str], processes: int) -> None:
        """Run what is missing.

        Args:
            only: Which optimizers.
            processes: How many runs at a time.
        """
        jobs = [job for optimizer in only for job in self._jobs(optimizer)]
        # Short ones first, and who is compared with whom side by side.
        jobs.sort(key=lambda job: (job.budget, job.contender.options["running"]))
        runner.run(self.cache, jobs, fresh=set(), processes=processes)

    def _jobs(self, optimizer: str) -> Iterator[Job]:
        for length in BUDGETS:
            for running in RUNNING:
                if length in self._lengths(optimizer, running):
                    for problem in self.problems:
                        yield self._job(optimizer, running, problem, length)

    def _lengths(self, optimizer: str, running: int) -> list[int]:
        if optimizer in SLOW:
            return [SLOW[optimizer].length] if running in SLOW[optimizer].running else []
        if optimizer == RANDOM:
            return [BUDGETS[-1]] if running == 1 else []
        if optimizer != OWN:
            return list(BUDGETS[1:])  # it knows no budget: for 30 evaluations runs of 100 are cut
        return [budget for budget in BUDGETS if running == 1 or budget > BUDGETS[0]]

    def _job(self, optimizer: str, running: int, problem: str, length: int) -> Job:
        seeds = REFERENCE_SEEDS if optimizer == RANDOM else self.seeds[length]
        if optimizer in SLOW:
            seeds = SLOW[optimizer].seeds
        if optimizer == OWN:
            seeds = max(seeds, OWN_SEEDS)
        contender = Contender(
            LABELS[optimizer],
            at_once,
            packages=_PACKAGES.get(optimizer, ()),
            sources=("benchmarks/optimization/asked.py",)
            if optimizer in _PACKAGES
            else _OWN_SOURCES,
            options={"optimizer": optimizer, "running": running},
        )
        name = f"{optimizer}-{running}-at-once"
        wanted = range(self.first_seed, self.first_seed + seeds)
        return Job(name, contender, problem, length, tuple(wanted))

    def runs(self, optimizer: str, running: int, budget: int) -> Runs:
        """The runs that there are, cut to a number of evaluations."""
        lengths = [n for n in self._lengths(optimizer, running) if n >= budget]
        if optimizer == OWN:
            lengths = [n for n in lengths if n == budget]
        if not lengths:
            return {}
        found: dict[tuple[str, int], np.ndarray] = {}
        for problem in self.problems:
            job = self._job(optimizer, running, problem, min(lengths))
            kept = self.cache.load(job.name, job.contender, suite.problem(problem), job.budget)
            wanted = {seed: run for seed, run in kept.items() if seed in job.seeds}
            curves = runner.curves(list(wanted.values()), budget)
            found |= {(problem, seed): row for seed, row in zip(wanted, curves, strict=True)}
        return found


@dataclass(frozen=True)
class Figures:
    """What came of the comparison.

    Args:
        runs: By optimizer, evaluations at once, and evaluations.
        scales: What values are worth, by problem.
        problems: Their names.
    """

    runs: Mapping[tuple[str, int, int], Runs]
    scales: Mapping[str, Scale]
    problems: Sequence[str]

    @classmethod
    def of(cls, busy: Busy) -> Figures:
        """From the runs that there are; what did not run on all problems is left out."""
        runs = {
            (optimizer, running, budget): found
            for optimizer in LABELS
            for running in RUNNING
            for budget in BUDGETS
            if (found := busy.runs(optimizer, running, budget))
            and {problem for problem, _ in found} == set(busy.problems)
        }
        reference = runs[RANDOM, 1, BUDGETS[-1]]
        scales = {}
        for problem in busy.problems:
            random = [row for (name, _), row in reference.items() if name == problem]
            best = min(
                float(row[-1])
                for found in runs.values()
                for (name, _), row in found.items()
                if name == problem
            )
            median = np.median(np.array(random), axis=0)
            scales[problem] = Scale(suite.problem(problem), best, median)
        return cls(runs, scales, busy.problems)

    def regrets(self, key: tuple[str, int, int]) -> dict[tuple[str, int], float]:
        """Normalised regret by problem and seed."""
        return {
            (problem, seed): float(self.scales[problem].regret(row[-1], key[2]))
            for (problem, seed), row in self.runs.get(key, {}).items()
        }

    def mean(self, key: tuple[str, int, int]) -> Mean:
        """Mean regret over problems and seeds."""
        return _mean(self.regrets(key), self.problems)

    def ratio(self, key: tuple[str, int, int], other: tuple[str, int, int]) -> float:
        """Mean regret divided by another one's, on the problems and seeds that both ran."""
        own, its = self.regrets(key), self.regrets(other)
        both = own.keys() & its.keys()
        if not both:
            return float("nan")
        above = _mean({at: own[at] for at in both}, self.problems).value
        return above / _mean({at: its[at] for at in both}, self.problems).value

    def worst(self, key: tuple[str, int, int], peers: Sequence[str]) -> tuple[str, float]:
        """The peer to which the ratio is largest, and the ratio."""
        ratios = {peer: self.ratio(key, (peer, *key[1:])) for peer in peers}
        known = {peer: ratio for peer, ratio in ratios.items() if np.isfinite(ratio)}
        return max(known.items(), key=lambda item: item[1]) if known else ("", float("nan"))

    def checks(self) -> list[Check]:
        """The targets."""
        found: list[Check] = []
        for budget, most in BEST_PEER.items():
            peer, ratio = self.worst((OWN, 1, budget), ["tpe", "gp", "catcma"])
            if peer:
                text = f"one at a time, {budget} evaluations: regret ÷ best peer ({LABELS[peer]})"
                found.append(Check(text, ratio, most))
        for running in RUNNING[1:]:
            for budget in BUDGETS[1:]:
                key = (OWN, running, budget)
                what = f"{running} at once, {budget} evaluations: regret ÷"
                if np.isfinite(ratio := self.ratio(key, (OWN, 1, budget))):
                    found.append(Check(f"{what} its own, one at a time", ratio, ITS_OWN))
                peer, ratio = self.worst(key, OPTUNAS)
                if peer:
                    found.append(Check(f"{what} {LABELS[peer]}", ratio, OPTUNAS_BEST))
        return found

    def data(self) -> dict[str, Any]:
        """All of it as JSON values."""
        return {
            "targets": [{**asdict(check), "met": check.met} for check in self.checks()],
            "regret": [
                {
                    "optimizer": key[0],
                    "running": key[1],
                    "evaluations": key[2],
                    "seeds": _seeds(self.runs[key]),
                    "mean": _rounded(self.mean(key).value),
                    "error": _rounded(self.mean(key).error),
                    "by_problem": {
                        problem: _rounded(float(np.mean(rows)))
                        for problem in self.problems
                        if (rows := [r for (n, _), r in self.regrets(key).items() if n == problem])
                    },
                }
                for key in self.runs
            ],
        }

    def text(self, about: Mapping[str, Any]) -> str:
        """All of it as Markdown."""
        versions = ", ".join(f"{name} {v}" for name, v in about["versions"].items())
        checks = [
            [c.text, number(c.value), f"{c.most:g}", "yes" if c.met else "**no**"]
            for c in self.checks()
        ]
        parts = [
            "# Optimizers with evaluations at once\n",
            f"{about['date']}, commit {about['commit']}; {about['system']}.",
            f"Python {about['python']}, {versions}.\n",
            _HOW.format(problems=len(self.problems)),
            "## Targets\n",
            table(["", "reached", "at most", "met"], checks),
            "## Mean regret\n",
            self._table(lambda key: self._cell(key)),
            "## By problem\n",
            *(self._by_problem(running, budget) for running in RUNNING for budget in BUDGETS),
        ]
        return "\n".join(part for part in parts if part)

    def _keys(self) -> list[tuple[int, int]]:
        return [(r, b) for r in RUNNING for b in BUDGETS if (OWN, r, b) in self.runs]

    def _table(self, cell: Callable[[tuple[str, int, int]], str]) -> str:
        keys = self._keys()
        rows = [
            [label, *(cell((name, *key)) for key in keys)]
            for name, label in LABELS.items()
            if any((name, *key) in self.runs for key in keys)
        ]
        return table(["", *(f"{r} at once, {b}" for r, b in keys)], rows)

    def _cell(self, key: tuple[str, int, int]) -> str:
        if key not in self.runs:
            return "-"
        mean = self.mean(key)
        error = f" ± {number(mean.error, 2)}" if np.isfinite(mean.error) else ""
        return f"{number(mean.value)}{error} (n={_seeds(self.runs[key])})"

    def _by_problem(self, running: int, budget: int) -> str:
        names = [name for name in LABELS if (name, running, budget) in self.runs]
        if OWN not in names:
            return ""
        found = {name: self.regrets((name, running, budget)) for name in names}
        rows = [
            [
                problem,
                *(
                    f"{np.mean([r for (n, _), r in found[name].items() if n == problem]):.3f}"
                    for name in names
                ),
            ]
            for problem in self.problems
        ]
        head = f"### {running} at once, {budget} evaluations\n\n"
        return head + table(["", *names], rows)


def _seeds(runs: Runs) -> int:
    return min(sum(name == problem for name, _ in runs) for problem in {n for n, _ in runs})


def _mean(regrets: Mapping[tuple[str, int], float], problems: Sequence[str]) -> Mean:
    """Of the problems that ran, with the seeds that all of them ran."""
    ran = [problem for problem in problems if any(name == problem for name, _ in regrets)]
    seeds = sorted(set.intersection(*({s for n, s in regrets if n == problem} for problem in ran)))
    return Mean.of(np.array([[regrets[problem, seed] for seed in seeds] for problem in ran]))


def _rounded(value: float) -> float | None:
    return float(f"{value:.5g}") if np.isfinite(value) else None
