"""All configurations that a search has evaluated with success, as arrays that grow. Pure."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hopsml_flows.search.encoding import Vector

__all__ = ["Evaluations"]

_ROOM = 64


class Evaluations:
    """Evaluated vectors with their losses, in the order of results.

    Args:
        size: Number of coordinates, d.

    Example:
        >>> known = Evaluations(1)
        >>> for number, x in enumerate([0.5, 0.1, 0.9, 0.1], 1):
        ...     known.add(number, np.array([x]), loss=x)
        >>> len(known), known.losses.tolist(), known.best(3).tolist()
        (4, [0.5, 0.1, 0.9, 0.1], [1, 3, 0])
    """

    def __init__(self, size: int) -> None:
        self._count = 0
        self._vectors: Vector = np.empty((_ROOM, size))
        self._losses: Vector = np.empty(_ROOM)
        self._numbers: NDArray[np.int64] = np.empty(_ROOM, dtype=np.int64)

    def __len__(self) -> int:
        return self._count

    @property
    def vectors(self) -> Vector:
        """Shape (n, d)."""
        return self._vectors[: self._count]

    @property
    def losses(self) -> Vector:
        """Shape (n,)."""
        return self._losses[: self._count]

    def add(self, number: int, vector: Vector, loss: float) -> None:
        """Add an evaluation.

        Args:
            number: Number of its proposal.
            vector: The configuration, shape (d,), in [0, 1].
            loss: Its metric as a loss.
        """
        if self._count == len(self._losses):
            self._vectors = np.concatenate([self._vectors, np.empty_like(self._vectors)])
            self._losses = np.concatenate([self._losses, np.empty_like(self._losses)])
            self._numbers = np.concatenate([self._numbers, np.empty_like(self._numbers)])
        self._vectors[self._count] = vector
        self._losses[self._count] = loss
        self._numbers[self._count] = number
        self._count += 1

    def best(self, count: int, *, of: int | None = None) -> NDArray[np.int64]:
        """Return the places of the best evaluations, the best first, of equals the one asked first.

        Args:
            count: How many at most.
            of: How many of the first evaluations to look at; None for all.
        """
        end = self._count if of is None else of
        return np.lexsort((self._numbers[:end], self._losses[:end]))[:count]
