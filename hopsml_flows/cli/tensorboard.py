"""``hopsml tensorboard``: experiments in a TensorBoard, running ones and such as are over."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from hopsml_flows.board import Shown, serve
from hopsml_flows.cli.project_option import opened
from hopsml_flows.errors import InvalidArgumentError, NotFoundError
from hopsml_flows.service import LAST, experiments, find_experiment, trial_directories

__all__ = ["tensorboard"]


def tensorboard(
    *ids: Annotated[str, Parameter(name="ID")],
    project: Annotated[str | None, Parameter(name=["--project", "-p"])] = None,
    every: Annotated[bool, Parameter(name="--all", negative="")] = False,
    host: str | None = None,
    port: int | None = None,
) -> None:
    """Show experiments in a TensorBoard, until Ctrl-C.

    Several are shown side by side: each run is named after its experiment, and the HPARAMS tab has
    the trials of all. What is running is followed.

    Args:
        ids: The experiments: identifiers, the beginnings of some, or "last", which is meant where
            none is named.
        project: Local path, URL or block:NAME of the project; default as for experiments.
        every: All experiments of the project.
        host: Address to listen on, 0.0.0.0 for all of this machine's; HOPSML_TENSORBOARD_HOST or
            127.0.0.1 otherwise.
        port: Port to listen on; 6006 otherwise, or a free one where that is taken.
    """
    place = opened(project)
    if every and ids:
        raise InvalidArgumentError("--all", ids, "must stand alone, without identifiers")
    if every and not experiments(place):
        raise NotFoundError("--all", place.url, "must be a project that has experiments")
    wanted = experiments(place) if every else (ids or [LAST])
    found = dict.fromkeys(find_experiment(place, text) for text in wanted)
    trials = sum(1 for paths in found for _ in trial_directories(place, paths))
    serve(Shown.experiments(place, found, trials), host=host, port=port)
