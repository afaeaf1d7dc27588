from __future__ import annotations

import pytest

from hopsml_flows.trials import (
    Failure,
    Framework,
    Gang,
    GroupShape,
    Member,
    Order,
    Phase,
    ProcessEnd,
    Role,
    State,
    Trial,
    TrialResult,
)

TWO = GroupShape(Framework.MIRRORED, 2, evaluator=True)
CHIEF, WORKER, EVALUATOR = TWO.members
SERVED = GroupShape(Framework.PARAMETER_SERVER, 1, ps=1)
PS = Member(Role.PS, 0)
TRIAL = Trial(1, "0001", {})
GOOD = TrialResult(1, "0001", {}, State.FINISHED)


def failed(kind="ValueError", message="no"):
    return ProcessEnd(Phase.FAILED, TrialResult.without_report(TRIAL, Failure(kind, message)))


def begun(shape=TWO):
    gang = Gang(shape, now=0.0)
    seen = dict.fromkeys(shape.members, Phase.ARRIVED)
    assert gang.observe(seen, 1.0) is Order.GO_ON
    assert gang.beginners(seen, 2.0) == list(shape.members)
    return gang


def phases(chief, worker, evaluator=Phase.RUNNING):
    return {CHIEF: chief, WORKER: worker, EVALUATOR: evaluator}


def test_none_begins_before_all_have_arrived():
    gang = Gang(TWO, now=0.0)
    seen = {CHIEF: Phase.ARRIVED, WORKER: Phase.ARRIVED, EVALUATOR: Phase.EXPECTED}
    assert gang.observe(seen, 1.0) is Order.GO_ON
    assert gang.beginners(seen, 1.5) == []
    seen[EVALUATOR] = Phase.ARRIVED
    assert gang.observe(seen, 2.0) is Order.GO_ON
    assert CHIEF in gang.beginners(seen, 2.0)


@pytest.mark.parametrize(
    ("shape", "first"), [(TWO, [CHIEF]), (SERVED, [Member(Role.WORKER, 0), PS])]
)
def test_those_that_are_connected_to_begin_a_little_earlier(shape, first):
    gang = Gang(shape, now=0.0)
    seen = dict.fromkeys(shape.members, Phase.ARRIVED)
    gang.observe(seen, 5.0)
    assert gang.beginners(seen, 5.0) == first
    seen.update(dict.fromkeys(first, Phase.RUNNING))
    assert gang.beginners(seen, 5.01) == []
    others = [member for member in shape.members if member not in first]
    assert gang.beginners(seen, 5.3) == others
    gang.observe({**seen, first[0]: Phase.DIED}, 5.4)
    assert gang.beginners(seen, 5.5) == []


def test_a_leader_that_returns_at_once_leaves_the_others_their_turn():
    gang = begun()
    seen = phases(Phase.FINISHED, Phase.ARRIVED, Phase.ARRIVED)
    assert gang.observe(seen, 1.1) is Order.GO_ON
    assert gang.beginners(seen, 1.3) == [WORKER, EVALUATOR]


def test_a_group_that_is_not_complete_in_time_is_stopped_and_named():
    gang = Gang(TWO, now=0.0, gather_seconds=10)
    assert gang.observe({CHIEF: Phase.ARRIVED}, 11.0) is Order.STOP
    verdict = gang.judge(dict.fromkeys(TWO.members, ProcessEnd(Phase.STOPPED)))
    assert verdict.lost == "worker-0, evaluator-0 did not get ready to begin within 10 s"


@pytest.mark.parametrize("wrong", [Phase.FAILED, Phase.DIED])
@pytest.mark.parametrize("member", TWO.members)
def test_whichever_goes_wrong_all_are_stopped_once(wrong, member):
    gang = begun()
    seen = {**dict.fromkeys(TWO.members, Phase.RUNNING), member: wrong}
    assert gang.observe(seen, 2.0) is Order.STOP
    assert gang.observe(seen, 3.0) is Order.GO_ON


def test_a_death_before_the_start_stops_the_group():
    gang = Gang(TWO, now=0.0)
    assert gang.observe({CHIEF: Phase.ARRIVED, WORKER: Phase.DIED}, 1.0) is Order.STOP


def test_workers_and_the_evaluator_have_time_after_the_chief():
    gang = begun()
    assert gang.observe(phases(Phase.FINISHED, Phase.RUNNING), 10.0) is Order.GO_ON
    assert gang.observe(phases(Phase.FINISHED, Phase.FINISHED), 39.0) is Order.GO_ON
    assert gang.observe(phases(Phase.FINISHED, Phase.FINISHED), 41.0) is Order.STOP


def test_a_worker_that_never_ends_is_not_waited_for_for_ever():
    gang = begun()
    seen = phases(Phase.FINISHED, Phase.RUNNING, Phase.FINISHED)
    assert gang.observe(seen, 10.0) is Order.GO_ON
    assert gang.observe(seen, 69.0) is Order.GO_ON
    assert gang.observe(seen, 71.0) is Order.STOP


def test_a_group_that_has_returned_is_over_at_once():
    gang = begun()
    done = dict.fromkeys(TWO.members, Phase.FINISHED)
    assert gang.observe(done, 10.0) is Order.STOP
    reports = {member: ProcessEnd(Phase.FINISHED, GOOD) for member in TWO.members}
    assert gang.judge(reports).result == GOOD


def test_parameter_servers_and_workers_end_with_the_chief():
    gang = begun(SERVED)
    seen = {**dict.fromkeys(SERVED.members, Phase.RUNNING), SERVED.leader: Phase.FINISHED}
    assert gang.observe(seen, 10.0) is Order.STOP
    reports = {
        **dict.fromkeys(SERVED.members, ProcessEnd(Phase.STOPPED)),
        SERVED.leader: ProcessEnd(Phase.FINISHED, GOOD),
    }
    assert gang.judge(reports).result == GOOD


def test_a_server_that_returns_while_the_chief_trains_is_a_mistake_of_the_function():
    gang = begun(SERVED)
    seen = {**dict.fromkeys(SERVED.members, Phase.RUNNING), PS: Phase.FINISHED}
    assert gang.observe(seen, 2.0) is Order.STOP
    reports = {
        **dict.fromkeys(SERVED.members, ProcessEnd(Phase.STOPPED)),
        PS: ProcessEnd(Phase.FINISHED, GOOD),
    }
    failure = gang.judge(reports).failure
    assert failure.kind == "NotServingError"
    assert "ps-0 returned" in failure.message
    assert "distributed.serve()" in failure.message


def test_a_death_outweighs_the_exceptions_that_it_causes():
    verdict = begun().judge(
        {
            CHIEF: failed("ValueError", "shapes do not match"),
            WORKER: ProcessEnd(Phase.DIED, reason="ended by signal 9"),
            EVALUATOR: ProcessEnd(Phase.STOPPED),
        }
    )
    assert verdict.lost == "worker-0: ended by signal 9"
    assert verdict.failure is None


def test_the_users_exception_is_the_failure_and_names_its_process():
    verdict = begun().judge(
        {
            CHIEF: failed("UnavailableError", "Connection reset by peer"),
            WORKER: failed("KeyError", "x"),
            EVALUATOR: ProcessEnd(Phase.STOPPED),
        }
    )
    assert str(verdict.failure) == "KeyError: worker-0: x"


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("UnavailableError", "failed to connect to all addresses"),
        ("AbortedError", "Collective ops is aborted by: …"),
        ("RuntimeError", "[gloo/transport/tcp/pair.cc] Connection closed by peer [127.0.0.1]"),
        ("DistNetworkError", "… EADDRINUSE …"),
        ("UnknownError", "Could not start gRPC server"),
    ],
)
def test_where_all_only_miss_each_other_another_attempt_may_mend_it(kind, message):
    verdict = begun().judge(
        {CHIEF: failed(kind, message), WORKER: ProcessEnd(Phase.STOPPED)},
    )
    assert verdict.failure is None
    assert kind in verdict.lost


def test_time_that_is_up_is_a_failure_and_no_loss():
    verdict = begun().judge(
        {
            CHIEF: ProcessEnd(Phase.DIED, reason="exited with code 1"),
            WORKER: failed("TrialTimeoutError", "stopped after trial_timeout of 5 s"),
        }
    )
    assert verdict.failure.kind == "TrialTimeoutError"


def test_a_leader_that_has_returned_has_done_it_whatever_comes_after():
    verdict = begun().judge(
        {
            CHIEF: ProcessEnd(Phase.FINISHED, GOOD),
            WORKER: ProcessEnd(Phase.DIED, reason="ended by signal 6"),
        }
    )
    assert verdict.result == GOOD
