"""What is run and compared: contenders by problems by budgets by seeds, and the studies."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from optimization import own, runner, studies, suite
from optimization.cache import Cache
from optimization.contenders import CONTENDERS, OURS, RANDOM, STUDIES, Contender
from optimization.runner import Job
from optimization.scoring import Scale
from optimization.summary import Group

LONGEST = 300
"""Evaluations of a contender whose settings do not depend on the budget."""

REFERENCE_SEEDS = 50
"""Runs of random search whose median is regret 1."""


@dataclass(frozen=True)
class Comparison:
    """What is to be run and compared.

    Args:
        contenders: Everybody, by name.
        groups: Problem names by group.
        seeds: Runs on each problem, by group.
        budgets: Evaluations.
        cache: Where runs are kept.
    """

    contenders: Mapping[str, Contender]
    groups: Mapping[str, Sequence[str]]
    seeds: Mapping[str, int]
    budgets: Sequence[int]
    cache: Cache

    @classmethod
    def of(
        cls,
        problems: Sequence[str],
        budgets: Sequence[int],
        seeds: Mapping[str, int],
        variants: Mapping[str, Contender],
    ) -> Comparison:
        """Of everybody that this version of the project has."""
        contenders = {
            name: contender
            for name, contender in {**CONTENDERS, **variants}.items()
            if own.is_there() or not contender.own
        }
        tables = set(suite.names("tables"))
        groups = {
            "functions": [name for name in problems if name not in tables],
            "tables": [name for name in problems if name in tables],
        }
        groups = {group: names for group, names in groups.items() if names}
        return cls(contenders, groups, seeds, budgets, Cache(suite.CACHE / "runs"))

    @property
    def labels(self) -> dict[str, str]:
        """Contenders' names in tables."""
        return {name: contender.label for name, contender in self.contenders.items()}

    def run(
        self, only: Sequence[str], fresh: set[str], processes: int, *, with_studies: bool
    ) -> None:
        """Run what is missing.

        Args:
            only: Which contenders.
            fresh: Those that run whatever there is.
            processes: How many runs at a time.
            with_studies: Whether the studies' runs are wanted.
        """
        jobs = [*self._references()]
        for name in only:
            jobs += self._jobs(name)
        if with_studies:
            jobs += self._study_jobs()
        runner.run(self.cache, jobs, fresh=fresh, processes=processes)

    def group(self, name: str) -> Group | None:
        """The results on a group of problems, of those contenders that ran on all of them."""
        if name not in self.groups:
            return None
        problems = self.groups[name]
        curves: dict[tuple[str, str, int], np.ndarray] = {}
        thinking: dict[str, float] = {}
        for contender in self.contenders:
            jobs = list(self._jobs(contender, name))
            runs = {(job.problem, job.budget): runner.runs_of(self.cache, job) for job in jobs}
            if None in runs.values():
                continue
            for problem in problems:
                for budget in self.budgets:
                    cached = runs[problem, self._length(contender, budget)]
                    curves[contender, problem, budget] = runner.curves(cached or [], budget)
            longest = max(job.budget for job in jobs)
            spent = [
                1000 * run.figures["thinking_s"] / len(run.values)
                for (_, budget), found in runs.items()
                if budget == longest
                for run in found or []
            ]
            thinking[contender] = float(np.mean(spent))
        ran = [contender for contender in self.contenders if contender in thinking]
        scales = {problem: self._scale(problem, curves) for problem in problems}
        substitutes = frozenset(
            name for name, one in self.contenders.items() if one.own and name != OURS
        )
        return Group(problems, ran, self.budgets, curves, scales, thinking, substitutes)

    def asynchrony(self, functions: Group) -> dict[str, studies.Asynchrony]:
        """The study of asynchrony, by way of updating; empty where runs are missing."""
        found: dict[str, studies.Asynchrony] = {}
        for updating in STUDIES:
            jobs = [job for job in self._study_jobs() if job.name == _study(updating)]
            runs = {job.problem: runner.runs_of(self.cache, job) for job in jobs}
            if not runs or None in runs.values():
                return {}
            whole = {problem: one for problem, one in runs.items() if one}
            found[updating] = studies.Asynchrony.of(whole, functions.scales)
        return found

    def _jobs(self, name: str, group: str | None = None) -> Iterator[Job]:
        contender = self.contenders[name]
        lengths = sorted({self._length(name, budget) for budget in self.budgets})
        for one in [group] if group else self.groups:
            seeds = tuple(range(self.seeds[one]))
            for problem in self.groups[one]:
                for length in lengths:
                    yield Job(name, contender, problem, length, seeds)

    def _length(self, name: str, budget: int) -> int:
        return budget if self.contenders[name].sizes else LONGEST

    def _references(self) -> Iterator[Job]:
        seeds = tuple(range(REFERENCE_SEEDS))
        for problems in self.groups.values():
            for problem in problems:
                yield Job(RANDOM, CONTENDERS[RANDOM], problem, LONGEST, seeds)

    def _study_jobs(self) -> Iterator[Job]:
        if OURS not in self.contenders or "functions" not in self.groups:
            return
        seeds = tuple(range(self.seeds["functions"]))
        for updating, contender in STUDIES.items():
            for problem in self.groups["functions"]:
                yield Job(_study(updating), contender, problem, studies.ASYNC_BUDGET, seeds)

    def _scale(self, problem: str, curves: Mapping[tuple[str, str, int], np.ndarray]) -> Scale:
        reference = next(job for job in self._references() if job.problem == problem)
        runs = runner.runs_of(self.cache, reference)
        if runs is None:
            raise RuntimeError(f"random search has not run on {problem}")
        random = runner.curves(runs, LONGEST)
        found = [random.min(), *(best.min() for key, best in curves.items() if key[1] == problem)]
        return Scale(suite.problem(problem), float(min(found)), np.median(random, axis=0))


def _study(updating: str) -> str:
    return f"workers-{updating}"
