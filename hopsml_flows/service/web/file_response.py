"""The answer with a file of the project, which never runs in the origin of the pages."""

from __future__ import annotations

import posixpath
from urllib.parse import quote

from starlette.responses import StreamingResponse

from hopsml_flows.service.web.guard import SANDBOX
from hopsml_flows.service.web.project_files import file_chunks, file_info
from hopsml_flows.storage import Project

__all__ = ["file_response"]


def file_response(
    project: Project, path: str, *, image_type: str | None = None
) -> StreamingResponse:
    """Return the answer with a file.

    Args:
        project: The project.
        path: The file, which may be asked for, such as
            :func:`~hopsml_flows.service.web.project_files.checked_path` returned it.
        image_type: Media type of an image that is to be shown; None for a file to be kept.

    Raises:
        FileNotFoundError: It is no regular file of the project.
    """
    info = file_info(project, path)
    disposition = "attachment" if image_type is None else "inline"
    plain = quote(posixpath.basename(path), safe="", errors="backslashreplace")
    return StreamingResponse(
        file_chunks(project, path, info.size),
        media_type=image_type or "application/octet-stream",
        headers={
            "Content-Disposition": f"{disposition}; filename*=UTF-8''{plain}",
            "Content-Security-Policy": SANDBOX,
        },
    )
