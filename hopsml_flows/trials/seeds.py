"""The seed of a trial. Pure."""

from __future__ import annotations

import hashlib

__all__ = ["trial_seed"]


def trial_seed(root: int | str, number: int) -> int:
    """Return the seed of a trial: the first four bytes of SHA-256 of ``root/number``.

    Args:
        root: The experiment's seed; its identifier if it has none.
        number: The trial's number, from 1.

    Returns:
        A number of 32 bits, which every library takes.

    Example:
        >>> trial_seed(7, 1), trial_seed(7, 2)
        (3553817977, 462121814)
    """
    digest = hashlib.sha256(f"{root}/{number}".encode()).digest()
    return int.from_bytes(digest[:4], "big")
