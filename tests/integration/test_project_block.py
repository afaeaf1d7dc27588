from __future__ import annotations

import asyncio
import re
from uuid import uuid4

import pytest

from hopsml_flows import experiment, hdfs
from hopsml_flows.cli.project_option import open_project
from hopsml_flows.errors import InvalidProjectError
from hopsml_flows.experiment import HopsFSProject
from hopsml_flows.server.project_block import loaded_project

from .training import product


def test_a_saved_block_names_the_project(prefect_server, dask_address, project, flow_parameters):
    name = f"demo-{uuid4().hex[:8]}"
    HopsFSProject(url=str(project)).save(name)
    for reference in (f"block:{name}", f"hopsfs-project/{name}"):
        result = experiment.launch(
            product, {"x": [2]}, project=reference, cluster=dask_address, progress=False
        )
        assert result.path.startswith(str(project / "Experiments"))
        # What the server shows and a deployment would run again is the name.
        assert flow_parameters(result.flow_run_id)["project"] == reference


def test_the_default_project_may_be_a_block(prefect_server, dask_address, project, monkeypatch):
    HopsFSProject(url=str(project)).save("default-demo", overwrite=True)
    monkeypatch.setenv("HOPSML_PROJECT", "block:default-demo")
    result = experiment.launch(product, {"x": [2]}, cluster=dask_address, progress=False)
    assert result.path.startswith(str(project / "Experiments"))


def test_a_default_project_that_is_a_block_is_that_of_file_operations_too(
    prefect_server, project, tmp_path, monkeypatch
):
    name = f"files-{uuid4().hex[:8]}"
    HopsFSProject(url=str(project)).save(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOPSML_PROJECT", f"block:{name}")
    assert hdfs.project_path() == f"{project}/"
    hdfs.dump("x", "Resources/a.txt")
    assert (project / "Resources" / "a.txt").read_text() == "x"
    assert not list(tmp_path.glob("block:*"))
    monkeypatch.setenv("HOPSML_PROJECT", "block:nobody")
    with pytest.raises(InvalidProjectError, match=r"saved block.*block:nobody"):
        hdfs.project_path()


def test_the_commands_know_saved_blocks(prefect_server, project):
    HopsFSProject(url=str(project)).save("for-commands", overwrite=True)
    project.mkdir()
    assert open_project("block:for-commands").local_root == project
    with pytest.raises(InvalidProjectError, match=r"saved block.*block:nobody"):
        open_project("block:nobody")


def test_a_block_that_is_not_saved_is_an_error_that_names_it(prefect_server, dask_address):
    with pytest.raises(InvalidProjectError, match=r"saved block.*block:nobody"):
        experiment.launch(product, {"x": [2]}, project="block:nobody", cluster=dask_address)


def test_storage_options_of_a_block_are_hidden_and_kept(prefect_server):
    block = HopsFSProject(url="s3://bucket/demo", storage_options={"key": "k", "secret": "s3cr3t!"})
    block.save("hidden", overwrite=True)
    loaded = HopsFSProject.load("hidden")
    assert "s3cr3t!" not in repr(block) + str(loaded) + loaded.model_dump_json()
    project = loaded.project()
    assert project.url == "s3://bucket/demo"
    assert project.storage_options == {"key": "k", "secret": "s3cr3t!"}


def test_a_password_in_the_url_of_a_block_is_refused():
    with pytest.raises(ValueError, match="storage_options") as caught:
        HopsFSProject(url="webhdfs://user:s3cr3t!@host:9870/demo")
    assert not re.search("s3cr3t!", str(caught.value).partition("input_value")[0])


def test_a_block_is_found_where_an_event_loop_runs(prefect_server, project):
    async def notebook():
        return loaded_project("block:looped")

    HopsFSProject(url=str(project)).save("looped", overwrite=True)
    assert asyncio.run(notebook()).local_root == project
