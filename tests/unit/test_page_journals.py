from __future__ import annotations

import json

import pytest

from hopsml_flows.service.web.journals import Journals
from hopsml_flows.service.web.views.learning_curves import condensed, curves_of
from hopsml_flows.storage import ExperimentPaths, Project
from hopsml_flows.trials.journal_lines import header_line, text_of

IDS = [f"digits-20240301-1200{n:02d}-aaaaaa" for n in range(10)]


class CountingProject(Project):
    """A project that counts the reads of journals."""

    reads = 0
    during = staticmethod(lambda: None)

    def read(self, path, *bounds):
        self.reads += 1
        self.during()
        return super().read(path, *bounds)


def report(trial, *reports, attempt=1):
    return {"event": "report", "trial": trial, "attempt": attempt, "reports": list(reports)}


def write(project, experiment_id, entries, more=""):
    paths = ExperimentPaths(experiment_id)
    project.make_directory(paths.root)
    text = header_line(experiment_id) + "".join(map(text_of, entries)) + more
    project.replace(paths.journal, text)


@pytest.fixture
def project(tmp_path):
    return CountingProject(tmp_path / "project")


def test_a_journal_is_read_once_until_it_changes(project):
    write(project, IDS[0], [report(1, [0, 0.5]), report(2, [0, 0.25])])
    journals = Journals(project)
    for _ in range(3):
        assert [entry["trial"] for entry in journals.entries(IDS[0], grows=True)] == [1, 2]
    assert project.reads == 1
    write(project, IDS[0], [report(1, [0, 0.5]), report(2, [0, 0.25]), report(2, [1, 0.75])])
    assert curves_of(journals.entries(IDS[0], grows=True))[0][1]["values"] == [0.25, 0.75]
    assert project.reads == 2


def test_a_large_journal_that_grows_is_not_read_for_each_view(project):
    now = [0.0]
    project.during = lambda: now.__setitem__(0, now[0] + 1)
    filler = f"{json.dumps({'event': 'note', 'text': 'x' * (1 << 20)})}\n"
    journals = Journals(project, lambda: now[0])
    values = []
    for step, time in enumerate((0, 5, 30)):
        now[0] = time
        write(project, IDS[0], [report(1, *([n, n / 2] for n in range(step + 1)))], filler)
        values.append(curves_of(journals.entries(IDS[0], grows=True))[0][0]["values"])
    assert values == [[0.0], [0.0], [0.0, 0.5, 1.0]]


def test_a_large_journal_of_an_experiment_that_is_over_is_read_to_its_end(project):
    filler = f"{json.dumps({'event': 'note', 'text': 'x' * (1 << 20)})}\n"
    journals = Journals(project, lambda: 0.0)
    write(project, IDS[0], [report(1, [0, 0.0])], filler)
    assert curves_of(journals.entries(IDS[0], grows=True))[0][0]["values"] == [0.0]
    write(project, IDS[0], [report(1, [0, 0.0], [1, 0.5])], filler)
    assert curves_of(journals.entries(IDS[0], grows=False))[0][0]["values"] == [0.0, 0.5]


def test_reports_of_few_journals_are_kept_those_that_were_used_last(project):
    for name in IDS:
        write(project, name, [report(1, [0, 0.5])])
    journals = Journals(project)
    journals.entries(IDS[0], grows=True)
    for name in IDS[1:]:
        journals.entries(name, grows=True)
        journals.entries(IDS[0], grows=True)
    assert project.reads == len(IDS)
    journals.entries(IDS[-1], grows=True)
    assert project.reads == len(IDS)
    journals.entries(IDS[1], grows=True)
    assert project.reads == len(IDS) + 1


@pytest.mark.parametrize("content", [None, "", "no journal\n"])
def test_without_a_journal_there_are_no_reports(project, content):
    paths = ExperimentPaths(IDS[0])
    project.make_directory(paths.root)
    if content is not None:
        project.replace(paths.journal, content)
    assert list(Journals(project).entries(IDS[0], grows=True)) == []


def test_condensed_reports_give_the_curves_of_the_journal():
    entries = [
        report(2, [0, 9], [1, 9]),
        {"event": "done", "trial": 2},
        report(1, [0, 0.5], ["x", 1], [1, None]),
        report(2, [0, 1], attempt=2),
        report(2, [1, 2], attempt=2),
        report(3),
    ]
    assert curves_of(condensed(entries)) == curves_of(entries)


def test_condensed_entries_keep_what_else_happened_to_trials():
    lost = {"event": "lost", "trial": 2, "reason": "the machine is gone"}
    entries = [{"event": "ask", "trials": []}, report(2, [0, 1]), lost, report(2, [0, 1])]
    assert condensed(entries)[0] == lost
    assert len(condensed(entries)) == 2


def test_condensed_reports_of_a_long_trial_are_few_with_the_first_and_the_last():
    entries = [report(1, *([step, step / 2] for step in range(100_001)))]
    (kept,) = condensed(entries)
    assert len(kept["reports"]) <= 200
    ((curve,), left_out) = curves_of([kept])
    assert (curve["steps"][0], curve["steps"][-1], left_out) == (0, 100_000, 0)
    assert len(curve["steps"]) == len(kept["reports"])
