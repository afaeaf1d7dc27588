"""Asks an ASGI application as a browser does, without a socket."""

from __future__ import annotations

import asyncio
from urllib.parse import urlencode

import httpx

HOST = "localhost"


class Browser:
    """A browser of an application; redirects are not followed.

    Args:
        app: The application.
        host: What it calls the server.
    """

    def __init__(self, app, host=HOST):
        self._app = app
        self.host = host
        self.cookies = httpx.Cookies()

    def get(self, path, **headers):
        return self.ask("GET", path, headers=headers)

    def post(self, path, pairs, **headers):
        """Send a form as a page of the server sends it."""
        sent = {
            "origin": f"http://{self.host}",
            "content-type": "application/x-www-form-urlencoded",
            **headers,
        }
        content = urlencode(pairs).encode()
        return self.ask("POST", path, headers=sent, content=content)

    def ask(self, method, path, *, headers, content=b""):
        async def asked():
            transport = httpx.ASGITransport(app=self._app)
            async with httpx.AsyncClient(
                transport=transport, base_url=f"http://{self.host}", cookies=self.cookies
            ) as client:
                kept = {name.replace("_", "-"): value for name, value in headers.items()}
                answer = await client.request(method, path, headers=kept, content=content)
                self.cookies.update(client.cookies)
                return answer

        return asyncio.run(asked())
