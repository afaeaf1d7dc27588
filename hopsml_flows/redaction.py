"""Secrets that people write into URLs, struck out of what is shown.

Below everything, so that every error can pass through it. When in doubt it strikes out too much:
what is shown may then lack a part of a path, but no secret is in it. In free text, such as the
message of a library, it looks at what has the form of a URL; a value that a caller passed as a URL
is struck out whatever form it has.
"""

from __future__ import annotations

import re
from urllib.parse import unquote

__all__ = ["has_secret", "is_secret_name", "redacted", "redacted_url", "shown_value"]

STRUCK = "***"

_SCHEME = r"[A-Za-z][A-Za-z0-9+.-]*:/+"

# From the colon to the last "@": a password may hold any sign that should have been escaped. Digits
# and a slash after the colon are a port with a path behind it, but S3 has no ports.
_USERINFO = re.compile(
    r"(?:s3a?:/*|(?!s3a?:)[A-Za-z][A-Za-z0-9+.-]*:/+(?![^/@:?#]*:\d{1,5}(?:[/?#]|$)))[^/@:?#]*(:.*@)",
    re.DOTALL,
)
_WITHOUT_SCHEME = re.compile(r"/*[^/@:?#]*(:.*@)", re.DOTALL)
# The last two are URLs whose slashes, or whose scheme, the writer forgot.
_URL = re.compile(rf"{_SCHEME}\S*|\bs3a?:\S*@\S*|(?<![\w:/])//[^/\s:@]*:[^\s@]*@\S*")

# A query, a fragment or the parameters of a path; the signs may be escaped.
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

# Parameters of URLs of storages, which say nothing that is secret.
_HARMLESS = frozenset({"replication", "op", "user.name", "versionid", "prefix", "delimiter"})

_ENTRY = re.compile(r"""(['"])([^'"\s]+)\1: (['"])(?:(?!\3).|\\.)*\3""")


def is_secret_name(name: str) -> bool:
    """Whether what bears this name is likely to be secret, such as "token" or "AWS_SECRET_KEY".

    Args:
        name: Name of a parameter, an option or a variable.
    """
    return _SECRET_NAME.search(unquote(name)) is not None


def redacted(text: str) -> str:
    """A text with the secrets of the URLs in it struck out.

    Args:
        text: The text, such as an error's message.
    """
    if ":" not in text or ("/" not in text and "@" not in text):
        return text
    return _URL.sub(lambda found: _struck(found[0], in_text=True), text)


def redacted_url(url: str) -> str:
    """A value that was meant to be a URL, with everything struck out that may be secret.

    Args:
        url: The value, well-formed or not.
    """
    return _struck(url, in_text=False)


def has_secret(url: str) -> bool:
    """Whether there may be a secret in a URL.

    Args:
        url: An fsspec URL.
    """
    return redacted_url(url) != url


def shown_value(value: object) -> str:
    """``repr`` of a caller's value without the secrets of URLs, and of entries with such a name.

    Args:
        value: Anything.
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
    # A search space has lists: "passes" or "tokens" may be a hyperparameter.
    secret = isinstance(key, str) and is_secret_name(key) and isinstance(value, (str, bytes))
    return f"{key!r}: {STRUCK if secret else shown_value(value)}"


def _without_entry(found: re.Match[str]) -> str:
    return f"{found[1]}{found[2]}{found[1]}: {STRUCK}" if is_secret_name(found[2]) else found[0]


def _struck(url: str, *, in_text: bool) -> str:
    """A URL without its secrets.

    Args:
        url: The URL, or what stands for one.
        in_text: Whether it is a part of a text: then signs at its end may be the text's, and
            queries are anybody's.
    """
    has_scheme = re.match(_SCHEME, url) is not None
    # "s3:KEY:SECRET@bucket" has no slashes, which its writer forgot.
    found = _USERINFO.search(url) or (None if has_scheme else _WITHOUT_SCHEME.match(url))
    start, end = found.span(1) if found else (0, 0)
    parameter = _first_secret(url, all_of_query=has_scheme and not in_text)
    if parameter is None:
        return f"{url[:start]}:{STRUCK}@{url[end:]}" if found else url
    trailing = _TRAILING.search(url, parameter) if in_text else None
    tail = STRUCK + (trailing[0] if trailing else "")
    if not found:
        return url[:parameter] + tail
    if parameter < end:  # either sign may belong to a password
        return f"{url[:start]}:{tail}"
    return f"{url[:start]}:{STRUCK}@{url[end:parameter]}{tail}"


def _first_secret(url: str, *, all_of_query: bool) -> int | None:
    """Where the value of the first secret parameter begins, or None.

    What is behind it goes too: a secret may contain the signs that end it.
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
