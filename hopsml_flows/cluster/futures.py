"""The future of a task run on a worker."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from typing import Any, TypeVar

import distributed
from prefect.futures import PrefectFuture, PrefectTaskRunFuture

from hopsml_flows.cluster.remote import Outcome
from hopsml_flows.errors import WorkerLostError

__all__ = ["TrialFuture"]

R = TypeVar("R")


class TrialFuture(PrefectTaskRunFuture[R]):
    """Handle of a submitted task run.

    Once the outcome is here, the Dask future is released: what a worker that dies later held is
    then never computed again.

    Args:
        task_run_id: The task run.
        dask_future: What Dask computes.
        on_lost: Called when the task's worker was lost, with this future and the outcome.
    """

    def __init__(
        self,
        task_run_id: uuid.UUID,
        dask_future: distributed.Future[Outcome],
        on_lost: Callable[[TrialFuture[Any], Outcome], None],
    ) -> None:
        super().__init__(task_run_id)
        self._dask_future: distributed.Future[Outcome] | None = dask_future
        self._outcome: Outcome | None = None
        self._on_lost = on_lost
        self._lock = threading.Lock()

    @property
    def dependency(self) -> Any:
        """What to pass to a task that depends on this one: the Dask future, or the outcome."""
        with self._lock:
            return self._outcome if self._dask_future is None else self._dask_future

    @property
    def done(self) -> bool:
        """Whether there is an outcome, here or on the cluster."""
        future = self._dask_future
        return future is None or bool(future.done())

    def wait(self, timeout: float | None = None) -> None:
        """Wait for the outcome; returns without one when the time is up.

        Args:
            timeout: Longest wait in seconds; None waits for ever.
        """
        try:
            self.outcome(timeout)
        except TimeoutError:
            return

    def result(self, timeout: float | None = None, raise_on_failure: bool = True) -> R:
        """What the task returned.

        Args:
            timeout: Longest wait in seconds; None waits for ever.
            raise_on_failure: Raise the task's exception; otherwise return it.

        Raises:
            TimeoutError: The time is up.
        """
        self.outcome(timeout)
        assert self._final_state is not None
        result: R = self._final_state.result(raise_on_failure=raise_on_failure, _sync=True)  # type: ignore[call-overload]  # `_sync` is hidden from types
        return result

    def outcome(self, timeout: float | None = None) -> Outcome:
        """The final state in short form; waits for it.

        Args:
            timeout: Longest wait in seconds; None waits for ever.

        Raises:
            TimeoutError: The time is up.
        """
        future = self._dask_future
        if future is None:
            assert self._outcome is not None
            return self._outcome
        try:
            outcome = future.result(timeout=timeout)
        except distributed.TimeoutError as error:
            raise TimeoutError(
                f"task run {self.task_run_id} is not done after {timeout} s"
            ) from error
        except Exception as error:
            outcome = self.lost(error)
        self.settle(outcome)
        return self._outcome or outcome

    def settle(self, outcome: Outcome) -> None:
        """Take in the outcome, and let go of the Dask future."""
        with self._lock:
            if self._outcome is not None:
                return
            self._outcome = outcome
            self._final_state = outcome.state()
            future, self._dask_future = self._dask_future, None
        if future is not None:
            future.release()

    def lost(self, error: BaseException) -> Outcome:
        """The outcome of a task whose worker Dask gave up on; reported to the runner."""
        reason = WorkerLostError(f"the worker was lost ({type(error).__name__}: {error})")
        outcome = Outcome("CRASHED", "Crashed", str(reason), error=reason)
        self._on_lost(self, outcome)
        return outcome

    def cancel(self) -> None:
        """Ask Dask not to start the task, if it has not."""
        future = self._dask_future
        if future is not None:
            future.cancel()

    def add_done_callback(self, fn: Callable[[PrefectFuture[R]], None]) -> None:
        """Call a function with this future when it is done, from another thread.

        Args:
            fn: The function.
        """
        future = self._dask_future
        if future is None:
            fn(self)
        else:
            future.add_done_callback(lambda _: fn(self))
