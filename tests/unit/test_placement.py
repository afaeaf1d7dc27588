from __future__ import annotations

from hopsml_flows.trials import Framework, GroupShape, WorkerFacts, placed

PS = GroupShape(Framework.PARAMETER_SERVER, 2, ps=1, evaluator=True)


def workers(count, gpus=(), host="a", busy=()):
    return [
        WorkerFacts(f"tcp://{host}:{n}", host, tuple(gpus), busy=n in busy) for n in range(count)
    ]


def seats(shape, there, *, use_gpus=True, shared=False):
    found = placed(shape, there, use_gpus=use_gpus, shared=shared)
    assert not isinstance(found, str), found
    assert len({seat.address for seat in found.values()}) == len(shape.members)
    return {str(member): seat for member, seat in found.items()}


def test_each_process_gets_a_free_worker_of_its_own():
    found = seats(GroupShape(Framework.MIRRORED, 2), workers(4, busy={0, 2}))
    assert [seat.address for seat in found.values()] == ["tcp://a:1", "tcp://a:3"]
    assert {seat.gpus for seat in found.values()} == {()}


def test_too_few_free_workers_are_counted():
    there = workers(4, busy={0})
    found = placed(PS, there, use_gpus=True, shared=False)
    assert found == (
        "5 workers (1 chief, 2 worker, 1 ps, 1 evaluator), and 3 are free (1 more are busy)"
    )


def test_one_mirrored_process_gets_all_gpus_of_its_machine():
    found = seats(GroupShape(Framework.MIRRORED, 1), workers(1, gpus="0123"))
    assert found["chief-0"].gpus == ("0", "1", "2", "3")


def test_processes_on_one_machine_share_its_gpus_without_overlap():
    found = seats(GroupShape(Framework.MIRRORED, 2), workers(2, gpus="0123"))
    assert sorted(found["chief-0"].gpus + found["worker-0"].gpus) == ["0", "1", "2", "3"]
    assert len(found["chief-0"].gpus) == 2


def test_parameter_servers_evaluators_and_their_chief_leave_the_gpus_to_the_workers():
    found = seats(PS, workers(5, gpus="01"))
    with_gpus = {name for name, seat in found.items() if seat.gpus}
    assert with_gpus == {"worker-0", "worker-1"}


def test_workers_with_gpus_are_kept_for_the_processes_that_compute():
    there = [
        *workers(3, host="plain"),
        WorkerFacts("tcp://gpu:0", "gpu", ("0",)),
        WorkerFacts("tcp://gpu:1", "gpu", ("1",)),
    ]
    found = seats(PS, there)
    assert found["worker-0"].gpus + found["worker-1"].gpus == ("0", "1")
    assert found["ps-0"].host == found["chief-0"].host == "plain"


def test_fewer_gpus_than_processes_that_need_one_are_refused_unless_told_otherwise():
    shape = GroupShape(Framework.MIRRORED, 2)
    there = workers(2, gpus="0")
    found = placed(shape, there, use_gpus=True, shared=False)
    assert isinstance(found, str)
    assert "2 free workers with a GPU of their own" in found
    assert {seat.gpus for seat in seats(shape, there, use_gpus=False).values()} == {()}


def test_groups_side_by_side_get_gpus_of_their_own():
    shape = GroupShape(Framework.ANY, 2)
    there = workers(4, gpus="0123")
    first = seats(shape, there, shared=True)
    taken = {seat.address for seat in first.values()}
    rest = [WorkerFacts(w.address, w.host, w.gpus, busy=w.address in taken) for w in there]
    second = seats(shape, rest, shared=True)
    gpus = [gpu for found in (first, second) for seat in found.values() for gpu in seat.gpus]
    assert sorted(gpus) == ["0", "1", "2", "3"]
