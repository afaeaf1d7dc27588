"""A cheap model of the objective, which ranks candidates before one is evaluated.

Pure: the same points give the same ranking.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hopsml_flows.search.encoding import Vector

__all__ = ["Surrogate"]

_CATEGORY_SCALE = 0.7
"""Length of a one-hot category: two of them are about as far apart as a parameter's ends."""

_WORST_SHARE = 0.97
"""Losses above this quantile are lowered to it."""

_STRENGTHS = (0.0, 0.3, 3.0)
"""How much losses are put on a logarithmic scale: not at all; above the median; below it, too."""

_NOISE = 1e-6
_JITTER = 1e-8
_PRIOR_LENGTH = 0.7
_PRIOR_WEIGHT = 0.5
_SHORTEST, _LONGEST = 0.03, 30.0
_STEP = 0.5
"""Step of a length's logarithm in the search for the best lengths."""

_FIRST_SWEEPS = 4
_FIT_POINTS = 150
"""The lengths are fitted to so many points, the best ones."""

_DIGITS = 9

_SMALL = 64
"""Rows of a matrix that is inverted as a whole."""

_ROOM = 64
"""Points that are believed before the model's matrix is copied."""


class Surrogate:
    """Gaussian process with a Matérn 5/2 kernel and a length for each parameter.

    The model of Bayesian optimization (Snoek, Larochelle & Adams, NeurIPS 2012; Rasmussen &
    Williams 2006, chapters 2 and 5), with a prior that keeps the lengths sensible while there are
    few points. The largest losses are lowered, so that one cliff of the landscape does not bend the
    model everywhere. Losses of very different sizes are put on a logarithmic scale, if the points
    are likelier then (warped Gaussian processes: Snelson, Rasmussen & Ghahramani, NIPS 2003).
    Categories enter one-hot.

    Args:
        vectors: Evaluated points, shape (n, d), in [0, 1].
        losses: Their losses, shape (n,); lower is better.
        categories: Number of choices of each coordinate, 0 for numbers; shape (d,).
        lengths: Logarithms of an earlier model's lengths, to begin with; shape (d,).
        running: Points under evaluation, shape (m, d); see :meth:`believe`.
    """

    def __init__(
        self,
        vectors: Vector,
        losses: Vector,
        categories: NDArray[np.int64],
        lengths: Vector | None = None,
        running: Vector | None = None,
    ) -> None:
        self._categories = categories
        points = self._features(vectors)
        keep = np.sort(np.argsort(losses, kind="stable")[:_FIT_POINTS])
        lowered = _lowered(losses)
        kernels = _Kernels(self._squares_by_axis(points[keep]))
        fits: list[tuple[float, Vector, Vector]] = []
        for strength in _STRENGTHS:
            warped, slopes = _warped(lowered, strength)
            found, cost = _fitted(kernels, warped[keep], lengths)
            fits.append((round(cost - float(slopes[keep].sum()), _DIGITS), warped, found))
        # Of equals the first, which is the simplest.
        _, targets, self.lengths = min(fits, key=lambda fit: fit[0])
        """Logarithms of the lengths, shape (d,)."""
        count = len(points)
        if running is not None and len(running):
            points = np.vstack([points, self._features(running)])
        self._scaled = points * self._weights()
        kernel = _matern(_squares(self._scaled, self._scaled))
        kernel[np.diag_indices_from(kernel)] += _NOISE + _JITTER
        self._room = np.zeros((len(points) + _ROOM, len(points) + _ROOM))
        self._whitening = self._room[: len(points), : len(points)]
        self._whitening[:] = _inverse(np.linalg.cholesky(kernel))
        # Triangular: the part of the evaluated points is what they alone would give.
        evaluated = self._whitening[:count, :count]
        whitened = evaluated @ targets
        self._coefficients = np.zeros(len(points))
        self._coefficients[:count] = evaluated.T @ whitened
        self._variance = max(float(whitened @ whitened) / len(targets), 1e-6)
        self._best = float(targets.min())

    def predict(self, vectors: Vector) -> tuple[Vector, Vector]:
        """Return predicted losses and their standard deviations, on a scale of their own.

        Args:
            vectors: Shape (m, d), in [0, 1].

        Returns:
            Two arrays of shape (m,).
        """
        scaled = self._features(vectors) * self._weights()
        kernel = _matern(_squares(scaled, self._scaled))
        mean: Vector = kernel @ self._coefficients
        explained = self._whitening @ kernel.T
        variance = np.maximum(1.0 - (explained**2).sum(0), 1e-10) * self._variance
        return mean, np.sqrt(variance)

    def believe(self, vector: Vector) -> None:
        """Treat a point under evaluation as evaluated, with its predicted loss.

        So the next points lie elsewhere (kriging believer: Ginsbourger, Le Riche & Carraro 2010).
        The deviations around the point shrink. The predicted losses stay the same, and so does the
        best loss, which only an evaluation changes.

        Args:
            vector: Shape (d,), in [0, 1].
        """
        scaled = self._features(vector[None, :]) * self._weights()
        row = self._whitening @ _matern(_squares(scaled, self._scaled))[0]
        rest = math.sqrt(max(1.0 + _NOISE + _JITTER - float(row @ row), _NOISE))
        size = len(row)
        below = -(row @ self._whitening) / rest
        if size == len(self._room):
            self._room = np.zeros((size + _ROOM, size + _ROOM))
            self._room[:size, :size] = self._whitening
        self._whitening = self._room[: size + 1, : size + 1]
        self._whitening[size, :size] = below
        self._whitening[size, size] = 1 / rest
        self._scaled = np.vstack([self._scaled, scaled])
        self._coefficients = np.append(self._coefficients, 0.0)

    def order(self, vectors: Vector) -> list[int]:
        """Return the places of candidates by expected improvement, the most promising first.

        Jones, Schonlau & Welch, Journal of Global Optimization 1998, eq. 15. Values are rounded, so
        that the last bits of linear algebra, which differ between machines, decide nothing.

        Args:
            vectors: Shape (m, d), in [0, 1].
        """
        mean, deviation = self.predict(vectors)
        z = (self._best - mean) / deviation
        below = np.array([0.5 * (1 + math.erf(value / math.sqrt(2))) for value in z.tolist()])
        density = np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)
        gain = np.round(deviation * (z * below + density), _DIGITS)
        # If no candidate promises an improvement, the smallest predicted loss comes first.
        order: list[int] = np.lexsort((np.round(mean, _DIGITS), -gain)).tolist()
        return order

    def _squares_by_axis(self, points: Vector) -> Vector:
        """Return the squared distances of all pairs in each parameter; shape (d, n, n)."""
        axes = [points[:, self._axes == axis] for axis in range(len(self._categories))]
        return np.array([_squares(along, along) for along in axes])

    def _weights(self) -> Vector:
        weights: Vector = np.exp(-self.lengths)[self._axes]
        return weights

    @property
    def _axes(self) -> NDArray[np.int64]:
        """The parameter of each feature."""
        return np.repeat(np.arange(len(self._categories)), np.maximum(self._categories, 1))

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


class _Kernels:
    """Factors of the kernel of some points by its lengths; targets of several scales share them.

    Args:
        parts: Squared distances of all pairs in each parameter, shape (d, n, n).
    """

    def __init__(self, parts: Vector) -> None:
        self._parts = parts
        self.size = len(parts)
        """Number of parameters, d."""
        self._known: dict[bytes, tuple[Vector, float] | None] = {}

    def factor(self, lengths: Vector) -> tuple[Vector, float] | None:
        """Return the Cholesky factor and the sum of its diagonal's logarithms, None if it has none.

        Args:
            lengths: Logarithms of the lengths, shape (d,).
        """
        key = lengths.tobytes()
        if key not in self._known:
            self._known[key] = self._factored(lengths)
        return self._known[key]

    def _factored(self, lengths: Vector) -> tuple[Any, float] | None:
        kernel = _matern(np.tensordot(np.exp(-2 * lengths), self._parts, 1))
        kernel[np.diag_indices_from(kernel)] += _NOISE + _JITTER
        try:
            factor = np.linalg.cholesky(kernel)
        except np.linalg.LinAlgError:
            return None
        return factor, float(np.log(np.diag(factor)).sum())


def _fitted(kernels: _Kernels, targets: Vector, start: Vector | None) -> tuple[Vector, float]:
    """Find lengths by coordinate search; return them and the negative logarithm of likelihood."""
    size = kernels.size
    centred = targets - targets.mean()

    def cost(lengths: Vector) -> float:
        found = kernels.factor(lengths)
        if found is None:
            return math.inf
        factor, volume = found
        whitened = np.linalg.solve(factor, centred)
        misfit = math.log(float(whitened @ whitened) / len(centred) + 1e-12)
        prior = float(((lengths - math.log(_PRIOR_LENGTH)) ** 2).sum())
        return 0.5 * len(centred) * misfit + volume + 0.5 * _PRIOR_WEIGHT * prior

    lengths = np.full(size, math.log(_PRIOR_LENGTH)) if start is None else start
    lowest = cost(lengths)
    directions = [np.ones(size), *np.eye(size)]
    for _ in range(_FIRST_SWEEPS if start is None else 1):
        for direction in directions:
            for sign in (_STEP, -_STEP):
                moved = False
                while True:
                    trial = np.clip(
                        lengths + sign * direction, math.log(_SHORTEST), math.log(_LONGEST)
                    )
                    found = cost(trial)
                    if found >= lowest - 1e-6:
                        break
                    lengths, lowest, moved = trial, found, True
                if moved:
                    break
    return lengths, lowest


def _lowered(losses: Vector) -> Vector:
    """Return losses between 0, the best, and about 1, the median; the worst ones lowered."""
    # "lower" takes one of the losses: between two of the largest floats there is no other.
    cut = np.minimum(losses, np.quantile(losses, _WORST_SHARE, method="lower"))
    scale = float(np.abs(cut).max())
    # Scaled: squares of large floats overflow, squares of small ones vanish.
    cut = cut / scale if scale > 0 else cut
    cut = cut - cut.min()
    # Half of the losses may be as good as equal: the largest one stays below a million.
    middle = max(float(np.median(cut)), 1e-6 * float(cut.max()))
    scaled: Vector = cut / middle if middle > 0 else cut
    return scaled


def _warped(losses: Vector, strength: float) -> tuple[Vector, Vector]:
    """Put losses on a logarithmic scale, with mean 0 and standard deviation 1.

    Args:
        losses: Losses of at least 0; shape (n,).
        strength: Where the scale bends, the reciprocal of a loss; 0 keeps it straight.

    Returns:
        The losses, and the logarithms of the scale's slope at each of them.
    """
    logarithms = np.log1p(strength * losses)
    warped = logarithms / strength if strength else losses
    spread = float(warped.std()) or 1.0
    standard: Vector = (warped - warped.mean()) / spread
    return standard, -logarithms - math.log(spread)


def _squares(one: Vector, other: Vector) -> Vector:
    """Return the squared distances of all pairs."""
    squares = (one**2).sum(1)[:, None] + (other**2).sum(1)[None, :] - 2 * one @ other.T
    positive: Vector = np.maximum(squares, 0.0)
    return positive


def _matern(squares: Vector) -> Vector:
    """Return the kernel 1 + r + r²/3 times exp(-r), where r² is five times a squared distance."""
    root: Vector = 5 * squares
    np.sqrt(root, out=root)
    kernel: Vector = root * root  # in place: with hundreds of points, memory takes the time
    kernel /= 3
    kernel += root
    kernel += 1
    np.negative(root, out=root)
    np.exp(root, out=root)
    kernel *= root
    return kernel


def _inverse(lower: NDArray[Any]) -> Vector:
    """Return the inverse of a lower triangular matrix.

    By halves, because NumPy has no function that knows of the zeros: a quarter of the time of
    ``numpy.linalg.inv`` with 500 rows.
    """
    size = len(lower)
    if size <= _SMALL:
        small: Vector = np.linalg.inv(lower)
        return small
    half = size // 2
    inverse: Vector = np.zeros((size, size))
    inverse[:half, :half] = _inverse(lower[:half, :half])
    inverse[half:, half:] = _inverse(lower[half:, half:])
    across = lower[half:, :half] @ inverse[:half, :half]
    inverse[half:, :half] = -(inverse[half:, half:] @ across)
    return inverse
