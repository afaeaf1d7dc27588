"""Topics of structured events on a Dask scheduler: how to be rid of one.

This is the only place that uses what Dask does not document of its topics.
"""

from __future__ import annotations

import distributed

from hopsml_flows.storage.time_limit import within

__all__ = ["delete_topic"]

_ANSWER_SECONDS = 5.0
"""Longest wait for the scheduler."""

_AGAIN_SECONDS = 60.0
"""When the scheduler deletes the topic once more: workers may have been about to log."""


def delete_topic(client: distributed.Client, topic: str) -> None:
    """Delete a topic and its events from a scheduler that continues to run.

    Dask keeps each topic, with its last 1,000 events, for as long as the scheduler lives, and has
    no call that deletes one.

    Args:
        client: A client of the cluster.
        topic: The topic, which has no subscribers.

    Raises:
        OSError: The scheduler is gone.
        TimeoutError: It did not answer within 5 s.
        Exception: It does not keep topics as this version of Dask does, or does not run functions.
    """
    again = _AGAIN_SECONDS

    # A local function is pickled by value: the scheduler may lack this package.
    def delete(dask_scheduler: distributed.Scheduler) -> None:
        topics = dask_scheduler._broker._topics  # noqa: SLF001 - Dask has nothing public for it
        topics.pop(topic, None)
        dask_scheduler.loop.call_later(again, topics.pop, topic, None)

    within(_ANSWER_SECONDS, lambda: client.run_on_scheduler(delete), "the scheduler")
