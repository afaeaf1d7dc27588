"""A client whose scheduler is gone says so, whichever of its calls finds it out."""

from __future__ import annotations

import os
import uuid

import distributed
import pytest

from hopsml_flows.cluster.begin_marks import clear_beginnings, has_begun
from hopsml_flows.cluster.deaths import why_died
from hopsml_flows.cluster.scheduler_client import SchedulerClient
from hopsml_flows.cluster.scheduler_topics import delete_topic
from hopsml_flows.cluster.seat_orders import Seating
from hopsml_flows.cluster.worker_calls import on_all_workers, on_one_worker

CALLS = {
    "submit": lambda client: client.submit(sum, [1]),
    "nthreads": lambda client: client.nthreads(),
    "processing": lambda client: client.processing(),
    "get_events": lambda client: client.get_events("topic"),
    "get_worker_logs": lambda client: client.get_worker_logs(nanny=True),
    "scheduler_info": lambda client: client.scheduler_info(n_workers=-1),
    "subscribe_topic": lambda client: client.subscribe_topic("topic", print),
    "unsubscribe_topic": lambda client: client.unsubscribe_topic("topic"),
    "register_plugin": lambda client: client.register_plugin(distributed.WorkerPlugin()),
    "unregister_worker_plugin": lambda client: client.unregister_worker_plugin("name"),
    "on_all_workers": lambda client: on_all_workers(client, 5, os.getpid),
    "on_one_worker": lambda client: on_one_worker(client, "tcp://127.0.0.1:1", 5, os.getpid),
    "delete_topic": lambda client: delete_topic(client, "topic"),
    "has_begun": lambda client: has_begun(client, uuid.uuid4()),
    "why_died": lambda client: why_died(client, "tcp://127.0.0.1:1", owned=False),
    "workers": lambda client: Seating(client).workers(),
    "gone": lambda client: Seating(client).gone(["tcp://127.0.0.1:1"]),
}


@pytest.fixture(scope="module")
def closed_client():
    with distributed.LocalCluster(
        n_workers=0, processes=False, dashboard_address=":0"
    ) as cluster:  # fmt: skip
        client = SchedulerClient(cluster)
        assert client.nthreads() == {}
        client.close()
        yield client


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_call_of_a_client_without_its_scheduler_is_a_connection_error(closed_client, call):
    with pytest.raises(ConnectionError, match="scheduler is gone"):
        call(closed_client)


def test_clearing_marks_of_a_scheduler_that_is_gone_is_no_error(closed_client):
    clear_beginnings(closed_client, [uuid.uuid4()])


def test_an_error_of_a_call_passes_while_the_scheduler_is_there():
    with (
        distributed.LocalCluster(
            n_workers=1, threads_per_worker=1, processes=False, dashboard_address=":0"
        ) as cluster,
        SchedulerClient(cluster) as client,
    ):
        with pytest.raises(ZeroDivisionError):
            client.run(lambda: 1 / 0)
        assert client.submit(sum, [1, 2]).result() == 3
