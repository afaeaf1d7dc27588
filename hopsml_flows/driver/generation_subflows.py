"""The subflow of a generation, which shows it in the Prefect UI.

The driver's loop submits and collects all trials. A thread holds each subflow's run open from its
first trial to its last result. So generations may overlap, as they do if the search does not wait
for stragglers, and a Prefect server that is slow or away delays the trials only briefly.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from contextvars import ContextVar, copy_context
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from prefect import Task, flow
from prefect.client.schemas.objects import State
from prefect.states import Cancelled, Completed, Failed

from hopsml_flows.prefect_internals.contexts import count_subflows
from hopsml_flows.prefect_internals.log_delivery import console_handlers
from hopsml_flows.text import number_text
from hopsml_flows.trials import Generation, run_name
from hopsml_flows.values.plain import json_value

if TYPE_CHECKING:
    from types import TracebackType

    from hopsml_flows.cluster.runner import Owner

__all__ = ["GenerationRuns", "OwnerSource", "generation"]

_OPEN_SECONDS = 15.0
"""Longest wait for the server to create a subflow run; then trials belong to the parent's."""

_IMPATIENT_SECONDS = 1.0
_CLOSE_SECONDS = 15.0

_held: ContextVar[_Held] = ContextVar("hopsml_generation")
_logger = logging.getLogger(__name__)


def _hold(number: int, experiment: str, population: list[dict[str, Any]]) -> State[Any]:  # noqa: ARG001 - what the UI shows
    """One generation of an experiment, called by the experiment's flow.

    Args:
        number: From 0.
        experiment: The experiment's identifier.
        population: The configurations that it evaluates; if the search does not wait for the end of
            a generation, the parents that it began with.

    Returns:
        The final state; its data are the best and the average metric.
    """
    held = _held.get()
    held.mark_open()
    return held.wait_for_end()


def _run_name() -> str:
    return _held.get().name


# The function keeps its own name, so that it is pickled as that: the flow goes to the workers.
generation = flow(name="generation", flow_run_name=_run_name, persist_result=False)(_hold)


_TASK_KEY = Task(name=generation.name, fn=generation.fn).task_key
"""Key of the task runs by which Prefect represents generations in the experiment's run."""


class OwnerSource(Protocol):
    """Gives the flow run that task runs belong to."""

    def owner(self) -> Owner:
        """The current flow run, to submit task runs that belong to it, from any thread."""


class GenerationRuns:
    """The generation subflows of one experiment.

    Args:
        runner: Submits the trials.
        experiment: The experiment's identifier.
        attempt: Which attempt at the experiment this is, from 1.
    """

    def __init__(self, runner: OwnerSource, experiment: str, attempt: int = 1) -> None:
        self._runner = runner
        self._experiment = experiment
        self._attempt = attempt
        self._open: dict[int, _Held] = {}
        self._owners: dict[int, Owner | None] = {}
        self._ending: list[_Held] = []
        self._patience = _OPEN_SECONDS
        self._quiet = ExitStack()

    def __enter__(self) -> GenerationRuns:
        self._quiet.enter_context(_quiet_consoles())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number in list(self._open):
            self._end(number, Cancelled(message="the experiment was stopped"))
        deadline = time.monotonic() + _CLOSE_SECONDS
        for held in self._ending:
            held.join(deadline)
        self._quiet.close()

    def owner(self, number: int, population: list[dict[str, Any]]) -> Owner | None:
        """The subflow run that a trial of a generation belongs to; opened if it is not.

        Args:
            number: The generation.
            population: Its population.

        Returns:
            None if the Prefect server could not create the run.
        """
        if number not in self._open:
            # Prefect counts calls; a resumed experiment calls only the generations that are left.
            count_subflows(_TASK_KEY, number)
            shown = [json_value("population", params) for params in population]
            name = run_name(f"{self._experiment}-generation-{number}", self._attempt)
            held = _Held(name, self._runner, self._experiment, number, shown)
            self._open[number] = held
            # Asked once per generation, so that all its trials have the same owner.
            owner = self._owners[number] = held.owner(self._patience)
            # Wait less the next time for a server that hangs.
            self._patience = _IMPATIENT_SECONDS if owner is None else _OPEN_SECONDS
        return self._owners[number]

    def close(self, over: Generation) -> None:
        """End a generation's subflow, if it has one, with the generation's result."""
        if over.number not in self._open:
            return
        if over.average is None:
            message = f"all {len(over.results)} trials failed"
            if over.results and over.results[0].failure is not None:
                message += f"; the first one with {over.results[0].failure}"
            self._end(over.number, Failed(message=message))
            return
        best = over.best
        result = {
            "generation": over.number,
            "average": over.average,
            "best": best.metric if best else None,
            "best_params": json_value("best_params", best.params) if best else None,
            "trials": len(over.results),
            "failed": over.failed,
        }
        numbers = {"best": result["best"], "average": over.average}
        message = ", ".join(
            f"{name} {number_text(value)}" for name, value in numbers.items() if value is not None
        )
        self._end(over.number, Completed(message=message, data=result))

    def _end(self, number: int, state: State[Any]) -> None:
        held = self._open.pop(number)
        del self._owners[number]
        held.end(state)
        self._ending.append(held)


@contextmanager
def _quiet_consoles() -> Iterator[None]:
    """Keep Prefect's three lines about each generation's run off the console; the UI has them."""
    consoles = console_handlers(("", "prefect", "prefect.flow_runs"))
    # A new object: a handler keeps equal filters once, and another search may still need its own.
    quiet = partial(_is_no_generation)
    for console in consoles:
        console.addFilter(quiet)
    try:
        yield
    finally:
        for console in consoles:
            console.removeFilter(quiet)


def _is_no_generation(record: logging.LogRecord) -> bool:
    return record.levelno > logging.INFO or getattr(record, "flow_name", None) != generation.name


class _Held:
    """An open subflow run."""

    def __init__(
        self,
        name: str,
        runner: OwnerSource,
        experiment: str,
        number: int,
        population: list[dict[str, Any]],
    ) -> None:
        self.name = name
        self._runner = runner
        self._parameters = {"number": number, "experiment": experiment, "population": population}
        self._owner: Owner | None = None
        self._is_open = threading.Event()
        self._is_over = threading.Event()
        self._state: State[Any] | None = None
        context = copy_context()
        self._thread = threading.Thread(
            target=context.run, args=(self._run,), name=f"hopsml-generation-{number}", daemon=True
        )
        self._thread.start()

    def owner(self, seconds: float) -> Owner | None:
        """The run as the owner of task runs, or None if it is not open within some seconds."""
        self._is_open.wait(seconds)
        return self._owner

    def mark_open(self) -> None:
        """Say, in the subflow's run, that it is open."""
        with suppress(OSError):  # of a cluster that is going down
            self._owner = self._runner.owner()
        self._is_open.set()

    def wait_for_end(self) -> State[Any]:
        """Wait for the end of the generation; return its state."""
        self._is_over.wait()
        assert self._state is not None
        return self._state

    def end(self, state: State[Any]) -> None:
        """Let the subflow's run end; only its thread waits for the server."""
        self._state = state
        self._is_over.set()

    def join(self, deadline: float) -> None:
        """Wait for the end of the subflow's run, at most to a time of the monotonic clock."""
        self._thread.join(max(0.0, deadline - time.monotonic()))

    def _run(self) -> None:
        _held.set(self)
        try:
            generation(**self._parameters, return_state=True)
        except Exception as error:  # the server is away: the trials go on without it
            _logger.warning(
                "the Prefect server does not show generation %s (%s: %s)",
                self._parameters["number"],
                type(error).__name__,
                error,
            )
        finally:
            self._is_open.set()
