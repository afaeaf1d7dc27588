"""What a model may be called, and how a version is named in a command. Pure."""

from __future__ import annotations

import re
from typing import Any

from hopsml_flows.errors import InvalidArgumentError
from hopsml_flows.text import is_unicode
from hopsml_flows.values.arguments import is_whole, whole_number
from hopsml_flows.values.plain import plain

__all__ = ["is_model_name", "model_name", "split_version", "version_number", "version_of_directory"]

_MOST_BYTES = 200

# The slash parts directories, and libhdfs reads the last three as parts of a URL.
_FORBIDDEN = re.compile(r"[/\\%#?\x00-\x1f\x7f]")
_VERSION = re.compile(r"[1-9][0-9]{0,17}")


def is_model_name(name: str) -> bool:
    """Whether a text can be a model's name: every storage accepts it as a directory's name.

    Args:
        name: The text.

    Example:
        >>> is_model_name("digits"), is_model_name("a/b"), is_model_name("..")
        (True, False, False)
    """
    return (
        bool(name)
        and name == name.strip()
        and not name.startswith(".")
        and _FORBIDDEN.search(name) is None
        and is_unicode(name)
        and len(name.encode()) <= _MOST_BYTES
    )


def model_name(argument: str, value: Any) -> str:
    """Return an argument as a model's name. HopsML's programs pass numbers, too.

    Args:
        argument: Its name.
        value: What was passed.

    Raises:
        InvalidArgumentError: It is no text that every storage accepts as a directory's name.
    """
    number = plain(value)
    name = str(number) if is_whole(number) else value
    if not isinstance(name, str) or not is_model_name(name):
        must = (
            "must be a text without / \\ % # ?, without a dot at its beginning or spaces at its "
            f"ends, and at most {_MOST_BYTES} bytes long"
        )
        raise InvalidArgumentError(argument, value, must)
    return name


def version_number(argument: str, value: Any) -> int:
    """Return an argument as a model's version: an integer from 1.

    Args:
        argument: Its name.
        value: What was passed.

    Raises:
        InvalidArgumentError: It is none.
    """
    return whole_number(argument, value, least=1, most=10**18 - 1)


def version_of_directory(name: str) -> int | None:
    """Return the version that a directory's name stands for; None if it stands for none.

    Args:
        name: The last part of the directory's path.

    Example:
        >>> version_of_directory("12"), version_of_directory("012"), version_of_directory("new")
        (12, None, None)
    """
    return int(name) if _VERSION.fullmatch(name) else None


def split_version(argument: str, text: str) -> tuple[str, int | None]:
    """Return name and version of ``NAME/VERSION``; None where there is only a name.

    Args:
        argument: The argument's name, for errors.
        text: What the user typed.

    Raises:
        InvalidArgumentError: It has another form.

    Example:
        >>> split_version("MODEL", "digits/3"), split_version("MODEL", "digits")
        (('digits', 3), ('digits', None))
    """
    name, slash, rest = text.partition("/")
    version = version_of_directory(rest) if slash else None
    if (slash and version is None) or not is_model_name(name):
        raise InvalidArgumentError(argument, text, "must be a model's NAME, or NAME/VERSION")
    return name, version
