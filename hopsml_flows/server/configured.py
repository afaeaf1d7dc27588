"""The Prefect server that PREFECT_API_URL names: whether it is one, and which."""

from __future__ import annotations

import base64
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus

import httpx
from packaging.version import InvalidVersion, Version
from prefect.settings import PREFECT_CLOUD_API_URL, get_current_settings

from hopsml_flows.errors import PrefectServerError
from hopsml_flows.redaction import redacted_url
from hopsml_flows.storage import proxy_variables

__all__ = ["LOWEST", "check_configured", "check_proxies", "is_too_old", "served_by"]

LOWEST = "3.8"
"""The lowest version of a server that all of this package works with: that of its own Prefect."""

_ANSWER_SECONDS = 10.0
_PAUSE_SECONDS = 0.5

_VERSION = "/admin/version"
"""What only a Prefect API answers with a version. Unlike ``/health``, it asks for the password."""

_NO_ENTRY = (
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.PROXY_AUTHENTICATION_REQUIRED,
)
_BUSY = (
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.BAD_GATEWAY,
    HTTPStatus.SERVICE_UNAVAILABLE,
    HTTPStatus.GATEWAY_TIMEOUT,
)


@contextmanager
def served_by(url: str) -> Iterator[None]:
    """Use a configured server for the block.

    Prefect's client says itself where a server is older. What such a server then refuses is an
    error that says so too.

    Args:
        url: Its API URL.

    Raises:
        PrefectServerError: It cannot be used, or it is too old and refused a request.
    """
    version = check_configured(url)
    try:
        yield
    except httpx.HTTPStatusError as error:
        not_understood = error.response.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
        if not (not_understood and is_too_old(version)):
            raise
        raise PrefectServerError(
            f"the Prefect server {_without_password(url)} has version {version}, which is too old "
            f"for {error.request.method} {error.request.url.path}; update it to {LOWEST} or newer"
        ) from None


def is_too_old(version: str | None) -> bool:
    """Whether a server is older than what this package works with.

    Args:
        version: As :func:`check_configured` returns it.
    """
    return version is not None and Version(version).release < Version(LOWEST).release


def check_configured(url: str) -> str | None:
    """Find out whether a configured Prefect server answers, as a Prefect server does.

    Args:
        url: Its API URL.

    Returns:
        Its version; None for Prefect Cloud, which has none.

    Raises:
        PrefectServerError: It does not, within 10 s; the message says what to write instead.
    """
    shown = _without_password(url)
    if not url.lower().startswith(("http://", "https://")):
        raise PrefectServerError(
            "PREFECT_API_URL: must be a URL that begins with http:// or https://, such as "
            f"http://127.0.0.1:4200/api; got {shown!r}"
        )
    try:
        with _client() as client:
            return _version(client, url.rstrip("/"), shown)
    except (httpx.TransportError, httpx.InvalidURL, httpx.TooManyRedirects) as error:
        # Not chained: its traceback is that of a library's, and says no more.
        failure = _silent(url, shown, error)
    raise failure


def check_proxies() -> None:
    """Refuse proxy variables that no client of a Prefect server can be made with.

    Raises:
        PrefectServerError: One has another scheme, or is no URL; the message names the variable.
    """
    for name, text in proxy_variables().items():
        try:
            httpx.Proxy(text if "://" in text else f"http://{text}")
        except (ValueError, httpx.InvalidURL):
            # Not chained: httpx's message shows the URL.
            raise PrefectServerError(
                f"{name}: must be a proxy like http://host:port or socks5://host:port; got "
                f"{redacted_url(text)!r}"
            ) from None


def _version(client: httpx.Client, url: str, shown: str) -> str | None:
    in_cloud = url.startswith(str(PREFECT_CLOUD_API_URL.value()))
    answer = _answer(client, f"{url}/health" if in_cloud else f"{url}{_VERSION}")
    if answer.status_code in _NO_ENTRY:
        raise PrefectServerError(f"{_refused(shown, answer)}{_through_proxy(url)}")
    if in_cloud:
        return None
    if (version := _told_version(answer)) is not None:
        return version
    raise PrefectServerError(f"{_no_prefect(client, url, shown, answer)}{_through_proxy(url)}")


def _answer(client: httpx.Client, url: str) -> httpx.Response:
    """Return the answer; ask a busy server again, as Prefect's own client does."""
    deadline = time.monotonic() + _ANSWER_SECONDS
    while True:
        answer = client.get(url)
        if answer.status_code not in _BUSY or time.monotonic() > deadline:
            return answer
        time.sleep(_PAUSE_SECONDS)


def _told_version(answer: httpx.Response) -> str | None:
    if answer.status_code != httpx.codes.OK:
        return None
    try:
        told = answer.json()
    except ValueError:
        return None
    if not isinstance(told, str):
        return None
    try:
        return str(Version(told))
    except InvalidVersion:
        return None


def _no_prefect(client: httpx.Client, url: str, shown: str, answer: httpx.Response) -> str:
    asked = f"PREFECT_API_URL: {shown} answers, but is no Prefect API: {_described(answer)}"
    if answer.status_code in _BUSY:
        return f"{asked}; what stands before the server answers in its place: is the server up?"
    if not url.endswith("/api") and _told_version(client.get(f"{url}/api{_VERSION}")) is not None:
        return f"{asked}; write {shown.rstrip('/')}/api"
    return (
        f"{asked}; write the URL of a Prefect server, which ends with /api (such as "
        "http://127.0.0.1:4200/api), or unset PREFECT_API_URL for an embedded one"
    )


def _described(answer: httpx.Response) -> str:
    """Describe an answer and who gave it."""
    kind = answer.headers.get("content-type", "").partition(";")[0]
    what = "a web page" if kind == "text/html" else kind or "no content"
    text = f"GET {_without_password(str(answer.url))} gave {_status(answer)} with {what}"
    if answer.history:
        text += f", after a redirect from {_without_password(str(answer.history[0].url))}"
    if server := answer.headers.get("server"):
        text += f" (server: {server[:60]})"
    return text


def _refused(shown: str, answer: httpx.Response) -> str:
    if answer.status_code == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
        return (
            f"PREFECT_API_URL: {shown} is behind a proxy that wants credentials: "
            f"{_described(answer)}; write them into the proxy's URL (http://user:password@host:port)"
        )
    settings = get_current_settings().api
    given = [
        name
        for name, value in (
            ("PREFECT_API_AUTH_STRING", settings.auth_string),
            ("PREFECT_API_KEY", settings.key),
        )
        if value
    ]
    if given:
        advice = f"what {' and '.join(given)} says is not accepted"
    else:
        advice = (
            "set PREFECT_API_AUTH_STRING to user:password as the server has it (PREFECT_API_KEY "
            "for Prefect Cloud), or what stands before the server in PREFECT_CLIENT_CUSTOM_HEADERS"
        )
    return f"PREFECT_API_URL: {shown} refuses this client: {_described(answer)}; {advice}"


def _silent(url: str, shown: str, error: Exception) -> PrefectServerError:
    why = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    text = f"the Prefect server that PREFECT_API_URL names does not answer: {shown} ({why})"
    return PrefectServerError(
        f"{text}{_through_proxy(url)}; start it, or unset PREFECT_API_URL for an embedded one"
    )


def _through_proxy(url: str) -> str:
    """Return the words "through the proxy ..." for a URL that is reached so, else nothing."""
    proxy = _proxy_for(url)
    if proxy is None:
        return ""
    return (
        f"; it was asked for through the proxy of {proxy}, which may have answered in its place: "
        "where it needs none, add its host to NO_PROXY"
    )


def _proxy_for(url: str) -> str | None:
    """Return the variable whose proxy a URL is reached through."""
    from urllib.request import proxy_bypass

    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        return None
    if proxy_bypass(f"{parsed.host}:{parsed.port or ''}"):
        return None
    wanted = (f"{parsed.scheme}_proxy", "all_proxy")
    return next((name for name in proxy_variables() if name.lower() in wanted), None)


def _client() -> httpx.Client:
    """Return a client with the password and headers of Prefect's own."""
    settings = get_current_settings()
    headers = dict(settings.client.custom_headers)
    if settings.api.auth_string:
        words = settings.api.auth_string.get_secret_value().encode()
        headers["Authorization"] = f"Basic {base64.b64encode(words).decode()}"
    elif settings.api.key:
        headers["Authorization"] = f"Bearer {settings.api.key.get_secret_value()}"
    verify: ssl.SSLContext | bool = not settings.api.tls_insecure_skip_verify
    if verify and settings.api.ssl_cert_file:
        verify = ssl.create_default_context(cafile=settings.api.ssl_cert_file)
    return httpx.Client(
        headers=headers, verify=verify, timeout=_ANSWER_SECONDS, follow_redirects=True
    )


def _status(answer: httpx.Response) -> str:
    return f"{answer.status_code} {answer.reason_phrase}".rstrip()


def _without_password(url: str) -> str:
    try:
        return str(httpx.URL(url).copy_with(userinfo=b""))
    except httpx.InvalidURL:
        return url.rpartition("@")[2]
