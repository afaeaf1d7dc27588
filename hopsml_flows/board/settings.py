"""What the environment says about TensorBoards: whether there is one, and where it listens."""

from __future__ import annotations

import os

from hopsml_flows.errors import InvalidArgumentError

__all__ = ["HOST_VARIABLE", "LOOPBACK", "SWITCH_VARIABLE", "host", "switched_on"]

SWITCH_VARIABLE = "HOPSML_TENSORBOARD"
"""Environment variable that turns TensorBoards off, or on, where the caller says neither."""

HOST_VARIABLE = "HOPSML_TENSORBOARD_HOST"
"""Environment variable with the address that TensorBoards listen on."""

LOOPBACK = "127.0.0.1"
"""Where they listen otherwise: whoever reaches a TensorBoard sees what it shows."""

_YES = ("1", "true", "yes", "on")
_NO = ("0", "false", "no", "off")


def switched_on(asked: object) -> bool:
    """Whether an experiment starts a TensorBoard.

    Args:
        asked: What its caller said; None leaves it to the environment, which means yes where that
            says nothing.

    Raises:
        InvalidArgumentError: Either is neither yes nor no.
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
    """The address that TensorBoards listen on; ``0.0.0.0`` and ``::`` are all of the machine's."""
    return os.environ.get(HOST_VARIABLE) or LOOPBACK
