"""A role of AWS, assumed for real at moto's STS."""

from __future__ import annotations

import os
import threading
import time

import pytest

from hopsml_flows import credentials_provider
from hopsml_flows.errors import (
    CredentialsError,
    InvalidArgumentError,
    UnsupportedOperationError,
)
from hopsml_flows.execution import assumed_role, credentials
from hopsml_flows.execution.process import clean_state
from hopsml_flows.storage import Project
from tests.servers import s3
from tests.waiting import wait_until

ROLE = "arn:aws:iam::123456789012:role/analyst"
VARIABLES = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")


@pytest.fixture
def sts(moto_endpoint, monkeypatch):
    """STS, and an identity that may assume roles; what is assumed ends with the test."""
    monkeypatch.setattr(credentials, "_published", None)
    monkeypatch.setattr(credentials, "_received", None)
    monkeypatch.setattr(assumed_role, "_assumed", None)
    for name, value in s3.environment(moto_endpoint).items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_SESSION_TOKEN", "AWS_ROLE_ARN", "AWS_PROFILE"):
        monkeypatch.setenv(name, "x")  # so that it is removed at the end
        monkeypatch.delenv(name)
    yield moto_endpoint
    assumed_role._assumed = None  # its thread ends


def test_a_role_is_assumed_and_its_credentials_are_in_the_environment(sts):
    found = credentials_provider.assume_role(ROLE, "session", 900)
    assert [os.environ[name] for name in VARIABLES] == [
        found["accessKeyId"],
        found["secretAccessKey"],
        found["sessionToken"],
    ]
    assert found["accessKeyId"].startswith("ASIA")
    assert found["secretAccessKey"] not in repr(found)
    assert found["sessionToken"] not in repr(found) + repr(credentials.published())


def test_the_default_role_is_that_of_the_environment(sts, monkeypatch):
    assert credentials_provider.get_roles() == []
    with pytest.raises(InvalidArgumentError, match="AWS_ROLE_ARN"):
        credentials_provider.assume_role()
    monkeypatch.setenv("AWS_ROLE_ARN", ROLE)
    assert credentials_provider.get_role() == ROLE
    assert credentials_provider.get_roles() == [ROLE]
    assert credentials_provider.assume_role()["accessKeyId"].startswith("ASIA")
    with pytest.raises(UnsupportedOperationError, match="ARN"):
        credentials_provider.get_role(3)


def test_credentials_are_renewed_before_they_expire(sts, monkeypatch):
    monkeypatch.setattr(assumed_role, "SHARE_OF_LIFE", 0.001)  # STS gives none for less than 900 s
    heard = []
    with credentials.listening(heard.append):
        first = credentials_provider.assume_role(ROLE, duration_seconds=900)
        wait_until(lambda: len(heard) >= 3, 30, "two renewals")
    assert heard[0].variables["AWS_SESSION_TOKEN"] == first["sessionToken"]
    assert len({lent.variables["AWS_SESSION_TOKEN"] for lent in heard}) == len(heard)
    assert os.environ["AWS_SESSION_TOKEN"] != first["sessionToken"]


def test_another_role_is_assumed_with_the_identity_before_the_first(sts):
    credentials_provider.assume_role(ROLE)
    identity = assumed_role._assumed.identity
    credentials_provider.assume_role(ROLE.replace("analyst", "other"))
    assert assumed_role._assumed.identity is identity
    assert identity.get_credentials().access_key == s3.KEY


def test_renewal_ends_when_the_program_sets_other_credentials(sts, monkeypatch):
    monkeypatch.setattr(assumed_role, "SHARE_OF_LIFE", 0.001)
    before = {*threading.enumerate()}
    credentials_provider.assume_role(ROLE)
    new = {*threading.enumerate()} - before  # the server of this process may answer in others
    [renewing] = [thread for thread in new if thread.name == "hopsml-credentials"]
    monkeypatch.setenv("AWS_SESSION_TOKEN", "of the user")
    renewing.join(30)
    assert not renewing.is_alive()
    assert os.environ["AWS_SESSION_TOKEN"] == "of the user"
    assert credentials.published() is None


def test_a_project_on_s3_uses_renewed_credentials(sts):
    project = Project(s3.new_url())
    project.replace("a", b"1")
    before = project._store
    assert project._store is before
    token = credentials_provider.assume_role(ROLE)["sessionToken"]
    assert project.read("a") == b"1"
    assert project._store is not before
    assert project._store._fs.token == token
    explicit = Project(s3.new_url(), s3.options(sts))
    explicit.replace("a", b"1")
    before = explicit._store
    credentials_provider.assume_role(ROLE)
    assert explicit._store is before


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"role_arn": "analyst"}, "role_arn"),
        ({"role_arn": 5}, "role_arn"),
        ({"role_session_name": "x"}, "role_session_name"),
        ({"duration_seconds": 10}, "duration_seconds"),
        ({"duration_seconds": True}, "duration_seconds"),
        ({"duration_seconds": "3600"}, "duration_seconds"),
    ],
)
def test_wrong_arguments_are_refused_before_aws_is_asked(arguments, named):
    with pytest.raises(InvalidArgumentError) as caught:
        credentials_provider.assume_role(**{"role_arn": ROLE, **arguments})
    assert caught.value.argument == named


def test_an_sts_that_does_not_answer_is_a_credentials_error(sts, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with pytest.raises(CredentialsError, match=r"127\.0\.0\.1:9"):
        credentials_provider.assume_role(ROLE)
    assert os.environ["AWS_ACCESS_KEY_ID"] == s3.KEY


@pytest.mark.parametrize(
    ("variable", "value", "says"),
    [
        ("AWS_PROFILE", "nope", "nope"),
        ("AWS_ENDPOINT_URL_STS", "notaurl", "notaurl"),
    ],
)
def test_what_the_environment_says_wrongly_is_a_credentials_error(
    sts, monkeypatch, variable, value, says
):
    monkeypatch.setenv(variable, value)
    with pytest.raises(CredentialsError, match=says):
        credentials_provider.assume_role(ROLE)


def test_without_an_identity_the_error_says_what_to_set(sts, monkeypatch, tmp_path):
    for name in VARIABLES[:2]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    with pytest.raises(CredentialsError, match="AWS_ACCESS_KEY_ID"):
        credentials_provider.assume_role(ROLE)


def test_older_credentials_do_not_replace_newer_ones(sts):
    now = time.time()
    newer = credentials.Lent({"AWS_SESSION_TOKEN": "newer"}, now, now + 100)
    older = credentials.Lent({"AWS_SESSION_TOKEN": "older"}, now - 1, now + 1000)
    credentials.receive(newer)
    credentials.receive(older)
    credentials.receive(None)
    assert os.environ["AWS_SESSION_TOKEN"] == "newer"
    again = credentials.decoded(credentials.encoded(credentials.received()))
    assert again == credentials.received()
    assert credentials.decoded(b"\x80pickle") is None
    credentials.take_back()
    assert "AWS_SESSION_TOKEN" not in os.environ
    assert credentials.received() is None


def test_credentials_that_are_renewed_in_a_block_outlast_one_that_restores_the_environment(
    sts, monkeypatch
):
    old = credentials.Lent({"AWS_SESSION_TOKEN": "old"}, since=1.0, until=2.0)
    new = credentials.Lent({"AWS_SESSION_TOKEN": "new"}, since=2.0, until=3.0)
    credentials.publish(old)
    with credentials.kept_through(), clean_state.put_back(of_driver=True):
        credentials.publish(new)
    assert os.environ["AWS_SESSION_TOKEN"] == "new"
    assert credentials.published() == new
