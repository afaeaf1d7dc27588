"""Strikes the secrets in URLs out of texts that are shown.

This module imports no other of the package, so that every error can pass through it. When in doubt
it strikes out too much: the text may lack a part of a path, but contains no secret. In free text,
such as a library's message, it treats what has the form of a URL. A value that a caller passed as a
URL is treated in any form.
"""

from __future__ import annotations

import re
from urllib.parse import unquote

__all__ = ["has_secret", "is_secret_name", "redacted", "redacted_url", "shown_value"]

STRUCK = "***"

_SCHEME = r"[A-Za-z][A-Za-z0-9+.-]*:/+"

# From the colon to the last "@": a password may contain signs that should have been escaped. Digits
# and a slash after the colon are a port before a path, but S3 has no ports.
_USERINFO = re.compile(
    r"(?:s3a?:/*|(?!s3a?:)[A-Za-z][A-Za-z0-9+.-]*:/+(?![^/@:?#]*:\d{1,5}(?:[/?#]|$)))[^/@:?#]*(:.*@)",
    re.DOTALL,
)
# Of http, as git and package indexes use it, a name alone may be a token.
_LONE_NAME = re.compile(r"(https?:/+)[^/@:?#\s]+@", re.IGNORECASE)
_WITHOUT_SCHEME = re.compile(r"/*[^/@:?#]*(:.*@)", re.DOTALL)
# The last two are URLs without their slashes, or without their scheme.
_URL = re.compile(rf"{_SCHEME}\S*|\bs3a?:\S*@\S*|(?<![\w:/])//[^/\s:@]*:[^\s@]*@\S*")

# The start of a query, a fragment or a path's parameters; the signs may be escaped.
_OPENING = re.compile(r"[?#;]|%3[fFbB]|%23")
_QUERY = re.compile(r"\?|%3[fF]")
_PARAMETER = re.compile(r"(?:[?#;&]|%3[fFbB]|%23|%26)([^?#;&=]*?)(?:=|%3[dD])")
_TRAILING = re.compile(r"['\")\]}>.,:]*$")

_SECRET_NAME = re.compile(
    r"pass|pwd|secret|token|credential|signature|(?:^|[-_.])(?:sig|sas|key|auth|jwt|code)(?:$|[-_.])"
    r"|auth(?:entication|orization)|api.?key|access.?key|account.?key|private.?key|delegation"
    r"|bearer|session",
    re.IGNORECASE,
)

# Parameters in URLs of storages that are never secret.
_HARMLESS = frozenset({"replication", "op", "user.name", "versionid", "prefix", "delimiter"})

_ENTRY = re.compile(r"""(['"])([^'"\s]+)\1: (['"])(?:(?!\3).|\\.)*\3""")


def is_secret_name(name: str) -> bool:
    """Whether the value of this name is likely to be secret.

    Args:
        name: Name of a parameter, an option or a variable.

    Example:
        >>> is_secret_name("AWS_SECRET_KEY"), is_secret_name("learning_rate")
        (True, False)
    """
    return _SECRET_NAME.search(unquote(name)) is not None


def redacted(text: str) -> str:
    """Return a text with the secrets in its URLs struck out.

    Args:
        text: The text, such as an error's message.

    Example:
        >>> redacted("cannot reach https://alice:secret@host/path")
        'cannot reach https://alice:***@host/path'
    """
    if ":" not in text or ("/" not in text and "@" not in text):
        return text
    return _URL.sub(lambda found: _struck(found[0], in_text=True), text)


def redacted_url(url: str) -> str:
    """Return a URL with everything struck out that may be secret.

    Args:
        url: The URL, well-formed or not.

    Example:
        >>> redacted_url("https://host/path?token=secret"), redacted_url("https://token@host/path")
        ('https://host/path?token=***', 'https://***@host/path')
    """
    return _struck(url, in_text=False)


def has_secret(url: str) -> bool:
    """Whether a URL may contain a secret.

    Args:
        url: An fsspec URL.
    """
    return redacted_url(url) != url


def shown_value(value: object) -> str:
    """Return the ``repr`` of a value without the secrets in URLs and in entries with secret names.

    Args:
        value: Anything.

    Example:
        >>> shown_value({"token": "secret", "n": 1})
        "{'token': ***, 'n': 1}"
    """
    if type(value) is str:
        return repr(redacted_url(value))
    if isinstance(value, bytes):
        return repr(redacted_url(value.decode("utf-8", "replace")).encode())
    if type(value) is dict:
        return "{" + ", ".join(map(_shown_entry, value.items())) + "}"
    if type(value) is list:
        return "[" + ", ".join(map(shown_value, value)) + "]"
    return _ENTRY.sub(_without_entry, redacted(repr(value)))


def _shown_entry(entry: tuple[object, object]) -> str:
    key, value = entry
    # Not lists, as in a search space: "passes" or "tokens" may be a hyperparameter.
    secret = isinstance(key, str) and is_secret_name(key) and isinstance(value, (str, bytes))
    return f"{key!r}: {STRUCK if secret else shown_value(value)}"


def _without_entry(found: re.Match[str]) -> str:
    return f"{found[1]}{found[2]}{found[1]}: {STRUCK}" if is_secret_name(found[2]) else found[0]


def _struck(url: str, *, in_text: bool) -> str:
    """Return a URL without its secrets.

    Args:
        url: The URL, well-formed or not.
        in_text: Whether it is a part of a text. Then signs at its end may belong to the text, and
            only the parameters with secret names are struck out.
    """
    url = _LONE_NAME.sub(rf"\1{STRUCK}@", url)
    has_scheme = re.match(_SCHEME, url) is not None
    # "s3:KEY:SECRET@bucket" lacks its slashes.
    found = _USERINFO.search(url) or (None if has_scheme else _WITHOUT_SCHEME.match(url))
    start, end = found.span(1) if found else (0, 0)
    parameter = _first_secret(url, all_of_query=has_scheme and not in_text)
    if parameter is None:
        return f"{url[:start]}:{STRUCK}@{url[end:]}" if found else url
    trailing = _TRAILING.search(url, parameter) if in_text else None
    tail = STRUCK + (trailing[0] if trailing else "")
    if not found:
        return url[:parameter] + tail
    if parameter < end:  # the "?" and the "@" may both belong to the password
        return f"{url[:start]}:{tail}"
    return f"{url[:start]}:{STRUCK}@{url[end:parameter]}{tail}"


def _first_secret(url: str, *, all_of_query: bool) -> int | None:
    """Return where the value of the first secret parameter begins, or None.

    The caller strikes out all that follows: a secret may contain the signs that would end it.
    """
    opening = _OPENING.search(url)
    if opening is None:
        return None
    for found in _PARAMETER.finditer(url, opening.start()):
        name = unquote(found[1])
        in_query = all_of_query and _QUERY.search(url, 0, found.start(1)) is not None
        if is_secret_name(name) or (in_query and name.lower() not in _HARMLESS):
            return found.end()
    return None
