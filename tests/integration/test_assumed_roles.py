"""Temporary credentials of a role in trials: there from their beginning, and renewed under way."""

from __future__ import annotations

import pytest

from hopsml_flows import credentials_provider, experiment
from hopsml_flows.execution import assumed_role, credentials
from tests.servers import s3

ROLE = "arn:aws:iam::123456789012:role/analyst"
URL = f"s3://{s3.BUCKET}/of-a-role/data"


@pytest.fixture
def sts(moto_endpoint, monkeypatch):
    monkeypatch.setattr(credentials, "_published", None)
    monkeypatch.setattr(assumed_role, "_assumed", None)
    for name, value in s3.environment(moto_endpoint).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_SESSION_TOKEN", "x")  # so that it is removed at the end
    monkeypatch.delenv("AWS_SESSION_TOKEN")
    yield moto_endpoint
    assumed_role._assumed = None


def reads_s3(endpoint, path):
    """Read an object as a library does that knows AWS' variables."""
    import os

    import botocore.session

    client = botocore.session.Session().create_client(
        "s3", endpoint_url=endpoint, region_name="us-east-1"
    )
    bucket, _, key = path.removeprefix("s3://").partition("/")
    client.put_object(Bucket=bucket, Key=key, Body=b"12345")
    size = len(client.get_object(Bucket=bucket, Key=key)["Body"].read())
    return {"metric": size, "token": os.environ["AWS_SESSION_TOKEN"]}


def sees_a_renewal(first):
    """Wait until the environment has other credentials than those it began with."""
    import os
    import time

    seen = [os.environ["AWS_SESSION_TOKEN"]]
    until = time.monotonic() + 60
    while len(seen) < 3 and time.monotonic() < until:
        if os.environ["AWS_SESSION_TOKEN"] != seen[-1]:
            seen.append(os.environ["AWS_SESSION_TOKEN"])
        time.sleep(0.05)
    return {"metric": len(seen), "first": seen[0]}


@pytest.mark.parametrize("own", [False, True], ids=["running cluster", "own cluster"])
def test_trials_on_every_worker_have_the_roles_credentials(
    sts, prefect_server, dask_address, project, own
):
    found = credentials_provider.assume_role(ROLE)
    cluster = experiment.ClusterConfig(kind="local", n_workers=1) if own else dask_address
    result = experiment.launch(
        reads_s3,
        {"endpoint": [sts, sts], "path": [f"{URL}-1", f"{URL}-2"]},
        metric_key="metric",
        project=str(project),
        cluster=cluster,
        progress=False,
    )
    assert [trial.metric for trial in result.trials] == [5.0, 5.0]
    assert {trial.outputs["token"] for trial in result.trials} == {found["sessionToken"]}


def test_a_trial_that_lasts_longer_gets_renewed_credentials(
    sts, prefect_server, dask_address, project, monkeypatch
):
    monkeypatch.setattr(assumed_role, "SHARE_OF_LIFE", 0.002)  # of 900 s: STS gives none for less
    credentials_provider.assume_role(ROLE, duration_seconds=900)
    result = experiment.launch(
        sees_a_renewal,
        {"first": ["a"]},
        metric_key="metric",
        project=str(project),
        cluster=dask_address,
        progress=False,
    )
    assert [trial.metric for trial in result.trials] == [3.0]


def test_processes_of_a_distributed_trial_have_the_roles_credentials(
    sts, prefect_server, dask_address, project
):
    found = credentials_provider.assume_role(ROLE)
    result = experiment.grid_search(
        has_token,
        {"x": [1]},
        processes_per_trial=2,
        project=str(project),
        cluster=dask_address,
        progress=False,
    )
    assert result.outputs["token"] == found["sessionToken"]


def has_token(x):
    import os

    return {"metric": 1.0, "token": os.environ["AWS_SESSION_TOKEN"]}
