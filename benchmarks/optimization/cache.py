"""Results on disk, so that only what changed is run again.

A file holds the runs of one contender on one problem with one budget. Its name has a digest of
everything that they depend on; files with another digest are out of date, and are deleted when new
results come.
"""

from __future__ import annotations

import ast
import hashlib
import inspect
import json
import os
from importlib.metadata import version
from pathlib import Path

import numpy as np
from environment import ROOT
from optimization.contenders import Contender
from optimization.evaluation import Run
from optimization.problem import Problem


class Cache:
    """The runs of contenders.

    Args:
        directory: Where they are.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._versions: dict[str, str] = {}

    def load(
        self, name: str, contender: Contender, problem: Problem, budget: int
    ) -> dict[int, Run]:
        """What is there, by seed."""
        path = self._path(name, contender, problem, budget)
        if not path.exists():
            return {}
        with np.load(path) as file:
            lengths = np.cumsum(file["lengths"])[:-1]
            values = np.split(file["values"], lengths)
            figures = json.loads(str(file["figures"]))
            seeds = [int(seed) for seed in file["seeds"]]
        runs = zip(values, figures, strict=True)
        return dict(zip(seeds, (Run(found.tolist(), said) for found, said in runs), strict=True))

    def add(
        self,
        name: str,
        contender: Contender,
        problem: Problem,
        budget: int,
        runs: dict[int, Run],
    ) -> None:
        """Keep more runs, and delete those that are out of date."""
        path = self._path(name, contender, problem, budget)
        path.parent.mkdir(parents=True, exist_ok=True)
        runs = {**self.load(name, contender, problem, budget), **runs}
        part = path.with_suffix(f".{os.getpid()}.part")
        with part.open("wb") as file:
            np.savez_compressed(
                file,
                seeds=np.array(list(runs)),
                lengths=np.array([len(run.values) for run in runs.values()]),
                values=np.concatenate([run.values for run in runs.values()]),
                figures=json.dumps([run.figures for run in runs.values()]),
            )
        part.replace(path)
        for old in path.parent.glob(f"{problem.name}@{budget}@*.npz"):
            if old != path:
                old.unlink(missing_ok=True)

    def _path(self, name: str, contender: Contender, problem: Problem, budget: int) -> Path:
        if problem.name not in self._versions:
            self._versions[problem.name] = problem.fingerprint()
        if name not in self._versions:
            self._versions[name] = _version(contender)
        settings = contender.settings(budget) or None
        parts = [self._versions[name], self._versions[problem.name], settings]
        digest = hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]
        return self._directory / name / f"{problem.name}@{budget}@{digest}.npz"


def _version(contender: Contender) -> str:
    """A digest of a contender's code, options and packages."""
    digest = hashlib.sha256(_meaning(inspect.getsource(contender.minimise)))
    for pattern in contender.sources:
        for path in sorted(ROOT.glob(pattern)):
            digest.update(_meaning(path.read_text()))
    packages = {name: version(name) for name in ("numpy", *contender.packages)}
    digest.update(json.dumps([packages, dict(contender.options)], sort_keys=True).encode())
    return digest.hexdigest()


def _meaning(source: str) -> bytes:
    """What a module does: its code without comments, docstrings and formatting."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            node.body = [line for line in body if not _is_text(line)]
    return ast.dump(tree).encode()


def _is_text(line: ast.AST) -> bool:
    return (
        isinstance(line, ast.Expr)
        and isinstance(line.value, ast.Constant)
        and isinstance(line.value.value, str)
    )
