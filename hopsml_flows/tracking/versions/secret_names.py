"""Strikes secrets out of what is kept of a program: whole files, and what URLs say. Pure."""

from __future__ import annotations

import re
from urllib.parse import urlsplit, urlunsplit

from hopsml_flows.redaction import redacted, redacted_url

__all__ = ["is_secret_file", "without_secrets", "without_user"]

_SECRET_FILE = re.compile(
    r"\.env(\..*|rc)?|.*\.env|\.netrc|_netrc|\.pgpass|\.npmrc|\.pypirc|\.htpasswd|\.git-credentials"
    r"|.*\.(pem|key|pfx|p12|jks|keystore|kdbx|ppk|gpg|asc)|id_(rsa|dsa|ecdsa|ed25519)(\..*)?"
    r"|(secrets?|credentials?|passwords?|passwd|api[-_]?keys?)\.pyi?"
    r"|(.*[-_.])?(secrets?|credentials?|passwords?|passwd|api[-_]?keys?|(access|auth|api)[-_]?tokens?)"
    r"(\.(ini|cfg|conf|toml|ya?ml|json|txt|csv|sh|properties|xml))?"
    r"|service[-_]account.*\.json|kubeconfig",
    re.IGNORECASE,
)
_SECRET_DIRECTORY = frozenset({".aws", ".azure", ".gcloud", ".gnupg", ".kube", ".ssh"})

# A user without a password in a URL is a token where it is as long as one.
_TOKEN_USER = re.compile(r"(://)[^/\s:@'\"<>]{16,}@")
_PASSWORD_LINE = re.compile(
    r"""(?P<before>\b[\w.-]*?(?:password|passwd|secret|api[-_]?key|access[-_]?key|private[-_]?key
    |account[-_]?key|(?:access|auth|api|refresh|bearer|hf|gh|github|gitlab)[-_]?token)[\w-]*
    ["']?\]?\s*[:=]\s*)(?P<value>"[^"]{4,}"|'[^']{4,}'|[^\s"'()\[\]{},;]{8,}$)""",
    re.IGNORECASE | re.VERBOSE,
)


def is_secret_file(path: str) -> bool:
    """Whether a file is one that usually holds secrets, by its name.

    Args:
        path: The file's path, with ``/`` between its parts.

    Example:
        >>> [is_secret_file(path) for path in ("a/.env", "app/secrets.py", "app/tokenizer.py")]
        [True, True, False]
    """
    *directories, name = path.split("/")
    return bool(_SECRET_FILE.fullmatch(name)) or not _SECRET_DIRECTORY.isdisjoint(directories)


def without_user(url: str) -> str:
    """Return a URL without its user, its password, and its parameters.

    Args:
        url: A URL, or what ssh calls a remote file.

    Example:
        >>> without_user("https://x-token:abc@host/repo.git?key=abc#egg=a")
        'https://host/repo.git'
        >>> without_user("git@host:team/repo.git"), without_user("ssh://git@host/repo.git")
        ('git@host:team/repo.git', 'ssh://git@host/repo.git')
    """
    scheme, colon, _ = url.partition("://")
    if not colon:
        # "user:password@host:path" is none that git or pip takes, but some write it.
        return redacted_url(url) if re.match(r"[^@/]*:[^@/]*@", url) else url
    try:
        parts = urlsplit(url)
    except ValueError:  # its host is none
        return f"{scheme}://***"
    user, at, host = parts.netloc.rpartition("@")
    return urlunsplit(
        (parts.scheme, f"git@{host}" if at and user == "git" else host, parts.path, "", "")
    )


def without_secrets(text: str) -> str:
    r"""Return a text without the secrets of URLs, and of lines that set a password or a key.

    Args:
        text: The text, such as the difference of two versions of a program.

    Example:
        >>> without_secrets('-API_KEY = "abcd"\n+API_KEY = "efgh"\n+pad_token = "<pad>"\n')
        '-API_KEY = "***"\n+API_KEY = "***"\n+pad_token = "<pad>"\n'
    """
    return "".join(_line_without_secrets(line) for line in text.splitlines(keepends=True))


def _line_without_secrets(line: str) -> str:
    content = line.rstrip("\r\n")
    end = line[len(content) :]
    struck = _TOKEN_USER.sub(r"\1***@", redacted(content))
    return _PASSWORD_LINE.sub(_struck_value, struck) + end


def _struck_value(found: re.Match[str]) -> str:
    quote = found["value"][0] if found["value"][0] in "\"'" else ""
    return f"{found['before']}{quote}***{quote}"
