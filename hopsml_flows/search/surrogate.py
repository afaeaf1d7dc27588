"""A cheap model of the objective, to choose among candidates before one is evaluated.

Pure: the same points give the same ranking.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hopsml_flows.search.encoding import Vector

__all__ = ["CubicSurrogate"]

_CATEGORY_SCALE = 0.7
"""Length of a one-hot category: two different ones are about as far apart as a parameter's ends."""

_RIDGE = 1e-8
_DIGITS = 9


class CubicSurrogate:
    """Radial basis function interpolant with cubic kernel and linear tail.

    The model of DYCORS and its relatives (Regis & Shoemaker, Engineering Optimization 2013;
    Gutmann, Journal of Global Optimization 2001): it has no lengths to fit, so it is of use from
    a dozen points on. Losses above the upper quartile are cut down to it, lest one failure of the
    landscape bend the model everywhere; categories enter one-hot.

    Args:
        vectors: Evaluated points, shape (n, d), in [0, 1].
        losses: Their losses, shape (n,); lower is better.
        categories: Number of choices of each coordinate, 0 for numbers; shape (d,).
    """

    def __init__(self, vectors: Vector, losses: Vector, categories: NDArray[np.int64]) -> None:
        self._categories = categories
        points = self._features(vectors)
        cut = np.minimum(losses, np.quantile(losses, 0.75))
        low, high = float(cut.min()), float(cut.max())
        self._points = points
        n, d = points.shape
        matrix = np.zeros((n + d + 1, n + d + 1))
        matrix[:n, :n] = _cubes(points, points)
        matrix[:n, :n] += _RIDGE * np.eye(n)
        matrix[:n, n] = matrix[n, :n] = 1.0
        matrix[:n, n + 1 :] = points
        matrix[n + 1 :, :n] = points.T
        # One-hot columns add up to one, as the constant does: without this there is no solution.
        matrix[n:, n:] -= _RIDGE * np.eye(d + 1)
        values = np.zeros(n + d + 1)
        if high > low:
            values[:n] = (cut - low) / (high - low)
        self._weights = np.linalg.solve(matrix, values)

    def predict(self, vectors: Vector) -> Vector:
        """Predicted losses, on a scale of their own: only the order means something.

        Args:
            vectors: Shape (m, d), in [0, 1].

        Returns:
            Shape (m,); rounded, so that the last bits of linear algebra, which differ between
            machines, decide nothing.
        """
        points = self._features(vectors)
        n = len(self._points)
        kernel = _cubes(points, self._points) @ self._weights[:n]
        losses: Vector = kernel + self._weights[n] + points @ self._weights[n + 1 :]
        return np.round(losses, _DIGITS)

    def _features(self, vectors: Vector) -> Vector:
        columns: list[Vector] = []
        for axis, choices in enumerate(self._categories.tolist()):
            column = vectors[:, axis]
            if choices:
                cells = np.minimum(column * choices, choices - 1).astype(int)
                columns.append(_CATEGORY_SCALE * np.eye(choices)[cells])
            else:
                columns.append(column[:, None])
        return np.hstack(columns)


def _cubes(one: Vector, other: Vector) -> Vector:
    squares = (one**2).sum(1)[:, None] + (other**2).sum(1)[None, :] - 2 * one @ other.T
    distances: Vector = np.sqrt(np.maximum(squares, 0.0))
    return distances**3
