"""Settings from the environment: whether TensorBoards start, and where they listen."""

from __future__ import annotations

import os

from hopsml_flows.errors import InvalidArgumentError

__all__ = ["HOST_VARIABLE", "LOOPBACK", "SWITCH_VARIABLE", "host", "switched_on"]

SWITCH_VARIABLE = "HOPSML_TENSORBOARD"
"""Environment variable that turns TensorBoards on or off if the caller says neither."""

HOST_VARIABLE = "HOPSML_TENSORBOARD_HOST"
"""Environment variable with the address that TensorBoards listen on."""

LOOPBACK = "127.0.0.1"
"""Address that they listen on otherwise: every client that reaches a TensorBoard can read it."""

_YES = ("1", "true", "yes", "on")
_NO = ("0", "false", "no", "off")


def switched_on(asked: object) -> bool:
    """Whether an experiment starts a TensorBoard.

    Args:
        asked: The caller's choice. None leaves it to ``HOPSML_TENSORBOARD``, and means yes if that
            is not set.

    Raises:
        InvalidArgumentError: The argument or the variable is neither yes nor no.

    Example:
        >>> switched_on(False)
        False
    """
    if isinstance(asked, bool):
        return asked
    if asked is not None:
        raise InvalidArgumentError("tensorboard", asked, "must be True, False or None")
    text = os.environ.get(SWITCH_VARIABLE, "")
    if text.lower() in ("", *_YES):
        return True
    if text.lower() in _NO:
        return False
    raise InvalidArgumentError(SWITCH_VARIABLE, text, "must be true or false")


def host() -> str:
    """Return the address that TensorBoards listen on; ``0.0.0.0`` and ``::`` are all addresses."""
    return os.environ.get(HOST_VARIABLE) or LOOPBACK
