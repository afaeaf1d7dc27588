"""The embedded server's services that store events, which end while they store."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

PROGRAM = """
import asyncio, json, sys, uuid
from datetime import UTC, datetime

from prefect.server.database import provide_database_interface
from prefect.server.events import messaging
from prefect.server.events.schemas.events import Event
from prefect.server.events.services import event_persister
from prefect.server.services import task_run_recorder
from prefect.server.utilities.messaging.memory import Topic
from sqlalchemy import func, select

from hopsml_flows.prefect_internals.server_program import server_application, upgrade_database

begun = asyncio.Event()

async def busy():
    begun.set()
    await asyncio.sleep(0.3)

async def write_slowly(session, events, write=event_persister.write_events):
    execute = session.execute

    async def slow(statement, *args, **kwargs):
        result = await execute(statement, *args, **kwargs)
        if statement.is_insert:  # Prefect commits each of these
            await busy()
        return result

    session.execute = slow
    await write(session=session, events=events)

async def record_slowly(events, record=task_run_recorder.record_bulk_task_run_events):
    await busy()
    await record(events)

event_persister.write_events = write_slowly
task_run_recorder.record_bulk_task_run_events = record_slowly
server_application()

def event():
    return Event(
        id=uuid.uuid4(),
        occurred=datetime.now(UTC),
        event="prefect.task-run.Completed",
        resource={
            "prefect.resource.id": f"prefect.task-run.{uuid.uuid4()}",
            "prefect.orchestration": "client",
        },
        payload={
            "validated_state": {"type": "COMPLETED", "name": "Completed", "state_details": {}},
            "task_run": {"name": "one", "task_key": "train", "dynamic_key": str(uuid.uuid4())},
        },
    ).receive()

def waiting():
    return sum(s._queue.qsize() for s in Topic.by_name("events")._subscriptions)

async def main(service):
    service = service()
    running = asyncio.create_task(service.start())
    await service.started_event.wait()
    await messaging.publish([event() for _ in range(390)])
    while waiting() or not begun.is_set():
        await asyncio.sleep(0.01)
    await service.stop()  # the first batch is being stored, the rest has been taken
    await running
    database = provide_database_interface()
    async with database.session_context() as session:
        tables = (database.Event, database.EventResource, database.TaskRun, database.TaskRunState)
        counts = [(await session.execute(select(func.count()).select_from(table))).scalar()
                  for table in tables]
    print("COUNTS", json.dumps(counts))

asyncio.run(upgrade_database())
asyncio.run(main({
    "events": event_persister.EventPersister, "task runs": task_run_recorder.TaskRunRecorder
}[sys.argv[1]]))
"""


@pytest.mark.parametrize(
    ("stores", "counts"), [("events", [390, 390, 0, 0]), ("task runs", [0, 0, 390, 390])]
)
def test_a_service_that_ends_has_stored_all_that_it_took_in(tmp_path, stores, counts):
    """One that is ended while it stores a batch, with more events behind it than a batch has."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, stores],
        env={
            **os.environ,
            "PREFECT_HOME": str(tmp_path),
            "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_BATCH_SIZE": "200",
            "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE": "200",
        },
        capture_output=True,
        text=True,
        timeout=240,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, done.stderr
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("COUNTS")]
    assert json.loads(line.removeprefix("COUNTS ")) == counts
