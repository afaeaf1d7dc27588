"""The commands that list, compare, export and remove experiments."""

from __future__ import annotations

import csv
import io
import json
import os
import pty
import subprocess
import sys

import pytest

from hopsml_flows.ablation.findings_file import findings_from_json, findings_json
from hopsml_flows.ablation.report import findings_table
from hopsml_flows.cli import main
from hopsml_flows.storage import ExperimentPaths, this_process
from hopsml_flows.storage.lease import take_lease
from hopsml_flows.trials import Failure, InputFile, Lineage, State, commit_text
from tests.unit.test_lease import ended_process
from tests.written import CONFIRMATION, FINDINGS, PROMOTION, over, result

FIRST = "digits-20240101-120000-aaaaaa"
SECOND = "digits-20240301-120000-bbbbbb"
IRIS = "iris-20240401-120000-cccccc"
CODE = "from hopsml_flows.cli import main; main()"


@pytest.fixture(autouse=True)
def surroundings(tmp_path, monkeypatch):
    monkeypatch.setenv("HOPSML_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TZ", "UTC")


@pytest.fixture
def filled(project):
    failed = result(4, {"lr": 0.4}, state=State.FAILED, failure=Failure("ValueError", "too large"))
    paths = over(project, FIRST, [result(1, {"lr": 0.1}, 0.5)], tags=("first",))
    project.replace(paths.program(".py"), "lr = 1\nprint(lr)\n")
    project.replace(paths.environment, "# Python 3.12.1 (cpython)\nnumpy==2.1.0\nold==1\n")
    trials = [result(n, {"lr": n / 10}, n / 10, ended=1000.0 + n + 1 / n) for n in (1, 2, 3)]
    paths = over(project, SECOND, [*trials, failed], options={"seed": 3})
    project.replace(paths.program(".py"), "lr = 2\nprint(lr)\n")
    project.replace(paths.environment, "# Python 3.12.1 (cpython)\nnumpy==2.2.0\n")
    over(project, IRIS, [result(1, {"depth": 3}, 7.0)], direction="MIN", optimization_key="loss")
    return project


@pytest.fixture
def command(filled, capsys):
    """Run the command in this process; returns what it printed and what it said."""

    def run(*arguments, code=0):
        with pytest.raises(SystemExit) as ended:
            main([*arguments, "--project", filled.url])
        assert (ended.value.code or 0) == code
        printed = capsys.readouterr()
        return printed.out, printed.err

    return run


def rows(text):
    return [line.split() for line in text.splitlines()]


def test_experiments_are_listed_with_the_newest_first(command):
    out, said = command("list")
    head, *lines = rows(out)
    assert head == ["id", "state", "metric", "trials", "failed", "started"]
    assert [line[0] for line in lines[:3]] == [IRIS, SECOND, FIRST]
    assert lines[1][1:] == ["FINISHED", "0.3", "4/4", "1", "2024-03-01"]
    assert lines[3] == ["No", "room", "for:", "took,", "kind,", "user,", "tags", "(see", "--json)"]
    assert max(map(len, out.splitlines())) <= 80
    assert said == ""


def test_a_wide_terminal_shows_more_columns(command, monkeypatch):
    monkeypatch.setenv("COLUMNS", "140")
    out, _ = command("list", "--tag", "first")
    assert rows(out)[0][-3:] == ["kind", "user", "tags"]
    assert rows(out)[1][-3:] == ["grid_search", "ada", "first"]


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        (["digits"], [SECOND, FIRST]),
        (["--name", "iris"], [IRIS]),
        (["--tag", "first"], [FIRST]),
        (["--state", "finished", "--state", "FAILED"], [IRIS, SECOND, FIRST]),
        (["--user", "ada", "--kind", "grid_search"], [IRIS, SECOND, FIRST]),
        (["--since", "2024-02-01"], [IRIS, SECOND]),
        (["--since", "2024-02-01", "--until", "2024-03-15 08:00"], [SECOND]),
        (["--sort", "metric"], [IRIS, FIRST, SECOND]),
        (["--sort", "metric", "--reverse"], [SECOND, FIRST, IRIS]),
        (["--sort", "name"], [FIRST, SECOND, IRIS]),
        (["--limit", "1"], [IRIS]),
        (["--limit", "1", "--all"], [IRIS, SECOND, FIRST]),
    ],
)
def test_a_list_is_filtered_and_sorted(command, arguments, found):
    out, _ = command("list", *arguments, "--json")
    assert [entry["id"] for entry in json.loads(out)] == found


def test_a_list_that_matches_nothing_says_so(command):
    assert command("list", "nothing") == ("", "hopsml: no experiment of the project matches\n")
    assert command("list", "--since", "7d", "--json") == ("[]\n", "")


def test_a_list_says_what_it_leaves_out(command):
    assert command("list", "-n", "1")[0].endswith("1 of 3 experiments; --all shows all\n")


def test_a_damaged_record_is_listed_as_such(command, filled):
    filled.replace(ExperimentPaths(FIRST).record, b'{"id": "dig')
    out, said = command("list")
    assert [FIRST, "DAMAGED", "1", "2024-01-01"] in rows(out)
    assert said.startswith(f"hopsml: record of {FIRST}: is no record (")


def test_a_list_tells_lost_experiments_from_running_ones(command, filled):
    over(filled, FIRST, state=State.RUNNING, driver=ended_process())
    over(filled, SECOND, state=State.RUNNING, driver=this_process())
    states = {entry["id"]: entry["state"] for entry in json.loads(command("list", "--json")[0])}
    assert states == {FIRST: "LOST", SECOND: "RUNNING", IRIS: "FINISHED"}


@pytest.mark.parametrize(
    "arguments",
    [
        ["list", "--state", "nothing"],
        ["list", "--sort", "nothing"],
        ["list", "--since", "yesterday"],
        ["list", "--limit", "-1"],
        ["trials", "last", "--where", "lr"],
        ["trials", "last", "--where", "nothing=1"],
        ["trials", "last", "--sort", "nothing"],
        ["trials", "last", "--reverse"],
        ["trials", "nothing"],
        ["trials", "digits@-3"],
        ["compare", "last"],
        ["compare", "last", "last/99"],
        ["best", "last", "--name", "digits"],
        ["best", "--name", "nothing"],
        ["best", "digits@-1", "iris@-1"],
        ["export", "last"],
        ["export", "last", "--csv", "--json"],
        ["export", "last", "--csv", "-o", "/nothing/here.csv"],
        ["diff", "last", "nothing"],
        ["rm", "nothing", "--yes"],
        ["rm", "--yes"],
        ["show", "digits"],
    ],
)
def test_what_is_wrong_ends_with_code_2_and_one_line(command, arguments):
    out, said = command(*arguments, code=2)
    assert out == ""
    assert said.startswith("hopsml: ")
    assert said.count("\n") == 1


def test_trials_come_with_the_best_first(command):
    out, said = command("trials", "digits@-1")
    assert rows(out) == [
        ["#", "lr", "accuracy", "seconds", "state"],
        ["3", "0.3", "0.3", "0.333333", "FINISHED"],
        ["2", "0.2", "0.2", "0.5", "FINISHED"],
        ["1", "0.1", "0.1", "1", "FINISHED"],
        ["4", "0.4", "10", "FAILED", "ValueError:", "too", "large"],
    ]
    assert said == ""


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        (["--where", "lr>=0.2"], [3, 2, 4]),
        (["--where", "lr>=0.2", "-w", "state=FINISHED"], [3, 2]),
        (["--sort", "seconds"], [3, 2, 1, 4]),
        (["--sort", "lr", "--reverse"], [4, 3, 2, 1]),
        (["--text", "large"], [4]),
        (["-n", "2"], [3, 2]),
        (["-n", "2", "--all"], [3, 2, 1, 4]),
    ],
)
def test_trials_are_filtered_and_sorted(command, arguments, found):
    out, _ = command("trials", SECOND, *arguments, "--json")
    assert [trial["number"] for trial in json.loads(out)] == found


def test_trials_as_json_have_all_that_is_known(command):
    trial = json.loads(command("trials", SECOND, "--json", "-n", "1")[0])[0]
    assert (trial["params"], trial["metric"], trial["error"]) == ({"lr": 0.3}, 0.3, None)


def test_no_trials_are_said_to_be_none(command, filled):
    over(filled, "new-20240501-120000-aaaaaa", state=State.RUNNING)
    said = "hopsml: no trial of new-20240501-120000-aaaaaa has ended\n"
    assert command("trials", "last") == ("", said)
    said = f"hopsml: no trial of {FIRST} matches\n"
    assert command("trials", FIRST, "--where", "lr>1") == ("", said)


def test_a_summary_that_was_cut_short_shows_what_it_has(command, filled):
    paths = ExperimentPaths(SECOND)
    whole = filled.read(paths.summary)
    filled.replace(paths.summary, whole[: whole.index(b'"lr": 0.3')])
    out, said = command("trials", SECOND)
    assert [line[0] for line in rows(out)] == ["#", "2", "1"]
    assert said.splitlines() == [
        f"hopsml: summary of {SECOND}: is cut short",
        f"hopsml: summary of {SECOND}: 1 entry cannot be read",
    ]


def test_show_says_what_came_of_the_winner_on_fresh_seeds(command, filled):
    told = {"confirmation": CONFIRMATION, "promotion": PROMOTION}
    over(filled, SECOND, [result(1, {"lr": 0.1}, 0.98)], **told)
    out = command("show", SECOND)[0]
    assert "confirmed  accuracy 0.625 (95 % interval 0.25 to 1) on 2 fresh seeds; the search" in out
    assert "champion   version 4, accuracy 0.5 (95 % interval 0.5 to 0.5): the winner is" in out
    assert "refused    digits-net stays as it is: the winner was refused, it may be" in out


def test_show_tells_of_one_trial_what_it_was_made_of_and_what_it_made(command, filled):
    read = (InputFile("Resources/a.csv", 1500, 0.0), InputFile("s3://other/b.csv"))
    made = result(1, {"lr": 0.1}, 0.98, seed=7, lineage=Lineage(read, 2, ("Models/net/4",)))
    paths = over(filled, SECOND, [made, result(2, {"lr": 0.2}, 0.5)])
    lines = command("show", SECOND, "1")[0].splitlines()
    assert lines == [
        f"{SECOND}, trial 1: FINISHED, 0:00:10",
        "metric     0.98",
        "parameters lr=0.1",
        "outputs    accuracy=0.98",
        "started    1970-01-01 00:16:41+00:00",
        "seed       7",
        "input      Resources/a.csv (1.5 kB, written 1970-01-01 00:00:00+00:00)",
        "input      s3://other/b.csv",
        "input      and 2 more",
        "exported   Models/net/4",
        f"directory  {filled.url}/{paths.trial(made.directory)}",
    ]
    told = json.loads(command("show", SECOND, "1", "--json")[0])
    assert told["lineage"]["inputs"][0] == {
        "path": "Resources/a.csv", "size": 1500, "modified": 0.0,
    }  # fmt: skip
    out = command("show", SECOND, "2")[0]
    assert "input" not in out


def test_show_tells_of_a_trial_that_confirms(command, filled):
    paths = over(filled, SECOND, [result(1, {"lr": 0.1}, 0.98)])
    lineage = Lineage((InputFile("Resources/a.csv", 7),))
    again = result(1_000_001, {"lr": 0.1}, 0.5, lineage=lineage)
    directory = f"confirmation/{again.name}"
    filled.make_directory(paths.trial(directory))
    filled.replace(paths.trial(directory, ".hparams.json"), json.dumps(again.params))
    filled.replace(paths.trial(directory, ".outputs.json"), commit_text(again, files=[]))
    out = command("show", SECOND, "1000001")[0]
    assert out.startswith(f"{SECOND}, trial 1000001: FINISHED")
    assert "input      Resources/a.csv (7 bytes)\n" in out


def test_show_tells_of_no_trial_that_there_is_not(command):
    for number in ("9", "1000009"):
        said = command("show", SECOND, number, code=2)[1]
        assert said.startswith(f"hopsml: TRIAL: {number!r}")


def test_show_says_what_an_ablation_study_found(command, filled):
    paths = over(filled, SECOND, [result(1, {"lr": 0.1}, 0.9)], function="ablation")
    filled.replace(paths.effects, json.dumps(findings_json(FINDINGS)))
    out = command("show", SECOND)[0]
    assert out.endswith("\n" + findings_table(FINDINGS, width=80) + "\n")
    assert ["feature", "age", "1,234", "1.5", "s"] in rows(out)
    told = json.loads(command("show", SECOND, "--json")[0])
    assert findings_from_json(told["findings"]) == FINDINGS
    assert "findings" not in json.loads(command("show", FIRST, "--json")[0])


def test_show_prints_what_a_summary_has_that_was_cut_short(command, filled):
    paths = ExperimentPaths(SECOND)
    whole = filled.read(paths.summary)
    filled.replace(paths.summary, whole[: whole.index(b'"lr": 0.3')])
    out, said = command("show", SECOND)
    assert "best       accuracy 0.2 in trial 2: lr=0.2" in out.splitlines()
    assert said == f"hopsml: summary of {SECOND}: is cut short\n"


def test_experiments_are_compared_by_what_differs(command):
    out, _ = command("compare", FIRST, SECOND)
    assert out.splitlines()[:2] == [f"1  {FIRST}", f"2  {SECOND}"]
    found = {line[0]: line[1:] for line in rows(out)[4:]}
    assert found["metric"] == ["0.5", "0.3"]
    assert found["options.seed"] == ["3"]
    assert "kind" not in found
    assert "kind" in command("compare", FIRST, SECOND, "--all")[0]


def test_trials_are_compared_across_experiments(command):
    out, _ = command("compare", f"{FIRST}/1", "digits@-1/0003", "--json")
    told = json.loads(out)
    assert told["compared"] == [f"{FIRST}/1", f"{SECOND}/3"]
    values = {row["name"]: row["values"] for row in told["rows"]}
    assert values["params.lr"] == [0.1, 0.3]
    assert values["metric"] == [0.5, 0.3]


def test_what_is_the_same_does_not_differ(command):
    assert command("compare", "last", "last")[0].endswith("They do not differ.\n")


def test_the_best_trial_is_printed(command, filled):
    lines = command("best", "digits@-1")[0].splitlines()
    assert lines[0] == f"accuracy 0.3 in trial {SECOND}/3"
    assert lines[-1].split() == [
        "directory",
        filled.full(f"{ExperimentPaths(SECOND).root}/0003-lr=0.3"),
    ]


def test_the_best_of_all_runs_of_a_name_is_found(command):
    told = json.loads(command("best", "--name", "Digits", "--json")[0])
    assert (told["experiment"], told["metric"]) == (FIRST, 0.5)
    # Of a loss, the smallest is the best.
    assert json.loads(command("best", "--json")[0])["experiment"] == IRIS


def test_without_a_metric_nothing_is_best(command, filled):
    over(filled, FIRST, [result(1, {"x": 1})], direction=None)
    assert command("best", FIRST, code=1) == ("", "hopsml: no trial has a metric to compare\n")


def test_trials_are_exported_as_csv(command):
    out, _ = command("export", "digits@-2", "digits@-1", "--csv")
    read = list(csv.DictReader(io.StringIO(out)))
    assert [(row["experiment"], row["number"], row["params.lr"]) for row in read] == [
        (FIRST, "1", "0.1"),
        *((SECOND, str(n), str(n / 10)) for n in (1, 2, 3, 4)),
    ]
    assert read[-1]["error"] == "ValueError: too large"


def test_trials_are_exported_as_json_into_a_file(command, tmp_path):
    file = tmp_path / "trials.json"
    out, said = command("export", SECOND, "--json", "-o", str(file))
    assert (out, said) == ("", f"hopsml: 4 trials written to {file}\n")
    assert [row["metric"] for row in json.loads(file.read_text())] == [0.1, 0.2, 0.3, None]


def test_trials_are_exported_as_parquet_also_with_values_of_several_kinds(
    command, filled, tmp_path
):
    parquet = pytest.importorskip("pyarrow.parquet")
    mixed = [result(1, {"x": 1, "y": "a"}, 0.5), result(2, {"x": "auto", "y": [1, 2]}, 0.7)]
    over(filled, FIRST, mixed)
    file = tmp_path / "trials.parquet"
    command("export", FIRST, "--parquet", "-o", str(file))
    table = parquet.read_table(file).to_pydict()
    assert table["params.x"] == ["1", "auto"]
    assert [json.loads(v) if v[0] == "[" else v for v in table["params.y"]] == ["a", [1, 2]]
    assert table["metric"] == [0.5, 0.7]


def test_a_difference_ends_with_code_1_and_shows_all_three_parts(command):
    out, _ = command("diff", FIRST, SECOND, code=1)
    lines = out.splitlines()
    assert "+options.seed=3" in lines
    assert lines[lines.index("-lr = 1") + 1] == "+lr = 2"
    assert {"-numpy=2.1.0", "+numpy=2.2.0", "-old=1"} <= set(lines)


def test_a_part_of_a_difference_can_be_asked_for(command):
    out, _ = command("diff", FIRST, SECOND, "--environment", "--json", code=1)
    assert json.loads(out) == {
        "compared": [FIRST, SECOND],
        "environment": [
            {"name": "numpy", "values": ["2.1.0", "2.2.0"]},
            {"name": "old", "values": ["1", None]},
        ],
    }
    assert "lr = 1" not in command("diff", FIRST, SECOND, "--parameters", code=1)[0]


def test_what_does_not_differ_ends_with_code_0(command):
    out, _ = command("diff", FIRST, FIRST)
    assert out == f"{FIRST} and {FIRST} do not differ in parameters, program, environment\n"


def test_of_notebooks_the_cells_are_compared(command, filled):
    for name, source in ((FIRST, ["x = 1\n", "y"]), (SECOND, "x = 2\ny")):
        paths = ExperimentPaths(name)
        filled.remove(paths.program(".py"))
        content = {"cells": [{"source": source, "outputs": [name]}], "metadata": {"a": name}}
        filled.replace(paths.program(".ipynb"), json.dumps(content))
    out, _ = command("diff", FIRST, SECOND, "--program", code=1)
    assert out.splitlines()[3:] == ["-x = 1", "+x = 2", " y"]


def test_show_prints_the_record_and_the_trials_as_json(command):
    told = json.loads(command("show", SECOND, "--json")[0])
    assert told["id"] == SECOND
    assert [trial["number"] for trial in told["trials"]] == [1, 2, 3, 4]


def test_experiments_are_removed_without_a_question_if_yes_is_given(command, filled):
    out, said = command("rm", "digits@-1", "last", "--yes")
    assert (out, said) == (f"removed {SECOND}\nremoved {IRIS}\n", "")
    assert filled.listdir("Experiments") == [FIRST]
    assert [entry["id"] for entry in json.loads(command("list", "--json")[0])] == [FIRST]


def test_nothing_is_removed_where_there_is_no_terminal_to_ask(command, filled, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    assert "--yes" in command("rm", "last", code=2)[1]
    assert len(filled.listdir("Experiments")) == 3


@pytest.mark.parametrize(("answer", "left"), [("y", 2), ("n", 3), ("", 3)])
def test_in_a_terminal_a_question_is_asked_first(filled, answer, left):
    ours, theirs = pty.openpty()
    os.write(ours, f"{answer}\n".encode())
    done = subprocess.run(
        [sys.executable, "-c", CODE, "rm", "last", "--project", filled.url],
        stdin=theirs,
        capture_output=True,
        text=True,
        timeout=120,
    )
    os.close(ours)
    os.close(theirs)
    assert f"Experiments/{IRIS} (FINISHED, 1 trial)" in done.stderr
    assert "Remove 1 experiment for good? [y/N]" in done.stderr
    assert len(filled.listdir("Experiments")) == left
    assert done.returncode == (0 if left == 2 else 1)


def test_an_experiment_that_runs_is_not_removed(command, filled):
    paths = ExperimentPaths(SECOND)
    with take_lease(filled, paths, pytest.fail):
        out, said = command("rm", SECOND, FIRST, "--yes", code=2)
        assert filled.exists(paths.record)
    assert out == f"removed {FIRST}\n"
    assert f"hopsml: ID: '{SECOND}' cannot be used, because it is still running" in said


def test_what_was_removed_and_what_was_not_is_printed_as_json(command, filled):
    with take_lease(filled, ExperimentPaths(SECOND), pytest.fail):
        out, said = command("rm", SECOND, FIRST, "--yes", "--json", code=2)
    told = json.loads(out)
    assert told["removed"] == [FIRST]
    assert [each["id"] for each in told["kept"]] == [SECOND]
    assert "it is still running" in told["kept"][0]["reason"]
    assert told["kept"][0]["reason"] in said
    assert json.loads(command("rm", IRIS, "-y", "--json")[0]) == {"removed": [IRIS], "kept": []}


def test_if_the_answer_is_no_the_json_says_that_nothing_was_removed(filled):
    ours, theirs = pty.openpty()
    os.write(ours, b"n\n")
    done = subprocess.run(
        [sys.executable, "-c", CODE, "rm", "last", "--json", "--project", filled.url],
        stdin=theirs,
        capture_output=True,
        text=True,
        timeout=120,
    )
    os.close(ours)
    os.close(theirs)
    reason = "the answer to the question was no"
    assert json.loads(done.stdout) == {"removed": [], "kept": [{"id": IRIS, "reason": reason}]}
    assert done.returncode == 1


def test_an_experiment_whose_driver_was_killed_is_removed(command, filled):
    paths = ExperimentPaths(SECOND)
    text = json.dumps({"token": "t", "process": ended_process(), "seconds": 10})
    filled.replace(paths.lease(3), text)
    assert command("rm", SECOND, "--yes")[0] == f"removed {SECOND}\n"
    assert not filled.exists(paths.root)


@pytest.mark.parametrize(
    "arguments",
    [
        ["list"],
        ["trials", "last"],
        ["compare", "last", "last/1"],
        ["best"],
        ["diff", "last", "last"],
    ],
)
def test_control_characters_of_names_and_values_do_not_reach_the_terminal(
    command, filled, arguments
):
    bad = "\x1b]0;title\x07\x1b[31mred\nnext\u202e"
    trials = [result(1, {bad: bad}, 0.5, outputs={bad: bad, "accuracy": 0.5})]
    over(filled, IRIS, trials, name=bad, user=bad, tags=(bad,), function=bad, options={bad: bad})
    for width in ("80", "300"):
        os.environ["COLUMNS"] = width  # restored by the fixture
        out, said = command(*arguments)
        assert "\x1b" not in out + said
        assert "\x07" not in out + said
