"""The package that knows Prefect's private parts: its use, and its being the only one."""

from __future__ import annotations

import ast
import asyncio
import importlib
import inspect
import io
import logging
import re
import threading
import uuid
from concurrent.futures import Future
from pathlib import Path
from unittest.mock import Mock

import prefect.flows
import prefect.futures
import prefect.task_runners
import pytest
from prefect import flow
from prefect.client.schemas.objects import TaskRun
from prefect.context import TaskRunContext
from prefect.events.worker import EventsWorker
from prefect.futures import PrefectConcurrentFuture
from prefect.logging.handlers import APILogHandler, APILogWorker, PrefectConsoleHandler
from prefect.results import ResultRecord, ResultRecordMetadata
from prefect.server.schemas.actions import LogCreate
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.states import Completed, Failed
from prefect.utilities.names import generate_slug

import hopsml_flows
import hopsml_tasks
from hopsml_flows import experiment
from hopsml_flows.errors import ExperimentFailedError, HopsmlError
from hopsml_flows.prefect_internals.blocking_calls import call_blocking
from hopsml_flows.prefect_internals.console_noise import (
    expect_answers,
    expect_no_answers,
    quiet_services,
)
from hopsml_flows.prefect_internals.contexts import (
    serialized_context,
    task_run_context,
    task_run_text,
)
from hopsml_flows.prefect_internals.engine import mapped, result_data, set_final_state, task_inputs
from hopsml_flows.prefect_internals.failure_logs import quiet_failures
from hopsml_flows.prefect_internals.first_states import holding
from hopsml_flows.prefect_internals.flow_sources import forget_source
from hopsml_flows.prefect_internals.log_delivery import (
    console_handlers,
    has_api_handler,
    log_entry_maker,
)
from hopsml_flows.prefect_internals.run_names import is_made_up
from tests.waiting import wait_until

SOURCES = sorted(
    file
    for package in (hopsml_flows, hopsml_tasks)
    for file in Path(package.__path__[0]).rglob("*.py")
    if "prefect_internals" not in file.parts
)
UNDOCUMENTED = {
    "prefect.context": {"SyncClientContext", "hydrated_context", "serialize_context"},
    "prefect.events.worker": None,
    "prefect.logging.handlers": None,
    "prefect.results": {"ResultRecord"},
    "prefect.server": None,
    "prefect.task_engine": None,
    "prefect.flow_engine": None,
    "prefect.utilities.collections": None,
    "prefect.utilities.engine": None,
}
"""Modules of Prefect's, and which of their names; None for all."""

ATTRIBUTES = {"run_results", "task_run_dynamic_keys"} | {
    name
    for module in (prefect.flows, prefect.futures, prefect.task_runners)
    for name in re.findall(r"self\.(_[a-z]\w*)(?:: .+)? = ", Path(module.__file__).read_text())
    if name not in {"_lock", "_started"}  # names that objects without Prefect have as well
}


def undocumented(module, name):
    if any(part.startswith("_") for part in [*module.split("."), name]):
        return True
    return any(
        (module == known or module.startswith(f"{known}.")) and (names is None or name in names)
        for known, names in UNDOCUMENTED.items()
    )


def is_for_types(tree):
    """Nodes under ``if TYPE_CHECKING``, which name a class and do not use it."""
    return {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }


def uses(source):
    """What a module uses of Prefect's that is private or undocumented."""
    tree = ast.parse(source)
    typing = is_for_types(tree)
    for node in ast.walk(tree):
        if node in typing:
            continue
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "prefect":
            yield from (
                f"{node.module}.{name.name}"
                for name in node.names
                if undocumented(node.module, name.name)
            )
        elif isinstance(node, ast.Import):
            yield from (
                name.name
                for name in node.names
                if name.name.startswith("prefect.") and undocumented(name.name, "")
            )
        elif isinstance(node, ast.keyword) and node.arg == "_sync":
            yield "_sync"
        elif isinstance(node, ast.Attribute) and node.attr in ATTRIBUTES and "prefect" in source:
            yield node.attr


@pytest.mark.parametrize("file", SOURCES, ids=lambda file: "/".join(file.parts[-3:]))
def test_no_other_module_uses_what_is_private_in_prefect(file):
    assert list(uses(file.read_text())) == []


@pytest.mark.parametrize(
    "source",
    [
        "from prefect._internal import anything",
        "from prefect.futures import _private",
        "from prefect.server.database import provide_database_interface",
        "import prefect.task_engine",
        "from prefect.context import hydrated_context",
        "import prefect\nblock.save(_sync=True)",
        "import prefect\nfuture._final_state",
        "import prefect\ncontext.task_run_dynamic_keys",
        "import prefect\nflow._storage",
    ],
)
def test_the_check_finds_private_uses(source):
    assert list(uses(source))


def test_a_method_of_two_kinds_waits_also_where_a_loop_runs():
    async def inside():
        return call_blocking(Completed(data=3).result)

    assert asyncio.run(inside()) == 3


def test_a_context_is_serialized_with_what_workers_need():
    @flow
    def anything():
        pass

    with temporary_settings({PREFECT_API_URL: "http://127.0.0.1:9/api"}), prefect.tags("a"):
        tagged = serialized_context(with_tags=True)
        plain = serialized_context(with_tags=False)
    assert set(tagged["tags_context"]["current_tags"]) == {"a"}
    assert plain["tags_context"] == plain["task_run_context"] == {}
    settings = plain["settings_context"]["settings"]
    assert settings["client"]["server_version_check_enabled"] is False
    assert settings["api"]["url"].rstrip("/") == "http://127.0.0.1:9/api"


def test_a_task_run_becomes_the_current_one_elsewhere():
    run = TaskRun(name="one", task_key="k", dynamic_key="d", tags=["t"], flow_run_id=uuid.uuid4())
    text = task_run_text(TaskRunContext.model_construct(task_run=run))
    with task_run_context(text):
        found = TaskRunContext.get().task_run
        assert (found.id, found.name, found.tags) == (run.id, "one", ["t"])
        assert found.flow_run_id == run.flow_run_id
        assert prefect.runtime.task_run.id == str(run.id)
    assert TaskRunContext.get() is None


def test_a_final_state_is_told_to_a_future():
    future = PrefectConcurrentFuture(uuid.uuid4(), Future())
    set_final_state(future, state := Completed(data=1))
    assert future.state is state


def test_a_record_of_a_result_is_unwrapped():
    metadata = ResultRecordMetadata.model_construct(storage_key="k")
    record = ResultRecord.model_construct(result={"a": 1}, metadata=metadata)
    assert result_data(Completed(data=record)) == {"a": 1}
    assert result_data(Failed(data=(error := ValueError("no")))) is error


def test_names_that_prefect_makes_up_are_told_from_those_of_users():
    made = {generate_slug(2) for _ in range(500)}
    made |= {"kappa4-sirius", "alpha-canis-majoris-void", "omega873-barad-dur", "pi-newton-x"}
    assert [name for name in made if not is_made_up(name)] == []
    users = [
        "nightly", "nightly-run", "my-fox", "phi3-finetune", "beta1-sweep", "alpha", "",
        "digits-20260101-120000-ab12cd", "digits-20260101-120000-ab12cd attempt 2",
    ]  # fmt: skip
    assert [name for name in users if is_made_up(name)] == []


def test_inputs_are_found_in_nested_values():
    future = PrefectConcurrentFuture(uuid.uuid4(), Future())
    assert {found.id for found in task_inputs({"a": [future, 1]})} == {future.task_run_id}


def test_nested_values_are_mapped_into_a_copy():
    given = {"a": [1, (2, "x")]}
    assert mapped(given, lambda value: 9 if value == 2 else value) == {"a": [1, (9, "x")]}
    assert given == {"a": [1, (2, "x")]}


def test_console_handlers_are_told_from_those_of_the_server():
    logger = logging.getLogger("hopsml.test.handlers")
    logger.handlers = [console := PrefectConsoleHandler(), APILogHandler()]
    try:
        assert console_handlers([logger.name]) == [console]
        assert has_api_handler(f"{logger.name}.child")
    finally:
        logger.handlers = []
    assert not has_api_handler(logger.name)


@pytest.mark.parametrize(
    ("flow_run_id", "task_run_id"),
    [(uuid.uuid4(), uuid.uuid4()), (None, uuid.uuid4()), (uuid.uuid4(), None)],
)
def test_the_server_takes_a_log_entry(flow_run_id, task_run_id):
    made = log_entry_maker("a.logger", flow_run_id, task_run_id)(20, "a line")
    log = LogCreate.model_validate(made, strict=False)
    assert (log.name, log.level, log.message) == ("a.logger", 20, "a line")
    assert (log.flow_run_id, log.task_run_id) == (flow_run_id, task_run_id)


def test_a_log_entry_is_as_prefect_makes_it():
    flow_run_id, task_run_id = uuid.uuid4(), uuid.uuid4()
    record = logging.LogRecord("a.logger", 20, "f.py", 1, "a line", None, None)
    record.flow_run_id, record.task_run_id = flow_run_id, task_run_id
    theirs = APILogHandler().prepare(record)
    made = log_entry_maker("a.logger", flow_run_id, task_run_id)(20, "a line")
    of_handler = {"__payload_size__", "worker_id", "timestamp"}
    same = {name: value for name, value in theirs.items() if name not in of_handler}
    assert {name: value for name, value in made.items() if name != "timestamp"} == same


def test_a_loaded_flow_forgets_its_source():
    verb = experiment.launch.with_options()
    verb._storage, verb._entrypoint = object(), "elsewhere.py:launch"
    forget_source(verb)
    assert asyncio.run(verb.ato_deployment("mine")).storage is None
    assert verb._entrypoint == f"{verb.fn.__module__}:{verb.fn.__name__}"


def test_the_function_that_sends_states_is_replaced_until_the_last_user_is_done():
    engine = importlib.import_module("prefect.task_engine")
    original = engine.emit_task_run_state_change_event
    watch = "hopsml-first-states"
    with holding():
        replaced = engine.emit_task_run_state_change_event
        with holding():
            assert engine.emit_task_run_state_change_event == replaced != original
        assert engine.emit_task_run_state_change_event == replaced
        assert inspect.signature(replaced).parameters.keys() == (
            inspect.signature(original).parameters.keys()
        )
        assert [thread.name for thread in threading.enumerate()].count(watch) == 1
    assert engine.emit_task_run_state_change_event is original
    wait_until(
        lambda: watch not in {thread.name for thread in threading.enumerate()}, 10, "its end"
    )


def test_what_another_library_puts_over_it_stays(monkeypatch):
    engine = importlib.import_module("prefect.task_engine")
    monkeypatch.setattr(engine, "emit_task_run_state_change_event", beneath := Mock())
    with holding():
        ours = engine.emit_task_run_state_change_event
        monkeypatch.setattr(engine, "emit_task_run_state_change_event", above := Mock())
    assert engine.emit_task_run_state_change_event is above
    ours(TaskRun(task_key="k", dynamic_key="d"), None, Completed())
    beneath.assert_called_once()


def test_states_are_held_again_after_another_library_has_put_the_engines_function_back():
    engine = importlib.import_module("prefect.task_engine")
    original = engine.emit_task_run_state_change_event
    with pytest.MonkeyPatch.context() as library:
        library.setattr(engine, "emit_task_run_state_change_event", Mock())
        with holding():
            library.setattr(engine, "emit_task_run_state_change_event", Mock())
    assert engine.emit_task_run_state_change_event is original
    with holding():
        assert engine.emit_task_run_state_change_event is not original
    assert engine.emit_task_run_state_change_event is original


def test_the_server_is_an_asgi_application():
    server = importlib.import_module("hopsml_flows.prefect_internals.server_program")
    assert callable(server.server_application())
    assert asyncio.iscoroutinefunction(server.provide_database_interface().create_db)
    assert asyncio.iscoroutinefunction(server.provide_database_interface().engine)


FLOW_RUN = logging.LoggerAdapter(logging.getLogger("prefect.flow_runs"), {"flow_run_name": "f"})
"""A logger as Prefect makes one for a flow run."""


@pytest.fixture
def console(monkeypatch):
    """What Prefect's console handler on the root logger shows."""
    (handler,) = [h for h in logging.getLogger().handlers if isinstance(h, PrefectConsoleHandler)]
    stream = io.StringIO()
    monkeypatch.setattr(handler.console, "file", stream)
    monkeypatch.setattr(logging.getLogger("prefect.flow_runs"), "handlers", [])  # no server's
    prefect_logger = logging.getLogger("prefect")
    level = prefect_logger.level
    prefect_logger.setLevel(logging.INFO)  # as where the user set nothing
    yield stream.getvalue
    prefect_logger.setLevel(level)


def log_failure(error):
    """Log what Prefect's engine logs of a flow run that fails."""
    try:
        raise error
    except Exception as raised:
        FLOW_RUN.exception("Encountered exception during execution: %r", raised)
    FLOW_RUN.log(logging.INFO, f"Finished in state Failed('Flow run: {error}')")


def test_the_engine_still_has_the_words_that_are_kept_off_the_console():
    source = inspect.getsource(importlib.import_module("prefect.flow_engine"))
    assert 'self.logger.exception("Encountered exception during execution: %r", exc)' in source
    assert 'msg=f"Finished in state {display_state}"' in source
    assert str(Failed(message="no")).startswith("Failed(")


def test_an_error_that_says_all_is_not_repeated_on_the_console(console):
    with quiet_failures(HopsmlError):
        FLOW_RUN.info("Beginning flow run")
        log_failure(ExperimentFailedError("all failed"))
        FLOW_RUN.info("Finished in state Failed('of another one')")
    shown = console()
    assert "Beginning flow run" in shown
    assert "all failed" not in shown
    assert "Traceback" not in shown
    assert "of another one" in shown


def test_other_errors_and_those_outside_of_the_block_are_shown(console):
    with quiet_failures(HopsmlError):
        log_failure(KeyError("a bug"))
    shown = console()
    assert "Encountered exception during execution: KeyError('a bug')" in shown
    assert "Traceback" in shown
    assert "Finished in state Failed" in shown
    log_failure(ExperimentFailedError("all failed"))
    assert "Encountered exception during execution: ExperimentFailedError" in console()


def test_services_do_not_count_aloud_what_they_still_send(console):
    source = inspect.getsource(importlib.import_module("prefect._internal.concurrency.services"))
    assert 'logging.getLogger(f"{type(self).__name__}")' in source
    assert "Still processing items: " in source
    quiet_services()
    quiet_services()
    for service in (EventsWorker, APILogWorker):
        logger = logging.getLogger(service.__name__)
        logger.warning("Still processing items: 3 items remaining...")
        logger.warning("another message of %s", service.__name__)
    shown = console()
    assert "Still processing" not in shown
    assert "another message of EventsWorker" in shown
    assert "another message of APILogWorker" in shown


def complain(port):
    """Log what Prefect logs of events for a server that does not answer."""
    logging.getLogger("prefect.events.clients").warning(
        "Unable to connect to %r. Please check your network settings. Reason: %s.",
        f"ws://127.0.0.1:{port}/api/events/in",
        "refused",
    )
    logging.getLogger("prefect._internal.concurrency").error(
        "Service %r failed with %s pending items.", "EventsWorker", 2
    )


def test_nothing_is_said_of_events_for_a_server_that_has_ended(caplog, monkeypatch):
    monkeypatch.setattr(logging.getLogger("prefect._internal"), "propagate", True)
    expect_no_answers("http://127.0.0.1:7001/api")
    complain(7001)
    assert caplog.messages == []
    complain(7002)
    assert ["7002" in caplog.messages[0], "EventsWorker" in caplog.messages[1]] == [True, True]
    caplog.clear()
    expect_answers("http://127.0.0.1:7001/api")
    complain(7001)
    # Where Prefect passes its records on, a message is caught twice.
    assert {text.split()[0] for text in caplog.messages} == {"Unable", "Service"}


def test_prefect_still_complains_of_servers_in_these_words():
    clients = inspect.getsource(importlib.import_module("prefect.events.clients"))
    assert '"Unable to connect to %r. "' in clients
    services = inspect.getsource(importlib.import_module("prefect._internal.concurrency.services"))
    assert '"Service %r failed with %s pending items."' in services
    assert importlib.import_module("prefect.events.clients").logger.name == "prefect.events.clients"
    concurrency = importlib.import_module("prefect._internal.concurrency")
    assert concurrency.logger.name == "prefect._internal.concurrency"
