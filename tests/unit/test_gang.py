from __future__ import annotations

import pytest

from hopsml_flows.trials import (
    AbandonMembers,
    BeginMembers,
    ClockTicked,
    EarlyStopAsked,
    EndGroup,
    Failure,
    Framework,
    Gang,
    GroupShape,
    Member,
    MemberEnded,
    MemberMoved,
    Phase,
    ProcessEnd,
    Role,
    SeatLost,
    State,
    StopMembers,
    StopRequested,
    Trial,
    TrialResult,
    Verdict,
)
from hopsml_flows.trials.group.gang import LATE_WORKER_SECONDS, STOP_SECONDS

TWO = GroupShape(Framework.MIRRORED, 2, evaluator=True)
CHIEF, WORKER, EVALUATOR = TWO.members
SERVED = GroupShape(Framework.PARAMETER_SERVER, 1, ps=1)
PS = Member(Role.PS, 0)
TRIAL = Trial(1, "0001", {})
STOPPED = ProcessEnd(Phase.STOPPED)
GOOD = TrialResult(1, "0001", {}, State.FINISHED)


def failed(kind="ValueError", message="no"):
    return ProcessEnd(Phase.FAILED, TrialResult.without_report(TRIAL, Failure(kind, message)))


def observe(gang, phases, now):
    """Tell a gang the phases of its members, and the time."""
    for member, phase in phases.items():
        assert gang.handle(MemberMoved(member, phase)) == []
    return gang.handle(ClockTicked(now))


def judge(gang, ends, now=100.0):
    """Tell a gang how its members ended; its verdict."""
    for member in gang.open_members:
        assert gang.handle(MemberEnded(member, ends.get(member, STOPPED))) == []
    *_, last = gang.handle(ClockTicked(now))
    assert isinstance(last, EndGroup)
    assert gang.handle(ClockTicked(now + 1)) == []
    return last.verdict


def gathering(shape=TWO, **options):
    gang = Gang(shape, **options)
    assert gang.handle(ClockTicked(0.0)) == []
    return gang


def begun(shape=TWO):
    gang = gathering(shape)
    seen = dict.fromkeys(shape.members, Phase.ARRIVED)
    assert observe(gang, seen, 1.0) == [BeginMembers(shape.listeners)]
    assert observe(gang, seen, 2.0) == [BeginMembers(shape.members)]
    return gang


def phases(chief, worker, evaluator=Phase.RUNNING):
    return {CHIEF: chief, WORKER: worker, EVALUATOR: evaluator}


def test_none_begins_before_all_have_arrived():
    gang = gathering()
    seen = {CHIEF: Phase.ARRIVED, WORKER: Phase.ARRIVED, EVALUATOR: Phase.EXPECTED}
    assert observe(gang, seen, 1.0) == []
    assert observe(gang, seen, 1.5) == []
    assert gang.begins_soon
    seen[EVALUATOR] = Phase.ARRIVED
    assert observe(gang, seen, 2.0) == [BeginMembers((CHIEF,))]


@pytest.mark.parametrize(
    ("shape", "first"), [(TWO, (CHIEF,)), (SERVED, (Member(Role.WORKER, 0), PS))]
)
def test_those_that_are_connected_to_begin_a_little_earlier(shape, first):
    gang = gathering(shape)
    seen = dict.fromkeys(shape.members, Phase.ARRIVED)
    assert observe(gang, seen, 5.0) == [BeginMembers(first)]
    seen.update(dict.fromkeys(first, Phase.RUNNING))
    assert observe(gang, seen, 5.01) == []
    others = tuple(member for member in shape.members if member not in first)
    assert observe(gang, seen, 5.3) == [BeginMembers(others)]
    assert observe(gang, {**seen, first[0]: Phase.DIED}, 5.4) == [StopMembers(shape.members)]
    assert observe(gang, seen, 5.5) == []


def test_a_leader_that_returns_at_once_leaves_the_others_their_turn():
    gang = gathering()
    observe(gang, dict.fromkeys(TWO.members, Phase.ARRIVED), 1.0)
    seen = phases(Phase.FINISHED, Phase.ARRIVED, Phase.ARRIVED)
    assert observe(gang, seen, 1.1) == []
    assert observe(gang, seen, 1.3) == [BeginMembers((WORKER, EVALUATOR))]


def test_a_group_that_is_not_complete_in_time_is_stopped_and_named():
    gang = gathering(gather_seconds=10)
    assert observe(gang, {CHIEF: Phase.ARRIVED}, 10.0) == []
    assert observe(gang, {CHIEF: Phase.ARRIVED}, 11.0) == [StopMembers(TWO.members)]
    verdict = judge(gang, {})
    assert verdict.lost == "worker-0, evaluator-0 did not get ready to begin within 10 s"


@pytest.mark.parametrize("wrong", [Phase.FAILED, Phase.DIED])
@pytest.mark.parametrize("member", TWO.members)
def test_whichever_goes_wrong_all_are_stopped_once(wrong, member):
    gang = begun()
    seen = {**dict.fromkeys(TWO.members, Phase.RUNNING), member: wrong}
    assert observe(gang, seen, 2.0) == [StopMembers(TWO.members)]
    assert observe(gang, seen, 3.0) == []


def test_members_that_fail_while_the_leader_stops_early_cost_it_nothing():
    gang = begun()
    assert gang.handle(EarlyStopAsked()) == []
    lost = failed("RuntimeError", "Connection closed by peer")
    gang.handle(MemberEnded(WORKER, lost))
    still = {CHIEF: Phase.RUNNING, EVALUATOR: Phase.RUNNING}
    assert observe(gang, still, 3.0) == []  # the leader saves what it has
    assert observe(gang, {CHIEF: Phase.FINISHED}, 4.0) == [StopMembers((CHIEF, EVALUATOR))]
    ends = {CHIEF: ProcessEnd(Phase.FINISHED, GOOD)}
    assert judge(gang, ends).result == GOOD


def test_a_leader_that_is_asked_to_stop_and_stays_is_not_waited_for_forever():
    gang = begun()
    gang.handle(EarlyStopAsked())
    seen = phases(Phase.RUNNING, Phase.FAILED)
    assert observe(gang, seen, 3.0) == []
    assert observe(gang, seen, 3.0 + LATE_WORKER_SECONDS) == [StopMembers(TWO.members)]


def test_a_leader_that_fails_after_it_was_asked_to_stop_stops_the_others():
    gang = begun()
    gang.handle(EarlyStopAsked())
    assert observe(gang, phases(Phase.FAILED, Phase.RUNNING), 3.0) == [StopMembers(TWO.members)]


def test_a_death_before_the_start_stops_the_group():
    gang = gathering()
    seen = {CHIEF: Phase.ARRIVED, WORKER: Phase.DIED}
    assert observe(gang, seen, 1.0) == [StopMembers(TWO.members)]


def test_a_lost_seat_is_a_death_whose_task_run_is_abandoned_and_stops_the_others():
    gang = begun()
    assert gang.handle(SeatLost(WORKER, "killed")) == [AbandonMembers((WORKER,))]
    assert gang.handle(SeatLost(WORKER, "killed again")) == []
    assert gang.open_members == (CHIEF, EVALUATOR)
    assert gang.handle(ClockTicked(3.0)) == [StopMembers((CHIEF, EVALUATOR))]
    assert judge(gang, {}).lost == "worker-0: killed"


def test_task_runs_of_members_that_do_not_stop_in_time_are_abandoned():
    gang = begun()
    seen = {**dict.fromkeys(TWO.members, Phase.RUNNING), WORKER: Phase.FAILED}
    assert observe(gang, seen, 2.0) == [StopMembers(TWO.members)]
    gang.handle(MemberEnded(WORKER, failed()))
    assert gang.handle(ClockTicked(2.0 + STOP_SECONDS)) == []
    assert gang.handle(ClockTicked(2.1 + STOP_SECONDS)) == [AbandonMembers((CHIEF, EVALUATOR))]


@pytest.mark.parametrize("start", [gathering, begun])
def test_a_stop_ends_all_members_and_is_neither_a_failure_nor_a_loss(start):
    gang = start()
    assert gang.handle(StopRequested("not promising", 3.0)) == [StopMembers(TWO.members)]
    assert gang.handle(StopRequested("not promising", 3.1)) == []
    assert gang.is_stopping
    ends = {CHIEF: failed("UnavailableError"), WORKER: ProcessEnd(Phase.DIED, reason="signal 15")}
    assert judge(gang, ends) == Verdict(stopped="not promising")


def test_a_leader_that_returned_before_the_stop_keeps_its_result():
    gang = begun()
    gang.handle(MemberEnded(CHIEF, ProcessEnd(Phase.FINISHED, GOOD)))
    assert gang.handle(StopRequested("late", 3.0)) == [StopMembers((WORKER, EVALUATOR))]
    assert judge(gang, {}) == Verdict(result=GOOD)


def test_the_first_end_of_a_member_counts():
    gang = begun()
    gang.handle(MemberEnded(CHIEF, ProcessEnd(Phase.FINISHED, GOOD)))
    gang.handle(MemberEnded(CHIEF, ProcessEnd(Phase.DIED, reason="late news")))
    gang.handle(MemberMoved(CHIEF, Phase.RUNNING))
    assert judge(gang, {}).result == GOOD


def test_workers_and_the_evaluator_have_time_after_the_chief():
    gang = begun()
    assert observe(gang, phases(Phase.FINISHED, Phase.RUNNING), 10.0) == []
    assert observe(gang, phases(Phase.FINISHED, Phase.FINISHED), 39.0) == []
    seen = phases(Phase.FINISHED, Phase.FINISHED)
    assert observe(gang, seen, 41.0) == [StopMembers(TWO.members)]


def test_a_worker_that_never_ends_is_not_waited_for_forever():
    gang = begun()
    seen = phases(Phase.FINISHED, Phase.RUNNING, Phase.FINISHED)
    assert observe(gang, seen, 10.0) == []
    assert observe(gang, seen, 69.0) == []
    assert observe(gang, seen, 71.0) == [StopMembers(TWO.members)]


def test_a_group_that_has_returned_is_over_at_once():
    gang = begun()
    done = dict.fromkeys(TWO.members, Phase.FINISHED)
    assert observe(gang, done, 10.0) == [StopMembers(TWO.members)]
    ends = {member: ProcessEnd(Phase.FINISHED, GOOD) for member in TWO.members}
    assert judge(gang, ends).result == GOOD


def test_parameter_servers_and_workers_end_with_the_chief():
    gang = begun(SERVED)
    seen = {**dict.fromkeys(SERVED.members, Phase.RUNNING), SERVED.leader: Phase.FINISHED}
    assert observe(gang, seen, 10.0) == [StopMembers(SERVED.members)]
    assert judge(gang, {SERVED.leader: ProcessEnd(Phase.FINISHED, GOOD)}).result == GOOD


def test_a_server_that_returns_with_the_chief_is_no_mistake_whichever_is_heard_of_first():
    gang = begun(SERVED)
    seen = dict.fromkeys(reversed(SERVED.members), Phase.FINISHED)
    assert observe(gang, seen, 10.0) == [StopMembers(SERVED.members)]
    assert judge(gang, {SERVED.leader: ProcessEnd(Phase.FINISHED, GOOD)}).result == GOOD


def test_a_server_that_returns_while_the_chief_trains_is_a_mistake_of_the_function():
    gang = begun(SERVED)
    seen = {**dict.fromkeys(SERVED.members, Phase.RUNNING), PS: Phase.FINISHED}
    assert observe(gang, seen, 2.0) == [StopMembers(SERVED.members)]
    failure = judge(gang, {PS: ProcessEnd(Phase.FINISHED, GOOD)}).failure
    assert failure.kind == "NotServingError"
    assert "ps-0 returned" in failure.message
    assert "distributed.serve()" in failure.message


def test_a_death_outweighs_the_exceptions_that_it_causes():
    verdict = judge(
        begun(),
        {
            CHIEF: failed("ValueError", "shapes do not match"),
            WORKER: ProcessEnd(Phase.DIED, reason="ended by signal 9"),
            EVALUATOR: ProcessEnd(Phase.STOPPED),
        },
    )
    assert verdict.lost == "worker-0: ended by signal 9"
    assert verdict.failure is None


@pytest.mark.parametrize(
    ("worker", "cut_off"),
    [
        (ProcessEnd(Phase.DIED, reason="cancelled", cut_off=True), True),
        (ProcessEnd(Phase.DIED, reason="ended by signal 9"), False),
        (failed("UnavailableError"), True),
    ],
)
def test_a_group_is_cut_off_if_none_of_its_processes_died(worker, cut_off):
    cut = ProcessEnd(Phase.DIED, reason="cancelled", cut_off=True)
    verdict = judge(begun(), {CHIEF: cut, WORKER: worker, EVALUATOR: cut})
    assert verdict.lost is not None
    assert verdict.cut_off is cut_off


def test_the_users_exception_is_the_failure_and_names_its_process():
    verdict = judge(
        begun(),
        {
            CHIEF: failed("UnavailableError", "Connection reset by peer"),
            WORKER: failed("KeyError", "x"),
            EVALUATOR: ProcessEnd(Phase.STOPPED),
        },
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
    verdict = judge(
        begun(),
        {CHIEF: failed(kind, message), WORKER: ProcessEnd(Phase.STOPPED)},
    )
    assert verdict.failure is None
    assert kind in verdict.lost


def test_time_that_is_up_is_a_failure_and_no_loss():
    verdict = judge(
        begun(),
        {
            CHIEF: ProcessEnd(Phase.DIED, reason="exited with code 1"),
            WORKER: failed("TrialTimeoutError", "stopped after trial_timeout of 5 s"),
        },
    )
    assert verdict.failure.kind == "TrialTimeoutError"


def test_a_leader_that_has_returned_has_done_it_whatever_comes_after():
    verdict = judge(
        begun(),
        {
            CHIEF: ProcessEnd(Phase.FINISHED, GOOD),
            WORKER: ProcessEnd(Phase.DIED, reason="ended by signal 6"),
        },
    )
    assert verdict.result == GOOD


def test_a_failed_leaders_own_report_comes_with_the_failure():
    end = failed("KeyError", "x")
    verdict = judge(begun(), {CHIEF: end, WORKER: failed("UnavailableError")})
    assert (verdict.failure.kind, verdict.reported) == ("KeyError", end.result)
