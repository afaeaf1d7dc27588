"""Shows the pictures of an experiment as a Prefect artifact."""

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
    ExperimentFiles.CURVES_PICTURE: "What each trial reported over its steps",
    ExperimentFiles.EFFECTS_PICTURE: "What each component contributes, with intervals",
    ExperimentFiles.PROGRESS_PICTURE: "Best and mean metric by generation",
    ExperimentFiles.POPULATION_PICTURE: "Metric over each hyperparameter",
    ExperimentFiles.PARALLEL_PICTURE: "All trials over their hyperparameters and the metric",
}


def picture_artifact(pictures: Mapping[str, bytes], *, name: str, title: str) -> UUID | None:
    """Show pictures on the page of the current flow run.

    Call it once per experiment, or a few times: each call makes a version that the server keeps.

    Args:
        pictures: File name to PNG, as :func:`hopsml_flows.tracking.pictures.pictures` gives them.
        name: The experiment's name.
        title: The experiment's title in lists of artifacts.

    Returns:
        The artifact's id. None without pictures, or if the server is away or refuses: the pictures
        are also in the experiment's directory.
    """
    if not pictures:
        return None
    try:
        artifact: object = create_markdown_artifact(
            markdown=pictures_as_markdown(pictures),
            key=f"{slug(name)}-pictures",
            description=f"Pictures of {title}",
        )
    except Exception as error:  # a client may raise any error: the run goes on
        _logger.debug("pictures not shown: %s", error)
        return None
    return artifact if isinstance(artifact, UUID) else UUID(str(artifact))


def pictures_as_markdown(pictures: Mapping[str, bytes]) -> str:
    """Return a Markdown page that contains all pictures.

    The pictures are embedded as ``data:`` URLs, since a browser may be unable to read the storage.
    Prefect's ``ImageArtifact`` shows ``data:`` URLs too, but prints the whole URL below the picture
    as a line that runs off the page. In Markdown, both of Prefect's UIs show the picture alone.

    Args:
        pictures: File name to PNG.
    """
    return "\n\n".join(
        f"![{_ALTERNATIVES.get(name, 'Picture')}]"
        f"(data:image/png;base64,{base64.b64encode(picture).decode()})"
        for name, picture in pictures.items()
    )
