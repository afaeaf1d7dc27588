"""``hopsml tensorboard``: shows experiments in a TensorBoard, whether they run or are over."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from hopsml_flows.board import Shown, serve
from hopsml_flows.cli.experiment_names import EXPERIMENT
from hopsml_flows.cli.project_option import open_project
from hopsml_flows.errors import InvalidArgumentError, NotFoundError
from hopsml_flows.service import LAST, experiments, find_experiment, trial_directories

__all__ = ["tensorboard"]


def tensorboard(
    *ids: Annotated[str, EXPERIMENT],
    project: Annotated[str | None, Parameter(name=["--project", "-p"])] = None,
    every: Annotated[bool, Parameter(name="--all", negative="", show_default=False)] = False,
    host: str | None = None,
    port: int | None = None,
) -> None:
    """Show experiments in a TensorBoard, until Ctrl-C.

    Args:
        ids: The experiments: identifiers, beginnings of identifiers, "last", or "NAME@-1"; default:
            last.
        project: Local path, URL or block:NAME of the project; default: that of new experiments.
        every: Show all experiments of the project.
        host: Address to listen on; 0.0.0.0 for all addresses of this machine; default:
            HOPSML_TENSORBOARD_HOST, or 127.0.0.1.
        port: Port to listen on; default: 6006, or a free port if that is taken.
    """
    place = open_project(project)
    if every and ids:
        raise InvalidArgumentError("--all", ids, "must stand alone, without identifiers")
    if every and not experiments(place):
        raise NotFoundError("--all", place.url, "must be a project that has experiments")
    wanted = experiments(place) if every else (ids or [LAST])
    found = dict.fromkeys(find_experiment(place, text) for text in wanted)
    trials = sum(1 for paths in found for _ in trial_directories(place, paths))
    serve(Shown.experiments(place, found, trials), host=host, port=port)
