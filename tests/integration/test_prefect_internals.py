"""What the project uses of Prefect's engine that is private or undocumented, on a real server."""

from __future__ import annotations

import threading
import uuid
from contextlib import ExitStack
from contextvars import Context

import pytest
from prefect import flow, task
from prefect.context import FlowRunContext

from hopsml_flows.prefect_internals.contexts import (
    enter_context,
    forget_results,
    serialized_context,
)
from hopsml_flows.prefect_internals.engine import result_data, run_task
from hopsml_flows.prefect_internals.log_delivery import send_all
from tests.servers.prefect import task_runs

pytestmark = pytest.mark.usefixtures("prefect_server")


@task
def double(x):
    return 2 * x


def send_what_is_held():
    """As in a thread without an event loop, and so without pytest's."""
    thread = threading.Thread(target=send_all, args=(30.0,))
    thread.start()
    thread.join()


def test_a_task_runs_in_a_context_from_elsewhere_under_its_known_id():
    known = uuid.uuid4()

    def elsewhere(serialized):
        with ExitStack() as stack:
            enter_context(stack, serialized)
            state = run_task(double, known, {"x": 3}, None, None)
            assert FlowRunContext.get().run_results
            forget_results()
            assert not FlowRunContext.get().run_results
            return result_data(state)

    @flow
    def parent():
        return Context().run(elsewhere, serialized_context(with_tags=True))

    state = parent(return_state=True)
    assert state.result() == 6
    send_what_is_held()
    (run,) = task_runs(state.state_details.flow_run_id, 1)
    assert (run["id"], run["state_type"]) == (str(known), "COMPLETED")
