"""Reports of trials on their way over a Dask scheduler, and what stays there."""

from __future__ import annotations

import sys
from contextlib import contextmanager

import cloudpickle
import distributed
import pytest

from hopsml_flows.cluster import scheduler_topics
from hopsml_flows.cluster.open_cluster import OpenCluster
from hopsml_flows.cluster.trial_reports import TrialReports, report_message
from hopsml_flows.trials import Report, TrialReported
from tests.waiting import wait_until


@pytest.fixture
def cluster():
    """A cluster in this process that stays when a run is over."""
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, dashboard_address="127.0.0.1:0"
    ) as cluster:
        yield cluster


@contextmanager
def run_on(cluster):
    with distributed.Client(cluster, set_as_default=False) as client:
        yield OpenCluster(client, owned=False, most=None, resources={}, mark=None)


def listen(opened, topic, wake=lambda: None):
    reports = TrialReports(opened, topic, wake)
    opened.client.submit(abs, -1).result()  # on the same way: then the scheduler knows
    return reports


def send(opened, topic, *numbers):
    def log(dask_worker):
        for number in numbers:
            message = report_message(number, 1, dask_worker.address, ((0, 0.5), (1, 0.25)))
            dask_worker.log_event(topic, message)
        return dask_worker.address

    return opened.client.run(log)


def test_reports_arrive_and_wake_the_driver(cluster):
    with run_on(cluster) as opened:
        woken = []
        reports = listen(opened, "a topic", lambda: woken.append(1))
        (worker,) = send(opened, "a topic", 3)
        wait_until(lambda: reports.have_come, 30, "the reports")
        (came,) = reports.take()
        assert came.worker == worker
        assert came.event == TrialReported(3, 1, (Report(0.5, 0), Report(0.25, 1)))
        assert woken == [1]
        reports.close()


def test_a_run_leaves_no_topic_on_a_scheduler_that_goes_on(cluster, monkeypatch):
    monkeypatch.setattr(scheduler_topics, "_AGAIN_SECONDS", 0.5)
    with run_on(cluster) as opened:
        reports = listen(opened, "a topic")
        send(opened, "a topic", *range(1, 6))
        wait_until(lambda: len(opened.client.get_events("a topic")) == 5, 30, "the events")
        reports.close()
        # Dask's own list of topics: this fails if Dask keeps them in another way. What unsubscribes
        # may come after the deletion, and is deleted later, too.
        gone = lambda: "a topic" not in cluster.scheduler._broker._topics  # noqa: E731
        wait_until(gone, 30, "the end of the topic")
        send(opened, "a topic", 7)  # by a trial that is being ended
        wait_until(gone, 30, "the end of the topic once more")


def test_a_scheduler_that_lacks_this_package_can_delete_a_topic(cluster, monkeypatch):
    sent = []
    with run_on(cluster) as opened:
        monkeypatch.setattr(opened.client, "run_on_scheduler", sent.append)
        scheduler_topics.delete_topic(opened.client, "a topic")
    packed = cloudpickle.dumps(*sent)
    for name in [name for name in sys.modules if name.startswith("hopsml_flows")]:
        monkeypatch.setitem(sys.modules, name, None)  # importing it is an ImportError
    cluster.scheduler.log_event("a topic", {})
    cloudpickle.loads(packed)(cluster.scheduler)
    assert "a topic" not in cluster.scheduler._broker._topics


def test_a_scheduler_that_is_gone_does_not_matter(cluster):
    with run_on(cluster) as opened:
        reports = listen(opened, "a topic")
        cluster.close()
        reports.close()
