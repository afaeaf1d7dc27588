"""Reading a project's data in training code, with TensorFlow itself."""

from __future__ import annotations

import pytest

from hopsml_flows import hdfs
from hopsml_flows.execution import (
    Job,
    Place,
    Staging,
    evaluate,
    packed,
    running_trial,
)
from hopsml_flows.storage import Project
from hopsml_flows.trials import State, Trial
from tests.conformance.test_projects import STORAGES
from tests.running import context_of

RECORDS = [b"one", b"two", b"three"]
REMOTE = ["hopsfs", "webhdfs", "s3"]


@pytest.fixture
def trial_in(tmp_path, monkeypatch):
    """Run a function as a trial of a project that has TFRecords among its data."""
    monkeypatch.setenv("HOPSML_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "3")

    def run(project: Project, training):
        import tensorflow as tf

        trial = Trial(1, "0001", {}, directory="0001")
        with context_of(project, tmp_path / "before") as context, running_trial(context):
            for number, record in enumerate(RECORDS):
                path = tmp_path / f"train-{number}.tfrecords"
                with tf.io.TFRecordWriter(str(path)) as writer:
                    writer.write(record)
                hdfs.copy_to_hdfs(path, "Resources")
        job = Job(
            function=packed(training, by_value=True), project=project, experiment_id="e-1",
            optimization_key=None, needs_metric=False, local_logdir=False, directory=str(tmp_path),
        )  # fmt: skip
        staging = Staging(job.project, job.paths, trial, local_logdir=False)
        result = staging.commit(evaluate(job, trial, staging, Place()))
        staging.close()
        return result

    return run


def of_the_project_path():
    import tensorflow as tf

    from hopsml_flows import hdfs

    names = [f"{hdfs.project_path()}Resources/train-{number}.tfrecords" for number in range(3)]
    return {"records": [r.numpy().decode() for r in tf.data.TFRecordDataset(names)]}


def of_local_paths():
    import tensorflow as tf

    from hopsml_flows import hdfs

    one = hdfs.local_path("Resources/train-0.tfrecords")
    several = hdfs.local_paths("Resources/train-[12].tfrecords")
    return {"records": [r.numpy().decode() for r in tf.data.TFRecordDataset([one, *several])]}


def of_copies():
    import tensorflow as tf

    from hopsml_flows import hdfs

    names = [hdfs.copy_to_local(f"Resources/train-{number}.tfrecords") for number in range(3)]
    return {"records": [r.numpy().decode() for r in tf.data.TFRecordDataset(names)]}


@pytest.mark.parametrize("training", [of_the_project_path, of_local_paths, of_copies])
def test_tensorflow_reads_a_local_project(request, trial_in, training, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = trial_in(STORAGES["local"](request), training)
    assert result.outputs["records"] == ["one", "two", "three"]


@pytest.mark.parametrize("training", [of_local_paths, of_copies])
@pytest.mark.parametrize("storage", REMOTE)
def test_tensorflow_reads_any_project_through_local_paths(
    request, trial_in, storage, training, tmp_path, monkeypatch
):
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    result = trial_in(STORAGES[storage](request), training)
    assert result.outputs["records"] == ["one", "two", "three"]


@pytest.mark.parametrize("storage", REMOTE)
def test_where_tensorflow_cannot_read_the_project_the_error_names_the_helper(
    request, trial_in, storage
):
    project = STORAGES[storage](request)
    result = trial_in(project, of_the_project_path)
    assert result.state is State.FAILED
    assert result.failure.kind == "UnimplementedError"
    helper = "hopsml_flows.hdfs.local_path('Resources/train-0.tfrecords')"
    assert f"TensorFlow has no file system for {storage}://: read through {helper}" in str(
        result.failure
    )
    assert helper in project.read("Experiments/e-1/0001/output.log").decode()
