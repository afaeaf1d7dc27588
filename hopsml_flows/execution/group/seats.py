"""The seats of this worker: each keeps the ports of one process of a group, and takes its orders.

A worker has one seat at a time. Its driver reserves it, sends the process's task to it, lets it
begin together with the others, looks how it does, and ends it; the functions that do so are called
through Dask, in the worker's event loop, and never wait.

A port is kept by a socket that is bound and does not listen. ``SO_REUSEPORT`` and ``SO_REUSEADDR``
let those bind it too that set one of them: TensorFlow's gRPC server sets the first, PyTorch's
store the second. A program that asks for any free port does not get it.
"""

from __future__ import annotations

import shutil
import socket
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from hopsml_flows.execution.devices import visible_gpus
from hopsml_flows.execution.group.member import group_directory
from hopsml_flows.trials import Phase

__all__ = ["Begin", "HeldSeat", "SeatState", "Seats", "View", "own_seats", "remove_shared"]

LEASE_SECONDS = 60.0
"""A reservation whose task does not come is void after so long."""


class SeatState(Enum):
    """What a seat is told."""

    WAIT = "wait"
    BEGIN = "begin"
    STOP = "stop"


@dataclass(frozen=True, slots=True)
class View:
    """What a worker says of itself.

    Args:
        gpus: The GPUs that it sees.
        busy: Whether its seat is taken.
    """

    gpus: tuple[str, ...]
    busy: bool


@dataclass(frozen=True, slots=True)
class Begin:
    """What a process needs to begin.

    Args:
        variables: Environment variables that make it one of the group.
        gpus: The GPUs that it may use.
    """

    variables: dict[str, str]
    gpus: tuple[str, ...]


@dataclass(slots=True)
class HeldSeat:
    """A reserved place for one process.

    Args:
        group: The attempt of the group that it is reserved for.
        ports: Ports that are kept.
    """

    group: str
    ports: tuple[int, ...]
    _sockets: list[socket.socket]
    phase: Phase = Phase.EXPECTED
    is_taken: bool = False
    state: SeatState = SeatState.WAIT
    begin: Begin | None = None
    _since: float = field(default_factory=time.monotonic)
    _changed: threading.Event = field(default_factory=threading.Event)

    @property
    def is_void(self) -> bool:
        """Whether its task has not come for too long."""
        return not self.is_taken and time.monotonic() - self._since > LEASE_SECONDS

    def wait(self, seconds: float) -> SeatState:
        """Wait for an order that was not there at the last call.

        Args:
            seconds: Longest wait.
        """
        self._changed.wait(seconds)
        self._changed.clear()
        return self.state

    def tell(self, state: SeatState, begin: Begin | None = None) -> None:
        """Give an order."""
        self.state = state
        self.begin = begin or self.begin
        self._changed.set()

    def close(self) -> None:
        """Give the ports back."""
        for held in self._sockets:
            held.close()


class Seats:
    """The seats of the workers in this process, by worker."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seats: dict[str, HeldSeat] = {}

    def view(self, worker: str) -> View:
        """Say what a worker has."""
        with self._lock:
            seat = self._seats.get(worker)
            return View(tuple(visible_gpus()), seat is not None and not seat.is_void)

    def reserve(self, worker: str, group: str, ports: int) -> tuple[int, ...] | None:
        """Take the seat of a worker, and free ports.

        Args:
            worker: Address of the worker.
            group: Who takes it.
            ports: How many ports.

        Returns:
            The ports; None where the seat is taken.
        """
        with self._lock:
            seat = self._seats.get(worker)
            if seat is not None and not seat.is_void:
                return None
            if seat is not None:
                seat.close()
            sockets = [_kept_port() for _ in range(ports)]
            numbers = tuple(int(held.getsockname()[1]) for held in sockets)
            self._seats[worker] = HeldSeat(group, numbers, sockets)
            return numbers

    def take(self, worker: str, group: str) -> HeldSeat | None:
        """The seat that was reserved, for the process's task; None where it is no more."""
        with self._lock:
            seat = self._seats.get(worker)
            if seat is None or seat.group != group:
                return None
            seat.is_taken = True
            return seat

    def phase(self, worker: str, group: str) -> Phase | None:
        """How far the process of a group is; None where this worker has none, or no more."""
        with self._lock:
            seat = self._seats.get(worker)
            return None if seat is None or seat.group != group else seat.phase

    def tell(
        self, worker: str, group: str, state: SeatState, begin: Mapping[str, Begin] | None = None
    ) -> None:
        """Give an order to a group's seat; one that waits for its task in vain is given up."""
        with self._lock:
            seat = self._seats.get(worker)
            if seat is None or seat.group != group:
                return
            seat.tell(state, (begin or {}).get(worker))
            if state is SeatState.STOP and not seat.is_taken:
                seat.close()
                del self._seats[worker]

    def leave(self, worker: str, group: str) -> None:
        """Give a seat back."""
        with self._lock:
            seat = self._seats.get(worker)
            if seat is not None and seat.group == group:
                seat.close()
                del self._seats[worker]


def _kept_port() -> socket.socket:
    held = socket.socket()
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    held.bind(("", 0))
    return held


def remove_shared(experiment_id: str, number: int) -> None:
    """Remove what the processes of a trial shared on this machine.

    Args:
        experiment_id: The experiment.
        number: The trial's number.
    """
    shutil.rmtree(group_directory(None, experiment_id, number), ignore_errors=True)


own_seats = Seats()
"""Those of this process."""
