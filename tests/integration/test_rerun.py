"""Experiments that are run again, from what their directories keep."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from hopsml_flows import experiment, experiments
from hopsml_flows.errors import FunctionNotFoundError, NotFoundError
from tests.documents import ROOT
from tests.servers.homes import used_home

DIGITS = """
from hopsml_flows import experiment
from scores import score


def training(alpha, size):
    import random
    return {"accuracy": score(alpha, size, random.randrange(1000))}


result = experiment.grid_search(
    training,
    {"alpha": [0.0001, 0.01], "size": [200, 400]},
    optimization_key="accuracy",
    seed=7,
    name="digits",
    project="project",
)
print("the best:", result.best_metric)
"""

SCORES = """
def score(alpha, size, start):
    import numpy as np
    from sklearn.datasets import load_digits
    from sklearn.linear_model import SGDClassifier

    x, y = load_digits(return_X_y=True)
    chosen = np.random.permutation(len(x))  # of the trial's seed
    x, y = x[chosen], y[chosen]
    classifier = SGDClassifier(alpha=alpha, random_state=start, max_iter=20, tol=None)
    return classifier.fit(x[:size], y[:size]).score(x[size:], y[size:])
"""

TRAINING = """
import random


def training(x):
    if x == 3:
        raise ValueError("three")
    return {"metric": x + random.random(), "drawn": random.random()}
"""

NOTEBOOK = [
    "%matplotlib inline\nimport random\n\nscale = 2",
    "def training(x):\n    return {'metric': 1}",
    "broken = = 1",
    "def training(x):\n    return {'metric': scale * x + random.random()}",
    "from hopsml_flows import experiment\nresult = experiment.grid_search(training, {'x': [1, 2]})",
    "print(result.best_metric)",
]


def command(*arguments, cwd, home, **environment):
    """What ``hopsml`` printed, and its exit code, in a process of its own."""
    return subprocess.run(
        [sys.executable, "-c", "from hopsml_flows.cli import main; main()", *arguments],
        cwd=cwd,
        env={**os.environ, "PREFECT_HOME": str(home), "COLUMNS": "200", **environment},
        capture_output=True,
        text=True,
        timeout=540,
        stdin=subprocess.DEVNULL,
    )


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """A project with a digits experiment, whose program is gone; and a home for Prefect.

    Tests copy what they change.
    """
    place = tmp_path_factory.mktemp("kept")
    (place / "program").mkdir()
    (place / "program/digits.py").write_text(DIGITS)
    (place / "program/scores.py").write_text(SCORES)
    home = used_home(place / "prefect")
    done = subprocess.run(
        [sys.executable, "digits.py"],
        cwd=place / "program",
        env={**os.environ, "PREFECT_HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=300,
        stdin=subprocess.DEVNULL,
    )
    assert "the best:" in done.stdout, done.stdout + done.stderr
    [directory] = (place / "program/project/Experiments").iterdir()
    shutil.copytree(directory, place / "project/Experiments" / directory.name)
    shutil.rmtree(place / "program")
    return place, home


@pytest.mark.timeout(900)
def test_a_digits_experiment_gives_the_same_metrics_from_its_directory_alone(kept, tmp_path):
    place, home = kept
    shutil.copytree(place / "project", tmp_path / "project")
    done = command("rerun", "last", "--check", "0", "-p", "project", cwd=tmp_path, home=home)
    assert done.returncode == 0, done.stdout + done.stderr
    new, earlier = experiments.list(str(tmp_path / "project"))
    assert f"The environment is that of {earlier.id}" in done.stdout
    assert f"{new.id} repeats {earlier.id}\n" in done.stdout
    assert re.search(r"trial +metric +recorded +now +difference\n", done.stdout)
    assert [trial.metric for trial in new.trials] == [trial.metric for trial in earlier.trials]
    assert [trial.params for trial in new.trials] == [trial.params for trial in earlier.trials]
    assert [trial.seed for trial in new.trials] == [trial.seed for trial in earlier.trials]
    record = json.loads(Path(new.path, "experiment.json").read_text())
    assert record["rerun_of"] == {"experiment": earlier.id, "trial": None}
    assert (record["function"], record["name"]) == ("rerun", "digits")
    assert new.best.number == earlier.best.number
    for name in ("program.py", "program.zip"):  # so that the new one can be repeated, too
        assert Path(new.path, name).read_bytes() == Path(earlier.path, name).read_bytes()
    assert record["versions"]["modules"]["file"] == f"Experiments/{new.id}/program.zip"


@pytest.mark.timeout(900)
def test_what_differs_is_told_and_checked(kept, tmp_path):
    place, home = kept
    project = tmp_path / "project"
    [first] = experiments.list(str(place / "project"))
    copy = project / "Experiments" / first.id
    shutil.copytree(first.path, copy)
    listed = copy / "environment.txt"
    version = metadata.version("scikit-learn")
    listed.write_text(listed.read_text().replace(f"scikit-learn=={version}", "scikit-learn==0.1"))
    summary = json.loads((copy / ".summary.json").read_text())
    summary["combinations"][1]["metric"] += 0.25
    (copy / ".summary.json").write_text(json.dumps(summary))
    done = command(
        "rerun", first.id, "2", "--check", "0.1", "--json", "-p", "project", cwd=tmp_path, home=home
    )
    assert done.returncode == 1, done.stdout + done.stderr
    told = json.loads(done.stdout)
    assert told["rerun_of"] == {"experiment": first.id, "trial": 2}
    assert told["environment"] == [{"name": "scikit-learn", "values": ["0.1", version]}]
    [row] = told["trials"]
    assert (row["trial"], row["name"]) == (2, "accuracy")
    assert row["difference"] == pytest.approx(-0.25)
    assert row["now"] == first.trial(2).metric


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    "storage",
    ["s3", *[pytest.param(name, marks=pytest.mark.slow) for name in ("hopsfs", "webhdfs")]],
)
def test_trials_on_other_storage_are_run_again_from_python(
    storage, url_of, options, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    url = url_of(storage)
    (tmp_path / "train.py").write_text(TRAINING)
    first = experiment.grid_search(
        "train.py:training", {"x": [1, 2, 3]}, **(options | {"project": url})
    )
    (tmp_path / "train.py").write_text("raise RuntimeError('not the saved program')")
    asked = {"project": url, "cluster": options["cluster"], "progress": False}

    again = experiment.rerun(first.id, **asked)
    assert [each.trial for each in again.metrics] == [1, 2]  # the third has no result
    assert again.is_within(0.0)
    assert again.environment == ()
    assert [trial.metric for trial in again.experiment.trials] == [
        trial.metric for trial in first.trials if trial.succeeded
    ]
    [row] = again.to_pandas().to_dict("records")[1:]
    assert (row["trial"], row["difference"], row["note"]) == (2, 0.0, "")

    failing = experiment.rerun(first.id, 3, **asked)
    assert failing.trial == 3
    assert failing.experiment.state == "FAILED"
    [told] = failing.metrics
    assert told.note == "it had failed; failed now: ValueError: three"
    assert failing.is_within(0.0)
    with pytest.raises(NotFoundError):
        experiment.rerun(first.id, 4, **asked)


@pytest.mark.timeout(300)
def test_the_functions_of_a_notebook_are_made_of_its_executed_cells(
    options, tmp_path, monkeypatch, project
):
    from hopsml_flows.tracking.versions.notebook import notebook_program

    monkeypatch.chdir(tmp_path)
    (tmp_path / "train.py").write_text(
        "import random\n\n\ndef training(x):\n    return {'metric': 2 * x + random.random()}\n"
    )
    first = experiment.grid_search("train.py:training", {"x": [1, 2]}, **options)
    # What a kernel would have kept.
    record = Path(first.path, "experiment.json")
    told = json.loads(record.read_text())
    program = told["program"].replace("program.py", "program.ipynb")
    record.write_text(json.dumps({**told, "train": "__main__:training", "program": program}))
    Path(first.path, "program.py").unlink()
    Path(first.path, "program.ipynb").write_bytes(notebook_program(None, NOTEBOOK))
    asked = {"project": str(project), "cluster": options["cluster"], "progress": False}
    again = experiment.rerun(first.id, **asked)
    assert again.is_within(0.0)
    assert [trial.metric for trial in again.experiment.trials] == [
        trial.metric for trial in first.trials
    ]
    record.write_text(json.dumps({**told, "train": "__main__:trainings", "program": program}))
    with pytest.raises(FunctionNotFoundError, match="no 'trainings'"):
        experiment.rerun(first.id, **asked)
    assert len(experiments.list(str(project))) == 2  # it has started nothing


def closure(*requirements):
    """Names of the packages that some need, themselves among them."""
    waiting, found = [Requirement(text) for text in requirements], set()
    while waiting:
        wanted = waiting.pop()
        key = (canonicalize_name(wanted.name), *sorted(wanted.extras))
        if key in found:
            continue
        found.add(key)
        for text in metadata.requires(wanted.name) or ():
            needed = Requirement(text)
            extras = ("", *wanted.extras)
            if needed.marker is None or any(
                needed.marker.evaluate({"extra": extra}) for extra in extras
            ):
                waiting.append(needed)
    return {name for name, *_ in found}


@pytest.mark.slow  # it may take packages from an index
@pytest.mark.timeout(1500)
def test_the_saved_environment_is_built_and_trials_run_in_it(kept, tmp_path):
    place, home = kept
    project = tmp_path / "project"
    [first] = experiments.list(str(place / "project"))
    copy = project / "Experiments" / first.id
    shutil.copytree(first.path, copy)
    own = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    needed = {"hopsml-flows", *closure(*own, "scikit-learn")}
    listed = copy / "environment.txt"
    lines = listed.read_text().splitlines()
    kept_lines = [
        line
        for line in lines
        if line.startswith("#") or canonicalize_name(line.partition("==")[0]) in needed
    ]
    assert len(kept_lines) < len(lines)
    listed.write_text("\n".join(kept_lines) + "\n")
    done = command(
        *("rerun", first.id, "1", "--environment", "--json", "--check", "0", "-p", "project"),
        cwd=tmp_path,
        home=home,
        HOPSML_CACHE=str(tmp_path / "cache"),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Building the saved environment" in done.stderr
    told = json.loads(done.stdout)
    assert told["trials"][0]["difference"] == 0.0
    assert told["environment"] == []
    new = experiments.get(told["experiment"], project=str(project))
    assert "pytest==" not in new.environment
    [built] = (tmp_path / "cache/environments").glob("*/pyvenv.cfg")
    assert built.is_file()
