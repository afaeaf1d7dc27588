from __future__ import annotations

import pytest

from hopsml_flows import experiment
from hopsml_flows.errors import InvalidProjectError

from .training import product


def test_a_local_project_that_workers_cannot_see_is_an_error_at_start(
    prefect_server, dask_address, tmp_path, monkeypatch
):
    # A path that is another directory for each process, as on another machine.
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InvalidProjectError, match=r"workers share; 2 of 2 do not see it"):
        experiment.launch(
            product, {"x": [2]}, project="/proc/self/cwd/project", cluster=dask_address
        )
    assert list(tmp_path.iterdir()) == []


def test_a_directory_of_the_same_name_elsewhere_is_not_the_project(
    prefect_server, dask_address, tmp_path, monkeypatch
):
    (tmp_path / "tests").mkdir()  # workers have one too: they run in the repository
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InvalidProjectError, match="another one of that name"):
        experiment.launch(product, {"x": [2]}, project="/proc/self/cwd/tests", cluster=dask_address)
    assert list((tmp_path / "tests").iterdir()) == []
