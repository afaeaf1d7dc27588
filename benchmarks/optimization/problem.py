"""What a problem of the optimizer benchmark is, and the fingerprint that tells versions apart."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from hopsml_flows.search.space import SearchSpace

_POINTS = 12
"""Configurations whose values make up a fingerprint."""


@dataclass(frozen=True)
class Problem:
    """Something to minimise.

    Args:
        name: Its name in tables and on the command line.
        kind: What sort of problem it is.
        space: The configurations.
        function: Parameters to the value that is minimised; deterministic.
        optimum: The smallest value there is, where it is known exactly.
        median: The median over the whole space, where it is known exactly.
    """

    name: str
    kind: str
    space: SearchSpace
    function: Callable[[dict[str, Any]], float]
    optimum: float | None = None
    median: float | None = None

    @property
    def is_table(self) -> bool:
        """Whether all values are known in advance."""
        return self.kind == "table"

    def fingerprint(self) -> str:
        """A digest of the space and of some values: another problem has another one."""
        rng = np.random.default_rng(0)
        values = [f"{self.function(self.space.sample(rng)):.9g}" for _ in range(_POINTS)]
        said = json.dumps([self.name, self.space.describe(), values])
        return hashlib.sha256(said.encode()).hexdigest()[:12]
