"""A Prefect task runner that submits task runs to a Dask cluster at a few milliseconds each.

It knows nothing of trials and experiments; any flow may use it as its ``task_runner``.
"""

from __future__ import annotations

import hashlib
import queue
import uuid
from collections.abc import Iterable
from contextlib import ExitStack
from typing import Any, TypeVar

import cloudpickle
import distributed
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import RunInput
from prefect.context import serialize_context
from prefect.task_runners import TaskRunner
from prefect.tasks import Task
from prefect.utilities.collections import visit_collection
from prefect.utilities.engine import collect_task_run_inputs_sync

from hopsml_flows.cluster.config import ClusterConfig
from hopsml_flows.cluster.futures import TrialFuture
from hopsml_flows.cluster.opened import OpenCluster, open_cluster
from hopsml_flows.cluster.remote import Call, Outcome, Share, SharedRef, flush_worker, perform

__all__ = ["TrialTaskRunner"]

R = TypeVar("R")

FLUSH_SECONDS = 30.0
"""Longest wait, at the end, for workers to hand their events to the Prefect server."""


class TrialTaskRunner(TaskRunner[TrialFuture[Any]]):
    """Runs Prefect tasks on Dask workers, one a worker thread.

    Prefect's own task engine runs on the worker. The flow run's context and each task's code are
    sent once a worker rather than once a task run, under explicit keys.

    Args:
        cluster: What :meth:`ClusterConfig.parse` reads, or a cluster that is open already and
            stays so. One that is not open is opened at the first submission.
        inherit_tags: Whether task runs get the flow run's tags. Each tag costs a task run a
            request to the server, for concurrency limits.
        console_logs: Whether Prefect's log lines about task runs appear on the workers' consoles,
            besides the Prefect server.
    """

    def __init__(
        self,
        cluster: str | ClusterConfig | OpenCluster = "auto",
        *,
        inherit_tags: bool = True,
        console_logs: bool = True,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._given = cluster if isinstance(cluster, OpenCluster) else ClusterConfig.parse(cluster)
        self._inherit_tags = inherit_tags
        self._console_logs = console_logs
        self._stack = ExitStack()
        self._cluster: OpenCluster | None = None
        self._context_key: str | None = None
        self._shared: set[str] = set()
        self._tasks: dict[int, tuple[Task[Any, Any], str]] = {}
        self._done: queue.SimpleQueue[TrialFuture[Any]] = queue.SimpleQueue()

    def duplicate(self) -> TrialTaskRunner:
        """A new runner with the same settings; an open cluster is shared."""
        return type(self)(
            self._given, inherit_tags=self._inherit_tags, console_logs=self._console_logs
        )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, TrialTaskRunner):
            return NotImplemented
        return (self._given, self._inherit_tags, self._console_logs) == (
            other._given,
            other._inherit_tags,
            other._console_logs,
        )

    __hash__ = None  # type: ignore[assignment]

    def __getstate__(self) -> dict[str, Any]:
        # A flow travels to the workers with its runner; theirs starts nothing unless used.
        given = self._given if isinstance(self._given, ClusterConfig) else ClusterConfig()
        return {"arguments": (given, self._inherit_tags, self._console_logs)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        given, inherit_tags, console_logs = state["arguments"]
        self.__init__(given, inherit_tags=inherit_tags, console_logs=console_logs)  # type: ignore[misc]

    @property
    def cluster(self) -> OpenCluster:
        """The cluster; opened now if it was not."""
        if self._cluster is None:
            if isinstance(self._given, OpenCluster):
                self._cluster = self._given
            else:
                self._cluster = self._stack.enter_context(open_cluster(self._given))
        return self._cluster

    def __exit__(self, *exc_info: object) -> None:
        try:
            if self._cluster is not None:
                self._close()
        finally:
            self._stack.close()
            self._cluster = None
            super().__exit__(*exc_info)

    def share(self, name: str, value: Any) -> SharedRef:
        """Send an object to every worker once; use what is returned as a task's parameter.

        Args:
            name: A word for people; the key is unique anyway.
            value: Anything that cloudpickle takes.
        """
        return SharedRef(self._send(name, cloudpickle.dumps(value)))

    def submit(
        self,
        task: Task[Any, R],
        parameters: dict[str, Any],
        wait_for: Iterable[Any] | None = None,
        dependencies: dict[str, set[RunInput]] | None = None,
    ) -> TrialFuture[R]:
        """Submit a task run.

        Args:
            task: The Prefect task.
            parameters: Its parameters by name; futures of this runner and :meth:`share`'s
                references may be among them.
            wait_for: Futures it waits for.
            dependencies: Task inputs found by the caller.

        Returns:
            Its future.

        Raises:
            RuntimeError: The runner was not entered.
        """
        if not self._started:
            raise RuntimeError("The task runner must be started before submitting work.")
        task_run_id = uuid.uuid4()
        inputs: dict[str, set[Any]] = {
            name: {*collect_task_run_inputs_sync(value)}
            for name, value in parameters.items()
            if not isinstance(value, (SharedRef, str, int, float, bool, bytes, type(None)))
        }
        for name, found in (dependencies or {}).items():
            inputs[name] = {*inputs.get(name, ()), *found}
        waited = list(wait_for) if wait_for else None
        if waited:
            inputs["wait_for"] = {*collect_task_run_inputs_sync(waited)}
        call = Call(self._context(), self._task(task), task_run_id, inputs or None)
        future = TrialFuture[R](
            task_run_id,
            self.cluster.client.submit(
                perform,
                call,
                _dask_ready(parameters),
                _dask_ready(waited),
                key=f"{task.name}-{task_run_id}",
                pure=False,
            ),
            self._on_lost,
        )
        future.add_done_callback(self._done.put)  # type: ignore[arg-type]
        return future

    def next_done(self, timeout: float | None = None) -> list[TrialFuture[Any]]:
        """Wait until a submitted task run is done; take all that are, with their outcomes.

        Outcomes are fetched together, and each future comes out once.

        Args:
            timeout: Longest wait in seconds; None waits for ever.

        Returns:
            The futures, in the order they were done; empty when the time is up.
        """
        try:
            ready = [self._done.get(timeout=timeout)]
        except queue.Empty:
            return []
        while True:
            try:
                ready.append(self._done.get_nowait())
            except queue.Empty:
                break
        finished = {
            id(future): future.dependency
            for future in ready
            if isinstance(future.dependency, distributed.Future)
            and future.dependency.status == "finished"
        }
        if len(finished) > 1:
            fetched = self.cluster.client.gather(list(finished.values()), errors="skip")
            if len(fetched) == len(finished):
                outcomes = dict(zip(finished, fetched, strict=True))
                for future in ready:
                    if id(future) in outcomes:
                        future.settle(outcomes[id(future)])
        for future in ready:
            future.outcome()
        return ready

    def _context(self) -> str:
        if self._context_key is None:
            context = serialize_context()
            # What hydration would only pay for: the parent task, and a version check that fails
            # where the server is away.
            context["task_run_context"] = {}
            if not self._inherit_tags:
                context["tags_context"] = {}
            settings = context["settings_context"]["settings"]
            settings.setdefault("client", {})["server_version_check_enabled"] = False
            # A parent flow may use Prefect's own temporary server, which no setting names; each
            # worker would start another one.
            settings.setdefault("api", {})["url"] = str(get_client(sync_client=True).api_url)
            if not self._console_logs:
                context["console_logs"] = False
            self._context_key = self._send("context", cloudpickle.dumps(context))
        return self._context_key

    def _task(self, task: Task[Any, Any]) -> str:
        known = self._tasks.get(id(task))
        if known is None:
            known = task, self._send(task.name, cloudpickle.dumps(task))
            self._tasks[id(task)] = known  # holds the task: its id stays its own
        return known[1]

    def _send(self, name: str, data: bytes) -> str:
        key = f"{name}-{hashlib.sha256(data).hexdigest()[:16]}-{uuid.uuid4().hex[:8]}"
        self.cluster.client.register_plugin(Share(key, data))
        self._shared.add(key)
        return key

    def _on_lost(self, future: TrialFuture[Any], outcome: Outcome) -> None:
        self.logger.warning("Task run %s: %s", future.task_run_id, outcome.message)

    def _close(self) -> None:
        client = self.cluster.client
        try:
            client.run(flush_worker, FLUSH_SECONDS, on_error="ignore")
            if not self.cluster.owned:
                for key in self._shared:
                    client.unregister_worker_plugin(f"hopsml-share-{key}")
        except (OSError, RuntimeError, TimeoutError) as error:
            # A cluster that went away takes its events with it; results are here already.
            self.logger.warning("The workers could not be flushed: %s", error)


def _dask_ready(value: Any) -> Any:
    """Parameters with this runner's futures replaced by what Dask resolves on the worker."""

    def replace(inner: Any) -> Any:
        return inner.dependency if isinstance(inner, TrialFuture) else inner

    return visit_collection(value, visit_fn=replace, return_data=True)
