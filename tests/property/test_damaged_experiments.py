"""Whatever lies in an experiment's record and summary, every command answers.

Half of the mutations are of bytes, as a crash or a broken disk leaves them; the others are of JSON
values, as another version or another program may write them.
"""

from __future__ import annotations

import copy
import json
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hopsml_flows import experiments
from hopsml_flows.cli import main
from hopsml_flows.service import ExperimentIndex, TrialQuery
from hopsml_flows.storage import ExperimentPaths, Project
from hopsml_flows.trials import Failure, State
from tests.written import over, result

GOOD = "digits-20240101-120000-aaaaaa"
BAD = "digits-20240301-120000-bbbbbb"
COMMANDS = (
    ("list",),
    ("list", "--json", "--sort", "metric"),
    ("list", "digits", "--sort", "state"),
    ("trials", BAD),
    ("trials", BAD, "--json", "--sort", "metric", "--where", "metric>0"),
    ("show", BAD),
    ("show", BAD, "--json"),
    ("compare", BAD, GOOD),
    ("compare", f"{BAD}/1", f"{GOOD}/1"),
    ("best", BAD),
    ("best", "--name", "digits"),
    ("export", BAD, "--csv"),
    ("export", BAD, GOOD, "--json"),
    ("diff", BAD, GOOD),
)

odd_values = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([10**400, -(2**63), 2**63, 0]),
    st.floats(),
    st.text(),
    st.sampled_from(
        ["\ud800", "\x1b[31m", "../../etc", "<script>", "NaN", "MAX", "9999-99-99", ""]
    ),
    st.lists(st.integers(), max_size=2),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
    st.builds(lambda: [[[[[[[[[[]]]]]]]]]]),  # a list of its own, as mutations go on inside
)


@st.composite
def mutated_json(draw, content):
    """JSON of which some values are replaced, removed or moved under other names."""
    value = copy.deepcopy(content)
    for _ in range(draw(st.integers(1, 4))):
        holder = value
        while True:
            if not isinstance(holder, (dict, list)) or not holder:
                break
            keys = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
            key = draw(st.sampled_from(keys))
            if isinstance(holder[key], (dict, list)) and draw(st.booleans()):
                holder = holder[key]
                continue
            if draw(st.integers(0, 3)):
                holder[key] = draw(odd_values)
            elif isinstance(holder, dict):
                holder[draw(st.text(max_size=5))] = holder.pop(key)
            else:
                del holder[key]
            break
    return json.dumps(value).encode()


@st.composite
def mutated_bytes(draw, content):
    """Content that was cut, or has other bytes somewhere."""
    data = bytearray(content)
    for _ in range(draw(st.integers(1, 4))):
        if not data:
            break
        at = draw(st.integers(0, len(data) - 1))
        match draw(st.integers(0, 3)):
            case 0:
                del data[at:]
            case 1:
                data[at] = draw(st.integers(0, 255))
            case 2:
                data[at:at] = draw(st.binary(max_size=8))
            case _:
                del data[at : at + draw(st.integers(1, 20))]
    return bytes(data)


@pytest.fixture(scope="module")
def filled():
    directory = Path(tempfile.mkdtemp(prefix="hopsml-damaged-"))
    project = Project(directory / "project")
    failure = Failure("ValueError", "too large")
    trials = [
        *(result(n, {"lr": n / 10, "opt": "adam"}, n / 10) for n in (1, 2)),
        result(3, {"lr": 0.9}, state=State.FAILED, failure=failure),
    ]
    over(project, GOOD, trials, options={"seed": 1}, tags=("a",))
    yield project, over(project, BAD, trials, options={"seed": 2, "optimizer": {"optimizer": "x"}})
    shutil.rmtree(directory)


def ended_with(arguments, project):
    with pytest.raises(SystemExit) as ended:
        main([*arguments, "--project", project.url])
    return ended.value.code or 0


@settings(max_examples=100)
@given(data=st.data())
def test_every_command_answers_whatever_the_files_of_an_experiment_are(filled, data):
    project, paths = filled
    good = ExperimentPaths(GOOD)
    for path, whole in ((paths.record, good.record), (paths.summary, good.summary)):
        text = project.read(whole).replace(GOOD.encode(), BAD.encode())
        kind = data.draw(st.sampled_from(["same", "bytes", "json"]), label=path)
        if kind == "bytes":
            text = data.draw(mutated_bytes(text))
        elif kind == "json":
            text = data.draw(mutated_json(json.loads(text)))
        project.replace(path, text)
    for arguments in COMMANDS:
        assert ended_with(arguments, project) in (0, 1, 2)
    with ExperimentIndex(project) as index:
        index.refresh()
        # What is wrong with one experiment hides neither it nor another.
        assert {entry.id for entry in index.experiments().experiments} == {GOOD, BAD}
        assert index.trials(GOOD, TrialQuery()).total == 3
    found = experiments.get(BAD, project)
    assert found.state.value in set(experiments.ExperimentState)
    assert isinstance(found.trials, tuple)
    experiments.compare(BAD, GOOD, project=project)
