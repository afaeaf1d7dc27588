"""No secret in a URL survives where the URL is shown, in whatever spelling."""

from __future__ import annotations

import pickle
from urllib.parse import quote

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import ValidationError

from hopsml_flows.errors import HopsmlWarning, InvalidProjectError, StorageUnavailableError
from hopsml_flows.experiment import HopsFSProject
from hopsml_flows.plan.run_form import stored
from hopsml_flows.redaction import redacted, redacted_url, shown_value
from hopsml_flows.storage import Project
from hopsml_flows.trials import Failure

MARK = "Zq7"
"""In every secret, and in nothing else."""

PROTOCOLS = ["s3", "s3a", "webhdfs", "hopsfs", "abfs", "https", "nonsense"]
NAMES = [
    "password", "passwd", "pwd", "token", "access_token", "Token", "delegation", "sig", "sas",
    "X-Amz-Signature", "X-Amz-Security-Token", "AWSAccessKeyId", "Signature", "secret", "key",
    "aws_secret_access_key", "api_key", "apikey", "credential", "p%61ssword", "account_key",
]  # fmt: skip
SIGNS = "".join(map(chr, range(33, 127)))

texts = st.text(st.sampled_from(SIGNS), max_size=8)
plain_texts = st.text(st.sampled_from([sign for sign in SIGNS if sign not in "'\""]), max_size=8)


def spellings(secret):
    return st.sampled_from([secret, quote(secret, safe=""), quote(secret)])


@st.composite
def urls(draw, around=texts):
    """A URL, and the secret in it begins and ends with a mark."""
    secret = MARK + draw(around) + MARK
    protocol = draw(st.sampled_from(PROTOCOLS))
    written = draw(spellings(secret))
    if draw(st.integers(0, 9)) == 0:  # a URL in a URL
        return f"https://host:80/x?to={protocol}://me:{written}@host/x"
    if draw(st.integers(0, 9)) == 0:  # its slashes, or its scheme, are missing
        return f"{draw(st.sampled_from(['s3:', 's3a:', '//']))}me:{written}@host/x"
    slashes = draw(st.sampled_from(["://", "://", "://", ":/"]))
    if draw(st.booleans()):
        return f"{protocol}{slashes}{draw(st.sampled_from(['me', '', 'KEY']))}:{written}@host/x/y"
    before = draw(st.sampled_from(["?", "?replication=1&", "?a=b&", "#", ";", "%3F", "?x&"]))
    equals = draw(st.sampled_from(["=", "%3D"]))
    after = draw(st.sampled_from(["", "&a=b", "#end"]))
    name = draw(st.sampled_from(NAMES))
    return f"{protocol}{slashes}host:1/x{before}{name}{equals}{written}{after}"


@given(urls())
def test_a_url_is_shown_without_its_secret(url):
    assert MARK not in redacted_url(url)
    assert MARK not in shown_value(url)
    assert MARK not in shown_value({"project": [url]})


@given(
    urls(plain_texts), st.sampled_from(["no answer from {}", "<{}>: refused", "{}, again", "'{}'"])
)
def test_a_message_that_quotes_a_url_is_shown_without_its_secret(url, sentence):
    message = sentence.format(url)
    assert MARK not in redacted(message)
    assert redacted(redacted(message)) == redacted(message)
    for error in (StorageUnavailableError(message), HopsmlWarning(message)):
        assert MARK not in f"{error}{error!r}{pickle.loads(pickle.dumps(error))!r}"
    assert MARK not in repr(Failure("OSError", message, f"Traceback\nOSError: {message}"))


@given(urls())
def test_a_project_or_its_error_shows_no_secret(url):
    try:
        project = Project(url)
    except InvalidProjectError as error:
        shown = f"{error}{error!r}{pickle.loads(pickle.dumps(error))}"
    else:
        shown = f"{project!r}{project.url}{project.name}{project.full('a')}"
    assert MARK not in shown


@given(urls())
def test_what_a_flow_run_stores_has_no_secret(url):
    try:
        kept = stored({"project": url})
    except InvalidProjectError as error:
        kept = str(error)
    assert MARK not in str(kept)


@given(urls())
def test_a_block_keeps_no_secret_in_its_url(url):
    try:
        block = HopsFSProject(url=url)
    except (ValidationError, InvalidProjectError) as error:
        shown = f"{error}{error!r}"
    else:
        shown = f"{block!r}{block.url}"
    assert MARK not in shown


@given(texts, st.sampled_from(["s3", "s3a"]))
def test_a_secret_of_aws_is_taken_as_it_is_written(text, protocol):
    secret = MARK + text
    assume(not set(secret) & set("@%?#;&"))
    project = Project(f"{protocol}://KEY:{secret}@bucket/x")
    assert project.url == f"{protocol}://bucket/x"
    assert project.storage_options == {"key": "KEY", "secret": secret}


@pytest.mark.parametrize(
    "harmless",
    [
        "hopsfs://me@127.0.0.1:8020/Projects/demo?replication=1",
        "http://localhost:8787/status",
        "s3://bucket/Experiments/a/lr=0.1&dropout=0.4",
        "hopsfs://host:8020/Projects/a@b",
        "relative/path: with text",
        "/data/run:1@home",
        "tcp://127.0.0.1:8786 did not answer, ask me@example.org",
        "file:///data/x",
    ],
)
def test_what_is_no_secret_is_shown(harmless):
    assert redacted(harmless) == harmless
    assert redacted_url(harmless) == harmless or " " in harmless


def test_options_that_are_secret_are_not_shown_and_hyperparameters_are():
    shown = shown_value({"env": {"AWS_SECRET_ACCESS_KEY": MARK}, "passes": [1, 2], "n": "1"})
    assert shown == "{'env': {'AWS_SECRET_ACCESS_KEY': ***}, 'passes': [1, 2], 'n': '1'}"
