"""The driver's state machines keep their promises whatever happens, and replay."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from hopsml_flows.search import Direction, ListSearch
from hopsml_flows.trials import (
    AbandonMembers,
    BeginMembers,
    ClockTicked,
    EndGroup,
    Failure,
    Framework,
    Gang,
    GiveUpTrial,
    GroupEnded,
    GroupShape,
    KeepResult,
    MemberEnded,
    MemberMoved,
    Phase,
    ProcessEnd,
    RetryTrial,
    SeatLost,
    SeatQueue,
    SeatsMissing,
    SeatsTaken,
    SeatTrial,
    SlotsFree,
    State,
    StopMembers,
    StopRequested,
    SubmitTrial,
    TrialDone,
    TrialLoop,
    TrialLost,
    TrialQueued,
    TrialResult,
    TrialReturned,
    TrialStopped,
    TrialWithdrawn,
    replay,
)

TRIAL_ENDS = ("good", "bad", "lost", "stopped", "cut off", "returned")
SHAPES = [
    GroupShape(Framework.MIRRORED, 2, evaluator=True),
    GroupShape(Framework.PARAMETER_SERVER, 1, ps=1),
    GroupShape(Framework.TORCH, 3),
]


def result_of(trial, good):
    return TrialResult(
        trial.number,
        trial.name,
        trial.params,
        State.FINISHED if good else State.FAILED,
        float(trial.number) if good else None,
        failure=None if good else Failure("E", "bad"),
    )


def end_of(trial, kind):
    if kind == "lost":
        return TrialLost(trial.number, "killed")
    if kind == "cut off":
        return TrialLost(trial.number, "cancelled", cut_off=True)
    if kind == "stopped":
        return TrialStopped(trial.number, "not promising")
    if kind == "returned":
        return TrialReturned(trial.number)
    return TrialDone(result_of(trial, kind == "good"))


@given(st.data(), st.integers(0, 12), st.integers(1, 4), st.integers(0, 3), st.integers(0, 2))
def test_each_trial_ends_once_within_its_slots_and_attempts(data, count, slots, ahead, retries):
    def new(**options):
        search = ListSearch([{"x": i} for i in range(count)])
        return TrialLoop(search, direction=Direction.MAX, retries=retries, **options)

    log = []
    loop = new(record=lambda event, said: log.append((event, list(said))))
    running, ends, submissions = {}, Counter(), Counter()
    returns, cuts = Counter(), Counter()
    while not loop.finished:
        kinds = TRIAL_ENDS if sum(returns.values()) < 20 else TRIAL_ENDS[:4]
        if running and data.draw(st.booleans()):
            trial = running.pop(data.draw(st.sampled_from(sorted(running))))
            event = end_of(trial, data.draw(st.sampled_from(kinds)))
            returns[trial.number] += isinstance(event, TrialReturned)
            cuts[trial.number] += isinstance(event, TrialLost) and event.cut_off
        else:
            event = SlotsFree(slots, ahead)
        for said in loop.handle(event):
            match said:
                case SubmitTrial(trial):
                    assert trial.number not in running
                    assert ends[trial.number] == 0
                    running[trial.number] = trial
                    submissions[trial.number] += 1
                case KeepResult(result) | GiveUpTrial(_, result):
                    assert result.number not in running
                    ends[result.number] += 1
                case RetryTrial(trial):
                    assert trial.attempt <= retries + 1 + min(cuts[trial.number], 10)
        assert len(running) == loop.running <= slots + ahead
        assert loop.counts.running <= slots
    assert ends == dict.fromkeys(range(1, count + 1), 1)
    assert all(submissions[n] <= retries + 1 + returns[n] + min(cuts[n], 10) for n in submissions)
    assert replay(new(), [event for event, _ in log]) == [said for _, said in log]


@st.composite
def gang_events(draw, shape):
    members = st.sampled_from(shape.members)
    now, events = 0.0, [ClockTicked(0.0)]
    for _ in range(draw(st.integers(0, 40))):
        now += draw(st.sampled_from([0.0, 0.1, 0.5, 10.0, 40.0]))
        event = draw(
            st.builds(MemberMoved, members, st.sampled_from(Phase))
            | st.builds(MemberEnded, members, st.sampled_from(ENDS))
            | st.builds(SeatLost, members, st.just("killed"))
            | st.just(StopRequested("enough", now))
            | st.just(ClockTicked(now))
        )
        events += [event] if draw(st.booleans()) else [event, ClockTicked(now)]
    return [*events, ClockTicked(now + 100), ClockTicked(now + 200)], now + 300


ENDS = [
    ProcessEnd(Phase.FINISHED, TrialResult(1, "0001", {}, State.FINISHED)),
    ProcessEnd(Phase.DIED, reason="killed"),
    ProcessEnd(Phase.STOPPED),
]


@given(st.data(), st.sampled_from(SHAPES))
def test_a_gang_begins_together_stops_once_and_ends_once(data, shape):
    events, later = data.draw(gang_events(shape))
    # In the end all task runs end, as they do when they were abandoned.
    events += [MemberEnded(member, ProcessEnd(Phase.STOPPED)) for member in shape.members]
    events += [ClockTicked(later), ClockTicked(later + 1)]
    gang, arrived, stops, ends = Gang(shape), set(), 0, 0
    answers = []
    for event in events:
        if isinstance(event, MemberMoved) and event.phase is Phase.ARRIVED:
            arrived.add(event.member)
        still_open = set(gang.open_members)
        answers.append(gang.handle(event))
        for said in answers[-1]:
            assert ends == 0
            match said:
                case BeginMembers(members):
                    assert arrived == set(shape.members)
                    assert stops == 0
                    assert set(members) <= still_open
                case StopMembers(members):
                    stops += 1
                    assert set(members) == still_open
                case AbandonMembers(members):
                    assert set(members) <= still_open
                case EndGroup():
                    ends += 1
                    assert gang.open_members == ()
    assert stops <= 1
    assert ends == 1
    assert replay(Gang(shape), events) == answers


@given(st.data(), st.none() | st.floats(0, 5))
def test_the_queue_seats_each_trial_once_in_order_or_reports_a_shortage(data, wait):
    log = []
    queue = SeatQueue(wait, lambda event, said: log.append((event, list(said))))
    waiting, groups, now = [], 0, 0.0
    for number in range(data.draw(st.integers(0, 30))):
        now += data.draw(st.sampled_from([0.0, 0.2, 1.0]))
        kind = data.draw(st.sampled_from(["queue", "withdraw", "end", "tick"]))
        if kind == "queue":
            waiting.append(number)
            said = queue.handle(TrialQueued(number, 1))
        elif kind == "withdraw" and waiting:
            said = queue.handle(
                TrialWithdrawn(waiting.pop(data.draw(st.integers(0, len(waiting) - 1))))
            )
        elif kind == "end" and groups:
            groups -= 1
            said = queue.handle(GroupEnded())
        else:
            said = queue.handle(ClockTicked(now))
        while said:
            if said != [SeatTrial(waiting[0])]:
                assert groups == 0  # a shortage: no group will free its seats
                break
            if data.draw(st.booleans()):
                waiting.pop(0)
                groups += 1
                said = queue.handle(SeatsTaken())
            else:
                said = queue.handle(SeatsMissing("2 workers", now))
    assert replay(SeatQueue(wait), [event for event, _ in log]) == [said for _, said in log]
