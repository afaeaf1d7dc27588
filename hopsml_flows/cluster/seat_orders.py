"""The driver's way to the seats of its workers: looking, reserving, giving orders.

Each worker is asked by itself and has a limited time to answer, so that one that has died holds
up nobody.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import distributed

from hopsml_flows.execution.group import Begin, SeatState, View, own_seats, remove_shared
from hopsml_flows.trials import Phase, WorkerFacts

__all__ = ["Seating"]

_ANSWER_SECONDS = 5.0


class Seating:
    """The workers of a cluster, as places for the processes of groups.

    Args:
        client: A client of the cluster.
    """

    def __init__(self, client: distributed.Client) -> None:
        self._client = client

    def workers(self) -> list[WorkerFacts]:
        """What there is, and who is busy: workers that do not answer are left out."""
        addresses = list(self._client.scheduler_info(n_workers=-1)["workers"])
        working = self._client.processing()
        views: dict[str, View] = self._asked(_view, dict.fromkeys(addresses, ()))
        return [
            WorkerFacts(address, _host(address), view.gpus, view.busy or bool(working.get(address)))
            for address, view in views.items()
        ]

    def reserve(self, group: str, ports: Mapping[str, int]) -> dict[str, tuple[int, ...]] | None:
        """Reserve the seats of some workers, all or none.

        Args:
            group: Who reserves them.
            ports: How many ports each shall keep, by the worker's address.

        Returns:
            The ports; None where a seat could not be had.
        """
        answers = self._asked(_reserve, {worker: (group, count) for worker, count in ports.items()})
        reserved = {worker: found for worker, found in answers.items() if found is not None}
        if len(reserved) == len(ports):
            return reserved
        self.stop(group, ports)
        return None

    def begin(self, group: str, begins: Mapping[str, Begin]) -> None:
        """Let processes begin.

        Args:
            group: Their group.
            begins: What each needs, by the worker's address.
        """
        order = dict.fromkeys(begins, (group, SeatState.BEGIN, begins))
        self._asked(_tell, order)

    def stop(self, group: str, workers: Iterable[str]) -> None:
        """End a group's processes, or give up their seats where they have not begun."""
        self._asked(_tell, dict.fromkeys(workers, (group, SeatState.STOP)))

    def gone(self, workers: Iterable[str]) -> set[str]:
        """Those of some workers that have left the cluster."""
        return set(workers) - set(self._client.nthreads())

    def phases(self, group: str, workers: Iterable[str]) -> dict[str, Phase]:
        """How far a group's processes are; those without an answer are left out."""
        answers = self._asked(_phase, dict.fromkeys(workers, (group,)))
        return {worker: phase for worker, phase in answers.items() if phase is not None}

    def remove(self, experiment_id: str, trials: list[int]) -> None:
        """Remove what the processes of some trials shared, on the machines of all workers.

        Args:
            experiment_id: The experiment.
            trials: Numbers of its trials.
        """
        workers = self._client.scheduler_info(n_workers=-1)["workers"]
        self._asked(_remove, dict.fromkeys(workers, (experiment_id, trials)))

    def _asked(
        self, function: Callable[..., Any], calls: Mapping[str, tuple[Any, ...]]
    ) -> dict[str, Any]:
        """Call a function on each worker; the answers of those that gave one in time."""

        async def ask() -> dict[str, Any]:
            answers: dict[str, Any] = {}

            async def one(worker: str, arguments: tuple[Any, ...]) -> None:
                answers.update(
                    await self._client.run(
                        function, *arguments, workers=[worker], on_error="ignore"
                    )
                )

            tasks = [asyncio.ensure_future(one(*call)) for call in calls.items()]
            if tasks:
                _, late = await asyncio.wait(tasks, timeout=_ANSWER_SECONDS)
                for task in late:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
            return answers

        found: dict[str, Any] = self._client.sync(ask)
        return found


def _host(address: str) -> str:
    """The host of a Dask address, as TensorFlow writes it: IPv6 in brackets."""
    scheme, _, rest = address.partition("://")
    return "127.0.0.1" if scheme == "inproc" else rest.rpartition(":")[0]


# Called by Dask in a worker's event loop.


def _view(dask_worker: distributed.Worker) -> View:
    return own_seats.view(dask_worker.address)


def _reserve(group: str, ports: int, dask_worker: distributed.Worker) -> tuple[int, ...] | None:
    return own_seats.reserve(dask_worker.address, group, ports)


def _tell(
    group: str,
    state: SeatState,
    begins: Mapping[str, Begin] | None = None,
    *,
    dask_worker: distributed.Worker,
) -> None:
    own_seats.tell(dask_worker.address, group, state, begins)


def _phase(group: str, dask_worker: distributed.Worker) -> Phase | None:
    return own_seats.phase(dask_worker.address, group)


async def _remove(experiment_id: str, trials: list[int]) -> None:
    for number in trials:
        await asyncio.to_thread(remove_shared, experiment_id, number)
