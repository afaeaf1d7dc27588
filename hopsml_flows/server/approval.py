"""Asks a person whether a winner is promoted: a Prefect flow run that is paused with a form.

Prefect's own ``pause_flow_run`` would fail the run when the time is over, and does not look for a
cancellation. This one ends the pause itself, and goes on without an answer.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import httpx
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.responses import SetStateStatus
from prefect.context import FlowRunContext
from prefect.exceptions import PrefectException
from prefect.input import keyset_from_paused_state
from prefect.settings import PREFECT_API_URL
from prefect.states import Paused, Running

from hopsml_flows.errors import InvalidArgumentError
from hopsml_flows.prefect_internals.deployment_slots import give_up_slot
from hopsml_flows.redaction import redacted
from hopsml_flows.server.embedded import embedded_url
from hopsml_flows.text import one_line
from hopsml_flows.trials.confirmation import FORM, Approval, told_approval

if TYPE_CHECKING:
    from prefect.client.schemas.objects import State

__all__ = ["ask_person", "check_answerable"]

_MARGIN_SECONDS = 3600
"""The server fails a paused run whose process is gone, so long after the time for an answer."""

_CANCEL_SECONDS = 60.0
"""So long a run that is being cancelled waits for the signal that ends it."""

_FIRST_PAUSE, _LONGEST_PAUSE, _SHARE = 0.5, 10.0, 0.1
"""Seconds between two looks at the server: a share of the time that has passed."""

_logger = logging.getLogger(__name__)


def check_answerable() -> None:
    """Refuse to ask a person where none can answer.

    Raises:
        InvalidArgumentError: There is no Prefect server but an embedded one.
    """
    if PREFECT_API_URL.value() and embedded_url() is None:
        return
    raise InvalidArgumentError(
        "approve",
        True,
        because="a person answers on a Prefect server, and PREFECT_API_URL names none; the "
        "embedded server ends with the experiments of this machine",
    )


def ask_person(description: str, seconds: float, look: Callable[[], None]) -> Approval:
    """Pause the current flow run until a person resumes it with an answer.

    Args:
        description: What they should know, in Markdown.
        seconds: Longest wait for the answer.
        look: Called from time to time; what it raises ends the wait.

    Returns:
        The answer; or that none came, and why.
    """
    context = FlowRunContext.get()
    assert context is not None
    assert context.flow_run is not None
    question = _Question(context.flow_run.id, seconds)
    try:
        with get_client(sync_client=True) as client:
            refusal = question.ask(client, description)
            if refusal is not None:
                return Approval(None, refusal)
            return question.wait(client, look)
    except (httpx.HTTPError, PrefectException) as error:
        said = redacted(one_line(f"{type(error).__name__}: {error}"))
        return Approval(None, f"no person could be asked ({said})")


class _Question:
    """One question to a person.

    Args:
        flow_run_id: The flow run that is paused.
        seconds: Longest wait for the answer.
    """

    def __init__(self, flow_run_id: UUID, seconds: float) -> None:
        self._run = flow_run_id
        self._seconds = seconds
        # The server pauses a run only once under a key.
        self._state: State[Any] = Paused(
            timeout_seconds=round(seconds) + _MARGIN_SECONDS, pause_key=f"approval-{uuid4().hex}"
        )
        keys = keyset_from_paused_state(self._state)
        self._keys: dict[str, str] = {str(name): key for name, key in keys.items()}
        self._state.state_details.run_input_keyset = self._keys

    def ask(self, client: SyncPrefectClient, description: str) -> str | None:
        """Pause the run; return why that was not possible, or None."""
        running = client.read_flow_run(self._run).state
        if running is not None:
            give_up_slot(running.state_details.deployment_concurrency_lease_id)
        # First the form: whoever sees the paused run can answer.
        for key, value in (("schema", FORM), ("description", description)):
            client.create_flow_run_input(self._run, self._keys[key], json.dumps(value))
        answer = client.set_flow_run_state(self._run, self._state)
        if answer.status is SetStateStatus.ACCEPT:
            return None
        reason = getattr(answer.details, "reason", None) or answer.status.value
        return f"its flow run could not be paused ({one_line(str(reason))})"

    def wait(self, client: SyncPrefectClient, look: Callable[[], None]) -> Approval:
        """Wait for the answer."""
        began = time.monotonic()
        cancelled: float | None = None
        while (waited := time.monotonic() - began) < self._seconds:
            look()
            state = self._seen(client)
            if state is not None and state.is_running():
                return self._answer(client)
            if state is not None and not state.is_paused():
                cancelled = waited if cancelled is None else cancelled
                if not state.is_cancelling() or waited - cancelled > _CANCEL_SECONDS:
                    return Approval(None, f"its flow run became {state.name} meanwhile")
            pause = min(max(_FIRST_PAUSE, _SHARE * waited), _LONGEST_PAUSE)
            time.sleep(max(0.0, min(pause, self._seconds - waited)))
        with suppress(httpx.HTTPError, PrefectException):
            client.set_flow_run_state(self._run, Running())
            found = self._answer(client)  # it may have come just now
            if found.approved is not None:
                return found
        return Approval(None, f"no person answered within {_words(self._seconds)}")

    def _seen(self, client: SyncPrefectClient) -> State[Any] | None:
        """Return the run's state; None where the server does not say it now."""
        try:
            return client.read_flow_run(self._run).state
        except (httpx.HTTPError, PrefectException) as error:
            _logger.debug("the paused flow run %s was not read: %s", self._run, error)
            return None

    def _answer(self, client: SyncPrefectClient) -> Approval:
        try:
            answer = client.read_flow_run_input(self._run, self._keys["response"])
        except httpx.HTTPStatusError as error:
            if error.response.status_code != httpx.codes.NOT_FOUND:
                raise
            answer = None
        return told_approval(answer)


def _words(seconds: float) -> str:
    """Return a time in words."""
    whole = timedelta(seconds=round(seconds))
    return f"{seconds:g} s" if seconds < 60 else str(whole)
