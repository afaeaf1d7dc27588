"""Makes trial vectors of differential evolution: mutation, bounds, crossover, categories. Pure.

Vectors are those of :class:`~hopsml_flows.search.encoding.UnitCube`.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from hopsml_flows.search.encoding import Vector

__all__ = ["bounced", "crossed", "latin_hypercube", "mutated_categories", "neighbours"]

_REDRAW = 0.1
"""Chance that a category is drawn again in any case."""

_CATEGORY_MOVES = 0.3
"""Chance that a category moves where a number would."""

_FARTHEST, _NEAREST = 0.3, 0.003
"""Standard deviations of the widest and the narrowest steps to a neighbour."""

_DESIGNS = 20
_MANY = 1_000_000
"""With more differences between points, the first design is as good as any other."""


def latin_hypercube(count: int, size: int, rng: np.random.Generator) -> Vector:
    """Draw points that have, in each coordinate, one point in every ``count``-th of [0, 1].

    McKay, Beckman & Conover, Technometrics 1979. Of a few designs, it returns the one with the
    closest two points farthest apart (maximin: Johnson, Moore & Ylvisaker 1990).

    Args:
        count: Number of points.
        size: Number of coordinates.
        rng: Source of randomness.

    Returns:
        Shape (count, size).
    """
    best: Vector = np.zeros((count, size))
    if count == 0 or size == 0:
        return best
    farthest = -1.0
    for _ in range(_DESIGNS if count * count * size <= _MANY else 1):
        # Chosen by the strata alone: points free to move apart would gather at the bounds.
        design = np.column_stack([rng.permutation(count) for _ in range(size)]).astype(float)
        closest = _closest(design)
        if closest > farthest:
            best, farthest = design, closest
    points: Vector = (best + rng.random((count, size))) / count
    return points


def _closest(points: Vector) -> float:
    """Return the squared distance of the closest two points."""
    count = len(points)
    if count < 2 or count * points.size > _MANY:
        return 0.0
    gaps = ((points[:, None, :] - points[None, :, :]) ** 2).sum(2)
    return float(gaps[np.triu_indices(count, 1)].min())


def bounced(mutants: Vector, parents: Vector, rng: np.random.Generator) -> Vector:
    """Return mutants with coordinates outside [0, 1] moved between parent and crossed bound.

    Bounce-back (Price, Storn & Lampinen, Differential Evolution, 2005, section 4.3.1): no points
    gather at the bounds, as they would if mutants were clipped.

    Args:
        mutants: Shape (n, d).
        parents: The parent of each mutant, inside [0, 1]; shape (n, d).
        rng: Source of randomness.
    """
    bounds = np.where(mutants < 0.0, 0.0, 1.0)
    between = parents + rng.random(mutants.shape) * (bounds - parents)
    return np.where((mutants < 0.0) | (mutants > 1.0), between, mutants)


def crossed(mutants: Vector, parent: Vector, rates: Vector, rng: np.random.Generator) -> Vector:
    """Cross mutants with their parent, binomially (Storn & Price 1997, eq. 4).

    At least one coordinate is the mutant's.

    Args:
        mutants: Shape (n, d).
        parent: Shape (d,).
        rates: Crossover rate CR of each mutant, shape (n,).
        rng: Source of randomness.
    """
    count, size = mutants.shape
    taken = rng.random((count, size)) < rates[:, None]
    taken[np.arange(count), rng.integers(size, size=count)] = True
    return np.where(taken, mutants, parent)


def mutated_categories(
    mutants: Vector,
    base: Vector,
    donors: tuple[Vector, Vector],
    factors: Vector,
    categories: NDArray[np.int64],
    rng: np.random.Generator,
) -> Vector:
    """Return mutants with mutated categories, which cannot be subtracted as numbers are.

    A category is the base's. If the donors differ, it is drawn again with probability F, as a
    number would be moved; and with a small probability in any case.

    Args:
        mutants: Shape (n, d).
        base: The vectors that give the categories; shape (n, d).
        donors: The two vectors of the difference; shape (n, d) each.
        factors: Mutation factor F of each mutant, shape (n,).
        categories: Number of choices of each coordinate, 0 for numbers; shape (d,).
        rng: Source of randomness.
    """
    axes = np.flatnonzero(categories)
    if not axes.size:
        return mutants
    count = len(mutants)
    chance = np.where(donors[0][:, axes] != donors[1][:, axes], factors[:, None], 0.0)
    redrawn = rng.random((count, axes.size)) < np.maximum(chance, _REDRAW)
    drawn = (rng.integers(categories[axes], size=(count, axes.size)) + 0.5) / categories[axes]
    changed = mutants.copy()
    changed[:, axes] = np.where(redrawn, drawn, base[:, axes])
    return changed


def neighbours(
    centres: Vector, count: int, categories: NDArray[np.int64], rng: np.random.Generator
) -> Vector:
    """Draw points near given ones, on all scales, for a model to choose from.

    The neighbourhood of SMAC (Hutter, Hoos & Leyton-Brown, LION 2011, section 4.3), whose steps are
    normal, with a random width and a random share of coordinates that move.

    Args:
        centres: Points in [0, 1]; shape (n, d), n of at least 1.
        count: How many neighbours.
        categories: Number of choices of each coordinate, 0 for numbers; shape (d,).
        rng: Source of randomness.

    Returns:
        Shape (count, d), in [0, 1].
    """
    size = centres.shape[1]
    start = centres[rng.integers(len(centres), size=count)]
    width = np.exp(rng.uniform(math.log(_NEAREST), math.log(_FARTHEST), size=(count, 1)))
    # Reflected, not bounced back: best points near a bound would run into it in a few steps.
    moved = np.mod(start + width * rng.standard_normal((count, size)), 2.0)
    moved = np.minimum(moved, 2.0 - moved)
    moved = np.where(categories > 0, rng.random((count, size)), moved)
    taken = rng.random((count, size)) < rng.random((count, 1))
    taken[np.arange(count), rng.integers(size, size=count)] = True
    # A category moves all the way or not at all: more seldom.
    taken &= (categories == 0) | (rng.random((count, size)) < _CATEGORY_MOVES)
    return np.where(taken, moved, start)
