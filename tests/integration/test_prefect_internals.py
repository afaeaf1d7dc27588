"""What the project uses of Prefect's engine that is private or undocumented, on a real server."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
import uuid
from contextlib import ExitStack
from contextvars import Context

import pytest
from prefect import Task, flow, task
from prefect.client.schemas.objects import StateDetails, TaskRun
from prefect.concurrency._leases import maintain_concurrency_lease
from prefect.context import FlowRunContext
from prefect.states import Completed, Failed, Pending

from hopsml_flows.prefect_internals import first_states
from hopsml_flows.prefect_internals.contexts import (
    count_subflows,
    enter_context,
    forget_results,
    serialized_context,
)
from hopsml_flows.prefect_internals.deployment_slots import give_up_slot
from hopsml_flows.prefect_internals.engine import result_data, run_task, send_state_change
from hopsml_flows.prefect_internals.first_states import first_states_of, holding
from hopsml_flows.prefect_internals.log_delivery import log_entry_maker, log_worker, send_all
from tests.servers.prefect import Client, task_runs
from tests.waiting import eventually

pytestmark = pytest.mark.usefixtures("prefect_server")


@task
def double(x):
    return 2 * x


@task
async def halve(x):
    return x / 2


@flow
def child(number):
    return number


def send_what_is_held():
    """As in a thread without an event loop, and so without pytest's."""
    thread = threading.Thread(target=send_all, args=(30.0,))
    thread.start()
    thread.join()


@pytest.mark.parametrize(("work", "result"), [(double, 600), (halve, 150.0)])
def test_a_task_runs_in_a_context_from_elsewhere_under_its_known_id(work, result):
    known = uuid.uuid4()

    def elsewhere(serialized):
        with ExitStack() as stack:
            enter_context(stack, serialized)
            state = run_task(work, known, {"x": 300}, None, None)
            assert FlowRunContext.get().run_results  # Prefect keeps none of small integers
            forget_results()
            assert not FlowRunContext.get().run_results
            return result_data(state)

    @flow
    def parent():
        return Context().run(elsewhere, serialized_context(with_tags=True))

    state = parent(return_state=True)
    assert state.result() == result
    send_what_is_held()
    (run,) = task_runs(state.state_details.flow_run_id, 1)
    assert (run["id"], run["state_type"]) == (str(known), "COMPLETED")


@task
def outer():
    return double(3)


@task
async def pause(seconds):
    await asyncio.sleep(seconds)


def names_of_states(run):
    with Client() as client:
        states = client.get("/task_run_states/", params={"task_run_id": run["id"]}).json()
        return [state["name"] for state in sorted(states, key=lambda state: state["timestamp"])]


def test_first_states_of_a_short_task_run_are_dropped_and_those_of_others_are_sent(monkeypatch):
    short, long, waiting = uuid.uuid4(), uuid.uuid4(), uuid.uuid4()

    @flow
    def parent():
        with holding():
            for known, work, inputs, seconds in (
                (long, pause, {"seconds": 2.0}, 0.5),
                (short, outer, {}, 60.0),
            ):
                monkeypatch.setattr(first_states, "HOLD_SECONDS", seconds)
                with first_states_of(known):
                    run_task(work, known, inputs, None, None)
            with first_states_of(waiting):
                failed = Failed(state_details=StateDetails(task_run_id=short))
                run_task(double, waiting, {"x": failed}, None, None)

    state = parent(return_state=True)
    send_what_is_held()
    flow_run = {"flow_runs": {"id": {"any_": [str(state.state_details.flow_run_id)]}}}
    with Client() as client:
        runs = eventually(
            lambda: {run["name"]: run for run in client.found("task_runs", flow_run)},
            lambda runs: (
                sorted(run["state_name"] for run in runs.values())
                == ["Completed", "Completed", "Completed", "NotReady"]
            ),
        )
    states = {name.rpartition("-")[0]: [] for name in runs}
    for name, run in runs.items():
        states[name.rpartition("-")[0]].append(names_of_states(run))
    all_states = ["Pending", "Running", "Completed"]
    assert states["outer"] == [["Completed"]]
    assert states["pause"] == [all_states]
    assert sorted(states["double"]) == [["Pending", "NotReady"], all_states]


def test_a_subflow_is_known_by_the_number_it_was_given():
    @flow
    def parent():
        count_subflows(Task(name=child.name, fn=child.fn).task_key, 7)
        child(7, return_state=True)

    state = parent(return_state=True)
    send_what_is_held()
    runs = task_runs(state.state_details.flow_run_id, 1)
    assert [run["dynamic_key"] for run in runs] == ["7"]


def test_a_state_and_a_log_entry_that_the_driver_sends_arrive(task_run_logs):
    known = uuid.uuid4()

    @flow
    def parent():
        flow_run_id = FlowRunContext.get().flow_run.id
        details = StateDetails(task_run_id=known, flow_run_id=flow_run_id)
        before, state = Pending(state_details=details), Completed(state_details=details)
        run = TaskRun(
            id=known,
            name="sent",
            flow_run_id=flow_run_id,
            task_key=double.task_key,
            dynamic_key=str(known),
            expected_start_time=before.timestamp,
            state_id=state.id,
            state_type=state.type,
            state_name=state.name,
            state=state,
        )
        send_state_change(run, before, state)
        log_worker().send(log_entry_maker("a.logger", flow_run_id, known)(logging.INFO, "a line"))
        return flow_run_id

    flow_run_id = parent()
    send_what_is_held()
    (run,) = task_runs(flow_run_id, 1)
    assert (run["id"], run["name"], run["state_type"]) == (str(known), "sent", "COMPLETED")
    assert "a line" in str(task_run_logs(str(flow_run_id), 1))


@pytest.mark.parametrize("is_given_up", [True, False])
def test_a_run_outlives_the_slot_that_it_has_given_up_and_no_other(prefect_server, is_given_up):
    """The server knows no such lease: as of a run that was paused."""
    lease, ended = uuid.uuid4(), []

    def hold():
        try:
            with maintain_concurrency_lease(lease, 300, raise_on_lease_renewal_failure=True):
                name = f"concurrency-lease-renewal-{lease}"
                for _ in range(600):
                    if not any(thread.name == name for thread in threading.enumerate()):
                        break
                    time.sleep(0.1)
        except BaseException as error:  # Prefect's is no Exception
            ended.append(error)

    if is_given_up:
        give_up_slot(lease)
    else:
        give_up_slot(uuid.uuid4())
    run = threading.Thread(target=hold)
    run.start()
    run.join(90)
    assert not run.is_alive()
    assert bool(ended) is not is_given_up
