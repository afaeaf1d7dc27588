"""Versions of models as Prefect's assets: the events of their materialisation, in one place.

The events are those that Prefect's own ``@materialize`` sends. The open server keeps them as events
and has no page for them. A place whose path no asset's key may have is left out. Sending is best
effort: an event that cannot be sent never harms who exports.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from prefect.assets import Asset
from prefect.context import FlowRunContext
from prefect.events import emit_event
from prefect.settings import PREFECT_API_URL

from hopsml_flows.tracking.prefect.markdown import as_text

if TYPE_CHECKING:
    from hopsml_flows.trials import TrialResult

__all__ = ["asset_key", "experiment_resource", "full_place", "send_materialized", "trial_resource"]

_logger = logging.getLogger(__name__)


def send_materialized(
    place: str,
    project: str,
    experiment_id: str,
    trial: TrialResult | None = None,
    payload: Mapping[str, Any] | None = None,
) -> None:
    """Send that a version of a model was made, and which files it was made of.

    Outside of a flow run, and without a server that is configured, nothing is sent: Prefect would
    start a server for it.

    Args:
        place: The version's directory: a local path, or a URL without a password.
        project: The project of the experiment, in the same form.
        experiment_id: The experiment that it comes from.
        trial: The trial that trained it, with the files that it read; or None.
        payload: What else is known of it.
    """
    key = asset_key(place)
    if key is None or (FlowRunContext.get() is None and not PREFECT_API_URL.value()):
        return
    related = [_related(experiment_resource(experiment_id), "experiment")]
    read: list[str] = []
    if trial is not None:
        related.insert(0, _related(trial_resource(experiment_id, trial.number), "trial"))
        places = (full_place(project, file.path) for file in trial.lineage.inputs)
        read = [found for each in places if (found := asset_key(each)) is not None]
    name = as_text("/".join(place.split("/")[-2:]))
    try:
        for source in read:
            resource = {"prefect.resource.id": source}
            emit_event(event="prefect.asset.referenced", resource=resource, related=[])
        emit_event(
            event="prefect.asset.materialization.succeeded",
            resource={"prefect.resource.id": key, "prefect.resource.name": name},
            related=[*(_related(source, "asset") for source in read), *related],
            payload=dict(payload or {}),
        )
    except Exception as error:  # too large for the server, or an error of a library
        _logger.debug("asset %s not sent: %s", key, error)


def experiment_resource(experiment_id: str) -> str:
    """Return the identifier by which events name an experiment.

    Args:
        experiment_id: Its identifier.
    """
    return f"hopsml.experiment.{experiment_id}"


def trial_resource(experiment_id: str, number: int) -> str:
    """Return the identifier by which events name a trial.

    Args:
        experiment_id: Its experiment's identifier.
        number: Its number.
    """
    return f"hopsml.trial.{experiment_id}.{number}"


def full_place(project: str, path: str) -> str:
    """Return the full place of what a trial's lineage names.

    Args:
        project: The experiment's project: a local path, or a URL without a password.
        path: A path relative to it, or a full one.

    Example:
        >>> full_place("s3://bucket/demo", "Resources/a.csv"), full_place("/demo", "s3://other/b")
        ('s3://bucket/demo/Resources/a.csv', 's3://other/b')
    """
    is_full = "://" in path or path.startswith("/")
    return path if is_full else f"{project.rstrip('/')}/{path}"


def asset_key(place: str) -> str | None:
    """Return the key of a Prefect asset: a URI; None if a character of it may be in none.

    Args:
        place: A local path, or a URL without a password.

    Example:
        >>> asset_key("/demo/Models/digits/1"), asset_key("s3://bucket/Models/digits/1")
        ('file:///demo/Models/digits/1', 's3://bucket/Models/digits/1')
        >>> asset_key("/demo/Models/two words/1") is None
        True
    """
    try:
        return Asset(key=place if "://" in place else f"file://{place}").key
    except ValueError:
        return None


def _related(identifier: str, role: str) -> dict[str, str]:
    return {"prefect.resource.id": identifier, "prefect.resource.role": role}
