from __future__ import annotations

import html
import io
import json
import math
import re
from dataclasses import replace

import pytest
from pyarrow import parquet

from hopsml_flows.service.web import experiments_app
from hopsml_flows.service.web.standalone import standalone_page
from hopsml_flows.storage import ExperimentPaths, Project
from hopsml_flows.trials import Failure, State
from hopsml_flows.trials.journal_lines import header_line, text_of
from hopsml_flows.trials.trial_files import commit_text
from tests.pages import Browser
from tests.written import (
    CONFIRMATION,
    ID,
    PROMOTION,
    WrittenExperiment,
    over,
    result,
    summary_text,
)

OLD = "digits-20240101-120000-aaaaaa"
NEW = "digits-20240301-120000-bbbbbb"
OTHER = "faces-20240201-120000-cccccc"
BAD = result(3, {"x": 9}, state=State.FAILED, failure=Failure("ValueError", "no", place="a.py:7"))


def names(answer):
    """Identifiers of a list's rows, in order."""
    return re.findall(r'name="e" value="([^"]+)"', answer.text)


def test_an_empty_project_says_so_and_what_will_appear(browser):
    answer = browser.get("/")
    assert answer.status_code == 200
    assert "No experiments yet" in answer.text


def test_the_list_has_the_newest_first_and_links_to_each(project, browser):
    over(project, OLD, [result(1, {"x": 1}, 0.5)])
    over(project, NEW, [result(1, {"x": 1}, 0.75)], tags=("wide",), description="a first look")
    answer = browser.get("/")
    assert names(answer) == [NEW, OLD]
    assert f'href="/experiments/{NEW}"' in answer.text
    for text in ("0.75", "finished", "ada", "a first look", "wide", "12.5 s"):
        assert text in answer.text


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("q=face", [OTHER]),
        ("state=FAILED", [OTHER]),
        ("name=digits", [NEW, OLD]),
        ("user=grace", [OTHER]),
        ("tag=wide", [NEW]),
        ("since=2024-02-15", [NEW]),
        ("until=2024-01-01", [OLD]),
        ("sort=metric&order=desc", [OLD, NEW, OTHER]),
        ("sort=name&order=asc&q=d", [OLD, NEW]),
        ("q=nothing", []),
        ("state=&q=&user=", [NEW, OTHER, OLD]),
    ],
)
def test_the_list_is_filtered_and_sorted_by_its_address(project, browser, query, found):
    over(project, OLD, [result(1, {"x": 1}, 0.9)])
    over(project, NEW, [result(1, {"x": 1}, 0.5)], tags=("wide",))
    over(project, OTHER, [BAD], state=State.FAILED, user="grace")
    assert sorted(names(browser.get(f"/?{query}"))) == sorted(found)
    if "sort" in query and "name" not in query:
        assert names(browser.get(f"/?{query}")) == found


def test_a_filter_that_means_nothing_is_named_and_the_list_still_shown(project, browser):
    over(project, OLD)
    answer = browser.get("/?since=yesterday&sort=nothing&page=x&state=ODD")
    assert names(answer) == [OLD]
    assert "must be a date or time" in html.unescape(answer.text)


def test_a_long_list_has_pages(project, browser):
    for number in range(30):
        over(project, f"digits-202401{number % 28 + 1:02d}-120000-{number:06x}")
    first, second = browser.get("/"), browser.get("/?page=2")
    assert (len(names(first)), len(names(second))) == (25, 5)
    assert "1 to 25 of 30" in first.text
    assert not set(names(first)) & set(names(second))
    assert names(browser.get("/?page=99")) == []


def test_runs_of_one_name_are_folded_with_the_best_of_them(project, browser):
    over(project, OLD, [result(1, {"x": 1}, 0.9)])
    over(project, NEW, [result(1, {"x": 1}, 0.5)])
    over(project, OTHER)
    answer = browser.get("/?fold=1")
    assert names(answer) == [NEW, OTHER]
    assert "2 runs" in answer.text
    assert f'href="/experiments/{OLD}" title="The best of 2 runs">0.9' in answer.text


def test_a_series_has_a_picture_of_the_best_over_time_with_words(project, browser):
    third = "digits-20240401-120000-dddddd"
    for name, value in ((OLD, 0.5), (NEW, 0.75), (third, 0.25)):
        over(project, name, [result(1, {"x": 1}, value)])
    over(project, OTHER, [result(1, {"x": 1}, 0.5)])
    pictures = re.findall(r'<svg class="spark".*?</svg>', browser.get("/?fold=1").text)
    assert len(pictures) == 1  # one run is no series
    assert 'role="img" aria-label="Best so far over 3 runs: from 0.5 to 0.75"' in pictures[0]
    assert pictures[0].count("<circle") == 3
    assert 'points="2,20 60,20 60,2 118,2"' in pictures[0]
    assert 'class="spark"' not in browser.get("/").text


def test_an_experiment_shows_its_best_trial_and_the_table_in_the_order_of_the_metric(
    project, browser
):
    trials = [result(1, {"x": 1, "y": "a"}, 0.5), result(2, {"x": 2, "y": "b"}, 0.75), BAD]
    over(project, NEW, trials, best_trial=trials[1].name)
    answer = browser.get(f"/experiments/{NEW}")
    assert names(answer) == [f"{NEW}:2", f"{NEW}:1", f"{NEW}:3"]
    assert "trial 2" in answer.text
    assert re.search(r'colspan="2" class="edge">Parameters', answer.text)
    assert re.search(r'colspan="1" class="edge">Outputs', answer.text)
    assert 'aria-sort="descending"' in answer.text
    assert "ValueError: no" in answer.text


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        ("where=x>1", [2, 3]),
        ("where=x>1 and y=b", [2]),
        ("where=x>1; accuracy>0.1", [2]),
        ("where=valueerror", [3]),
        ("state=FAILED", [3]),
        ("sort=params.x&order=desc", [3, 2, 1]),
        ("sort=number", [1, 2, 3]),
    ],
)
def test_trials_are_filtered_and_sorted(project, browser, query, numbers):
    trials = [result(1, {"x": 1, "y": "a"}, 0.5), result(2, {"x": 2, "y": "b"}, 0.75), BAD]
    over(project, NEW, trials)
    answer = browser.get(f"/experiments/{NEW}?{query}")
    assert names(answer) == [f"{NEW}:{number}" for number in numbers]


def test_a_filter_of_trials_that_means_nothing_says_which_columns_there_are(project, browser):
    over(project, NEW, [result(1, {"x": 1}, 0.5)])
    answer = browser.get(f"/experiments/{NEW}?where=depth>1")
    assert names(answer) == [f"{NEW}:1"]
    assert "must be one of" in answer.text


def test_outputs_of_different_trials_are_aligned(project, browser):
    over(
        project,
        NEW,
        [
            result(1, {"x": 1}, 0.5, outputs={"accuracy": 0.5, "loss": 2.25}),
            result(2, {"x": 2}, 0.75, outputs={"accuracy": 0.75, "note": "fine"}),
        ],
    )
    answer = browser.get(f"/experiments/{NEW}?sort=number")
    body = answer.text.partition("<tbody>")[2]
    rows = [
        [
            re.sub(r"<[^>]+>", "", cell).strip()
            for cell in re.findall(r"<td.*?</td>", row, re.DOTALL)
        ]
        for row in body.split("<tr")[1:]
    ]
    assert [row[3:7] for row in rows] == [["1", "0.5", "2.25", ""], ["2", "0.75", "", "fine"]]


def test_the_csv_file_has_all_trials_that_match(project, browser):
    over(project, NEW, [result(n, {"x": n}, n / 100) for n in range(1, 121)])
    answer = browser.get(f"/experiments/{NEW}/trials.csv?where=x>20&page=2")
    assert answer.headers["content-type"].startswith("text/csv")
    assert f'filename="{NEW}.csv"' in answer.headers["content-disposition"]
    assert len(answer.text.splitlines()) == 101


def test_the_csv_file_has_no_formulas(project, browser):
    trial = result(1, {"x": -1, "sign": "-"}, 0.5, outputs={"accuracy": 0.5, "a": "=1+1"})
    over(project, NEW, [trial])
    _, row = browser.get(f"/experiments/{NEW}/trials.csv").text.splitlines()
    assert ",-1,'-," in row
    assert ",'=1+1" in row


def test_the_parquet_file_has_all_trials_that_match(project, browser):
    rows = [result(n, {"x": n}, n / 100, outputs={"accuracy": n / 100, "e": {}}) for n in (1, 2, 3)]
    over(project, NEW, rows)
    assert "trials.parquet" in browser.get(f"/experiments/{NEW}").text
    answer = browser.get(f"/experiments/{NEW}/trials.parquet?where=x>1")
    table = parquet.read_table(io.BytesIO(answer.content)).to_pydict()
    assert sorted(table["params.x"]) == [2, 3]
    assert table["outputs.e"] == ["{}", "{}"]


def test_the_curve_of_a_trial_that_runs_has_what_it_has_reported(project, browser):
    written = WrittenExperiment(project, 3)
    directory = "0002-x=1"
    written.log(directory, "it runs\n")
    project.replace(written.paths.trial(directory, ".hparams.json"), '{"x": 1}')
    lines = [
        {"event": "report", "trial": n, "attempt": 1, "reports": [[0, n / 10]]} for n in (1, 2)
    ]
    project.replace(written.paths.journal, header_line(ID) + "".join(map(text_of, lines)))
    assert "/trials/2/curve.json" in browser.get(f"/experiments/{ID}/trials/2").text
    answer = browser.get(f"/experiments/{ID}/trials/2/curve.json").json()
    (curve,) = answer["curves"]
    assert (curve["label"], curve["steps"], curve["values"]) == ("trial 2", [0], [0.2])


def test_the_program_page_offers_what_differs_from_other_runs_of_the_name_first(project, browser):
    over(project, "iris-20250101-120000-aaaaaa", name="iris")
    over(project, OLD)
    over(project, NEW)
    text = browser.get(f"/experiments/{NEW}/program").text
    offered = re.findall(r"<option>(.*?)</option>", text)
    assert offered == [OLD, "iris-20250101-120000-aaaaaa"]
    assert f'<input type="hidden" name="e" value="{NEW}">' in text


def test_a_whole_number_of_any_size_hides_no_experiment(project, browser):
    over(project, OLD, [result(1, {"x": 1}, 0.5)])
    over(project, NEW, [result(1, {"x": 1}, 10**20), result(2, {"x": 2}, 0.5)])
    listing = browser.get("/").text
    assert OLD in listing
    assert NEW in listing
    assert "1e+20" in browser.get(f"/experiments/{NEW}").text


def test_a_long_line_of_a_running_trials_log_is_followed_in_large_parts(project, browser):
    written = WrittenExperiment(project, 3)
    directory = "0001-x=1"
    written.log(directory, "x" * (300 << 10))
    project.replace(written.paths.trial(directory, ".hparams.json"), '{"x": 1}')
    first = browser.get(f"/experiments/{ID}/trials/1/log").json()
    assert first["next"] == 256 << 10
    second = browser.get(f"/experiments/{ID}/trials/1/log?from={first['next']}").json()
    assert (second["text"], second["next"]) == ("", first["next"])  # the line has no end yet


def test_a_trial_shows_what_it_was_given_returned_and_printed(project, browser):
    trial = result(1, {"x": 1, "layers": [8, 4]}, 0.5, attempt=2)
    paths = over(project, NEW, [trial])
    image = paths.trial(trial.directory, "plot.png")
    project.make_directory(paths.trial(trial.directory))
    project.replace(paths.trial(trial.directory, "output.log"), "epoch 1\nepoch 2\n")
    project.replace(image, b"\x89PNG\r\n\x1a\n")
    trial = result(1, trial.params, 0.5, outputs={"accuracy": 0.5, "plot": image})
    project.replace(paths.summary, summary_text([trial]))
    project.replace(paths.trial(trial.directory, ".outputs.json"), commit_text(trial, files=[]))
    answer = browser.get(f"/experiments/{NEW}/trials/1")
    text = html.unescape(answer.text)
    for shown in (
        "layers",
        "epoch 1\nepoch 2",
        'experiment.launch(f, {"x": [1]',
        "module import f",
    ):
        assert shown in text
    assert f'<img loading="lazy" src="/experiments/{NEW}/files/' in text


@pytest.mark.parametrize("count", [1, 2])
def test_only_a_single_trial_has_the_files_of_its_experiment(project, browser, count):
    trials = [replace(result(n, {"x": n}, 0.5), name=f"x={n}", directory="") for n in range(count)]
    paths = over(project, NEW, trials)
    project.replace(f"{paths.root}/weights.bin", "1 2 3")
    project.replace(f"{paths.root}/output.log", "epoch 1\n")
    text = browser.get(f"/experiments/{NEW}/trials/1").text
    assert ("weights.bin" in text, "epoch 1" in text) == (count == 1, count == 1)
    news = browser.get(f"/experiments/{NEW}/trials/1/log?process=&from=0").json()
    assert news["text"] == ("epoch 1\n" if count == 1 else "")


def test_a_failed_trial_shows_why_and_where(project, browser):
    over(project, NEW, [BAD])
    answer = browser.get(f"/experiments/{NEW}/trials/3")
    assert "<b>ValueError</b>: no" in answer.text
    assert "a.py:7" in answer.text


def test_a_trial_that_runs_has_a_page_and_its_log_is_followed(project, browser):
    written = WrittenExperiment(project, 2)
    written.log("0001-x=1", "one\n")
    project.replace(written.paths.trial("0001-x=1", ".hparams.json"), '{"x": 1}')
    page = browser.get(f"/experiments/{ID}/trials/1")
    assert 'data-running="yes"' in page.text
    assert ">running<" in page.text
    at = int(re.search(r'data-from="(\d+)"', page.text)[1])
    written.log("0001-x=1", "two\nhalf a li")
    news = browser.get(f"/experiments/{ID}/trials/1/log?process=&from={at}").json()
    begun = {"again": False, "over": False, "process": ""}
    assert news == {"text": "two\n", "next": at + 4, **begun}
    written.log("0001-x=1", "ne\n")
    news = browser.get(f"/experiments/{ID}/trials/1/log?process=&from={news['next']}").json()
    assert news["text"] == "half a line\n"


def test_a_log_that_is_followed_needs_no_listing_of_its_experiment(project, browser, monkeypatch):
    running = WrittenExperiment(project, 3)
    running.log("0001-x=1", "one\n")
    browser.get(f"/experiments/{ID}/trials/1/log?from=0")
    listed = []
    listdir = Project.listdir
    monkeypatch.setattr(
        Project, "listdir", lambda self, path: listed.append(path) or listdir(self, path)
    )
    for position in (0, 4):
        browser.get(f"/experiments/{ID}/trials/1/log?from={position}")
    assert ExperimentPaths(ID).root not in listed
    assert listed


def test_a_log_that_was_cut_is_read_from_its_beginning(project, browser):
    written = WrittenExperiment(project, 2)
    written.log("0001-x=1", "one\n")
    news = browser.get(f"/experiments/{ID}/trials/1/log?process=&from=999").json()
    assert (news["again"], news["next"]) == (True, 0)
    news = browser.get(f"/experiments/{ID}/trials/1/log?process=&from=0").json()
    assert news["text"] == "one\n"


def test_processes_of_a_distributed_trial_have_a_log_each(project, browser):
    written = WrittenExperiment(project, 1)
    written.log("0001", "of the chief\n", "chief_0_output.log")
    written.log("0001", "of a worker\n", "worker_0_output.log")
    assert "of the chief" in browser.get(f"/experiments/{ID}/trials/1?process=chief-0").text
    answer = browser.get(f"/experiments/{ID}/trials/1?process=worker-0")
    assert "of a worker" in answer.text
    assert "of the chief" not in answer.text


def test_plots_get_columns_of_strict_json(project, browser):
    over(
        project,
        NEW,
        [
            result(
                1, {"lr": 1e-5, "opt": "adam"}, 0.5, outputs={"accuracy": 0.5, "loss": math.inf}
            ),
            result(2, {"lr": 0.1, "opt": "sgd"}, 0.75, outputs={"accuracy": 0.75, "loss": 1.5}),
            BAD,
        ],
    )
    answer = browser.get(f"/experiments/{NEW}/plots.json")
    data = json.loads(answer.text, parse_constant=lambda name: pytest.fail(name))
    assert (data["direction"], data["key"], data["number"]) == ("MAX", "accuracy", [1, 2, 3])
    assert data["metric"] == [0.5, 0.75, None]
    by_name = {column["name"]: column for column in data["params"]}
    assert by_name["lr"]["values"] == [1e-5, 0.1, None]
    assert (by_name["lr"]["log"], by_name["opt"]["log"]) == (True, False)
    assert browser.get(f"/experiments/{NEW}/plots").status_code == 200


def test_plots_have_the_worker_of_each_trial_where_the_summary_has_it(project, browser):
    workers = ["tcp://10.0.0.7:1", "", "tcp://10.0.0.8:1", "tcp://10.0.0.7:1"]
    over(project, NEW, [result(n, {"x": n}, 0.5, worker=w) for n, w in enumerate(workers, 1)])
    data = browser.get(f"/experiments/{NEW}/plots.json").json()
    assert data["workers"] == ["tcp://10.0.0.7:1", "tcp://10.0.0.8:1"]
    assert data["worker"] == [0, None, 1, 0]
    page = browser.get(f"/experiments/{NEW}?where=worker ~ 10.0.0.7&sort=number")
    assert names(page) == [f"{NEW}:1", f"{NEW}:4"]


def test_learning_curves_come_from_the_journal(project, browser):
    paths = over(project, NEW, [result(1, {"x": 1}, 0.5)])
    lines = [
        {"event": "begin", "schema": 1, "experiment": NEW},
        {"event": "report", "trial": 1, "attempt": 1, "reports": [[0, 0.1], [1, "nan"]]},
        {"event": "report", "trial": 1, "attempt": 2, "reports": [[0, 0.2], [1, 0.5]]},
        {"event": "report", "trial": "odd", "reports": 7},
    ]
    project.replace(paths.journal, "".join(json.dumps(line) + "\n" for line in lines))
    data = browser.get(f"/experiments/{NEW}/plots.json").json()
    assert data["curves"] == [{"trial": 1, "steps": [0, 1], "values": [0.2, 0.5]}]
    project.replace(paths.journal, "no journal")
    assert browser.get(f"/experiments/{NEW}/plots.json").json()["curves"] == []


def test_an_experiment_shows_what_fresh_seeds_say_of_its_winner(project, browser):
    told = {"confirmation": CONFIRMATION, "promotion": PROMOTION}
    over(project, NEW, [result(1, {"x": 1}, 0.98)], **told)
    over(project, OLD, [result(1, {"x": 1}, 0.98)])
    text = html.unescape(browser.get(f"/experiments/{NEW}").text)
    assert 'Confirmed accuracy</dt><dd class="big">0.625</dd>' in text
    rows = re.findall(r"<tr><td>(.*?)</td><td>(.*?)</td><td>(.*?)</td><td>(.*?)</td>", text)
    assert rows == [
        ("Winner", "0.625", "0.25 to 1", ""),
        ("Defaults", "not known, 1 of 2 failed", "", "not known"),
        ("Champion, version 4", "0.5", "0.5 to 0.5", "0.81"),
    ]
    assert "1000001 to 1000002" in text
    assert "Not promoted: digits-net stays as it is: the winner was refused, it may be" in text
    raw = browser.get(f"/experiments/{NEW}").text
    assert "<i>luck" not in raw
    assert "x=<b><b>" not in raw
    assert "Confirmation" not in browser.get(f"/experiments/{OLD}").text


@pytest.mark.parametrize("said", [{}, {**CONFIRMATION, "seeds": 5}, {"winner": [1]}], ids=repr)
def test_what_is_no_confirmation_in_a_record_is_not_shown(project, browser, said):
    over(project, NEW, [result(1, {"x": 1}, 0.98)], confirmation=said, promotion=said)
    answer = browser.get(f"/experiments/{NEW}")
    assert answer.status_code == 200
    assert "Confirmation" not in answer.text


def test_details_have_the_record_the_space_and_commands(project, browser):
    space = {"x": {"kind": "float", "low": 0.1, "high": 1.0, "log": True}}
    over(project, NEW, search_space=space, options={"seed": 17}, flow_run_id="abc-def")
    answer = browser.get(f"/experiments/{NEW}/about")
    for text in ("maximize accuracy", "17", "abc-def", "low 0.1, high 1, log true", "module:f"):
        assert text in answer.text
    assert f"hopsml logs {NEW} --project {project.url}" in answer.text


def test_an_experiment_links_to_its_flow_run_where_the_record_has_the_page(project, browser):
    page = "http://prefect.example:4200/runs/flow-run/abc-def"
    over(project, NEW, flow_run_id="abc-def", flow_run_page=page)
    link = f'<a class="button quiet" href="{page}" rel="noreferrer noopener">Prefect flow run</a>'
    assert link in browser.get(f"/experiments/{NEW}").text
    assert f'href="{page}"' in browser.get(f"/experiments/{NEW}/about").text


@pytest.mark.parametrize("page", [None, "javascript:alert(1)", "//elsewhere"])
def test_without_a_page_the_flow_runs_identifier_can_be_copied(project, browser, page):
    over(project, NEW, flow_run_id="abc-def", flow_run_page=page)
    assert "Prefect flow run" not in browser.get(f"/experiments/{NEW}").text
    about = browser.get(f"/experiments/{NEW}/about").text
    assert 'data-copy="abc-def"' in about
    assert page is None or page not in about


def test_the_program_and_the_environment_are_shown(project, browser):
    paths = over(project, NEW)
    project.replace(paths.program(".py"), "def f(x):\n    return x < 1\n")
    project.replace(paths.environment, "numpy==2.1.0\n")
    answer = browser.get(f"/experiments/{NEW}/program")
    assert "return x &lt; 1" in answer.text
    assert "numpy==2.1.0" in answer.text


def test_versions_are_shown_and_their_files_can_be_downloaded(project, browser):
    paths = over(project, NEW)
    record = json.loads(project.read(paths.record))
    versions = {
        "python": "3.12.1",
        "gpus": ["NVIDIA <Test>"],
        "git": {
            "commit": "c0ffee",
            "dirty": True,
            "difference": "../../elsewhere",
            "left_out": [".env"],
        },
        "modules": {"file": paths.modules},
        "lock": paths.lock,
    }
    project.replace(paths.record, json.dumps({**record, "versions": versions}))
    for path, content in ((paths.modules, "z"), (paths.lock, "l"), (paths.difference, "d")):
        project.replace(path, content)
    answer = browser.get(f"/experiments/{NEW}/program")
    assert "c0ffee, with changes" in answer.text
    assert "NVIDIA &lt;Test&gt;" in answer.text
    assert ".env" in answer.text
    assert "elsewhere" not in answer.text
    named = re.findall(r'href="([^"]*/files/[^"]*)"', answer.text)
    assert [browser.get(address).text for address in named] == ["z", "d", "l"]


@pytest.mark.parametrize(
    "versions", [{"git": 3, "gpus": "x", "lock": []}, {"modules": {"file": 1}}]
)
def test_wrong_versions_are_passed_over(project, browser, versions):
    paths = over(project, NEW)
    record = json.loads(project.read(paths.record))
    project.replace(paths.record, json.dumps({**record, "versions": versions}))
    answer = browser.get(f"/experiments/{NEW}/program")
    assert answer.status_code == 200
    assert 'id="versions"' not in answer.text


def test_of_a_notebook_the_code_is_shown(project, browser):
    paths = over(project, NEW, program=f"Experiments/{NEW}/program.ipynb")
    cells = [
        {"cell_type": "markdown", "source": "# Title"},
        {"cell_type": "code", "source": ["x = ", "1"]},
    ]
    project.replace(paths.program(".ipynb"), json.dumps({"cells": cells}))
    answer = browser.get(f"/experiments/{NEW}/program")
    assert "x = 1" in answer.text
    assert "# Title" not in answer.text


def test_trials_and_experiments_are_compared(project, browser):
    one = over(project, OLD, [result(1, {"x": 1, "y": 3}, 0.5), result(2, {"x": 2, "y": 3}, 0.6)])
    other = over(project, NEW, [result(1, {"x": 4, "y": 3}, 0.75)])
    project.replace(one.program(".py"), "a = 1\n")
    project.replace(other.program(".py"), "a = 2\n")
    answer = browser.get(f"/compare?e={OLD}:1&e={NEW}&e=gone-20240101-120000-aaaaaa")
    rows = {
        re.sub(r"<[^>]+>", " ", row).split()[0]: "differs" in row
        for row in re.findall(r'<tr class="(?:differs|alike)">.*?</tr>', answer.text)
    }
    assert (rows["x"], rows["y"]) == (True, False)
    assert 'class="winner">0.75' in answer.text
    assert '<span class="removed">-a = 1' in answer.text
    assert "There is no gone-20240101-120000-aaaaaa any more" in answer.text


def sections(answer):
    """The panels of a page by their titles."""
    found = re.findall(
        r'<section class="panel"><h2>(.*?)</h2>(.*?)</section>', answer.text, re.DOTALL
    )
    return {title: html.unescape(text) for title, text in found}


def test_of_several_experiments_each_is_shown_against_the_first(project, browser):
    third = "digits-20240401-120000-dddddd"
    for name, program, environment in (
        (OLD, "a = 1\n", "numpy==2.1.0\n"),
        (NEW, "a = 2\n", "numpy==2.1.0\n"),
        (third, "a = 1\n", "numpy==2.2.0\nnew==1\n"),
    ):
        paths = over(project, name, [result(1, {"x": 1}, 0.5)])
        project.replace(paths.program(".py"), program)
        project.replace(paths.environment, environment)
    found = sections(browser.get(f"/compare?e={OLD}&e={NEW}&e={third}&e={NEW}:1"))
    assert list(found)[-2:] == ["Program", "Environment"]
    words = {
        title: re.findall(r"<summary>(\S+) <span[^>]*>against the first: (.*?)<", found[title])
        for title in ("Program", "Environment")
    }
    assert words == {
        "Program": [(NEW, "1 added, 1 removed"), (third, "alike")],
        "Environment": [(NEW, "alike"), (third, "2 added, 1 removed")],
    }
    assert '<span class="added">+a = 2' in found["Program"]
    assert '<span class="removed">-numpy==2.1.0' in found["Environment"]
    assert f"--- {OLD}" in found["Program"]
    assert found["Program"].count("The two are alike.") == 1
    assert found["Program"].count("<details open>") == 1


def test_of_one_experiment_there_is_no_difference(project, browser):
    over(project, NEW, [result(n, {"x": n}, 0.5) for n in (1, 2)])
    assert "Program" not in sections(browser.get(f"/compare?e={NEW}:1&e={NEW}:2"))


def logs(answer):
    return re.findall(r'<pre class="code log"[^>]*>(.*?)</pre>', answer.text, re.DOTALL)


def test_logs_of_compared_trials_are_side_by_side(project, browser):
    for name, text in ((OLD, "<b>old</b>\n"), (NEW, "new \x1b[31m\xff\n")):
        paths = over(project, name, [result(n, {"x": n}, n / 10) for n in (1, 2)])
        for number in (1, 2):
            project.make_directory(paths.trial(f"000{number}-x={number}"))
            log = f"{number}: {text}".encode("latin-1")
            project.replace(paths.trial(f"000{number}-x={number}", "output.log"), log)
    # Of an experiment, the log of its best trial.
    answer = browser.get(f"/compare?e={OLD}:1&e={NEW}&e={OTHER}")
    assert logs(answer) == ["1: &lt;b&gt;old&lt;/b&gt;\n", "2: new \\xff\n"]
    assert next(iter(sections(answer))) == "Logs"


def test_a_log_that_cannot_be_read_leaves_the_rest_of_the_comparison(project, browser, monkeypatch):
    for name in (OLD, NEW):
        paths = over(project, name, [result(1, {"x": 1}, 0.5)])
        project.make_directory(paths.trial("0001-x=1"))
        project.replace(paths.trial("0001-x=1", "output.log"), f"of {name}\n")
    read = Project.read

    def refuse(self, path, *bounds):
        if OLD in path and path.endswith("output.log"):
            raise PermissionError(13, "Permission denied")
        return read(self, path, *bounds)

    monkeypatch.setattr(Project, "read", refuse)
    answer = browser.get(f"/compare?e={OLD}:1&e={NEW}:1")
    assert answer.status_code == 200
    assert "This log cannot be read: PermissionError" in answer.text
    assert f"of {NEW}" in answer.text
    refused = browser.get(f"/experiments/{OLD}/trials/1")
    assert refused.status_code == 503
    assert "may not read a file of the project" in refused.text


def test_a_compared_trial_without_a_log_says_so(project, browser):
    paths = over(project, NEW, [result(n, {"x": n}, n / 10) for n in (1, 2)])
    over(project, OTHER)  # has no trial
    assert "Logs" not in sections(browser.get(f"/compare?e={NEW}:1&e={NEW}:2"))
    project.make_directory(paths.trial("0001-x=1"))
    project.replace(paths.trial("0001-x=1", "output.log"), "here\n")
    answer = browser.get(f"/compare?e={NEW}:1&e={NEW}:2&e={OTHER}")
    assert logs(answer) == ["here\n"]
    assert sections(answer)["Logs"].count("No log.") == 2


def test_of_a_long_log_and_of_many_processes_the_end_of_the_first_is_compared(project, browser):
    paths = over(project, NEW, [result(1, {"x": 1}, 0.5)])
    project.make_directory(paths.trial("0001-x=1"))
    text = "".join(f"line {n}\n" for n in range(10_000))
    project.replace(paths.trial("0001-x=1", "chief_0_output.log"), text)
    project.replace(paths.trial("0001-x=1", "worker_0_output.log"), "not this one\n")
    answer = browser.get(f"/compare?e={NEW}:1")
    (shown,) = logs(answer)
    lines = shown.splitlines()
    assert lines[-1] == "line 9999"
    assert text.endswith(shown)
    assert 1000 < len(lines) < 10_000
    assert ", chief-0" in sections(answer)["Logs"]
    assert ", the end" in sections(answer)["Logs"]


def test_the_log_of_a_trial_whose_directory_leads_out_is_not_read(project, browser, tmp_path):
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "output.log").write_text("secret words\n")
    paths = over(project, NEW, [replace(result(1, {"x": 1}, 0.5), directory="../../../secret")])
    over(project, OLD, [result(1, {"x": 1}, 0.5)])
    project.make_directory(ExperimentPaths(OLD).trial("0001-x=1"))
    link = project.local_root / ExperimentPaths(OLD).trial("0001-x=1", "output.log")
    link.symlink_to(tmp_path / "secret" / "output.log")
    assert "secret words" not in browser.get(f"/compare?e={NEW}:1&e={OLD}:1").text
    assert project.exists(paths.record)


def test_compared_trials_have_their_curves_side_by_side(project, browser):
    for name, value in ((OLD, 0.5), (NEW, 0.75)):
        paths = over(project, name, [result(n, {"x": n}, value) for n in (1, 2)])
        lines = [{"event": "begin", "schema": 1, "experiment": name}]
        lines += [
            {"event": "report", "trial": n, "attempt": 1, "reports": [[0, 0.1], [1, value]]}
            for n in (1, 2)
        ]
        project.replace(paths.journal, "".join(json.dumps(line) + "\n" for line in lines))
    data = browser.get(f"/compare.json?e={OLD}:1&e={NEW}:2&e=gone:1").json()
    assert [(curve["label"], curve["values"]) for curve in data["curves"]] == [
        ("digits, trial 1", [0.1, 0.5]),
        ("digits, trial 2", [0.1, 0.75]),
    ]


def test_a_comparison_of_nothing_says_what_to_do(browser):
    assert "Nothing to compare" in browser.get("/compare").text
    assert "Nothing to compare" in browser.get("/compare?e=&e=../x&e=a:b").text


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/nothing", "There is no such page."),
        ("/experiments/digits-20240101-120000-dddddd", "There is no experiment"),
        (f"/experiments/{NEW}/trials/7", "There is no trial 7"),
        (f"/experiments/{NEW}/trials/-1", "There is no trial -1"),
        (f"/experiments/{NEW}/trials/{'9' * 5000}", "There is no trial 999"),
        (f"/experiments/{NEW}/files/none.txt", "There is no such file"),
        ("/assets/none.js", "There is no such file"),
    ],
)
def test_what_is_not_there_is_a_page_that_says_so(project, browser, path, words):
    over(project, NEW, [result(1, {"x": 1}, 0.5)])
    answer = browser.get(path)
    assert answer.status_code == 404
    assert words in answer.text


@pytest.mark.parametrize("content", [b"half a rec", b"\xff\xfe", b"[]", b'{"id": 7}', b""])
def test_a_damaged_record_is_shown_as_such(project, browser, content):
    paths = ExperimentPaths(NEW)
    project.make_directory(paths.root)
    project.replace(paths.record, content)
    assert ">damaged<" in browser.get("/").text
    answer = browser.get(f"/experiments/{NEW}")
    assert answer.status_code == 200
    assert "The record is no record" in answer.text
    for page in ("about", "program", "plots", "plots.json", "trials.csv"):
        assert browser.get(f"/experiments/{NEW}/{page}").status_code == 200


def test_an_application_can_be_mounted_under_a_path(project):
    from starlette.applications import Starlette
    from starlette.routing import Mount

    over(project, NEW, [result(1, {"x": 1}, 0.5)])
    browser = Browser(Starlette(routes=[Mount("/hopsml", experiments_app(project))]))
    for path in ("/", f"/experiments/{NEW}", f"/experiments/{NEW}/trials/1", "/compare"):
        answer = browser.get(f"/hopsml{path}")
        assert answer.status_code == 200
        links = re.findall(r'(?:href|src|action)="(/[^"]*)"', answer.text)
        assert links
        assert all(link.startswith("/hopsml/") for link in links), links
    assert browser.get("/hopsml/assets/page.css").status_code == 200


EFFECTS = {
    "metric": "accuracy <i>",
    "alpha": 0.05,
    "effects": [
        {
            "arm": "feature <b>age", "verdict": "matters", "words": "matters at 5 repeats <i>luck",
            "repeats": 5, "mean": 0.25, "low": 0.125, "high": 0.375, "p": 0.001, "p_holm": 0.002,
            "parameters": 1234, "seconds": 1.5,
        },
        {
            "arm": "layer two", "verdict": "within noise", "words": "within noise at 5 repeats",
            "repeats": 5, "mean": 0.0, "low": -0.125, "high": 0.125, "p": 1.0, "p_holm": 1.0,
        },
    ],
}  # fmt: skip


def test_an_ablation_study_shows_the_effect_of_each_component(project, browser):
    paths = over(project, NEW, [result(1, {"x": 1}, 0.98)], function="ablation")
    over(project, OLD, [result(1, {"x": 1}, 0.98)])
    assert "Effect of each component" not in browser.get(f"/experiments/{NEW}").text
    project.replace(paths.effects, json.dumps(EFFECTS))
    raw = browser.get(f"/experiments/{NEW}").text
    text = html.unescape(raw)
    for shown in (
        '<th scope="row">feature <b>age</th><td>0.25</td><td>0.125 to 0.375</td>',
        "<td>1,234</td><td>1.5 s</td><td>matters at 5 repeats <i>luck</td>",
        '<th scope="row">layer two</th><td>0</td>',
        "<svg",
    ):
        assert shown in text
    assert "<b>age" not in raw
    assert "<i>" not in raw
    assert "Effect of each component" not in browser.get(f"/experiments/{OLD}").text
    assert "feature &lt;b&gt;age" in standalone_page(project, NEW, 0.0)
    by_maggy = {"function": "lagom", "options": {"interactions": 1}}
    over(project, NEW, [result(1, {"x": 1}, 0.98)], **by_maggy)
    assert "Effect of each component" in browser.get(f"/experiments/{NEW}").text


@pytest.mark.parametrize("content", ["no JSON", "[]", '{"effects": [{"arm": 1}]}', "{}"])
def test_effects_that_cannot_be_read_are_not_shown(project, browser, content):
    paths = over(project, NEW, [result(1, {"x": 1}, 0.98)], function="ablation")
    project.replace(paths.effects, content)
    answer = browser.get(f"/experiments/{NEW}")
    assert answer.status_code == 200
    assert "Effect of each component" not in answer.text
