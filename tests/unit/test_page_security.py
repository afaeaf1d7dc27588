from __future__ import annotations

import json
import os
import re

import pytest
from starlette.datastructures import Headers

from hopsml_flows.service.web import experiments_app
from hopsml_flows.service.web.guard import has_right_origin, host_name
from hopsml_flows.service.web.serving import is_loopback, own_hosts
from hopsml_flows.storage import this_process
from hopsml_flows.trials import Failure, State
from tests.pages import Browser
from tests.written import over, result

NEW = "digits-20240301-120000-bbbbbb"
OLD = "digits-20240101-120000-aaaaaa"
HTML = "<script>alert(1)</script><img src=x onerror=alert(1)>\"'&"


def token(browser):
    return re.search(r'name="token" value="([^"]+)"', browser.get("/").text)[1]


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("localhost:8642", 200),
        ("LOCALHOST", 200),
        ("127.0.0.1:1", 200),
        ("[::1]:8642", 200),
        ("evil.example", 400),
        ("localhost.evil.example", 400),
        ("localhost@evil.example", 400),
        ("evil.example/localhost", 400),
        ("localhost:port", 400),
        ("169.254.169.254", 400),
        ("", 400),
    ],
)
def test_only_requests_to_the_servers_own_names_are_answered(browser, host, status):
    assert browser.get("/", host=host).status_code == status


def test_a_further_name_can_be_allowed(project):
    browser = Browser(experiments_app(project, hosts=("pages.example",)))
    assert browser.get("/", host="pages.example").status_code == 200
    assert browser.get("/", host="localhost").status_code == 400


@pytest.mark.parametrize(
    "path", ["/", "/nothing", "/assets/page.js", "/live", f"/experiments/{NEW}"]
)
def test_every_answer_forbids_foreign_scripts_frames_and_guesses_of_types(project, browser, path):
    over(project, NEW)
    headers = browser.get(path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert "access-control-allow-origin" not in headers


def test_an_answer_to_a_refused_request_has_the_headers_too(browser):
    assert "content-security-policy" in browser.get("/", host="evil.example").headers


def test_pages_have_no_script_or_style_of_their_own_and_load_nothing_from_elsewhere(
    project, browser
):
    over(project, NEW, [result(1, {"x": 1}, 0.5)], tensorboard="javascript:alert(1)")
    pages = ("", "/about", "/plots", "/trials/1", "/program")
    for path in ("/", f"/compare?e={NEW}", *(f"/experiments/{NEW}{page}" for page in pages)):
        text = browser.get(path).text
        assert not re.search(r"<script(?![^>]*\ssrc=)", text)
        assert not re.search(r"\son\w+\s*=|\sstyle\s*=|<style", text)
        assert not re.search(r'(?:src|href|action)="(?!/|\?|\./|#)', text)


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": ""},
        {"origin": "http://localhost.evil.example"},
        {"origin": "http://localhost:9999"},
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
    ],
)
def test_a_form_of_another_origin_changes_nothing(project, browser, headers):
    over(project, OLD)
    form = {"token": token(browser), "e": OLD, "confirmed": "yes"}
    assert browser.post("/delete", form, **headers).status_code == 403
    assert project.exists(f"Experiments/{OLD}/experiment.json")


def test_a_server_that_others_reach_starts_no_tensorboard(project, browser):
    over(project, OLD)
    assert "TensorBoard</button>" not in browser.get("/").text
    assert browser.get("/tensorboard").status_code == 403
    assert browser.post("/tensorboard", {"token": token(browser), "e": OLD}).status_code == 403


def test_a_form_of_another_origin_starts_no_tensorboard(project):
    over(project, OLD)
    browser = Browser(experiments_app(project, tensorboards=True))
    form = {"token": token(browser), "e": OLD}
    assert browser.post("/tensorboard", form, origin="http://evil.example").status_code == 403
    assert browser.post("/tensorboard", {**form, "token": "wrong"}).status_code == 403
    assert browser.post("/tensorboard", {**form, "e": "../x"}).status_code == 303
    assert "No TensorBoard is running" in browser.get("/tensorboard").text


@pytest.mark.parametrize("given", ["", "wrong", "ünïcode"])
def test_a_form_without_the_pages_token_changes_nothing(project, browser, given):
    over(project, OLD)
    answer = browser.post("/delete", {"token": given, "e": OLD, "confirmed": "yes"})
    assert answer.status_code == 403
    assert project.exists(f"Experiments/{OLD}/experiment.json")


def test_a_link_cannot_change_anything(project, browser):
    over(project, OLD)
    query = f"?token={token(browser)}&e={OLD}&confirmed=yes"
    for path in (f"/delete{query}", f"/experiments/{OLD}/annotate{query}&tags=x"):
        assert browser.get(path).status_code == 405
    assert project.exists(f"Experiments/{OLD}/experiment.json")


def test_a_form_that_is_too_large_is_refused(browser):
    assert browser.post("/delete", {"token": "x" * (2 << 20)}).status_code == 413


def test_a_server_that_only_reads_offers_and_does_no_changes(project):
    over(project, OLD)
    app = experiments_app(project, writable=False)
    browser = Browser(app)
    text = browser.get("/").text
    assert "Delete" not in text
    form = {"token": token(browser), "e": OLD, "confirmed": "yes"}
    assert browser.post("/delete", form).status_code == 403
    assert project.exists(f"Experiments/{OLD}/experiment.json")


def test_an_access_token_lets_in_by_the_printed_address_a_cookie_or_a_header(project):
    app = experiments_app(project, access_token="secret")
    browser = Browser(app)
    assert browser.get("/").status_code == 401
    assert browser.get("/?token=wrong").status_code == 401
    assert browser.get("/", authorization="Bearer wrong").status_code == 401
    assert browser.get("/", authorization="Bearer secret").status_code == 200
    assert browser.get("/assets/page.css").status_code == 401
    answer = browser.get("/?q=x&token=secret")
    assert (answer.status_code, answer.headers["location"]) == (303, "/?q=x")
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert "secret" not in cookie
    assert browser.get("/").status_code == 200
    name, _, value = answer.headers["set-cookie"].partition(";")[0].partition("=")
    beside = f'a={{"x": 1}}; {name}={value}'  # of another server on this host
    assert Browser(app).get("/", cookie=beside).status_code == 200
    other = Browser(experiments_app(project, access_token="another"))
    assert other.get("/", cookie=f"{name}={value}").status_code == 401
    assert (
        Browser(app).get("/%2F/evil.example/?token=secret").headers["location"] == "/evil.example/"
    )


@pytest.mark.parametrize(
    "path",
    [
        "../{old}/experiment.json",
        "..%2f{old}%2fexperiment.json",
        "%2e%2e/%2e%2e/secret.txt",
        "..%5c..%5csecret.txt",
        "....//....//secret.txt",
        "%2fetc%2fpasswd",
        "/etc/passwd",
        "//etc/passwd",
        "a/../../../secret.txt",
        "%00",
        "experiment.json%00.png",
        "experiment.json/",
        "experiment.json/x",
        "",
        "0001",
        "%252e%252e%252fsecret.txt",
        "file:///etc/passwd",
        "\u202e",
        "%ff%fe",
        "x" * 5000,
    ],
)
def test_no_path_leads_out_of_the_experiment(project, browser, path):
    over(project, OLD)
    over(project, NEW)
    project.make_directory(f"Experiments/{NEW}/0001")
    project.replace("secret.txt", "the secret")
    answer = browser.get(f"/experiments/{NEW}/files/{path.format(old=OLD)}")
    assert answer.status_code in (200, 404)
    if answer.status_code == 200:  # the client itself has made a plain address of it
        assert answer.headers["content-type"].startswith("text/html")
    assert "the secret" not in answer.text
    assert f'"{OLD}"' not in answer.text


@pytest.mark.parametrize("name", ["..", "%2e%2e", ".", "..%2f..", "%00", "x\\y", "Experiments"])
def test_what_the_index_does_not_know_is_no_experiment(project, browser, name):
    over(project, OLD)
    project.replace("experiment.json", "the secret")
    answer = browser.get(f"/experiments/{name}/files/experiment.json")
    assert answer.status_code == 404
    assert "the secret" not in answer.text


def test_links_that_lead_out_of_the_project_are_not_followed(project, browser, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.txt").write_text("the secret")
    trial = result(1, {"x": 1}, 0.5)
    over(project, NEW, [trial])
    root = project.local_root / "Experiments" / NEW
    (root / trial.directory).mkdir()
    (root / "link.txt").symlink_to(outside / "secret.txt")
    (root / "folder").symlink_to(outside)
    (root / trial.directory / "output.log").symlink_to(outside / "secret.txt")
    (root / trial.directory / "inner.txt").symlink_to(outside / "secret.txt")
    (root / "program.py").symlink_to(outside / "secret.txt")
    (root / "environment.txt").symlink_to(outside / "secret.txt")
    (root / "inside.txt").symlink_to(root / "experiment.json")
    for path in ("files/link.txt", "files/folder/secret.txt", f"files/{trial.directory}/output.log",
                 "program", "trials/1", "trials/1/log?process=&from=0"):  # fmt: skip
        assert "the secret" not in browser.get(f"/experiments/{NEW}/{path}").text
    assert "inner.txt" not in browser.get(f"/experiments/{NEW}/trials/1").text
    assert browser.get(f"/experiments/{NEW}/files/inside.txt").status_code == 200


def test_what_is_no_regular_file_is_not_opened(project, browser):
    over(project, NEW)
    os.mkfifo(project.local_root / "Experiments" / NEW / "pipe")
    assert browser.get(f"/experiments/{NEW}/files/pipe").status_code == 404


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("page.html", "application/octet-stream"),
        ("drawing.svg", "application/octet-stream"),
        ("page.xhtml", "application/octet-stream"),
        ("data.xml", "application/octet-stream"),
        ("paper.pdf", "application/octet-stream"),
        ("none", "application/octet-stream"),
        ("PLOT.PNG", "image/png"),
        ("photo.jpeg", "image/jpeg"),
    ],
)
def test_files_never_run_in_the_pages_origin(project, browser, name, kind):
    paths = over(project, NEW)
    project.replace(f"{paths.root}/{name}", HTML)
    answer = browser.get(f"/experiments/{NEW}/files/{name}")
    assert answer.content == HTML.encode()
    assert answer.headers["content-type"] == kind
    assert "sandbox" in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    begin = "inline" if kind.startswith("image/") else "attachment"
    assert answer.headers["content-disposition"].startswith(begin)


def test_a_files_name_cannot_break_out_of_its_header(project, browser):
    paths = over(project, NEW)
    name = 'a"; filename=evil.html'
    project.replace(f"{paths.root}/{name}", "x")
    answer = browser.get(f"/experiments/{NEW}/files/{name.replace(' ', '%20')}")
    assert answer.status_code == 200
    assert "filename=evil" not in answer.headers["content-disposition"]


def test_html_in_names_values_logs_and_errors_is_text(project, browser):
    failure = Failure(HTML, HTML, place=HTML)
    trials = [
        result(1, {HTML: HTML, "x": {HTML: [HTML]}}, 0.5, outputs={HTML: HTML, "accuracy": 0.5}),
        result(2, {HTML: 1}, state=State.FAILED, failure=failure),
    ]
    paths = over(
        project, NEW, trials, name=HTML, description=HTML, user=HTML, tags=(HTML,), error=HTML,
        notice=HTML, note=HTML, function=HTML, train=HTML, optimization_key=HTML, flow_run_id=HTML,
        search_space={HTML: {HTML: HTML}}, options={"optimizer": {HTML: HTML}, "seed": HTML},
        tensorboard=HTML, driver={"host": HTML},
    )  # fmt: skip
    over(project, OLD, trials, name=HTML)
    project.replace(paths.program(".py"), HTML)
    project.replace(paths.environment, HTML)
    for trial in trials:
        project.make_directory(paths.trial(trial.directory))
        project.replace(paths.trial(trial.directory, "output.log"), HTML)
        project.replace(paths.trial(trial.directory, "<img src=x onerror=alert(1)>.png"), b"")
    for path in ("", "/plots", "/program", "/about", "/trials/1", "/trials/2"):
        assert_escaped(browser.get(f"/experiments/{NEW}{path}"))
    for path in ("/", "/?fold=1", f"/compare?e={NEW}&e={OLD}&e={NEW}:2"):
        assert_escaped(browser.get(path))


@pytest.mark.parametrize(
    "name", ["q", "name", "state", "kind", "user", "tag", "since", "sort", "page", "fold"]
)
def test_html_in_an_address_is_text(project, browser, name):
    from urllib.parse import quote

    over(project, NEW)
    assert_escaped(browser.get(f"/?{name}={quote(HTML)}"))
    assert_escaped(browser.get(f"/experiments/{NEW}?where={quote(HTML)}&{name}={quote(HTML)}"))
    assert_escaped(browser.get(f"/compare?e={quote(HTML)}"))
    assert_escaped(browser.get(f"/{quote(HTML)}"))


def assert_escaped(answer):
    assert answer.status_code in (200, 400, 404), answer.text
    assert "<script>alert" not in answer.text
    assert "<img src=x" not in answer.text
    # No attribute ends early: what follows a quote in it is escaped as well.
    assert "\"'&" not in answer.text


@pytest.mark.parametrize(
    "text", ["\ud800", "\x1b[31mred", "\x00", "\u202eevil", "a\r\nb", "😀" * 500]
)
def test_text_that_no_page_can_hold_is_shown_readably(project, browser, text):
    trial = result(1, {"x": text, text: 1}, 0.5, outputs={text: text, "accuracy": 0.5})
    paths = over(
        project, NEW, [trial], name=text, description=text, tags=(text,), optimization_key=text
    )
    project.replace(paths.program(".py"), text.encode(errors="surrogatepass"))
    for path in ("", "/plots", "/plots.json", "/about", "/program", "/trials.csv", "/trials/1"):
        answer = browser.get(f"/experiments/{NEW}{path}")
        assert answer.status_code == 200
        assert answer.content.decode()
        if path != "/trials.csv":
            assert not re.search("[\x00-\x08\x0b\x0c\x0e-\x1f]", answer.text)
    assert browser.get("/?fold=1").status_code == 200


@pytest.mark.parametrize(
    "value", [10**400, -(2**70), 1e308, -0.0, [[[[]]]], {}, True, None, "x" * 100_000]
)
def test_values_of_any_size_have_a_page(project, browser, value):
    trials = [result(1, {"x": value}, 0.5, outputs={"accuracy": 0.5, "y": value})]
    over(project, NEW, trials, options={"seed": value}, search_space={"x": value})
    for path in ("", "?sort=params.x", "/plots.json", "/about", "/trials.csv", "/trials/1"):
        assert browser.get(f"/experiments/{NEW}{path}").status_code == 200


def test_deletion_asks_first_and_then_removes_what_was_chosen(project, browser):
    over(project, OLD)
    over(project, NEW)
    form = [("token", token(browser)), ("e", OLD)]
    asked = browser.post("/delete", form)
    assert "Delete 1 experiment?" in asked.text
    assert project.exists(f"Experiments/{OLD}/experiment.json")
    done = browser.post("/delete", [*form, ("confirmed", "yes")])
    assert (done.status_code, done.headers["location"]) == (303, "/")
    assert not project.exists(f"Experiments/{OLD}")
    assert OLD not in browser.get("/").text
    assert NEW in browser.get("/").text


def test_an_experiment_that_runs_is_not_deleted(project, browser):
    over(project, OLD, state=State.RUNNING, driver=this_process())
    form = [("token", token(browser)), ("e", OLD), ("confirmed", "yes")]
    answer = browser.post("/delete", form)
    assert f"{OLD} runs, and is kept." in answer.text
    assert project.exists(f"Experiments/{OLD}/experiment.json")


@pytest.mark.parametrize("name", ["..", "", ".", "../outside", "digits", f"{OLD}/../.."])
def test_only_whole_identifiers_are_deleted(project, browser, name):
    over(project, OLD)
    project.replace("notes.txt", "mine")
    form = [("token", token(browser)), ("e", name), ("confirmed", "yes")]
    assert browser.post("/delete", form).status_code == 200
    assert project.exists("notes.txt")
    assert project.exists(f"Experiments/{OLD}/experiment.json")


def test_tags_and_a_note_are_added_later_and_can_be_filtered_by(project, browser):
    over(project, OLD, [result(1, {"x": 1}, 0.5)], tags=("old",), description="as it began")
    form = {
        "token": token(browser),
        "tags": "keep, paper ,,keep",
        "note": "the one\r\nfor the paper",
    }
    answer = browser.post(f"/experiments/{OLD}/annotate", form)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/experiments/{OLD}/about")
    page = browser.get(f"/experiments/{OLD}").text
    assert "the one\nfor the paper" in page
    assert "as it began" in page
    assert OLD in browser.get("/?tag=paper").text.partition("<tbody>")[2]
    assert browser.get("/?tag=old").text.partition("<tbody>")[2] == ""


def test_a_note_changes_nothing_else_in_a_record(project, browser):
    paths = over(project, OLD, tags=("lr,wd", "paper"))
    content = {**json.loads(project.read(paths.record)), "of a newer version": {"x": 1}}
    project.replace(paths.record, json.dumps(content))
    form = {"token": token(browser), "tags": "lr,wd, paper", "note": "good"}
    assert browser.post(f"/experiments/{OLD}/annotate", form).status_code == 303
    assert json.loads(project.read(paths.record)) == {**content, "note": "good"}


@pytest.mark.parametrize(
    "form",
    [
        {"tags": ",".join(map(str, range(51))), "note": ""},
        {"tags": "x" * 101, "note": ""},
        {"tags": "", "note": "x" * 100_001},
    ],
    ids=["tags", "tag", "note"],
)
def test_what_is_too_long_for_a_record_is_refused_and_not_cut(project, browser, form):
    paths = over(project, OLD)
    before = project.read(paths.record)
    answer = browser.post(f"/experiments/{OLD}/annotate", {"token": token(browser), **form})
    assert answer.status_code == 400
    assert "at most" in answer.text
    assert project.read(paths.record) == before


@pytest.mark.parametrize(
    "query",
    [
        "where=" + "%3B".join(["x%3D1"] * 60),
        "where=" + "%F0%9F%98%80" * 600,
        "where=x~" + "a" * 600,
    ],
    ids=["conditions", "text", "value"],
)
def test_a_filter_that_is_too_long_says_so(project, browser, query):
    over(project, OLD, [result(1, {"x": 1}, 0.5)])
    answer = browser.get(f"/experiments/{OLD}?{query}")
    assert answer.status_code == 200
    assert "at most" in answer.text


def test_the_record_of_an_experiment_that_runs_is_its_drivers(project, browser):
    from hopsml_flows.storage import ExperimentPaths
    from hopsml_flows.storage.lease import take_lease

    over(project, OLD, state=State.RUNNING, driver=this_process())
    with take_lease(project, ExperimentPaths(OLD), lambda _: None):
        form = {"token": token(browser), "tags": "x", "note": ""}
        assert browser.post(f"/experiments/{OLD}/annotate", form).status_code == 400


def test_the_host_of_a_header_is_read_as_browsers_mean_it():
    assert host_name("localhost.:80") == "localhost"
    assert host_name("a:b:c") == ""
    assert host_name("[::1") == ""


def test_an_origin_needs_a_host_to_be_compared_with():
    assert not has_right_origin(Headers({"origin": "http://"}))
    assert not has_right_origin(Headers({"origin": "file://localhost", "host": "localhost"}))
    assert has_right_origin(Headers({"origin": "https://a.example:1", "host": "A.example:1"}))


def test_a_server_for_other_machines_knows_its_names():
    assert not is_loopback("0.0.0.0")
    assert is_loopback("127.0.0.2")
    assert "127.0.0.1" in own_hosts("0.0.0.0")
