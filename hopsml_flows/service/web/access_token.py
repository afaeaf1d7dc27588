"""Where the token of a server comes from: a file or the environment, never the command line.

All users of a machine can list the arguments of its processes.
"""

from __future__ import annotations

import os
from pathlib import Path

from hopsml_flows.errors import InvalidArgumentError

__all__ = ["TOKEN_VARIABLE", "given_token"]

TOKEN_VARIABLE = "HOPSML_UI_TOKEN"
"""Environment variable with the token that ``hopsml ui`` uses."""

_SHORTEST = 16
_LONGEST = 1024


def given_token(file: str | None = None) -> str:
    """Return the token that the user gave; "" if there is none.

    The variable is removed from this process's environment: processes that it starts do not get it.

    Args:
        file: A file whose only line is the token; None for ``HOPSML_UI_TOKEN``.

    Raises:
        InvalidArgumentError: The file cannot be read, or holds no token.
    """
    variable = os.environ.pop(TOKEN_VARIABLE, "")
    if file is None:
        return _checked(TOKEN_VARIABLE, variable.strip()) if variable else ""
    try:
        # A pipe is fine: shells make one of <(command).
        with Path(file).open("rb") as opened:
            content = opened.read(_LONGEST + 1)
    except OSError as error:
        because = f"it cannot be read ({error.strerror or error})"
        raise InvalidArgumentError("--token-file", file, because=because) from None
    return _checked("--token-file", content.decode("latin-1").strip())


def _checked(argument: str, token: str) -> str:
    # The error does not show the token.
    if not _SHORTEST <= len(token) <= _LONGEST:
        must = f"must have from {_SHORTEST} to {_LONGEST:,} characters"
        raise InvalidArgumentError(argument, f"a token of {len(token)}", must)
    if not (token.isascii() and token.isprintable() and " " not in token):
        must = "must have letters, digits and signs of ASCII only, and one line"
        raise InvalidArgumentError(argument, "another token", must)
    return token
