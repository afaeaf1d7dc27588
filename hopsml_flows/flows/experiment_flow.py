"""How a verb becomes a Prefect flow.

A verb is written as a function from its arguments to a :class:`Plan`. The flow made of it checks
the arguments before there is a flow run, a server or a process, and then carries the plan out;
called by a deployment, it does both inside the flow run.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar, cast
from uuid import UUID

import httpx
import prefect
from prefect import Flow
from prefect.context import FlowRunContext
from prefect.exceptions import PrefectException
from prefect.settings import PREFECT_API_URL
from prefect.states import Completed

from hopsml_flows.collection_pause import collection_paused
from hopsml_flows.driver.hangup import ended_by_hangup
from hopsml_flows.driver.interruption import explained_interrupts
from hopsml_flows.errors import HopsmlError
from hopsml_flows.execution import check_not_loading
from hopsml_flows.flows.argument_names import check_known
from hopsml_flows.flows.deployable_flow import HOME, DeployableFlow
from hopsml_flows.flows.former_calls import other_verb, renamed
from hopsml_flows.flows.verb_signature import VerbSignature
from hopsml_flows.plan.plan import Plan
from hopsml_flows.prefect_internals.console_noise import quiet_services
from hopsml_flows.prefect_internals.engine import forget_earlier_attempts, link_result
from hopsml_flows.prefect_internals.failure_logs import quiet_failures
from hopsml_flows.server.project_block import block_reference, loaded_project
from hopsml_flows.storage import reach_loopback_directly
from hopsml_flows.trials import ExperimentResult, run_name
from hopsml_flows.user_tracebacks import brief_in_ipython, install
from hopsml_flows.user_warnings import warn

if TYPE_CHECKING:
    from prefect.client.schemas.objects import State

    from hopsml_flows.cluster.early_cluster import EarlyCluster
    from hopsml_flows.cluster.open_cluster import OpenCluster
    from hopsml_flows.plan.retry import Attempt
    from hopsml_flows.server.embedded import ServerStart

__all__ = ["ExperimentFlow", "experiment_flow"]

P = ParamSpec("P")
R = TypeVar("R", bound=ExperimentResult)
S = TypeVar("S", bound=ExperimentResult)

_results: ContextVar[list[_Result] | None] = ContextVar("hopsml_results", default=None)
_called: ContextVar[_Call | None] = ContextVar("hopsml_call", default=None)


@dataclass
class _Call:
    """A verb that was called, rather than started by a deployment.

    Args:
        plan: Its checked plan.
        caller: Number of the attempt of the flow that called it; 0 where none did.
        early: Its cluster, if that is being started already.
        flow_run_id: The flow run that carries it out, once that has begun; Prefect may run it
            several times.
        stamp: The stamp of the attempt after whose experiment the flow run was named.
    """

    plan: Plan
    caller: int
    early: EarlyCluster[OpenCluster] | None = None
    flow_run_id: UUID | None = None
    stamp: str | None = None

    def attempt(self) -> Attempt:
        """The attempt that begins, with the stamp that the flow run's name has, once."""
        stamp, self.stamp = self.stamp, None
        return _current_attempt(self.caller, stamp)

    def run_name(self) -> str:
        """The name of the flow run that begins: its experiment's, once that is known."""
        context = FlowRunContext.get()
        assert context is not None
        assert context.flow_run is not None
        attempt = _current_attempt(self.caller)
        if attempt.number > 1 or self.flow_run_id not in (None, context.flow_run.id):
            return context.flow_run.name  # the driver looks for the experiment to go on with
        self.stamp = attempt.stamp
        return run_name(attempt.experiment(self.plan), self.plan.attempt)


@dataclass(frozen=True, slots=True)
class _Result:
    """What a flow run's function returned, once it has.

    Args:
        value: The experiment's result.
        state: The flow run's final state, with it.
    """

    value: ExperimentResult
    state: State[Any]


class ExperimentFlow(DeployableFlow[P, R], Generic[P, R]):
    """A Prefect flow that runs an experiment; all of ``Flow``'s methods work.

    Args:
        verb: The verb's arguments to a plan.
        returns: What the verb returns.
        **settings: Settings of ``Flow``, such as its name.
    """

    def __init__(self, verb: Callable[P, Plan], returns: type[R], **settings: Any) -> None:
        self._verb = verb
        self._returns = returns
        self._described = VerbSignature.of(verb, returns)
        self._run_name: Callable[[], str] | str | None = None
        settings.setdefault("name", verb.__name__.replace("_", "-"))
        super().__init__(fn=self._body(), **settings)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:  # type: ignore[override]
        """Run the experiment.

        Flow's own call has overloads by ``return_state``, which would hide the verb's arguments
        from type checkers.

        Args:
            *args: The verb's arguments.
            **kwargs: The verb's arguments. Besides, as of every flow: ``return_state`` returns a
                Prefect state instead of the result; ``wait_for`` names futures of the calling
                flow to wait for.

        Returns:
            The experiment's result.

        Raises:
            InvalidArgumentError: An argument is wrong; nothing was started or written.
            ExperimentFailedError: All trials failed.
        """
        check_not_loading()
        if (meant := other_verb(self._verb.__name__, args, kwargs)) is not None:
            return cast("R", meant(*args, **kwargs))
        install()
        given: dict[str, Any] = dict(kwargs)
        return_state = given.pop("return_state", False)
        wait_for = given.pop("wait_for", None)
        signature = self._described.signature
        given = renamed(self._verb.__name__, args, given, list(signature.parameters))
        check_known(self._verb.__name__, given, list(signature.parameters))
        bound = signature.bind(*args, **given)
        reference = block_reference(bound.arguments.get("project"))
        with ExitStack() as stack:
            stack.enter_context(explained_interrupts())  # when all else has been closed
            stack.enter_context(brief_in_ipython())
            if reference:  # the block is on the server
                _enter_server(stack, _start_server(stack))
            plan = self._judged({**bound.arguments, **_loaded(reference)})
            _check_answerable(plan)
            server = _start_server(stack)
            _expect_workers(stack, plan)
            plan = _prepared(plan)
            arguments = plan.parameters(bound.arguments)
            if reference and bound.arguments.get("project"):  # a flow run shows the name
                arguments["project"] = reference
            # Argument errors need not wait for them.
            early = _start_cluster(stack, plan)
            with _start_shown(plan, early):
                _enter_server(stack, server)
            stack.enter_context(prefect.tags(*plan.options.tags))
            stack.callback(_called.reset, _called.set(_Call(plan, _attempt_of_caller(), early)))
            results: list[_Result] = []
            stack.callback(_results.reset, _results.set(results))
            stack.enter_context(ended_by_hangup())
            stack.enter_context(quiet_failures(HopsmlError))  # this call raises and reports them
            quiet_services()
            call = cast("Callable[..., Any]", super().__call__)  # its overloads fit no pass-through
            try:
                result = call(return_state=return_state, wait_for=wait_for, **arguments)
            except (httpx.HTTPError, PrefectException) as error:
                if not results or return_state:
                    raise
                _warn_unrecorded(error)
                return cast("R", results[0].value)
        for returned in results:
            link_result(returned.state, returned.value)
        return cast("R", result)

    @property
    def flow_run_name(self) -> Callable[[], str] | str | None:
        """What names a flow run: what the user set, else the experiment of a verb that was called.

        A run of a deployment has a name before it begins. The driver replaces it where the user
        has not chosen it.
        """
        call = _called.get()
        return self._run_name or (call.run_name if call is not None else None)

    @flow_run_name.setter
    def flow_run_name(self, name: Callable[[], str] | str | None) -> None:
        self._run_name = name

    def plan(self, *args: P.args, **kwargs: P.kwargs) -> Plan:
        """The plan of a call, judged from its arguments alone; nothing runs.

        Args:
            *args: The verb's arguments.
            **kwargs: The verb's arguments.

        Raises:
            InvalidArgumentError: One is wrong; the message names it.
        """
        return replace(self._verb(*args, **kwargs), result_type=self._returns)

    def named_as_before(self, verb: str) -> ExperimentFlow[P, R]:
        """The same verb under the name that it had before.

        Args:
            verb: The older name; records and the flow bear it.
        """
        now = self._verb

        @functools.wraps(now)
        def renamed_verb(*args: P.args, **kwargs: P.kwargs) -> Plan:
            return replace(now(*args, **kwargs), verb=verb)

        renamed_verb.__name__ = renamed_verb.__qualname__ = verb
        renamed_verb.__doc__ = (now.__doc__ or "").replace(f"= {now.__name__}(", f"= {verb}(")
        return ExperimentFlow(renamed_verb, self._returns)

    def as_verb(
        self, verb: str, returns: type[S], *, home: tuple[str, str], experiment_type: str
    ) -> ExperimentFlow[P, S]:
        """The same under the name of another verb, with another class of results.

        Args:
            verb: The other verb's name; records and the flow bear it.
            returns: What it returns.
            home: Module and name under which this flow is found on workers.
            experiment_type: HopsML's kind of experiment.
        """
        now = self._verb

        @functools.wraps(now)
        def other_verb(*args: P.args, **kwargs: P.kwargs) -> Plan:
            return replace(now(*args, **kwargs), verb=verb, experiment_type=experiment_type)

        other_verb.__name__ = verb
        other_verb.__module__, other_verb.__qualname__ = home
        return ExperimentFlow(other_verb, returns)

    def with_options(self, **options: Any) -> ExperimentFlow[P, R]:
        """A copy of this flow with other settings; see ``prefect.Flow.with_options``."""
        changed = super().with_options(**options)
        flow = ExperimentFlow(self._verb, self._returns, name=changed.name)
        own = {name: vars(flow)[name] for name in ("_verb", "_returns", "_described")}
        flow.__dict__.update({**changed.__dict__, **own})
        flow.flow_run_name = changed.flow_run_name
        return flow

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        # Flows travel to workers inside Prefect's context; the verb is there by its name.
        return _found, (self._verb.__module__, self._verb.__qualname__, self.name)

    def _judged(self, arguments: Mapping[str, Any]) -> Plan:
        """The plan of a call, judged from its arguments alone."""
        return cast("Callable[..., Plan]", self.plan)(**arguments)

    def _body(self) -> Callable[P, R]:
        """The flow's function, which carries a plan out."""
        forget_earlier_attempts()  # the function returns a state

        @functools.wraps(self._verb)
        def body(*args: P.args, **kwargs: P.kwargs) -> R:
            with collection_paused():  # imports Dask
                from hopsml_flows.driver.run_experiment import run

            call = _called.get()
            flow_run_id = _flow_run_id()
            if call is None or call.flow_run_id not in (None, flow_run_id):
                # A deployment started it.
                given = self._described.signature.bind(*args, **kwargs).arguments
                reference = block_reference(given.get("project"))
                plan = self._judged({**given, **_loaded(reference)})
                _check_answerable(plan)
                call = _Call(_prepared(plan), 0)
            call.flow_run_id = flow_run_id
            result, final = run(call.plan, call.attempt(), call.early)
            state: State[Any] = Completed(name=final.name, message=final.message, data=result)
            if (results := _results.get()) is not None:
                results.append(_Result(result, state))
            return cast("R", state)  # of which Prefect returns the data

        body.__module__ = HOME
        body.__doc__ = self._described.doc
        # Prefect and pydantic evaluate annotations in this module's names, not the verb's.
        signature = self._described.signature
        body.__signature__ = signature  # type: ignore[attr-defined]
        body.__annotations__ = {p.name: p.annotation for p in signature.parameters.values()}
        return body


def experiment_flow(returns: type[R]) -> Callable[[Callable[P, Plan]], ExperimentFlow[P, R]]:
    """Make a verb a flow; used as a decorator.

    Args:
        returns: What the verb returns.

    Returns:
        The decorator. It takes a function from the verb's arguments to a plan, whose signature and
        docstring become the flow's.
    """

    def decorate(verb: Callable[P, Plan]) -> ExperimentFlow[P, R]:
        return ExperimentFlow(verb, returns)

    return decorate


def _prepared(plan: Plan) -> Plan:
    """The plan, checked against storage and cluster."""
    # Imports Dask and TensorBoard, which argument errors should not have to wait for.
    with collection_paused():
        from hopsml_flows.plan.check import prepare

    return prepare(plan)


def _check_answerable(plan: Plan) -> None:
    """Refuse a plan that asks a person, where none can answer.

    Raises:
        InvalidArgumentError: There is no Prefect server but an embedded one.
    """
    if plan.options.approve:
        with collection_paused():  # imports Prefect's states
            from hopsml_flows.server.approval import check_answerable

        check_answerable()


def _current_attempt(caller: int, stamp: str | None = None) -> Attempt:
    with collection_paused():  # imports what reads records
        from hopsml_flows.plan.retry import Attempt

    return Attempt.current(caller, stamp)


def _expect_workers(stack: ExitStack, plan: Plan) -> None:
    reach_loopback_directly()  # before there is a process that inherits the environment
    with collection_paused():  # imports Dask
        from hopsml_flows.driver.experiment_cluster import expected_workers

    stack.enter_context(expected_workers(plan))


def _start_cluster(stack: ExitStack, plan: Plan) -> EarlyCluster[OpenCluster] | None:
    from hopsml_flows.driver.experiment_cluster import start_early

    early = start_early(plan)
    if early is not None:
        stack.callback(early.close)
    return early


def _start_shown(
    plan: Plan, early: EarlyCluster[OpenCluster] | None
) -> AbstractContextManager[None]:
    """Show in a terminal what is being started, during the start of an embedded server."""
    from hopsml_flows.tracking import show_start

    is_embedded = FlowRunContext.get() is None and not PREFECT_API_URL.value()
    what = "the Prefect server" + (" and the workers" if early is not None else "")
    return show_start(what, show=is_embedded and plan.options.progress)


def _start_server(stack: ExitStack) -> ServerStart | None:
    with collection_paused():
        from hopsml_flows.server.embedded import start_embedded_server

    start = start_embedded_server()
    if start is not None:
        stack.enter_context(start)
    return start


def _enter_server(stack: ExitStack, start: ServerStart | None = None) -> None:
    with collection_paused():
        from hopsml_flows.server.embedded import embedded_server

    stack.enter_context(embedded_server(start))


def _flow_run_id() -> UUID | None:
    context = FlowRunContext.get()
    return context.flow_run.id if context and context.flow_run else None


def _attempt_of_caller() -> int:
    context = FlowRunContext.get()
    return context.flow_run.run_count if context and context.flow_run else 0


def _loaded(reference: str | None) -> dict[str, Any]:
    """The argument that a reference to a block stands for."""
    return {"project": loaded_project(reference)} if reference else {}


def _warn_unrecorded(error: Exception) -> None:
    warn(
        "the experiment is finished and on storage, but the Prefect server could not record "
        f"the end of its flow run ({type(error).__name__}: {error})"
    )


def _found(module: str, verb: str, name: str) -> Flow[..., Any]:
    flow: Flow[..., Any] = getattr(importlib.import_module(module), verb)
    return flow if flow.name == name else flow.with_options(name=name)
