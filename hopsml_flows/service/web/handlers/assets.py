"""Style sheets and scripts, all of them from this package."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from hopsml_flows.service.web.site import ASSETS, Site

__all__ = ["asset"]

_TYPES = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}


def asset(site: Site, request: Request) -> Response:
    """Return an asset.

    Args:
        site: The site.
        request: The request.

    Raises:
        FileNotFoundError: There is no such asset.
    """
    name = request.path_params["name"]
    found = next((each for each in ASSETS.iterdir() if each.name == name), None)
    if found is None:
        raise FileNotFoundError(name)
    kind = _TYPES.get(name.rpartition(".")[2], "application/octet-stream")
    # Addresses have the assets' version; an address without it is read again.
    kept = request.query_params.get("v") == site.version
    control = "public, max-age=31536000, immutable" if kept else "no-cache"
    return Response(found.read_bytes(), media_type=kind, headers={"Cache-Control": control})
