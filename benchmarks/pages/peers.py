"""The pages that are compared: how each is started and filled, and what its own page asks for.

The requests are those that Chromium was seen to send when it opens the page.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import httpx

from pages.stores import write_event_files, write_mlflow, write_optuna
from pages.written import SPACE, identifier

__all__ = ["PACKAGES", "Asked", "Page", "Shown", "pages"]

PACKAGES = ("optuna-dashboard", "optuna", "mlflow", "tensorboard")
"""Whose versions matter."""

_MLFLOW = "/ajax-api/2.0/mlflow"
_MLFLOW_RUNS = 100
"""Runs that MLflow's page asks for at once."""
_MLFLOW_BARS = 20
"""Bars of MLflow's charts: of two outputs, for the ten runs that it selects by itself."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request for data.

    Args:
        path: Its path and query.
        body: What is posted as JSON; None for GET.
    """

    path: str
    body: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Shown:
    """Something that a reader waits for in a browser.

    Args:
        path: Path of the page.
        selector: What is there once it can be seen.
        least: How many of it there are then.
    """

    path: str
    selector: str
    least: int = 1


class Page(Protocol):
    """A server of pages and its data. ``experiments`` is number to trials of each experiment."""

    name: str

    def fill(self, experiments: Mapping[int, int]) -> None:
        """Write the experiments."""

    def command(self, number: int, port: int) -> list[str]:
        """Return how the server starts that has an experiment, and others if it can."""

    def listed(self) -> Asked | None:
        """Return the request for the list of experiments; None where there is no list."""

    def asked(self, number: int) -> Asked:
        """Return the request for an experiment's trials."""

    def is_whole(self, answer: httpx.Response, trials: int) -> bool:
        """Return whether an answer has what there is to have of so many trials."""

    def shown(self, number: int, trials: int) -> Mapping[str, Shown]:
        """Return what is awaited in a browser: ``table``, ``plots``, or both."""


def pages(project: str, programs: Path, scratch: Path, large: Mapping[int, int]) -> dict[str, Page]:
    """All pages by the names of the option ``--pages``.

    Args:
        project: URL of the project, which has all experiments already.
        programs: Directory of the peers' programs.
        scratch: Directory for the peers' stores.
        large: The experiments that are asked for: TensorBoard gets no others.
    """
    return {
        "project": _Own(project),
        "optuna-dashboard": _OptunaDashboard(programs, scratch / "optuna.db"),
        "mlflow": _Mlflow(programs, scratch / "mlflow.db"),
        "tensorboard": _TensorBoard(programs, scratch / "tensorboard", large),
    }


class _Own:
    name = "`hopsml ui`"

    def __init__(self, project: str) -> None:
        self._project = project

    def fill(self, experiments: Mapping[int, int]) -> None:
        """The project is there already."""

    def command(self, number: int, port: int) -> list[str]:  # noqa: ARG002 - others need it
        code = "from hopsml_flows.cli import main; main()"
        served = ["ui", "--port", str(port), "--project", self._project]
        return [sys.executable, "-c", code, *served]

    def listed(self) -> Asked | None:
        return Asked("/")

    def asked(self, number: int) -> Asked:
        return Asked(f"/experiments/{identifier(number)}")

    def is_whole(self, answer: httpx.Response, trials: int) -> bool:
        return f" of {trials} trials" in answer.text

    def shown(self, number: int, trials: int) -> Mapping[str, Shown]:
        at = self.asked(number).path
        drawn = Shown(f"{at}/plots", f"#plots[data-drawn='{trials}'] canvas:visible")
        return {"table": Shown(at, "table.trials-table tbody tr:visible"), "plots": drawn}


class _InOneStore:
    """A page whose store has all experiments in the order in which they were written."""

    def __init__(self, programs: Path, database: Path) -> None:
        self._programs = programs
        self._database = database
        self._keys: dict[int, int] = {}

    @property
    def _url(self) -> str:
        return f"sqlite:///{self._database}"

    def _number_keys(self, experiments: Mapping[int, int]) -> None:
        self._keys = {number: key for key, number in enumerate(experiments, 1)}


class _OptunaDashboard(_InOneStore):
    name = "optuna-dashboard"

    def fill(self, experiments: Mapping[int, int]) -> None:
        self._number_keys(experiments)
        write_optuna(self._programs, self._database, experiments)

    def command(self, number: int, port: int) -> list[str]:  # noqa: ARG002 - others need it
        program = str(self._programs / "optuna-dashboard")
        return [program, self._url, "--host", "127.0.0.1", "--port", str(port)]

    def listed(self) -> Asked | None:
        return Asked("/api/studies")

    def asked(self, number: int) -> Asked:
        return Asked(f"/api/studies/{self._keys[number]}?after=0")

    def is_whole(self, answer: httpx.Response, trials: int) -> bool:
        return len(answer.json()["trials"]) == trials

    def shown(self, number: int, trials: int) -> Mapping[str, Shown]:
        page = f"/dashboard/studies/{self._keys[number]}"
        listed = Shown(f"{page}/trials", '.MuiListItemText-primary:visible:text-is("Trial 0")')
        return {"table": listed, "plots": Shown(page, "#plot-history .point", trials)}


class _Mlflow(_InOneStore):
    name = "MLflow"

    def fill(self, experiments: Mapping[int, int]) -> None:
        self._number_keys(experiments)
        write_mlflow(self._programs, self._database, experiments)

    def command(self, number: int, port: int) -> list[str]:  # noqa: ARG002 - others need it
        served = ["--backend-store-uri", self._url, "--workers", "1"]
        at = ["--host", "127.0.0.1", "--port", str(port)]
        return [str(self._programs / "mlflow"), "server", *served, *at]

    def listed(self) -> Asked | None:
        return Asked(
            f"{_MLFLOW}/experiments/search?max_results=25&order_by=last_update_time+DESC"
            "&filter=tags.%60mlflow.experiment.isGateway%60+IS+NULL"
        )

    def asked(self, number: int) -> Asked:
        body = {
            "experiment_ids": [str(self._keys[number])],
            "run_view_type": "ACTIVE_ONLY",
            "max_results": _MLFLOW_RUNS,
            "order_by": ["attributes.start_time DESC"],
        }
        return Asked(f"{_MLFLOW}/runs/search", body)

    def is_whole(self, answer: httpx.Response, trials: int) -> bool:
        runs = answer.json()["runs"]
        has_all = len(runs[0]["data"]["params"]) == len(SPACE)
        return has_all and len(runs) == min(trials, _MLFLOW_RUNS)

    def shown(self, number: int, trials: int) -> Mapping[str, Shown]:  # noqa: ARG002 - in others
        page = f"/experiments/{self._keys[number]}/runs"
        bars = Shown(
            f"/#{page}?compareRunsMode=CHART", ".js-plotly-plot .bars .point", _MLFLOW_BARS
        )
        return {"table": Shown(f"/#{page}", f'.ag-row a[href*="{page}/"]:visible'), "plots": bars}


class _TensorBoard:
    name = "TensorBoard, HPARAMS"

    def __init__(self, programs: Path, directory: Path, large: Mapping[int, int]) -> None:
        self._programs = programs
        self._directory = directory
        self._large = large

    def fill(self, experiments: Mapping[int, int]) -> None:  # noqa: ARG002 - others need it
        for number, trials in self._large.items():
            write_event_files(self._directory / identifier(number), number, trials)

    def command(self, number: int, port: int) -> list[str]:
        served = ["--logdir", str(self._directory / identifier(number))]
        at = ["--host", "127.0.0.1", "--port", str(port)]
        return [str(self._programs / "tensorboard"), *served, *at]

    def listed(self) -> Asked | None:
        return None

    def asked(self, number: int) -> Asked:  # noqa: ARG002 - others need it
        columns: list[dict[str, Any]] = [{"hparam": name} for name in sorted(SPACE)]
        columns.append({"metric": {"tag": "outputs/accuracy", "group": ""}})
        states = ("UNKNOWN", "SUCCESS", "FAILURE", "RUNNING")
        body = {
            "experimentName": "",
            "allowedStatuses": [f"STATUS_{state}" for state in states],
            "colParams": [{**column, "includeInResult": True} for column in columns],
            "startIndex": 0,
            "sliceSize": 100,
        }
        return Asked("/data/plugin/hparams/session_groups", body)

    def is_whole(self, answer: httpx.Response, trials: int) -> bool:
        return answer.json()["totalSize"] == trials

    def shown(self, number: int, trials: int) -> Mapping[str, Shown]:  # noqa: ARG002 - in others
        return {"table": Shown("/#hparams", 'vaadin-grid-cell-content:visible:has-text("adam")')}
