"""Winners that wait until a person approves them, on a real server, answered through its API."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import psutil
import pytest

from hopsml_flows import experiment, model
from hopsml_flows.errors import ModelNotFound
from tests.servers.homes import used_home
from tests.servers.prefect import (
    CANCEL,
    Client,
    deployed,
    set_state,
    started,
    task_runs,
    wait_for_state,
)
from tests.waiting import eventually, wait_until

SECONDS = 120
PROMOTE = {"decision": "promote", "comment": "it is smaller, too"}
REFUSE = {"decision": "refuse", "comment": "too slow"}


def saving(x=1):
    """A metric with a little noise, and a model; the file says who trained it."""
    import os
    import random
    from pathlib import Path

    Path("net.pt").write_text(str(x))
    return {"metric": x + random.gauss(0, 0.01), "model": "net.pt", "pid": os.getpid()}


class Person(threading.Thread):
    """Answers the first run of a name that is paused, as the form of the UI does.

    Args:
        url: The server's API.
        name: The experiment's name, which flow runs begin with.
        answer: What to answer.
        before: Called with the flow run that is paused, before the answer.
    """

    def __init__(self, url, name, answer, before=lambda run: None):
        super().__init__(daemon=True)
        self.url, self.experiment, self.answer, self.before = url, name, answer, before
        self.run_id = self.form = self.description = self.empty = self.error = None

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *exception):
        self.join(SECONDS)
        if exception[0] is None:
            assert not self.is_alive()
            if self.error is not None:
                raise self.error

    def run(self):
        try:
            self.respond()
        except BaseException as error:  # raised where it is waited for
            self.error = error

    def respond(self):
        with Client(self.url) as client:
            run = paused(client, self.experiment)
            self.run_id = run["id"]
            keys = run["state"]["state_details"]["run_input_keyset"]
            self.form, self.description = (
                client.get(f"/flow_runs/{run['id']}/input/{keys[name]}").json()
                for name in ("schema", "description")
            )
            try:
                self.before(run)
            finally:
                self.empty = client.post(f"/flow_runs/{run['id']}/resume", json={}).json()
                body = {"run_input": self.answer}
                found = client.post(f"/flow_runs/{run['id']}/resume", json=body).json()
            assert found["status"] == "ACCEPT", found


def paused(client, name):
    """The run of an experiment of this name that is paused, once there is one."""
    chosen = {"state": {"type": {"any_": ["PAUSED"]}}, "name": {"like_": f"{name}-"}}

    def runs():
        return client.found("flow_runs", {"flow_runs": chosen})

    (run,) = eventually(runs, bool, SECONDS)
    return run


def states(url, flow_run_id):
    with Client(url) as client:
        found = client.get("/flow_run_states/", params={"flow_run_id": str(flow_run_id)}).json()
    return [state["name"] for state in found]


@pytest.fixture
def search(options):
    """Run a search that asks a person."""

    def run(name, space=(1, 2), **more):
        call = {"only_if_better": "net", "approve": True, "confirm": 2, "seed": 4, **more}
        return experiment.grid_search(saving, {"x": list(space)}, name=name, **call, **options)

    return run


def versions(options):
    try:
        return model.get_model("net", project_name=options["project"]).version
    except ModelNotFound:
        return 0


@pytest.mark.timeout(600)
def test_a_winner_is_promoted_when_a_person_approves_it(
    search, options, prefect_server, experiments
):
    waiting = {}

    def look(run):
        (record,) = experiments().values()
        waiting.update(record)
        assert versions(options) == 0

    with Person(prefect_server, "approved", PROMOTE, look) as person:
        result = search("approved")
    promotion = result.promotion
    assert (promotion.promoted, promotion.version, promotion.unanswered) == (True, 1, False)
    assert promotion.asked == "a person approved it: it is smaller, too"
    assert promotion.why == "the model has no version yet"
    assert versions(options) == 1

    # What the person saw, and what others saw meanwhile.
    assert person.form["properties"]["decision"]["enum"] == ["promote", "refuse"]
    assert person.empty["status"] == "REJECT"
    assert "- **rule**: the model has no version yet" in person.description
    assert "on 2 fresh seeds" in person.description
    assert waiting["state"] == "RUNNING"
    assert waiting["confirmation"]["winner"]["mean"] == result.confirmation.mean
    assert (waiting["promotion"]["unanswered"], waiting["promotion"]["promoted"]) == (True, False)

    record = experiments()[result.id]
    assert (record["state"], record["promotion"]["asked"]) == ("FINISHED", promotion.asked)
    assert record["options"]["approve"] is True
    assert str(result.flow_run_id) == person.run_id
    assert {"Paused", "Running", "Completed"} <= set(states(prefect_server, person.run_id))


@pytest.mark.timeout(600)
def test_a_winner_is_refused_when_a_person_refuses_it(search, options, prefect_server):
    with Person(prefect_server, "refused", REFUSE):
        result = search("refused")
    promotion = result.promotion
    assert (promotion.promoted, promotion.version, promotion.unanswered) == (False, None, False)
    assert promotion.why == "although the model has no version yet"
    assert promotion.asked == "a person refused it: too slow"
    assert versions(options) == 0

    # That is decided: a resumed run asks no more.
    again = search("refused", resume=result.id)
    assert again.promotion == promotion
    assert "Paused" not in states(prefect_server, again.flow_run_id)


@pytest.mark.timeout(600)
def test_without_an_answer_a_winner_is_refused_and_a_resumed_run_asks_again(
    search, options, prefect_server, experiments
):
    result = search("late", approve_timeout=1)
    promotion = result.promotion
    assert (promotion.promoted, promotion.unanswered) == (False, True)
    assert promotion.asked == "no person answered within 1 s"
    assert versions(options) == 0
    record = experiments()[result.id]
    assert (record["state"], record["promotion"]["asked"]) == ("FINISHED", promotion.asked)
    assert states(prefect_server, result.flow_run_id)[-1] == "Completed"
    trials = len(task_runs(result.flow_run_id, 6))

    with Person(prefect_server, "late", PROMOTE):
        again = search("late", resume=result.id)
    assert (again.id, again.promotion.promoted, versions(options)) == (result.id, True, 1)
    assert again.confirmation == result.confirmation
    assert (trials, task_runs(again.flow_run_id, 0)) == (6, [])  # nothing was evaluated again


@pytest.mark.timeout(600)
def test_no_person_is_asked_about_a_winner_that_the_rule_refuses(search, options, prefect_server):
    with Person(prefect_server, "once", PROMOTE):
        assert search("once").promotion.promoted
    second = search("once")  # its winner has the champion's hyperparameters
    assert (second.promotion.promoted, second.promotion.asked) == (False, None)
    assert "Paused" not in states(prefect_server, second.flow_run_id)


@pytest.mark.timeout(600)
def test_a_champion_of_meanwhile_is_not_replaced(search, options, prefect_server, tmp_path):
    """A day may pass until a person answers."""

    def export(run):
        (tmp_path / "weights").write_text("better")
        model.export(
            tmp_path / "weights", "net", metrics={"metric": 99.0}, project=options["project"]
        )

    with Person(prefect_server, "overtaken", PROMOTE, export):
        result = search("overtaken")
    assert not result.promotion.promoted
    assert result.promotion.asked == "a person approved it: it is smaller, too"
    assert versions(options) == 1


@pytest.mark.timeout(600)
def test_no_process_of_a_worker_lives_while_a_person_is_asked(search, options, prefect_server):
    lived = []
    before = {process.pid for process in psutil.Process().children(recursive=True)}

    def look(run):
        (entry,) = Path(options["project"], "Experiments").iterdir()
        outputs = [json.loads(file.read_text()) for file in entry.rglob(".outputs.json")]
        assert len(outputs) == 6
        lived.extend(each["pid"] for each in outputs if psutil.pid_exists(each["pid"]))

    options["cluster"] = {"kind": "local", "n_workers": 1}
    with Person(prefect_server, "released", PROMOTE, look):
        assert search("released").promotion.promoted
    assert [pid for pid in lived if pid not in before] == []


SCRIPT = """
from pathlib import Path
from hopsml_flows import experiment

def train(x=1):
    from pathlib import Path
    Path("net.pt").write_text(str(x))
    with Path({diary!r}).open("a") as lines:
        lines.write(f"{{x}}\\n")
    return {{"metric": x, "model": "net.pt"}}

if __name__ == "__main__":
    result = experiment.grid_search(
        train, {{"x": [1, 2]}}, name="left", confirm=2, seed=1, only_if_better="net",
        approve=True, project={project!r}, cluster={cluster!r}, progress=False, resume={resume!r},
    )
    print("ASKED", result.promotion.asked)
"""


@pytest.mark.timeout(600)
def test_a_driver_that_dies_while_it_waits_leaves_the_question_to_the_one_that_resumes(
    options, project, tmp_path, prefect_server, experiments
):
    diary = tmp_path / "diary"

    def start(resume=None):
        code = SCRIPT.format(
            diary=str(diary), project=str(project), cluster=options["cluster"], resume=resume
        )
        (tmp_path / "script.py").write_text(code)
        environment = {
            "PREFECT_API_URL": prefect_server,
            "PREFECT_HOME": str(used_home(tmp_path / f"home-{resume is None}")),
        }
        return subprocess.Popen(
            [sys.executable, "script.py"],
            cwd=tmp_path,
            env={**os.environ, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    first = start()
    try:
        with Client(prefect_server) as client:
            run = paused(client, "left")
    finally:
        first.send_signal(signal.SIGKILL)
        first.communicate(timeout=60)
    ((name, record),) = experiments().items()
    assert (record["state"], record["promotion"]["unanswered"]) == ("RUNNING", True)
    trained = diary.read_text()

    second = start(resume=name)
    try:
        with Client(prefect_server) as client:
            chosen = {"id": {"any_": [run["id"]]}, "state": {"type": {"any_": ["CRASHED"]}}}
            read = lambda: client.found("flow_runs", {"flow_runs": chosen})  # noqa: E731
            assert eventually(read, bool, SECONDS)
        with Person(prefect_server, "left", PROMOTE):
            told = second.communicate(timeout=SECONDS)[0]
    finally:
        second.kill()
        second.wait()
    assert second.returncode == 0, told
    assert "ASKED a person approved it: it is smaller, too" in told
    assert diary.read_text() == trained  # nothing was evaluated again
    assert experiments()[name]["promotion"]["version"] == 1


@pytest.mark.timeout(600)
def test_a_run_that_is_cancelled_while_it_waits_ends(prefect_services, process_worker, tmp_path):
    (tmp_path / "training.py").write_text(
        "from pathlib import Path\n\n\ndef train(x=1):\n"
        '    Path("net.pt").write_text(str(x))\n'
        '    return {"metric": x, "model": "net.pt"}\n'
    )
    server = prefect_services
    run = started(
        server,
        deployed(server, "grid_search", tmp_path),
        {
            "train": f"{tmp_path}/training.py:train", "grid_dict": {"x": [1, 2]}, "confirm": 2,
            "only_if_better": "net", "approve": True, "project": f"{tmp_path}/project",
            "cluster": {"kind": "local", "n_workers": 1},
        },
    )  # fmt: skip
    wait_for_state(server, run, "PAUSED", "FAILED", "CRASHED", "COMPLETED")

    def record():
        (file,) = (tmp_path / "project" / "Experiments").glob("*/experiment.json")
        return json.loads(file.read_text())

    driver = record()["driver"]["pid"]
    set_state(server, run, CANCEL)
    wait_for_state(server, run, "CANCELLED")
    wait_until(lambda: not psutil.pid_exists(driver), 60, "the driver's end")
    assert record()["state"] == "KILLED"
    assert not (tmp_path / "project" / "Models" / "net" / "1").exists()
