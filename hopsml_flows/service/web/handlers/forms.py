"""The check of forms: their origin, their token, their length."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from functools import wraps
from urllib.parse import parse_qsl

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from hopsml_flows.service.web.guard import has_right_origin
from hopsml_flows.service.web.site import Site
from hopsml_flows.service.web.views.parameters import Parameters

__all__ = ["checked_form"]

_LARGEST = 1 << 20


def checked_form(handler: Callable[[Site, Request, Parameters], Response]) -> Callable[..., object]:
    """Check a form's origin and token, read it, and answer it in a thread.

    Args:
        handler: Answers the form.

    Raises:
        HTTPException: The form comes from elsewhere, or is too large.
    """

    @wraps(handler)
    async def checked(site: Site, request: Request) -> Response:
        if not has_right_origin(request.headers):
            raise HTTPException(403, "This request did not come from a page of this server.")
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > _LARGEST:
                raise HTTPException(413, "The form is too large.")
        pairs = parse_qsl(body.decode(errors="replace"), keep_blank_values=True)
        form = Parameters(tuple(pairs))
        if not hmac.compare_digest(form.one("token").encode(), site.form_token.encode()):
            raise HTTPException(403, "The page is older than this server. Load it again.")
        return await run_in_threadpool(handler, site, request, form)

    return checked
