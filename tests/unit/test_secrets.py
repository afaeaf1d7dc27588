from __future__ import annotations

import os
import pickle
import traceback

import pytest

from hopsml_flows.errors import InvalidProjectError
from hopsml_flows.plan.run_form import stored
from hopsml_flows.storage import Project

SECRET = "s3cr3t-value"


@pytest.mark.parametrize(
    ("url", "shown", "options"),
    [
        (
            f"webhdfs://me:{SECRET}@127.0.0.1:1/x",
            "webhdfs://me@127.0.0.1:1/x",
            {"password": SECRET},
        ),
        (f"s3://KEY:{SECRET}@bucket/x", "s3://bucket/x", {"key": "KEY", "secret": SECRET}),
        (f"s3://KEY:{SECRET}%2F@bucket/x", "s3://bucket/x", {"key": "KEY", "secret": SECRET + "/"}),
        (f"s3://KEY:1/{SECRET}@bucket/x", "s3://bucket/x", {"key": "KEY", "secret": f"1/{SECRET}"}),
        (f"webhdfs://h:1/x?delegation={SECRET}", "webhdfs://h:1/x", {"token": SECRET}),
        (
            f"webhdfs://h:1/x?token={SECRET}&user.name=me",
            "webhdfs://h:1/x",
            {"token": SECRET, "user": "me"},
        ),
    ],
)
def test_a_password_of_the_url_becomes_an_option_that_nobody_prints(url, shown, options):
    project = Project(url)
    assert project.url == shown
    assert project.storage_options == options
    assert SECRET not in repr(project) + str(project) + project.full("a") + project.name


def test_options_are_pickled_and_not_shown():
    project = Project("s3://bucket/x", {"key": "k", "secret": SECRET})
    again = pickle.loads(pickle.dumps(project))
    assert again.storage_options == {"key": "k", "secret": SECRET}
    assert SECRET not in repr(again)


def test_the_environment_that_a_storage_needs_is_pickled_and_does_not_overrule(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "of the driver")
    monkeypatch.setenv("AWS_REGION", "of the driver")
    pickled = pickle.dumps(Project("s3://bucket/x"))
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.setenv("AWS_REGION", "of the worker")
    pickle.loads(pickled)
    assert os.environ["AWS_ACCESS_KEY_ID"] == "of the driver"
    assert os.environ["AWS_REGION"] == "of the worker"
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")


@pytest.mark.parametrize(
    "url",
    [
        f"nonsense://me:{SECRET}@host/x",
        f"s3:/me:{SECRET}@x",
        f"s3://:{SECRET}@/",
        f"s3://KEY:{SECRET}@bucket/x@y",
        f"s3://bucket/x?token={SECRET}",
        f"abfs://container@account/x?sv=1&sig={SECRET}",
        f"hopsfs://h:1/x?replication=1&token={SECRET}",
        f"webhdfs://h:1/x?nonsense={SECRET}",
    ],
)
def test_errors_do_not_show_a_password(url):
    with pytest.raises(InvalidProjectError) as caught:
        Project(url)
    assert SECRET not in str(caught.value)


def test_options_that_are_no_dict_are_refused_without_showing_them():
    with pytest.raises(InvalidProjectError, match="storage_options: must be a dict") as caught:
        Project("s3://bucket/x", SECRET)
    assert SECRET not in str(caught.value)


def test_an_unreachable_storage_is_named_without_its_token():
    project = Project("webhdfs://127.0.0.1:1/x", {"token": SECRET})
    with pytest.raises(InvalidProjectError, match="Connection refused") as caught:
        project.check_writable()
    error: BaseException | None = caught.value
    while error is not None:
        assert SECRET not in str(error)
        error = error.__cause__


def test_a_cause_that_quotes_a_secret_is_not_chained(monkeypatch):
    def refuse(*_, **__):
        raise OSError(f"GET http://h/x?sig={SECRET} failed") from ValueError(SECRET)

    monkeypatch.setattr("hopsml_flows.storage.connection.connect", refuse)
    with pytest.raises(InvalidProjectError, match="cannot be reached") as caught:
        Project("s3://bucket/x").check_writable()
    shown = "".join(traceback.format_exception(caught.value))
    assert "http://h/x?sig=***" in shown
    assert SECRET not in shown


def test_what_is_stored_of_an_url_is_the_url_unless_it_has_a_password():
    for url in ("hopsfs://me@127.0.0.1:1/x?replication=1", "s3://bucket/x", "relative/path"):
        assert stored({"project": url}) == {"project": url}
    with pytest.raises(InvalidProjectError, match="password") as raised:
        stored({"project": f"webhdfs://me:{SECRET}@127.0.0.1:1/x"})
    assert SECRET not in str(raised.value)
