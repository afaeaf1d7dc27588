"""Randomness of searches whose proposals do not depend on what was drawn before. Pure."""

from __future__ import annotations

import numpy as np

from hopsml_flows.values.arguments import whole_number

__all__ = ["generator", "known_seed"]


def known_seed(seed: int | None) -> int:
    """Return a seed, or draw one if there is none.

    Args:
        seed: What the caller gave.

    Raises:
        InvalidArgumentError: It is no integer of at least 0.
    """
    if seed is None:
        return int(np.random.default_rng().integers(2**63))
    return whole_number("seed", seed, least=0)


def generator(seed: int, number: int) -> np.random.Generator:
    """Return the randomness of one proposal, which depends on nothing but the two numbers.

    Args:
        seed: The search's seed.
        number: The proposal's number.

    Example:
        >>> float(generator(7, 3).random()) == float(generator(7, 3).random())
        True
    """
    return np.random.default_rng((seed, number))
