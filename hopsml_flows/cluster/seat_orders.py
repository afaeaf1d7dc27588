"""The driver's calls to the seats of workers: it views and reserves them, and gives them orders.

Each worker is called separately and has 5 s to answer, so a dead worker does not delay the others.
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
    """The workers of a cluster, as seats for the members of process groups.

    Args:
        client: A client of the cluster.
    """

    def __init__(self, client: distributed.Client) -> None:
        self._client = client

    def workers(self) -> list[WorkerFacts]:
        """The workers, with their GPUs and whether they are busy; only those that answer."""
        addresses = list(self._client.scheduler_info(n_workers=-1)["workers"])
        working = self._client.processing()
        views: dict[str, View] = self._ask(_view, dict.fromkeys(addresses, ()))
        return [
            WorkerFacts(address, _host(address), view.gpus, view.busy or bool(working.get(address)))
            for address, view in views.items()
        ]

    def reserve(self, group: str, ports: Mapping[str, int]) -> dict[str, tuple[int, ...]] | None:
        """Reserve the seats of some workers, all or none.

        Args:
            group: The process group.
            ports: Number of ports that each keeps, by the worker's address.

        Returns:
            The ports by the worker's address; None if a seat was not free.
        """
        answers = self._ask(_reserve, {worker: (group, count) for worker, count in ports.items()})
        reserved = {worker: found for worker, found in answers.items() if found is not None}
        if len(reserved) == len(ports):
            return reserved
        self.stop(group, ports)
        return None

    def begin(self, group: str, begins: Mapping[str, Begin]) -> None:
        """Let members of a group begin.

        Args:
            group: The process group.
            begins: What each member needs, by its worker's address.
        """
        order = dict.fromkeys(begins, (group, SeatState.BEGIN, begins))
        self._ask(_tell, order)

    def stop(self, group: str, workers: Iterable[str]) -> None:
        """End members of a group; those that have not begun give up their seats."""
        self._ask(_tell, dict.fromkeys(workers, (group, SeatState.STOP)))

    def gone(self, workers: Iterable[str]) -> set[str]:
        """The given workers that have left the cluster."""
        return set(workers) - set(self._client.nthreads())

    def phases(self, group: str, workers: Iterable[str]) -> dict[str, Phase]:
        """The phases of a group's members, by worker; only those of workers that answer."""
        answers = self._ask(_phase, dict.fromkeys(workers, (group,)))
        return {worker: phase for worker, phase in answers.items() if phase is not None}

    def remove(self, experiment_id: str, trials: list[int]) -> None:
        """Remove what members of some trials shared, on the machines of all workers.

        Args:
            experiment_id: The experiment.
            trials: Numbers of the trials.
        """
        workers = self._client.scheduler_info(n_workers=-1)["workers"]
        self._ask(_remove, dict.fromkeys(workers, (experiment_id, trials)))

    def _ask(
        self, function: Callable[..., Any], calls: Mapping[str, tuple[Any, ...]]
    ) -> dict[str, Any]:
        """Call a function on each worker; return the answers that come in time."""

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
    """The host of a Dask address, with IPv6 in brackets, as TensorFlow writes it."""
    scheme, _, rest = address.partition("://")
    return "127.0.0.1" if scheme == "inproc" else rest.rpartition(":")[0]


# Dask calls these in a worker's event loop.


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
