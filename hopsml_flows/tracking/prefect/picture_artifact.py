"""The pictures of an experiment as a Prefect artifact."""

from __future__ import annotations

import base64
import logging
from collections.abc import Mapping
from uuid import UUID

from prefect.artifacts import create_markdown_artifact

from hopsml_flows.storage import ExperimentFiles
from hopsml_flows.trials import slug

__all__ = ["picture_artifact", "pictures_as_markdown"]

_logger = logging.getLogger(__name__)

_ALTERNATIVES = {
    ExperimentFiles.PROGRESS_PICTURE: "Best and mean metric by generation",
    ExperimentFiles.POPULATION_PICTURE: "Metric over each hyperparameter",
    ExperimentFiles.PARALLEL_PICTURE: "All trials over their hyperparameters and the metric",
}


def picture_artifact(pictures: Mapping[str, bytes], *, name: str, title: str) -> UUID | None:
    """Show pictures on the page of the current flow run.

    Artifacts of one name are versions of each other, and the server keeps them all: once an
    experiment, or a few times, is enough.

    Args:
        pictures: File name to PNG, as :func:`hopsml_flows.tracking.pictures.pictures` gives them.
        name: The experiment's name.
        title: What the experiment is called where artifacts are listed.

    Returns:
        The artifact's id; None without pictures, or where the server is away or refuses: artifacts
        show, they keep nothing.
    """
    if not pictures:
        return None
    try:
        artifact: object = create_markdown_artifact(
            markdown=pictures_as_markdown(pictures),
            key=f"{slug(name)}-pictures",
            description=f"Pictures of {title}",
        )
    except Exception as error:  # whatever a client raises: the run goes on
        _logger.debug("pictures not shown: %s", error)
        return None
    return artifact if isinstance(artifact, UUID) else UUID(str(artifact))


def pictures_as_markdown(pictures: Mapping[str, bytes]) -> str:
    """One page with all pictures in it.

    A link would need a storage that the browser can read, so the pictures are inside. Prefect's
    own type for pictures, ``ImageArtifact``, shows such a ``data:`` address too, in both of its
    UIs, but prints all of it below the picture as a line that runs off the page. In Markdown both
    UIs show the picture alone (``data:`` is one of the addresses they allow an image), and one
    page holds them all.

    Args:
        pictures: File name to PNG.
    """
    return "\n\n".join(
        f"![{_ALTERNATIVES.get(name, 'Picture')}]"
        f"(data:image/png;base64,{base64.b64encode(picture).decode()})"
        for name, picture in pictures.items()
    )
