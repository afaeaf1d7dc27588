"""Preparing a Prefect server for experiments: what ``hopsml setup-prefect`` does.

Each thing is looked up by its name first. A second run changes nothing. A change by hand stays,
unless an option of the command says otherwise.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

import httpx
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import WorkPoolCreate, WorkPoolUpdate
from prefect.client.schemas.objects import StateType
from prefect.events.actions import ChangeFlowRunState
from prefect.events.schemas.automations import Automation, AutomationCore, EventTrigger, Posture
from prefect.exceptions import ObjectNotFound
from prefect.settings import PREFECT_API_URL, get_current_settings

from hopsml_flows.errors import InvalidArgumentError, PrefectServerError
from hopsml_flows.prefect_internals.blocking_calls import call_blocking
from hopsml_flows.server.configured import LOWEST, check_configured, is_too_old
from hopsml_flows.server.intake import INTAKE_SERVICES, INTAKE_SETTINGS
from hopsml_flows.server.project_block import HopsFSProject, loaded_block
from hopsml_flows.storage import Project

__all__ = [
    "AUTOMATION",
    "Change",
    "Done",
    "Wish",
    "heartbeat_seconds",
    "intake_advice",
    "page_advice",
    "set_up",
]

AUTOMATION = "hopsml: dead flow runs have crashed"
"""Name of the automation."""

POOL_LIMIT = 1
"""Flow runs that a new work pool runs at once: an experiment takes the whole machine."""

_MISSED = 3
"""Heartbeats that must be missed before a flow run counts as dead."""

_HEARTBEAT_SECONDS = 180
"""Prefect's own default."""

_LEAST_SECONDS = 10.0
"""Shortest time that Prefect lets an automation wait for an event that does not come."""

_NAME = re.compile(r"[^/%&<>]+")
"""Names that Prefect allows; its own refusal is pydantic's, in the middle of the work."""

_WITHOUT = "without / % & < >"

_LOOPBACK = ("127.0.0.1", "localhost", "::1")

_BLOCK_NAME = re.compile(r"[a-z0-9-]+")


class Change(StrEnum):
    """What the command did with one thing."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True)
class Done:
    """One thing that the server has now.

    Args:
        change: What became of it.
        what: What it is.
    """

    change: Change
    what: str


@dataclass(frozen=True, slots=True)
class Wish:
    """What a server should have.

    Args:
        pool: Name of the work pool, of type process.
        pool_limit: Flow runs it runs at once; None leaves it, or is 1 for a new one.
        dead_after: Seconds without a heartbeat after which a flow run has crashed, at least 10;
            None leaves it, or is three heartbeats for a new automation.
        limits: Global concurrency limits by name.
        project: Project to save as a block, or None.
        block: The block's name.

    Raises:
        InvalidArgumentError: One of them is not what it should be.
    """

    pool: str = "hopsml"
    pool_limit: int | None = None
    dead_after: float | None = None
    limits: Mapping[str, int] = field(default_factory=dict)
    project: str | None = None
    block: str = "hopsml"

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.pool):
            raise InvalidArgumentError("pool", self.pool, f"must be a name {_WITHOUT}")
        if self.project is not None and not _BLOCK_NAME.fullmatch(self.block):
            allowed = "must consist of lowercase letters, digits and dashes"
            raise InvalidArgumentError("block", self.block, allowed)
        if self.pool_limit is not None and self.pool_limit < 1:
            raise InvalidArgumentError("pool_limit", self.pool_limit, "must be at least 1")
        for name, slots in self.limits.items():
            if not _NAME.fullmatch(name):
                raise InvalidArgumentError("limits", name, f"must have names {_WITHOUT}")
            if slots < 1:
                raise InvalidArgumentError(f"limits[{name!r}]", slots, "must be at least 1")
        if self.dead_after is not None and not self.dead_after >= _LEAST_SECONDS:
            raise InvalidArgumentError(
                "dead_after", self.dead_after, f"must be at least {_LEAST_SECONDS:g} s"
            )
        if self.project is not None and Project(self.project).storage_options:
            raise InvalidArgumentError(
                "project",
                Project(self.project).url,
                "must have no password and no options; they go into the block's storage_options, "
                "in the Prefect UI",
            )


def heartbeat_seconds() -> float:
    """Seconds between two heartbeats of a flow run, as they are configured here."""
    return get_current_settings().flows.heartbeat_frequency or _HEARTBEAT_SECONDS


def intake_advice() -> str | None:
    """Advice on how the configured server takes events in; None if it needs none.

    None too where the server does not tell its settings, as Prefect Cloud does not.
    """
    try:
        with get_client(sync_client=True) as client:
            services = client.request("GET", "/admin/settings").json()["server"]["services"]
            one_by_one = any(services[name]["batch_size"] == 1 for name in INTAKE_SERVICES)
            spins = services["task_run_recorder"]["flush_interval"] < 1
    except (httpx.HTTPError, ValueError, LookupError, TypeError):
        return None
    if not (one_by_one or spins):
        return None
    settings = " ".join(f"{name}={value}" for name, value in INTAKE_SETTINGS.items())
    how = (
        "takes events of trials in one by one, at almost three times the processor time"
        if one_by_one
        else "spins, because its task run recorder has a flush interval below one second"
    )
    return f"the server {how}; start it with {settings}"


def page_advice() -> str | None:
    """Advice where the server's page would ask another address for its data; None if it needs none.

    Prefect's page asks port 4200 of the browser's machine unless the server was told its address.
    On another port the page stays blank.
    """
    url = str(PREFECT_API_URL.value())
    try:
        found = httpx.get(f"{url.rstrip('/').removesuffix('/api')}/ui-settings", timeout=10.0)
        asked = httpx.URL(found.json()["api_url"])
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, LookupError, TypeError):
        return None
    here = httpx.URL(url)
    if asked.host not in _LOOPBACK or (here.host in _LOOPBACK and asked.port == here.port):
        return None
    return (
        f"the server's page asks {asked} for its data and will stay blank; start the server with "
        f"PREFECT_SERVER_UI_API_URL={url}"
    )


def set_up(wish: Wish) -> Iterator[Done]:
    """Bring the configured Prefect server to what is wished, one thing after the other.

    Args:
        wish: What it should have.

    Yields:
        What it has now.

    Raises:
        PrefectServerError: None is configured, or it does not answer, or is too old, or
            refuses something.
    """
    url = PREFECT_API_URL.value()
    if not url:
        raise PrefectServerError(
            "no Prefect server is configured: set PREFECT_API_URL, for instance to "
            "http://127.0.0.1:4200/api after `prefect server start`"
        )
    version = check_configured(url)
    if is_too_old(version):
        raise PrefectServerError(
            f"the Prefect server {url} has version {version}, which is too old: nothing was "
            f"changed; update it to {LOWEST} or newer (pip install --upgrade prefect, then "
            "`prefect server start` again)"
        )
    with _refusals(url), get_client(sync_client=True) as client:
        client.read_automations_by_name(AUTOMATION)  # refused before anything is written
        yield _block_type(client)
        if wish.project is not None:
            yield _block(wish.block, Project(wish.project).url)
        yield _work_pool(client, wish.pool, wish.pool_limit)
        for name, slots in wish.limits.items():
            yield _limit(client, name, slots)
        yield _automation(client, wish.dead_after)


@contextmanager
def _refusals(url: str) -> Iterator[None]:
    try:
        yield
    except httpx.HTTPStatusError as error:
        raise PrefectServerError(
            f"the Prefect server {url} refused {error.request.method} {error.request.url.path} "
            f"with {error.response.status_code}: {error.response.text[:500]}"
        ) from error
    except httpx.TransportError as error:
        raise PrefectServerError(
            f"the Prefect server {url} stopped answering ({type(error).__name__})"
        ) from error


def _block_type(client: SyncPrefectClient) -> Done:
    slug = HopsFSProject.get_block_type_slug()
    try:
        client.read_block_type_by_slug(slug)
    except ObjectNotFound:
        change = Change.CREATED
    else:
        change = Change.UNCHANGED
    call_blocking(HopsFSProject.register_type_and_schema)
    return Done(change, f"block type {slug}")


def _block(name: str, url: str) -> Done:
    what = f"block {HopsFSProject.get_block_type_slug()}/{name}: {url}"
    try:
        block = loaded_block(name)
    except ValueError:
        block, change = HopsFSProject(url=url), Change.CREATED
    else:
        if block.url == url:
            return Done(Change.UNCHANGED, what)
        block.url, change = url, Change.UPDATED  # its options may be secrets that others entered
    call_blocking(block.save, name, overwrite=True)
    return Done(change, what)


def _work_pool(client: SyncPrefectClient, name: str, limit: int | None) -> Done:
    from prefect.workers.process import ProcessWorker

    try:
        pool = client.read_work_pool(name)
    except ObjectNotFound:
        pool = client.create_work_pool(
            WorkPoolCreate(
                name=name,
                type=ProcessWorker.type,
                description="Experiments of hopsml-flows, each in a process of the worker's.",
                base_job_template=ProcessWorker.get_default_base_job_template(),
                concurrency_limit=limit or POOL_LIMIT,
            )
        )
        return Done(Change.CREATED, _pool(name, pool.type, pool.concurrency_limit))
    if limit is None or pool.concurrency_limit == limit:
        return Done(Change.UNCHANGED, _pool(name, pool.type, pool.concurrency_limit))
    client.update_work_pool(name, WorkPoolUpdate(concurrency_limit=limit))
    return Done(Change.UPDATED, _pool(name, pool.type, limit))


def _pool(name: str, kind: str, limit: int | None) -> str:
    return f"work pool {name}: type {kind}, {limit or 'any number of'} flow runs at once"


def _limit(client: SyncPrefectClient, name: str, slots: int) -> Done:
    what = f"concurrency limit {name}: {slots}"
    try:
        there = client.read_global_concurrency_limit_by_name(name)
    except ObjectNotFound:
        change = Change.CREATED
    else:
        change = Change.UNCHANGED if there.limit == slots else Change.UPDATED
    if change is not Change.UNCHANGED:
        client.upsert_global_concurrency_limit_by_name(name, slots)
    return Done(change, what)


def _automation(client: SyncPrefectClient, dead_after: float | None) -> Done:
    found = client.read_automations_by_name(AUTOMATION)
    first = found[0] if found else None
    seconds = dead_after or (_seconds_of(first) if first else None) or _MISSED * heartbeat_seconds()
    wanted = _dead_runs_crash(seconds)
    what = f"automation {AUTOMATION!r}: after {seconds:g} s without a heartbeat"
    for double in found[1:]:  # of two that set the server up at once
        client.delete_automation(double.id)
    if first is None:
        client.create_automation(wanted)
        return Done(Change.CREATED, what)
    if _content(first) == _content(wanted) and len(found) == 1:
        return Done(Change.UNCHANGED, what)
    # Whoever switched it off wants it off.
    client.update_automation(first.id, wanted.model_copy(update={"enabled": first.enabled}))
    return Done(Change.UPDATED, what)


def _dead_runs_crash(seconds: float) -> AutomationCore:
    """The automation: a flow run whose heartbeats stop, and that did not end, has crashed.

    Any other event of the run counts as a sign of life, too: one that is paused or waits for a
    retry has no heartbeats.
    """
    return AutomationCore(
        name=AUTOMATION,
        description=(
            "A process that is killed says nothing: without this, Prefect shows its flow run as "
            "running forever. Created by `hopsml setup-prefect`."
        ),
        trigger=EventTrigger(
            posture=Posture.Proactive,
            match={"prefect.resource.id": "prefect.flow-run.*"},
            for_each={"prefect.resource.id"},
            after={"prefect.flow-run.heartbeat"},
            expect={"prefect.flow-run.*"},
            threshold=1,
            within=timedelta(seconds=seconds),
        ),
        actions=[
            ChangeFlowRunState(
                state=StateType.CRASHED,
                message=f"no heartbeat for {seconds:g} s: its process is gone",
            )
        ],
    )


def _seconds_of(automation: Automation) -> float | None:
    trigger = automation.trigger
    return trigger.within.total_seconds() if isinstance(trigger, EventTrigger) else None


def _content(automation: AutomationCore) -> dict[str, object]:
    return automation.model_dump(include={"name", "description", "trigger", "actions"})
