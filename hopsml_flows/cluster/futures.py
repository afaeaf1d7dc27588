"""Futures of task runs on Dask workers."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from typing import Any, TypeVar

import distributed
from prefect.client.schemas.objects import StateType
from prefect.futures import PrefectFuture, PrefectTaskRunFuture

from hopsml_flows.cluster.worker import Outcome
from hopsml_flows.errors import WorkerLostError
from hopsml_flows.prefect_internals.blocking_calls import call_blocking
from hopsml_flows.prefect_internals.engine import set_final_state

__all__ = ["TrialFuture"]

R = TypeVar("R")


def _as_it_is(outcome: Outcome) -> Outcome:
    return outcome


def _not_stored() -> Outcome | None:
    return None


class TrialFuture(PrefectTaskRunFuture[R]):
    """The future of a submitted task run.

    Its Dask future is released once the outcome is here. Dask then never computes the task run
    again, even if the worker that holds its result dies.

    Args:
        task_run_id: The task run.
        name: The task run's name in messages.
        number: Position in the order of submission, from 0. A worker starts the lowest first.
        explain: Finds out the reason of an outcome that says only that a worker died.
        stored: Takes the outcome that the worker has stored on this machine; None if it has not.

    Attributes:
        losses: Number of workers that died with it, whether it had begun or not.
    """

    def __init__(
        self,
        task_run_id: uuid.UUID,
        name: str,
        number: int,
        explain: Callable[[Outcome], Outcome] = _as_it_is,
        stored: Callable[[], Outcome | None] = _not_stored,
    ) -> None:
        super().__init__(task_run_id)
        self.explain = explain
        self._stored = stored
        self.name = name
        self.number = number
        self.losses = 0
        self._dask_future: distributed.Future[Outcome] | None = None
        self._outcome: Outcome | None = None
        self._ends = False
        self._lock = threading.Lock()
        self._ready = threading.Event()
        self._callbacks: list[Callable[[PrefectFuture[R]], None]] = []

    def attach(self, dask_future: distributed.Future[Outcome]) -> None:
        """Set the Dask future that computes this one; after a loss, a new one."""
        with self._lock:
            self._dask_future = dask_future

    @property
    def ends(self) -> bool:
        """Whether :meth:`claim_end` was called, that is, the end of the task run is decided."""
        return self._ends

    def claim_end(self) -> bool:
        """Claim the right to decide how the task run ends; True for the first caller only."""
        with self._lock:
            first, self._ends = not self._ends, True
        return first

    @property
    def dask_future(self) -> distributed.Future[Outcome] | None:
        """The Dask future; None once the outcome is here."""
        return self._dask_future

    @property
    def dependency(self) -> Any:
        """The outcome, or else the Dask future, to pass to a task that depends on this one."""
        with self._lock:
            return self._outcome if self._outcome is not None else self._dask_future

    def wait(self, timeout: float | None = None) -> None:
        """Wait for the outcome, or until the time is up.

        Args:
            timeout: Longest wait in seconds; None waits forever.
        """
        if self._ready.wait(timeout):
            self.outcome()

    def result(self, timeout: float | None = None, raise_on_failure: bool = True) -> R:
        """Wait for what the task returned.

        Args:
            timeout: Longest wait in seconds; None waits forever.
            raise_on_failure: Whether to raise the task's exception; otherwise it is returned.

        Raises:
            TimeoutError: The time is up.
        """
        outcome = self.outcome(timeout)
        if outcome.type == StateType.COMPLETED.value and outcome.error is None:
            value: R = outcome.value  # Prefect would ask another thread for it
            return value
        state = outcome.state()
        result: R = call_blocking(state.result, raise_on_failure=raise_on_failure)
        return result

    def outcome(self, timeout: float | None = None) -> Outcome:
        """Wait for the outcome.

        Args:
            timeout: Longest wait in seconds; None waits forever.

        Raises:
            TimeoutError: The time is up.
        """
        if not self._ready.wait(timeout):
            raise TimeoutError(f"task run {self.task_run_id} is not done after {timeout} s")
        with self._lock:
            outcome, future = self._outcome, self._dask_future
        if outcome is None:
            assert future is not None
            try:
                outcome = self.explain(self._stored() or future.result())
            except Exception as error:
                # The worker died with the result, and so did the one on which Dask ran it again.
                lost = WorkerLostError(f"the result was lost with its worker ({error})")
                outcome = Outcome("CRASHED", "Crashed", str(lost), error=lost)
            self.settle(outcome)
            # Another thread may have been first. It released the Dask future then, and this one
            # found nothing.
            settled = self._outcome
            assert settled is not None
            return settled
        return outcome

    def settle_stored(self) -> None:
        """Set the outcome if the worker has stored it on this machine."""
        if self._dask_future is not None and (outcome := self._stored()) is not None:
            self.settle(self.explain(outcome))

    def mark_ready(self) -> None:
        """Note that the outcome is here or can be fetched, and call the callbacks."""
        with self._lock:
            self._ready.set()
            callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            callback(self)

    def settle(self, outcome: Outcome) -> None:
        """Set the outcome and release the Dask future. Only the first call has an effect."""
        with self._lock:
            if self._outcome is not None:
                return
            self._outcome = outcome
            set_final_state(self, outcome.state())
            future, self._dask_future = self._dask_future, None
        if future is not None:
            future.release()
        self.mark_ready()

    def add_done_callback(self, fn: Callable[[PrefectFuture[R]], None]) -> None:
        """Call a function with this future when it is done, possibly in another thread.

        Args:
            fn: The function.
        """
        with self._lock:
            if not self._ready.is_set():
                self._callbacks.append(fn)
                return
        fn(self)
