"""Who may ask: the middleware before all pages, and the check of requests that change something.

The kinds of attack that it answers: a page of another site that has a name of its own point at this
machine (DNS rebinding: the Host header is checked), that sends a form to this server (the Origin
header and the page's token are checked), or that shows this server in a frame. Files of experiments
never run: no answer allows scripts but the page's own.
"""

from __future__ import annotations

import hmac
from collections.abc import Collection, MutableMapping
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["POLICY", "SANDBOX", "Guard", "has_right_origin", "host_name"]

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; font-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
"""What pages may load and run."""

SANDBOX = "default-src 'none'; sandbox; frame-ancestors 'none'"
"""What files of experiments may load and run: nothing."""

_HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    # With "no-referrer" browsers send "null" for the origin of a form.
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_TOKEN = "token"


def host_name(netloc: str) -> str:
    """Return the host of a Host header in lower case, without its port; "" if it is none.

    Args:
        netloc: The header.

    Example:
        >>> host_name("LocalHost:8080"), host_name("[::1]:8080"), host_name("a@b")
        ('localhost', '::1', '')
    """
    try:
        parts = urlsplit(f"//{netloc}")
        port = parts.port  # raises ValueError where it is no number
    except ValueError:
        return ""
    if parts.netloc != netloc or "@" in netloc or (port is None and netloc.endswith(":")):
        return ""
    return (parts.hostname or "").rstrip(".")


def has_right_origin(headers: Headers) -> bool:
    """Whether a request that changes something comes from a page of this server.

    Browsers send the origin with every form; a request without one is refused.

    Args:
        headers: The request's headers.
    """
    origin, host = headers.get("origin", ""), headers.get("host", "")
    site = headers.get("sec-fetch-site", "same-origin")
    scheme, _, netloc = origin.partition("://")
    same = scheme in ("http", "https") and bool(host) and netloc.lower() == host.lower()
    return same and site == "same-origin"


class Guard:
    """Refuses requests by their Host header and, where one is needed, without the access token.

    Args:
        app: What answers the others.
        hosts: Host names that the server is called by; "*" for any.
        access_token: Token that every request needs, in a cookie that the address with ``?token=``
            sets, or as ``Authorization: Bearer``; "" if none is needed.
    """

    def __init__(self, app: ASGIApp, hosts: Collection[str], access_token: str = "") -> None:
        self._app = app
        self._hosts = frozenset(host.lower() for host in hosts)
        self._token = access_token
        # Browsers send cookies to all ports of a host: each server has a name of its own, and its
        # cookie does not give the token away.
        self._pass = hmac.new(access_token.encode(), b"hopsml ui", sha256).hexdigest()
        self._cookie = f"hopsml_ui_{sha256(self._pass.encode()).hexdigest()[:8]}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or pass it on."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                _add_headers(message)
            await send(message)

        refusal = self._refusal(scope)
        await (refusal or self._app)(scope, receive, send_guarded)

    def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        host = host_name(headers.get("host", ""))
        if "*" not in self._hosts and host not in self._hosts:
            words = f"This server is not called {host or 'so'}. Name it with --allow-host.\n"
            return PlainTextResponse(words, 400)
        if not self._token or self._matches(_bearer(headers)) or self._knows(headers):
            return None
        pairs = parse_qsl(scope.get("query_string", b"").decode("latin-1"))
        given = dict(pairs).get(_TOKEN, "")
        if scope["method"] == "GET" and self._matches(given):
            return self._let_in(scope, [pair for pair in pairs if pair[0] != _TOKEN])
        return PlainTextResponse(
            "This server needs its token. Open the address that hopsml ui has printed.\n", 401
        )

    def _let_in(self, scope: Scope, pairs: list[tuple[str, str]]) -> Response:
        """Set the cookie, and leave the token out of the address."""
        # A path that begins with two slashes would lead to another server.
        path = "/" + scope["path"].lstrip("/\\")
        answer = RedirectResponse(f"{path}?{urlencode(pairs)}" if pairs else path, 303)
        answer.set_cookie(self._cookie, self._pass, httponly=True, samesite="strict")
        return answer

    def _knows(self, headers: Headers) -> bool:
        """Whether a request has the cookie of an earlier one with the token."""
        given = cookie_parser(headers.get("cookie", "")).get(self._cookie, "")
        return hmac.compare_digest(given.encode(), self._pass.encode())

    def _matches(self, given: str) -> bool:
        return hmac.compare_digest(given.encode(), self._token.encode())


def _add_headers(message: MutableMapping[str, Any]) -> None:
    headers = MutableHeaders(scope=message)
    for name, value in _HEADERS.items():
        headers.setdefault(name, value)
    headers.setdefault("Cache-Control", "no-store")


def _bearer(headers: Headers) -> str:
    kind, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if kind.lower() == "bearer" else ""
