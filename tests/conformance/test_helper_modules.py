"""The modules that programs written for HopsML import besides, on every storage."""

from __future__ import annotations

import os
import sys

import numpy as np
import pandas as pd
import pytest

from hopsml_flows import (
    constants,
    featurestore,
    hdfs,
    numpy_helper,
    pandas_helper,
    serving,
    util,
)
from hopsml_flows.errors import (
    InvalidArgumentError,
    MissingPackageError,
    NotFoundError,
    UnsupportedOperationError,
)
from tests.conformance.test_projects import STORAGES
from tests.running import trial_on


@pytest.fixture(params=["local", "webhdfs", "s3"])
def project(request, tmp_path, monkeypatch):
    project = STORAGES[request.param](request)
    with trial_on(project, tmp_path, monkeypatch):
        yield project


def test_a_data_frame_is_written_and_read_back(project):
    frame = pd.DataFrame({"sepal": [5.1, 4.9], "name": ["setosa", "ü"]})
    pandas_helper.write_csv("Resources/iris.csv", frame, index=False)
    pandas_helper.write_csv(hdfs.project_path() + "Resources/iris.csv.gz", frame, index=False)
    pandas_helper.write_parquet("Resources/iris.parquet", frame)
    pandas_helper.write_json("Resources/iris.json", frame)
    for read, name in [
        (pandas_helper.read_csv, "iris.csv"),
        (pandas_helper.read_csv, "iris.csv.gz"),
        (pandas_helper.read_parquet, "iris.parquet"),
        (pandas_helper.read_json, "iris.json"),
    ]:
        pd.testing.assert_frame_equal(read(f"Resources/{name}"), frame)
    assert hdfs.load("Resources/iris.csv.gz")[:2] == b"\x1f\x8b"
    assert pandas_helper.read_csv("Resources/iris.csv", usecols=["name"]).shape == (2, 1)
    with pytest.raises(FileNotFoundError):
        pandas_helper.read_csv("Resources/nothing.csv")


def test_a_file_that_was_written_again_is_read_as_it_is(project):
    for rows in (1, 2):
        pandas_helper.write_csv("Resources/a.csv", pd.DataFrame({"a": range(rows)}), index=False)
        assert len(pandas_helper.read_csv("Resources/a.csv")) == rows


def test_an_array_is_written_and_read_back(project):
    array = np.arange(6.0).reshape(2, 3)
    numpy_helper.save("Resources/a.npy", array)
    numpy_helper.save("Resources/b", array)
    for name in ("a.npy", "b.npy"):
        np.testing.assert_array_equal(numpy_helper.load(f"Resources/{name}"), array)
    hdfs.dump("1,2\n3,\n", "Resources/text.csv")
    found = numpy_helper.genfromtxt("Resources/text.csv", delimiter=",")
    assert found[0].tolist() == [1.0, 2.0]
    assert np.isnan(found[1, 1])
    hdfs.dump("1 2\n3 4\n", "Resources/text.txt")
    assert numpy_helper.loadtxt("Resources/text.txt").tolist() == [[1.0, 2.0], [3.0, 4.0]]
    kinds = [("n", np.int64)]
    assert numpy_helper.fromregex("Resources/text.txt", r"(\d+) ", kinds)["n"].tolist() == [1, 3]
    hdfs.dump(array.tobytes(), "Resources/raw")
    assert numpy_helper.fromfile("Resources/raw").tolist() == array.ravel().tolist()
    mapped = numpy_helper.memmap("Resources/raw", dtype="float64", shape=(2, 3))
    np.testing.assert_array_equal(mapped, array)
    with pytest.raises(UnsupportedOperationError, match="save"):
        numpy_helper.memmap("Resources/raw", mode="r+")


def test_an_array_of_objects_is_not_unpickled_unasked(project):
    numpy_helper.save("Resources/objects.npy", np.array([{"a": 1}], dtype=object))
    with pytest.raises(ValueError, match="allow_pickle"):
        numpy_helper.load("Resources/objects.npy")


def test_a_model_is_exported_to_its_version(project):
    os.makedirs("saved/variables")
    for name in ("saved/model.pb", "saved/variables/index", "iris.pkl"):
        with open(name, "w") as file:
            file.write(name)
    path = serving.export("saved", "mnist", 2)
    assert path == project.full("Models/mnist/2")
    assert hdfs.load("Models/mnist/2/variables/index") == b"saved/variables/index"
    assert serving.export("iris.pkl", "iris") == project.full("Models/iris/1")
    assert hdfs.load("Models/iris/1/iris.pkl") == b"iris.pkl"
    with pytest.raises(FileExistsError, match="overwrite=True"):
        serving.export("iris.pkl", "iris", 1)
    hdfs.dump("new", "Resources/iris.pkl")
    serving.export(hdfs.project_path() + "Resources/iris.pkl", "iris", 1, overwrite=True)
    assert hdfs.load("Models/iris/1/iris.pkl") == b"new"
    serving.export(path, "copied")
    assert hdfs.load("Models/copied/1/model.pb") == b"saved/model.pb"
    with pytest.raises(FileNotFoundError, match="nothing"):
        serving.export("nothing", "iris", 3)
    for wrong in ({"model_name": "a/b"}, {"model_name": ".."}, {"model_version": 0}):
        with pytest.raises(InvalidArgumentError):
            serving.export(**{"model_path": "iris.pkl", "model_name": "x", **wrong})


def test_a_training_datasets_path_is_found_in_the_project(project):
    above = f"{project.name}_Training_Datasets"
    hdfs.dump("1", f"{above}/td_1/td/part-0.tfrecord")
    hdfs.dump("1", f"{above}/td_2/td.csv")
    hdfs.dump("1", f"{above}/td_3/part-0.parquet")
    found = featurestore.get_training_dataset_path("td")
    assert found == project.full(f"{above}/td_1/td")
    assert hdfs.glob(f"{found}/*.tfrecord")
    by_version = {
        version: featurestore.get_training_dataset_path("td", training_dataset_version=version)
        for version in (2, 3)
    }
    assert by_version == {
        2: project.full(f"{above}/td_2/td.csv"),
        3: project.full(f"{above}/td_3"),
    }
    own = featurestore.project_featurestore()
    assert featurestore.get_training_dataset_path("td", featurestore=own) == found
    with pytest.raises(NotFoundError, match="td_1, td_2, td_3"):
        featurestore.get_training_dataset_path("other")


def test_hopsmls_own_example_of_the_file_system_runs(project, capsys):
    with open("test.txt", "w") as file:
        file.write("hello")
    hdfs.copy_to_hdfs("test.txt", "Resources", overwrite=True)
    status = hdfs.stat("Resources/test.txt")
    seen = (
        status.st_uid, status.st_gid, status.st_mode, status.st_ino, status.st_nlink,
        status.st_size, status.st_atime, status.st_mtime, status.st_ctime, status.st_blksize,
        status.st_blocks, status.st_dev,
    )  # fmt: skip
    assert seen[5] == 5
    if project.local_root is not None:
        assert status.st_uid == os.getuid()
    for mode in (777, 0o777, "777", 644, os.R_OK, 6, 0):
        assert isinstance(hdfs.access("Resources/test.txt", mode), bool)
    assert hdfs.access("Resources/test.txt", 644)
    for wrong in (-1, 888, 12345678, True, "rw", None):
        with pytest.raises(InvalidArgumentError):
            hdfs.access("Resources/test.txt", wrong)
    os.remove("test.txt")
    assert hdfs.copy_from_project("Resources/test.txt", "") == os.path.abspath("test.txt")
    hdfs.copy_to_project("test.txt", "Logs", overwrite=True)
    assert hdfs.exists("Logs/test.txt")
    hdfs.log("a line")
    assert "a line\n" in capsys.readouterr().out
    assert hdfs.is_tls_enabled() is False
    if project.url.startswith("webhdfs://"):
        assert hdfs.get_webhdfs_host() == "127.0.0.1"
        assert hdfs.get_webhdfs_port() > 0
        plain = hdfs.get_plain_path(project.full("Resources"))
        assert plain == f"/Projects/{project.name}/Resources"
        assert hdfs.exists(plain)
    else:
        with pytest.raises(UnsupportedOperationError, match="webhdfs://"):
            hdfs.get_webhdfs_host()


def test_a_module_of_the_project_is_imported(project, monkeypatch):
    monkeypatch.setattr(sys, "path", [*sys.path])
    name = f"module_of_{project.url.partition(':')[0].strip('/').replace('/', '_')}"[:40]
    hdfs.dump("VALUE = 3\n", f"Resources/{name}.py")
    hdfs.add_module(f"Resources/{name}.py")
    assert __import__(name).VALUE == 3
    with pytest.raises(UnsupportedOperationError, match="nbconvert"):
        hdfs.add_module("Resources/a.ipynb")


def test_plain_paths_have_no_protocol_and_host():
    assert hdfs.get_plain_path("hopsfs://me@10.0.2.15:8020/Projects/x/") == "/Projects/x/"
    assert hdfs.get_plain_path("hdfs:///Projects/x") == "/Projects/x"
    assert hdfs.get_plain_path("s3://bucket/x") == "/bucket/x"
    assert hdfs.get_plain_path("/Projects/x") == "/Projects/x"


def test_a_grid_is_given_as_lists_that_launch_takes():
    found = util.grid_params({"lr": [0.1, 0.2], "dropout": [0.4, 0.5, 0.6]})
    assert found == {"lr": [0.1] * 3 + [0.2] * 3, "dropout": [0.4, 0.5, 0.6] * 2}


def test_executors_and_parameter_servers_are_counted(monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    assert util.num_executors() >= 1
    assert util.num_executors({"kind": "local", "n_workers": 3}) == 3
    assert util.num_param_servers() == 1
    monkeypatch.setenv("TF_CONFIG", '{"cluster": {"chief": ["a:1"], "ps": ["b:1", "c:1"]}}')
    assert util.num_param_servers() == 2


def test_without_pandas_the_error_says_what_to_install(project, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(MissingPackageError, match="pip install pandas"):
        pandas_helper.read_csv("Resources/a.csv")


def test_constants_are_those_of_hopsml():
    assert constants.ENV_VARIABLES.HADOOP_USER_NAME_ENV_VAR == "HADOOP_USER_NAME"
    assert constants.MODEL_SERVING.MODELS_DATASET == "Models"
    assert constants.S3_CONFIG.AWS_SESSION_TOKEN_ENV == "AWS_SESSION_TOKEN"


@pytest.mark.parametrize(
    ("use", "said"),
    [
        (lambda: featurestore.get_featuregroup("a"), "pip install hopsworks"),
        (lambda: featurestore.get_training_datasets(), "pip install hopsworks"),
        (lambda: serving.make_inference_request("mnist", {}), "KServe"),
        (lambda: serving.create_or_update("mnist", "x"), r"serving\.export"),
        (lambda: util.num_gpus(), r"devices\.get_num_gpus"),
        (lambda: util.send_request("GET", "/x"), "leave it out"),
        (lambda: constants.REST_CONFIG.JSON_TYPE, "SDK"),
        (lambda: __import__("hopsml_flows").kafka, "get_kafka_api"),
        (lambda: __import__("hopsml_flows").jobs, "SDK"),
    ],
)
def test_what_is_out_of_reach_says_what_to_write_instead(use, said):
    with pytest.raises(UnsupportedOperationError, match=said):
        use()


@pytest.mark.parametrize("module", [featurestore, serving, util, constants])
def test_a_name_that_hopsml_had_not_is_an_attribute_error(module):
    with pytest.raises(AttributeError, match="nonsense"):
        module.nonsense  # noqa: B018 - the access is the test
