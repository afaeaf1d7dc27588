"""Runs what is missing in a few processes, and reads the runs that are wanted."""

from __future__ import annotations

import multiprocessing
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import dataclass

import numpy as np
from optimization import suite
from optimization.cache import Cache
from optimization.contenders import Contender
from optimization.evaluation import Run
from optimization.scoring import curve

_CHUNK = 5
"""Seeds that a process runs at a time."""


@dataclass(frozen=True)
class Job:
    """Runs of one contender on one problem.

    Args:
        name: Of the contender.
        contender: What runs.
        problem: Name of the problem.
        budget: Evaluations of a run.
        seeds: One for each run.
    """

    name: str
    contender: Contender
    problem: str
    budget: int
    seeds: tuple[int, ...]


def run(cache: Cache, jobs: Sequence[Job], *, fresh: set[str], processes: int) -> None:
    """Run what the cache does not have.

    Args:
        cache: Where runs are kept.
        jobs: What is wanted.
        fresh: Contenders that run whatever there is.
        processes: How many runs at a time.
    """
    pieces = [piece for job in jobs for piece in _missing(cache, job, job.name in fresh)]
    if not pieces:
        return
    # Forked, so that problems are set up once; nothing here has threads.
    context = multiprocessing.get_context("fork")
    with ProcessPoolExecutor(processes, mp_context=context) as pool:
        futures = {pool.submit(_work, piece): piece for piece in pieces}
        try:
            for done, future in enumerate(_told(futures), start=1):
                piece = futures[future]
                problem = suite.problem(piece.problem)
                cache.add(piece.name, piece.contender, problem, piece.budget, future.result())
                _tell(f"{done}/{len(pieces)} {piece.name} {piece.problem}")
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    _tell("")


def curves(runs: Sequence[Run], length: int) -> np.ndarray:
    """The best values so far: a row a run, a column an evaluation."""
    return np.array([curve(run.values, length) for run in runs])


def runs_of(cache: Cache, job: Job) -> list[Run] | None:
    """The runs in the order of the seeds; None where some are missing."""
    found = cache.load(job.name, job.contender, suite.problem(job.problem), job.budget)
    return None if set(job.seeds) - set(found) else [found[seed] for seed in job.seeds]


def _missing(cache: Cache, job: Job, fresh: bool) -> Iterator[Job]:
    problem = suite.problem(job.problem)
    known = set() if fresh else set(cache.load(job.name, job.contender, problem, job.budget))
    seeds = [seed for seed in job.seeds if seed not in known]
    for start in range(0, len(seeds), _CHUNK):
        chunk = tuple(seeds[start : start + _CHUNK])
        yield Job(job.name, job.contender, job.problem, job.budget, chunk)


def _work(job: Job) -> dict[int, Run]:
    problem = suite.problem(job.problem)
    return {seed: job.contender.run(problem, job.budget, seed) for seed in job.seeds}


def _told(futures: dict[Future, Job]) -> Iterator[Future]:
    for future in as_completed(futures):
        if future.exception() is not None:
            job = futures[future]
            seeds = ", ".join(map(str, job.seeds))
            print(f"\n{job.name} on {job.problem}, budget {job.budget}, seeds {seeds} failed:")
        yield future


_said = [0.0]


def _tell(text: str) -> None:
    """Say how far it is: twice a second on a terminal, otherwise twice a minute."""
    terminal = sys.stderr.isatty()
    if text and time.monotonic() - _said[0] < (0.5 if terminal else 30):
        return
    _said[0] = time.monotonic()
    end = "" if terminal else "\n"
    if text or terminal:
        print(f"\r\033[K{text}" if terminal else text, end=end, file=sys.stderr, flush=True)
