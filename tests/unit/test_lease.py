"""The lease of an experiment on storage, between leases of this process and made-up ones."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from hopsml_flows.errors import ExperimentRunningError, ExperimentTakenOverError
from hopsml_flows.storage import ExperimentPaths, Project, lease, this_process
from hopsml_flows.storage.lease import check_free, take_lease
from tests.waiting import wait_until

PATHS = ExperimentPaths("digits-1")
ELSEWHERE = {**this_process(), "host": "elsewhere", "pid": 17}


@pytest.fixture(params=["local", "memory"])
def place(request, project, memory_project):
    made = project if request.param == "local" else memory_project
    made.make_directory(PATHS.root)
    made.replace(PATHS.record, "{}")
    return made


@pytest.fixture
def left(place):
    """Leaves the lease of a driver, as if it had been killed."""

    def leave(process, *, number=1, seconds=0.2):
        text = json.dumps({"token": "other", "process": process, "seconds": seconds})
        place.replace(PATHS.lease(number), text)
        place.replace(PATHS.beat(number), '{"beat": 1}')

    return leave


def ended_process():
    code = (
        "import json; from hopsml_flows.storage import this_process; "
        "print(json.dumps(this_process()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    return json.loads(done.stdout)


def files(project):
    return sorted(name for name in project.listdir(PATHS.root) if name != "experiment.json")


def test_a_lease_is_there_while_it_is_held_and_gone_afterwards(place):
    with take_lease(place, PATHS, pytest.fail, new=True) as mine:
        mine.beat()
        assert files(place) == [".lease.1", ".lease.1.beat"]
        assert json.loads(place.read(PATHS.lease(1)))["process"]["pid"] == os.getpid()
        mine.check()
    assert files(place) == []


def test_a_lease_is_given_back_after_an_error(place):
    with pytest.raises(KeyboardInterrupt), take_lease(place, PATHS, pytest.fail):
        raise KeyboardInterrupt
    assert files(place) == []


def test_an_experiment_that_is_held_is_refused_with_host_and_process(place):
    by = rf"\(process {os.getpid()} on {this_process()['host']}\)"
    told = rf"^resume: .* cannot be used, because it is still running {by}$"
    with take_lease(place, PATHS, pytest.fail):
        for refuse in (
            lambda: check_free(place, PATHS),
            lambda: take_lease(place, PATHS, pytest.fail),
        ):
            with pytest.raises(ExperimentRunningError, match=told):
                refuse()
    check_free(place, PATHS)
    with take_lease(place, PATHS, pytest.fail):
        pass


def test_the_driver_says_that_it_lives_again_and_again(place, monkeypatch):
    monkeypatch.setattr(lease, "BEAT_SECONDS", 0.02)
    with take_lease(place, PATHS, pytest.fail):
        wait_until(
            lambda: (
                place.exists(PATHS.beat(1)) and json.loads(place.read(PATHS.beat(1)))["beat"] > 3
            ),
            30,
            "beats",
        )


def test_the_lease_of_a_process_that_has_ended_is_taken_over_at_once(place, left):
    left(ended_process(), number=3, seconds=3000)
    check_free(place, PATHS)
    with take_lease(place, PATHS, pytest.fail):
        assert [name for name in files(place) if "beat" not in name] == [".lease.4"]


def test_a_lease_that_this_process_could_not_give_back_is_no_hindrance(place, left):
    left(this_process(), seconds=3000)
    with take_lease(place, PATHS, pytest.fail):
        pass


def test_the_lease_of_another_machine_whose_beat_stands_still_is_taken_over(place, left):
    left(ELSEWHERE)
    notices = []
    with take_lease(place, PATHS, notices.append):
        assert [name for name in files(place) if "beat" not in name] == [".lease.2"]
    [notice] = notices
    assert "process 17 on elsewhere" in notice
    assert "waiting up to 1 s" in notice


def test_the_lease_of_another_machine_whose_beat_goes_on_is_respected(place, left):
    left(ELSEWHERE)
    over = threading.Event()

    def beat():
        number = 1
        while not over.wait(0.05):
            number += 1
            place.replace(PATHS.beat(1), json.dumps({"beat": number}))

    thread = threading.Thread(target=beat)
    thread.start()
    try:
        with pytest.raises(ExperimentRunningError, match=r"process 17 on elsewhere"):
            take_lease(place, PATHS, lambda text: None)
    finally:
        over.set()
        thread.join()
    assert files(place) == [".lease.1", ".lease.1.beat"]


def test_a_container_of_the_same_name_is_another_machine(place, left):
    left({**this_process(), "machine": "another boot", "pid": 1 << 22})
    notices = []
    with take_lease(place, PATHS, notices.append):
        assert len(notices) == 1


def test_a_lease_that_storage_has_not_heard_of_for_long_is_taken_over_without_waiting(
    project, tmp_path
):
    project.make_directory(PATHS.root)
    text = json.dumps({"token": "other", "process": ELSEWHERE, "seconds": 10})
    for path in (PATHS.lease(1), PATHS.beat(1)):
        project.replace(path, text)
        os.utime(tmp_path / "project" / path, (1e9, 1e9))
    with take_lease(project, PATHS, pytest.fail):
        pass
    assert files(project) == []


def test_a_damaged_lease_file_is_waited_for_and_taken_over(place, monkeypatch):
    monkeypatch.setattr(lease, "BEAT_SECONDS", 0.05)
    place.replace(PATHS.lease(1), "\0" * 20)
    notices = []
    with take_lease(place, PATHS, notices.append):
        assert len(notices) == 1


def test_of_many_that_take_a_dead_drivers_lease_at_once_one_gets_it(place, left):
    left(ELSEWHERE)
    start = threading.Barrier(8)
    held = []

    def take(_):
        start.wait()
        try:
            held.append(take_lease(place, PATHS, lambda text: None))
        except ExperimentRunningError as error:
            return str(error)
        return "mine"

    with ThreadPoolExecutor(8) as pool:
        said = list(pool.map(take, range(8)))
    assert said.count("mine") == len(held) == 1
    assert all(str(os.getpid()) in text for text in said if text != "mine")
    with held[0]:
        pass


def test_one_that_comes_too_late_to_an_older_lease_lets_go(place, left):
    """It judged lease 1 dead, and meanwhile two others took the experiment over in turn."""
    left(ELSEWHERE)
    held = []

    class Late(Project):
        def create(self, path, data):
            if path == PATHS.lease(2):
                left(ended_process(), number=2)
                held.append(take_lease(place, PATHS, pytest.fail))
            super().create(path, data)

    with pytest.raises(ExperimentRunningError, match=rf"process {os.getpid()} on "):
        take_lease(Late(place.url), PATHS, lambda text: None)
    assert files(place) == [".lease.3"]
    with held[0]:
        held[0].check()


def test_a_driver_whose_lease_was_taken_over_finds_out(place, monkeypatch):
    mine = take_lease(place, PATHS, pytest.fail)
    with mine:
        mine.beat()
        place.replace(PATHS.lease(2), json.dumps(
            {"token": "other", "process": ELSEWHERE, "seconds": 10}
        ))  # fmt: skip
        mine.beat()
        assert mine.is_lost
        with pytest.raises(ExperimentTakenOverError, match="process 17 on elsewhere") as caught:
            mine.check()
        assert caught.value.experiment_id == PATHS.id
    assert place.exists(PATHS.lease(2))


def test_a_driver_whose_lease_was_taken_over_by_one_that_is_over_finds_out(place):
    with take_lease(place, PATHS, pytest.fail) as mine:
        place.remove(PATHS.lease(1))
        mine.beat()
        with pytest.raises(ExperimentTakenOverError, match="driver that is over"):
            mine.check()
    assert files(place) == []


def test_a_lease_of_the_same_number_is_another_ones(place):
    with take_lease(place, PATHS, pytest.fail) as mine:
        place.replace(PATHS.lease(1), json.dumps(
            {"token": "other", "process": ELSEWHERE, "seconds": 10}
        ))  # fmt: skip
        mine.beat()
        assert mine.is_lost
    assert files(place) == [".lease.1"]


def test_a_storage_that_refuses_a_beat_takes_no_lease_away(project, monkeypatch):
    project.make_directory(PATHS.root)
    with take_lease(project, PATHS, pytest.fail) as mine:

        def refuse(path, data):
            raise PermissionError("token expired")

        monkeypatch.setattr(project, "replace", refuse)
        mine.beat()
        assert isinstance(mine.refused, PermissionError)
        mine.check()
        monkeypatch.undo()
        mine.beat()
        assert mine.refused is None
