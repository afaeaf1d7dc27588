"""What PREFECT_API_URL may lead to besides a Prefect API: one error that says what to write."""

from __future__ import annotations

import json
import ssl
import subprocess
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from prefect.settings import (
    PREFECT_API_AUTH_STRING,
    PREFECT_API_SSL_CERT_FILE,
    PREFECT_API_URL,
    temporary_settings,
)

from hopsml_flows import experiment
from hopsml_flows.cli import main
from hopsml_flows.errors import PrefectServerError
from hopsml_flows.server.configured import check_configured
from hopsml_flows.server.embedded import embedded_server

PAGE = (200, {"Content-Type": "text/html"}, b"<html>Sign in</html>")


@contextmanager
def web_server(answers, certificate=None):
    """A web server on the loopback address; yields its URL and the requests that came.

    Args:
        answers: Path to status, headers and content; ``*`` is every other path.
        certificate: File with certificate and key, for https.
    """
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def answer(self):
            asked.append((self.command, self.path, dict(self.headers)))
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status, headers, content = answers.get(self.path, answers["*"])
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = do_PATCH = answer  # noqa: N815 - http.server's names

        def log_message(self, *arguments):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    scheme = "http"
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        scheme = "https"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"{scheme}://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def version(text):
    return (200, {"Content-Type": "application/json"}, json.dumps(text).encode())


def refused(url, train=lambda x: x, **options):
    """The error of an experiment on such a server."""
    with (
        temporary_settings({PREFECT_API_URL: url}),
        pytest.raises(PrefectServerError) as raised,
    ):
        experiment.grid_search(train, {"x": [1]}, progress=False, **options)
    # One traceback, not a library's before it.
    assert raised.value.__cause__ is None
    assert raised.value.__context__ is None or raised.value.__suppress_context__
    return str(raised.value)


def test_a_url_without_api_is_told_what_to_write(prefect_services, project):
    said = refused(prefect_services.ui_url, project=str(project))
    assert said.startswith(f"PREFECT_API_URL: {prefect_services.ui_url} answers, but is no Prefect")
    assert "404 Not Found" in said
    assert said.endswith(f"write {prefect_services.api_url}")
    assert not project.exists()


def test_a_wrong_path_of_a_prefect_server_is_an_error(prefect_services):
    said = refused(f"{prefect_services.ui_url}/nowhere")
    assert f"{prefect_services.ui_url}/nowhere answers, but is no Prefect API" in said


def test_a_web_page_is_no_prefect_api():
    with web_server({"*": PAGE}) as (url, _):
        said = refused(f"{url}/api")
    assert f"PREFECT_API_URL: {url}/api answers, but is no Prefect API" in said
    assert "gave 200 OK with a web page" in said
    assert "http://127.0.0.1:4200/api" in said
    assert "unset PREFECT_API_URL" in said


def test_a_redirect_to_a_login_page_says_where_it_led():
    login = {"/login": PAGE, "*": (302, {"Location": "/login?next=api"}, b"")}
    login["/login?next=api"] = PAGE
    with web_server(login) as (url, _):
        said = refused(f"{url}/api")
    assert f"GET {url}/login?next=api gave 200 OK with a web page" in said
    assert f"after a redirect from {url}/api/" in said


def test_a_redirect_that_never_ends_is_an_error():
    with web_server({"*": (302, {"Location": "/again"}, b"")}) as (url, _):
        assert "TooManyRedirects" in refused(f"{url}/api")


@pytest.mark.parametrize("status", [401, 403])
def test_a_server_that_wants_a_password_says_which_setting(status):
    with web_server({"*": (status, {"Server": "nginx"}, b"no")}) as (url, _):
        said = refused(f"{url}/api")
    assert f"{url}/api refuses this client" in said
    assert f"gave {status}" in said
    assert "nginx" in said
    assert "PREFECT_API_AUTH_STRING" in said


def test_a_wrong_password_says_so_and_is_not_shown():
    with (
        web_server({"*": (401, {}, b"no")}) as (url, asked),
        temporary_settings({PREFECT_API_AUTH_STRING: "admin:secret"}),
    ):
        said = refused(f"{url}/api")
    assert "what PREFECT_API_AUTH_STRING says is not accepted" in said
    assert "secret" not in said
    assert asked[0][2]["Authorization"].startswith("Basic ")


def test_a_gateway_without_its_server_is_asked_again_and_then_said(monkeypatch):
    monkeypatch.setattr("hopsml_flows.server.configured._ANSWER_SECONDS", 1.0)
    with web_server({"*": (502, {}, b"")}) as (url, asked):
        said = refused(f"{url}/api")
    assert "502 Bad Gateway" in said
    assert "is the server up?" in said
    assert len(asked) > 1


@pytest.mark.parametrize("url", ["127.0.0.1:4200/api", "localhost:4200", "tcp://127.0.0.1/api"])
def test_a_url_without_http_is_an_error(url):
    assert "must be a URL that begins with http:// or https://" in refused(url)


def test_a_password_in_the_url_is_not_shown():
    with web_server({"*": PAGE}) as (url, _):
        said = refused(f"{url.replace('//', '//user:secret@')}/api")
    assert "secret" not in said
    assert "secret" not in refused("http://user:secret@127.0.0.1:1/api")


def test_a_certificate_that_prefect_is_told_of_is_trusted(tmp_path):
    """The question goes the way that Prefect's own client goes."""
    file = tmp_path / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
         "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1",
         "-keyout", str(tmp_path / "key.pem"), "-out", str(tmp_path / "cert.pem")],
        check=True, capture_output=True,
    )  # fmt: skip
    file.write_bytes((tmp_path / "cert.pem").read_bytes() + (tmp_path / "key.pem").read_bytes())
    with web_server({"*": version("3.9.1")}, file) as (url, _):
        with temporary_settings({PREFECT_API_SSL_CERT_FILE: str(tmp_path / "cert.pem")}):
            assert check_configured(f"{url}/api") == "3.9.1"
        with pytest.raises(PrefectServerError, match="CERTIFICATE_VERIFY_FAILED"):
            check_configured(f"{url}/api")


def test_setup_prefect_asks_the_version_before_it_writes_anything(capsys):
    with (
        web_server({"/api/admin/version": version("3.4.25"), "*": (422, {}, b"{}")}) as (
            url,
            asked,
        ),
        temporary_settings({PREFECT_API_URL: f"{url}/api"}),
        pytest.raises(SystemExit) as left,
    ):
        main(["setup-prefect", "--project", "/somewhere"])
    assert left.value.code == 2
    said = capsys.readouterr().err
    assert "has version 3.4.25, which is too old: nothing was changed; update it to 3.8" in said
    assert [method for method, *_ in asked] == ["GET"]


def test_what_an_old_server_does_not_understand_is_said_with_its_version():
    answers = {"/api/admin/version": version("3.0.11"), "*": (422, {}, b'{"exception": "labels"}')}
    with web_server(answers) as (url, _):
        said = refused(f"{url}/api")
    assert f"{url}/api has version 3.0.11, which is too old for" in said
    assert said.endswith("update it to 3.8 or newer")


def test_a_server_that_is_new_enough_gives_no_warning(prefect_services, recwarn):
    with temporary_settings({PREFECT_API_URL: prefect_services.api_url}), embedded_server() as url:
        assert url is None
    assert not recwarn.list


@pytest.mark.parametrize(
    ("status", "says"),
    [
        (403, "refuses this client"),
        (404, "is no Prefect API"),
        (407, "is behind a proxy that wants credentials"),
    ],
)
def test_an_answer_that_may_be_a_proxys_names_the_proxy(monkeypatch, status, says):
    with web_server({"*": (status, {"Content-Type": "text/html"}, b"denied")}) as (proxy, asked):
        for name in ("HTTP_PROXY", "http_proxy"):
            monkeypatch.setenv(name, proxy)
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.setenv(name, "")
        text = refused("http://prefect.invalid/api")
    assert says in text
    assert "through the proxy of HTTP_PROXY" in text
    assert "NO_PROXY" in text
    assert asked


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "http_proxy"])
@pytest.mark.parametrize("value", ["nonsense://", "socks4://user:hidden@host", "http://[::1"])
def test_a_malformed_proxy_is_refused_by_its_variable(monkeypatch, variable, value):
    monkeypatch.setenv(variable, value)
    monkeypatch.setenv("NO_PROXY", "")
    monkeypatch.setenv("no_proxy", "")
    with pytest.raises(PrefectServerError, match=f"^{variable}: must be a proxy like") as raised:
        experiment.launch(lambda: 1)
    assert "hidden" not in str(raised.value)
