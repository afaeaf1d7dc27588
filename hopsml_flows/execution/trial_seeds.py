"""A seed for each trial: the random numbers of Python, NumPy, TensorFlow, PyTorch and Keras.

A training function often imports its library itself. So a library is seeded when the trial begins
if it is loaded then, and otherwise as soon as it is imported. Otherwise the first trial of a
process would differ from what the same trial gives after another one.
"""

from __future__ import annotations

import importlib.abc
import os
import random
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

__all__ = ["SEED_VARIABLE", "seed_random", "seeded"]

SEED_VARIABLE = "HOPSML_SEED"
"""Environment variable with the trial's seed, a number of 32 bits."""

_SEEDS = {
    "numpy": "random.seed",
    "tensorflow": "random.set_seed",
    "torch": "manual_seed",
}
"""Library to its function that takes a seed."""

_AT_BEGIN = {**_SEEDS, "keras": "utils.set_random_seed"}
"""Keras takes its seeds from Python's random numbers, but keeps a generator from trial to trial."""

_DRAWING = frozenset({*_AT_BEGIN, "tf_keras", "sklearn", "jax", "rich.style"})
"""Modules whose import may draw random numbers. The trial's go on as if it had not.

Keras and parts of scikit-learn import Rich, which draws a number for its links.
"""


@contextmanager
def seeded(seed: int, *, libraries: bool = True) -> Iterator[None]:
    """Begin a trial with its seed; until the block ends, seed libraries that it imports.

    Args:
        seed: A number of 32 bits; also set as ``HOPSML_SEED``.
        libraries: Whether random numbers are seeded. If not, there is only the variable.
    """
    os.environ[SEED_VARIABLE] = str(seed)
    if not libraries:
        yield
        return
    seed_random(seed)
    finder = _SeedingFinder(seed)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        with suppress(ValueError):  # the training function may have replaced the list
            sys.meta_path.remove(finder)


def seed_random(seed: int) -> None:
    """Seed the random numbers of Python, and of the libraries that are loaded.

    Args:
        seed: A number of 32 bits.
    """
    random.seed(seed)
    # Keras first: it seeds the others with the same number.
    for name in reversed(_AT_BEGIN):
        _seed_library(name, seed)


def _seed_library(name: str, seed: int) -> None:
    found: Any = sys.modules.get(name)
    if found is None:
        return
    with suppress(Exception):  # half loaded, or another library with that name
        for part in _AT_BEGIN[name].split("."):
            found = getattr(found, part)
        with warnings.catch_warnings(action="ignore"):
            found(seed)


@contextmanager
def _drawing_nothing(seed: int) -> Iterator[None]:
    """Put back the random numbers of Python and NumPy; seed NumPy if the block has loaded it."""
    state, numpy = random.getstate(), sys.modules.get("numpy")
    numpy_state = None
    with suppress(Exception):  # NumPy is half loaded
        numpy_state = numpy.random.get_state() if numpy is not None else None
    try:
        yield
    finally:
        random.setstate(state)
        if numpy is None or numpy_state is None:
            _seed_library("numpy", seed)
        else:
            numpy.random.set_state(numpy_state)


class _SeedingFinder(importlib.abc.MetaPathFinder):
    """Seeds a library after its import. Other finders find it.

    Args:
        seed: The seed.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        """Return how to load one of ``_DRAWING``; None for any other module."""
        if fullname not in _DRAWING:
            return None
        for finder in sys.meta_path:
            if finder is self or not hasattr(finder, "find_spec"):
                continue
            spec: ModuleSpec | None = finder.find_spec(fullname, path, target)
            if spec is not None:
                self._seed_after(spec)
                return spec
        return None

    def _seed_after(self, spec: ModuleSpec) -> None:
        loader: Any = spec.loader
        execute = getattr(loader, "exec_module", None)
        if execute is None:
            return

        def exec_module(module: ModuleType) -> None:
            # The loader stays with the module, and is to be as Python made it.
            del loader.exec_module
            with _drawing_nothing(self._seed):
                execute(module)
            if spec.name in _SEEDS:
                _seed_library(spec.name, self._seed)

        with suppress(AttributeError):  # a loader that takes no attributes
            loader.exec_module = exec_module
