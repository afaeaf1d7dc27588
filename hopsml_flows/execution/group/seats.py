"""The seats of this process's workers. A seat keeps the ports and orders of one group member.

A worker has one seat at a time. The driver reserves the seat, sends the member's task to it, lets
it begin together with the others, asks for its phase, and ends it. The driver does so through Dask:
the functions run in the worker's event loop, and never wait.

A socket that is bound and does not listen keeps a port. A program that sets ``SO_REUSEPORT`` or
``SO_REUSEADDR`` can bind the port too: TensorFlow's gRPC server sets the first, PyTorch's store the
second. A program that asks for any free port does not get this one.
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
"""Time after which a reservation is void if its task has not come."""


class SeatState(Enum):
    """The driver's order to a seat."""

    WAIT = "wait"
    BEGIN = "begin"
    STOP = "stop"


@dataclass(frozen=True, slots=True)
class View:
    """A worker's answer about itself.

    Args:
        gpus: The GPUs that the worker sees.
        busy: Whether its seat is taken.
    """

    gpus: tuple[str, ...]
    busy: bool


@dataclass(frozen=True, slots=True)
class Begin:
    """What a member needs to begin.

    Args:
        variables: Environment variables that make the process a member of its group.
        gpus: The GPUs that the process may use.
    """

    variables: dict[str, str]
    gpus: tuple[str, ...]


@dataclass(slots=True)
class HeldSeat:
    """A worker's seat that is reserved for one member.

    Args:
        group: Identifier of the attempt of the group that it is reserved for.
        ports: The ports that the seat keeps.
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
        """Whether its task has not come in time."""
        return not self.is_taken and time.monotonic() - self._since > LEASE_SECONDS

    def wait(self, seconds: float) -> SeatState:
        """Wait for an order that came after the last call, and return the current order.

        Args:
            seconds: Longest wait.
        """
        self._changed.wait(seconds)
        self._changed.clear()
        return self.state

    def tell(self, state: SeatState, begin: Begin | None = None) -> None:
        """Give the seat an order."""
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
        """A worker's visible GPUs, and whether its seat is taken."""
        with self._lock:
            seat = self._seats.get(worker)
            return View(tuple(visible_gpus()), seat is not None and not seat.is_void)

    def reserve(self, worker: str, group: str, ports: int) -> tuple[int, ...] | None:
        """Reserve the seat of a worker, with free ports.

        Args:
            worker: Address of the worker.
            group: Identifier of the attempt of the group.
            ports: Number of ports.

        Returns:
            The ports; None if the seat is taken.
        """
        with self._lock:
            seat = self._seats.get(worker)
            if seat is not None and not seat.is_void:
                return None
            if seat is not None:
                seat.close()
            sockets = [_keep_port() for _ in range(ports)]
            numbers = tuple(int(held.getsockname()[1]) for held in sockets)
            self._seats[worker] = HeldSeat(group, numbers, sockets)
            return numbers

    def take(self, worker: str, group: str) -> HeldSeat | None:
        """Take the reserved seat for the member's task; None if it is no longer reserved."""
        with self._lock:
            seat = self._seats.get(worker)
            if seat is None or seat.group != group:
                return None
            seat.is_taken = True
            return seat

    def phase(self, worker: str, group: str) -> Phase | None:
        """The phase of a group's process; None if this worker has no seat of that group."""
        with self._lock:
            seat = self._seats.get(worker)
            return None if seat is None or seat.group != group else seat.phase

    def tell(
        self, worker: str, group: str, state: SeatState, begin: Mapping[str, Begin] | None = None
    ) -> None:
        """Give an order to a group's seat; STOP gives the seat back if its task has not come."""
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


def _keep_port() -> socket.socket:
    """Bind a free port, which the returned socket keeps until it is closed."""
    held = socket.socket()
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    held.bind(("", 0))
    return held


def remove_shared(experiment_id: str, number: int) -> None:
    """Remove the directory that the processes of a trial shared on this machine.

    Args:
        experiment_id: The experiment's identifier.
        number: The trial's number.
    """
    shutil.rmtree(group_directory(None, experiment_id, number), ignore_errors=True)


own_seats = Seats()
"""The seats of this process's workers."""
