"""The page of a trial: its attempts, its traceback, and its log."""

from __future__ import annotations

import html
import re

from hopsml_flows.service.web.handlers import trial_log
from hopsml_flows.trials import Failure, InputFile, Lineage, State
from hopsml_flows.trials.journal_lines import header_line, text_of
from tests.written import ID, WrittenExperiment, over, result

NEW = "digits-20240301-120000-bbbbbb"
BEGIN = "{} worker tcp://10.0.0.{}:4001 on gpu{}: 8 CPU cores, 31.2 GiB of memory, no GPU\n"
LOST = "{} attempt {}: the worker of the attempt before was lost\n"
FAULT = """\
Traceback (most recent call last):
  File "a.py", line 7, in train
    raise ValueError("no & never")
ValueError: no & never
"""


def stamp(second):
    return f"2026-01-11T12:00:{second:02d}.000Z"


def rows(text):
    """Number, worker and end of each attempt that a page shows."""
    part = text.partition('id="attempts"')[2].partition("</tbody>")[0]
    cells = [re.findall(r"<td>(.*?)</td>", row) for row in part.split("<tr>")[2:]]
    return [(row[0], row[1], html.unescape(row[5])) for row in cells]


def log_of(*lines, second=9):
    return "".join(f"{stamp(second)} {line}\n" if line else f"{stamp(second)}\n" for line in lines)


def failed_twice(project, journal=()):
    trial = result(
        1, {"x": 1}, state=State.FAILED, attempt=2, failure=Failure("ValueError", "no & never")
    )
    paths = over(project, NEW, [trial])
    text = BEGIN.format(stamp(1), 7, 7) + f"{stamp(2)} epoch 1\n"
    text += LOST.format(stamp(5), 2) + BEGIN.format(stamp(5), 8, 8) + f"{stamp(8)} epoch 1\n"
    project.make_directory(paths.trial(trial.directory))
    project.replace(paths.trial(trial.directory, "output.log"), text + log_of(*FAULT.splitlines()))
    if journal:
        lines = header_line(NEW) + "".join(map(text_of, journal))
        project.replace(paths.journal, lines)
    return paths


def test_each_attempt_has_its_worker_and_how_it_ended(project, browser):
    failed_twice(project)
    assert rows(browser.get(f"/experiments/{NEW}/trials/1").text) == [
        ("1", "tcp://10.0.0.7:4001 on gpu7", "its worker was lost"),
        ("2", "tcp://10.0.0.8:4001 on gpu8", "failed with ValueError"),
    ]


def test_attempts_are_read_from_the_log_once_until_it_changes(project, browser, monkeypatch):
    paths = failed_twice(project)
    found = []
    monkeypatch.setattr(trial_log, "logged_attempts", lambda text: found.append(text) or [])
    for _ in range(3):
        browser.get(f"/experiments/{NEW}/trials/1")
    assert len(found) == 1
    project.append(paths.trial("0001-x=1", "output.log"), "2026-01-11T12:00:30.000Z more\n")
    browser.get(f"/experiments/{NEW}/trials/1")
    assert len(found) == 2


def test_a_journal_says_why_an_attempt_was_lost(project, browser):
    lost = {"event": "lost", "trial": 1, "reason": "the machine is gone", "again": True}
    failed_twice(project, [{**lost, "trial": 2, "reason": "of another"}, lost])
    first, _ = rows(browser.get(f"/experiments/{NEW}/trials/1").text)
    assert first[2] == "the machine is gone"


def test_a_failed_trial_shows_its_traceback_whole(project, browser):
    failed_twice(project)
    text = browser.get(f"/experiments/{NEW}/trials/1").text
    (block,) = re.findall(r'<pre class="code whole"[^>]*>(.*?)</pre>', text, re.DOTALL)
    assert html.unescape(block) == FAULT.rstrip()


def test_a_traceback_longer_than_the_log_that_is_shown_is_whole(project, browser):
    paths = failed_twice(project)
    long = FAULT.replace("ValueError: no", f"ValueError: no{chr(10)}{'x' * 99}" * 4000)
    text = BEGIN.format(stamp(1), 7, 7) + log_of(*long.splitlines())
    project.replace(paths.trial("0001-x=1", "output.log"), text)
    page = browser.get(f"/experiments/{NEW}/trials/1").text
    (block,) = re.findall(r'<pre class="code whole"[^>]*>(.*?)</pre>', page, re.DOTALL)
    assert html.unescape(block) == long.rstrip()
    assert "Download the whole log" in page


def test_of_a_very_long_log_the_first_and_the_last_attempt_are_shown(project, browser):
    paths = failed_twice(project)
    text = BEGIN.format(stamp(1), 7, 7) + log_of("x" * 2000) * 3000
    text += LOST.format(stamp(10), 2) + BEGIN.format(stamp(10), 8, 8) + log_of("the end", second=11)
    project.replace(paths.trial("0001-x=1", "output.log"), text)
    found = rows(browser.get(f"/experiments/{NEW}/trials/1").text)
    assert [number for number, _, _ in found] == ["1", "2"]


def test_the_traceback_of_a_distributed_trial_is_in_the_log_of_the_process_that_failed(
    project, browser
):
    failure = Failure("ValueError", "worker 1: no & never")
    trial = result(1, {}, state=State.FAILED, failure=failure)
    paths = over(project, NEW, [trial])
    project.make_directory(paths.trial(trial.directory))
    for number, name in ((0, "chief_0_output.log"), (1, "worker_1_output.log")):
        text = BEGIN.format(stamp(1), number, number)
        text += log_of(*FAULT.splitlines()) if number else ""
        project.replace(paths.trial(trial.directory, name), text)
    text = browser.get(f"/experiments/{NEW}/trials/1").text
    assert "line 7, in train" in text.partition('id="traceback"')[2].partition("</section>")[0]
    assert rows(text) == [("1", "tcp://10.0.0.0:4001 on gpu0", "failed with ValueError")]


def test_a_trial_shows_the_files_that_it_read(project, browser):
    read = (InputFile("Resources/<a>.csv", 1500, 0.0), InputFile("s3://other/b.csv"))
    trials = [result(1, {"x": 1}, 0.5, lineage=Lineage(read, 3)), result(2, {"x": 2}, 0.5)]
    over(project, NEW, trials)
    page = browser.get(f"/experiments/{NEW}/trials/1").text
    part = page.partition('id="inputs"')[2].partition("</section>")[0]
    cells = re.findall(r"<td>(.*?)</td>", part)
    assert cells[:2] == ["Resources/&lt;a&gt;.csv", "1.5 kB"]
    assert cells[3:] == ["s3://other/b.csv", "", ""]
    assert "and 3 more" in part
    assert 'id="inputs"' not in browser.get(f"/experiments/{NEW}/trials/2").text


def test_a_trial_that_runs_shows_the_attempt_that_runs(project, browser):
    written = WrittenExperiment(project, 3)
    text = BEGIN.format(stamp(1), 7, 7) + f"{stamp(3)} its process exited with code 3\n"
    text += LOST.format(stamp(5), 2) + BEGIN.format(stamp(5), 8, 8)
    written.log("0001-x=1", text)
    first, second = rows(browser.get(f"/experiments/{ID}/trials/1").text)
    assert first[2] == "its process exited with code 3"
    assert second[2] == "it runs"


def test_an_attempt_does_not_end_before_it_began(project, browser):
    failed_twice(project)  # by its summary it ended in 1970
    text = browser.get(f"/experiments/{NEW}/trials/1").text
    assert "<td>4 s</td><td>failed with ValueError</td>" in text


def test_a_trial_without_a_log_has_what_its_summary_says(project, browser):
    over(project, NEW, [result(1, {"x": 1}, 0.5)])
    assert rows(browser.get(f"/experiments/{NEW}/trials/1").text) == [("1", "—", "finished")]


def test_a_log_that_appears_after_the_page_is_followed_from_its_beginning(project, browser):
    written = WrittenExperiment(project, 3)
    project.make_directory(written.paths.trial("0001-x=1"))
    project.replace(written.paths.trial("0001-x=1", ".hparams.json"), '{"x": 1}')
    page = browser.get(f"/experiments/{ID}/trials/1").text
    assert "No log yet." in page
    assert 'data-process="" data-from="0" data-running="yes"' in page
    at = f"/experiments/{ID}/trials/1/log?process=&from=0"
    nothing = {"text": "", "next": 0, "again": False, "over": False, "process": ""}
    assert browser.get(at).json() == nothing
    written.log("0001-x=1", "one\n")
    assert browser.get(at).json() == {**nothing, "text": "one\n", "next": 4}


def test_where_no_process_is_asked_for_the_log_of_the_one_that_leads_is_followed(project, browser):
    written = WrittenExperiment(project, 1)
    written.log("0001", "of a worker\n", "worker_1_output.log")
    written.log("0001", "of the chief\n", "chief_0_output.log")
    at = f"/experiments/{ID}/trials/1/log"
    news = browser.get(f"{at}?process=&from=0").json()
    assert (news["process"], news["text"]) == ("chief-0", "of the chief\n")
    news = browser.get(f"{at}?process=worker-7&from=0").json()
    assert (news["process"], news["text"]) == ("worker-7", "")


def test_a_trial_that_has_not_begun_is_asked_for_again(project, browser):
    WrittenExperiment(project, 3)
    waiting = browser.get(f"/experiments/{ID}/trials/2")
    assert (waiting.status_code, waiting.headers["refresh"]) == (404, "3")
    assert "refresh" not in browser.get(f"/experiments/{ID}/trials/4").headers
