"""Bringing a trial's files to storage while it runs and at its end, also when storage fails."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import replace
from uuid import uuid4

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from hopsml_flows.execution import Job, Place, Staging, evaluate, packed, read_committed
from hopsml_flows.execution.files import sync as sync_module
from hopsml_flows.execution.files.sync import WHOLE_UP_TO, Sync
from hopsml_flows.storage import ExperimentPaths, Project, TrialFiles, retries
from hopsml_flows.trials import Failure, State, Trial, TrialResult
from tests.waiting import wait_until

PATHS = ExperimentPaths("e-1")
EVENTS = "events.out.tfevents.1.host"


class Faulty(MemoryFileSystem):
    """A file system that can be taken away, and that remembers what was asked of it."""

    protocol = "faulty"
    cachable = False
    error: Exception | None = None
    failing_writes = 0
    asked: list[tuple[str, str]] = []  # noqa: RUF012 - shared by all on purpose

    def _ask(self, what, path):
        Faulty.asked.append((what, path.rpartition("/")[2]))
        if Faulty.error is not None:
            raise Faulty.error

    def pipe_file(self, path, value, mode="overwrite", **kwargs):
        self._ask("write", path)
        return super().pipe_file(path, value, mode=mode, **kwargs)

    def put_file(self, lpath, rpath, *args, **kwargs):
        self._ask("put", rpath)
        return super().put_file(lpath, rpath, *args, **kwargs)

    def open(self, path, mode="rb", **kwargs):
        if mode == "ab":
            self._ask("append", path)
            if Faulty.failing_writes:
                Faulty.failing_writes -= 1
                with super().open(path, mode, **kwargs) as file:
                    file.write(b"half of it")
                raise OSError("the pipeline broke")
        return super().open(path, mode, **kwargs)

    def cat_file(self, path, *args, **kwargs):
        self._ask("read", path)
        return super().cat_file(path, *args, **kwargs)


@pytest.fixture
def faulty(monkeypatch):
    fsspec.register_implementation("faulty", Faulty, clobber=True)
    monkeypatch.setattr(Faulty, "error", None)
    monkeypatch.setattr(Faulty, "failing_writes", 0)
    monkeypatch.setattr(Faulty, "asked", [])
    monkeypatch.setattr(retries, "PATIENCE_SECONDS", 0.4)
    monkeypatch.setattr(retries, "_FIRST_PAUSE", 0.05)
    return Project(f"faulty://{uuid4().hex}/project")


@pytest.fixture
def sync(faulty, tmp_path):
    def files():
        return sorted(file for file in tmp_path.rglob("*") if file.is_file())

    return Sync(faulty, tmp_path, lambda name: f"t/{name}", files)


def trial_of(attempt=1):
    return Trial(1, "0001-x=1", {"x": 1}, attempt=attempt, directory="0001-x=1")


def finished(metric=0.5):
    return TrialResult(1, "0001-x=1", {"x": 1}, State.FINISHED, metric, {"metric": metric})


def here(name):
    return PATHS.trial("0001-x=1", name)


def add(file, text):
    with file.open("a") as out:
        out.write(text)


# One round while the trial runs.


def test_the_log_and_the_events_arrive_as_they_grow(sync, faulty, tmp_path):
    for text in ("one\n", "two\n"):
        add(tmp_path / "output.log", text)
        add(tmp_path / EVENTS, text)
        sync.round()
        assert faulty.read("t/output.log") == (tmp_path / "output.log").read_bytes()
        assert faulty.read(f"t/{EVENTS}") == (tmp_path / EVENTS).read_bytes()


def test_nothing_is_written_where_nothing_has_changed(sync, faulty, tmp_path):
    (tmp_path / "output.log").write_text("one\n")
    (tmp_path / "model.bin").write_text("m")
    for _ in range(3):
        sync.round()
    Faulty.asked.clear()
    sync.round()
    sync.finish()
    assert Faulty.asked == []


def test_of_a_large_log_only_what_was_added_is_sent(sync, faulty, tmp_path):
    log = tmp_path / "output.log"
    log.write_bytes(b"x" * (WHOLE_UP_TO + 1))
    sync.round()
    add(log, "more")
    Faulty.asked.clear()
    sync.round()
    assert Faulty.asked == [("append", "output.log")]
    assert faulty.read("t/output.log") == log.read_bytes()


def test_after_an_append_of_which_nobody_knows_how_much_arrived_the_file_is_whole_again(
    sync, faulty, tmp_path
):
    log = tmp_path / "output.log"
    log.write_bytes(b"x" * (WHOLE_UP_TO + 1))
    sync.round()
    add(log, "more")
    Faulty.failing_writes = 1
    with pytest.raises(OSError, match="pipeline"):
        sync.round()
    assert faulty.read("t/output.log").endswith(b"half of it")
    sync.round()
    assert faulty.read("t/output.log") == log.read_bytes()
    add(log, "and more")
    sync.round()
    assert faulty.read("t/output.log") == log.read_bytes()
    assert Faulty.asked[-2][0] == "append"


def test_a_file_that_is_still_written_is_not_seen_half_written(sync, faulty, tmp_path):
    model = tmp_path / "model.bin"
    for size in (1, 2, 3):
        model.write_bytes(b"m" * size)
        sync.round()
        assert not faulty.exists("t/model.bin")
    sync.round()
    assert faulty.read("t/model.bin") == b"mmm"


def test_a_checkpoint_that_is_written_anew_in_its_old_size_arrives(sync, faulty, tmp_path):
    (tmp_path / "model.bin").write_bytes(b"old")
    sync.round()
    sync.round()
    time.sleep(0.02)  # longer than the file system's clock ticks
    (tmp_path / "model.bin").write_bytes(b"new")
    sync.finish()
    assert faulty.read("t/model.bin") == b"new"


def test_one_file_that_fails_does_not_keep_the_others_back(sync, faulty, tmp_path, monkeypatch):
    (tmp_path / "events.out.tfevents.1").write_text("a")
    (tmp_path / "output.log").write_text("log")
    replace = Project.replace

    def refusing(self, path, data):
        if "tfevents" in path:
            raise OSError("not this one")
        replace(self, path, data)

    monkeypatch.setattr(Project, "replace", refusing)
    with pytest.raises(OSError, match="not this one"):
        sync.round()
    assert faulty.read("t/output.log") == b"log"


def test_with_only_the_log_nothing_else_arrives_before_the_end(faulty, tmp_path):
    files = [tmp_path / "output.log", tmp_path / EVENTS]
    sync = Sync(faulty, tmp_path, lambda name: f"t/{name}", lambda: files, only_log=True)
    for file in files:
        file.write_text("x")
    sync.round()
    sync.round()
    assert faulty.listdir("t") == ["output.log"]
    sync.finish()
    assert faulty.listdir("t") == [EVENTS, "output.log"]


# The end.


def test_at_the_end_everything_is_there_and_what_was_removed_is_gone(sync, faulty, tmp_path):
    (tmp_path / "checkpoint-1").write_text("old")
    sync.round()
    sync.round()
    (tmp_path / "checkpoint-1").unlink()
    (tmp_path / "sub").mkdir()
    for number in range(20):
        (tmp_path / "sub" / f"file-{number}").write_text(str(number))
    sync.finish()
    assert faulty.listdir("t") == ["sub"]
    assert {faulty.read(f"t/sub/file-{n}") for n in range(20)} == {
        str(n).encode() for n in range(20)
    }


def test_the_end_waits_for_a_storage_that_comes_back(sync, faulty, tmp_path, monkeypatch):
    monkeypatch.setattr(retries, "PATIENCE_SECONDS", 30)
    (tmp_path / "output.log").write_text("log")
    Faulty.error = ConnectionError("no route")
    timer = threading.Timer(0.3, lambda: setattr(Faulty, "error", None))
    timer.start()
    sync.finish()
    assert faulty.read("t/output.log") == b"log"


def test_the_end_does_not_wait_for_what_is_forbidden(sync, faulty, tmp_path, monkeypatch):
    monkeypatch.setattr(retries, "PATIENCE_SECONDS", 30)
    (tmp_path / "output.log").write_text("log")
    Faulty.error = PermissionError("not yours")
    with pytest.raises(PermissionError, match="not yours"):
        sync.finish()
    assert len(Faulty.asked) <= 2  # the write, and the removal of its temporary file


def test_a_request_that_hangs_does_not_hang_the_end(sync, tmp_path, monkeypatch):
    monkeypatch.setattr(sync_module, "PATIENCE_SECONDS", 0.2)
    with sync._lock, pytest.raises(TimeoutError, match="did not answer"):
        sync.finish()


# The thread.


def test_a_running_trials_files_arrive_by_themselves(faulty):
    staging = Staging(faulty, PATHS, trial_of(), local_logdir=False, sync_interval=0.05)
    (staging.path / "output.log").write_text("hello\n")
    (staging.path / EVENTS).write_text("event")
    wait_until(lambda: faulty.exists(here(EVENTS)) and faulty.exists(here("output.log")), 60, "it")
    add(staging.path / "output.log", "again\n")
    wait_until(lambda: faulty.read(here("output.log")) == b"hello\nagain\n", 60, "it")
    assert not faulty.exists(here(".outputs.json"))
    staging.close()


def test_one_thread_serves_all_trials_of_the_process(faulty):
    stagings = [
        Staging(faulty, PATHS, Trial(n, f"{n}", {}, directory=f"{n}"), local_logdir=False,
                sync_interval=0.05)
        for n in range(5)
    ]  # fmt: skip
    for staging in stagings:
        (staging.path / "output.log").write_text("hello")
    logs = [PATHS.trial(f"{n}", "output.log") for n in range(5)]
    wait_until(lambda: all(map(faulty.exists, logs)), 60, "it")
    assert [thread.name for thread in threading.enumerate()].count("hopsml-sync") == 1
    for staging in stagings:
        staging.close()


def test_what_failed_while_the_trial_ran_is_brought_in_a_later_round(faulty):
    staging = Staging(faulty, PATHS, trial_of(), local_logdir=False, sync_interval=0.05)
    Faulty.error = ConnectionError("no route")
    (staging.path / "output.log").write_text("hello")
    wait_until(lambda: ("write", "output.log") in Faulty.asked or len(Faulty.asked) > 2, 60, "it")
    Faulty.error = None
    wait_until(lambda: faulty.exists(here("output.log")), 60, "it")
    staging.close()


def test_files_are_brought_once_more_when_the_time_limit_is_past(faulty):
    staging = Staging(faulty, PATHS, trial_of(), local_logdir=False, sync_interval=3600)
    (staging.path / "output.log").write_text("asked to stop")
    staging.sync_also_in(0.05)
    wait_until(lambda: faulty.exists(here("output.log")), 60, "it")
    staging.close()


def test_a_local_logdir_keeps_event_files_and_lets_the_trials_beginning_through(faulty):
    staging = Staging(faulty, PATHS, trial_of(), local_logdir=True, sync_interval=0.05)
    for name in ("output.log", TrialFiles.HPARAMS, TrialFiles.EVENTS_START, EVENTS):
        (staging.path / name).write_text(name)
    told = {"output.log", TrialFiles.HPARAMS, TrialFiles.EVENTS_START}
    wait_until(lambda: told <= set(faulty.listdir(here(""))), 60, "it")
    staging.sync_also_in(0.0)
    time.sleep(0.2)
    assert set(faulty.listdir(here(""))) == told
    staging.close()


# Whole trials.


def test_the_commit_comes_last(faulty):
    staging = Staging(faulty, PATHS, trial_of(), local_logdir=False)
    for name in ("output.log", ".hparams.json", EVENTS, "image.png"):
        (staging.path / name).write_text(name)
    Faulty.asked.clear()
    logged = {**finished().outputs, "log": here("output.log")}
    assert staging.commit(finished()) == replace(finished(), outputs=logged)
    staging.close()
    names = faulty.listdir(here("").rstrip("/"))
    assert sorted(names) == sorted(
        [".hparams.json", ".metric", ".outputs.json", EVENTS, "image.png", "output.log"]
    )
    newest = max(faulty.entries(here("").rstrip("/")), key=lambda entry: entry.modified)
    assert newest.name == here(".outputs.json")


def test_the_events_of_a_failed_trials_end_come_after_its_log(faulty, monkeypatch):
    def slowly(self, path1, path2, **kwargs):
        if path2.endswith(TrialFiles.LOG):
            time.sleep(0.2)
        MemoryFileSystem.mv(self, path1, path2, **kwargs)
        arrived.append(path2.rpartition("/")[2])

    arrived = []
    monkeypatch.setattr(Faulty, "mv", slowly)
    staging = Staging(faulty, PATHS, trial_of(), local_logdir=False)
    staging.write(TrialFiles.EVENTS_START, "start")
    staging.write(TrialFiles.EVENTS_END, "end")
    add(staging.path / TrialFiles.LOG, "no sevens\n")
    staging.commit(TrialResult.without_report(trial_of(), Failure("ValueError", "no sevens")))
    staging.close()
    assert sorted(arrived[:-1]) == sorted([TrialFiles.EVENTS_START, TrialFiles.LOG])
    assert arrived[-1] == TrialFiles.EVENTS_END


def test_when_storage_stays_away_the_files_are_kept_and_the_failure_says_where(
    faulty, tmp_path, monkeypatch
):
    monkeypatch.setenv("HOPSML_KEPT", str(tmp_path / "kept"))
    staging = Staging(faulty, PATHS, trial_of(), local_logdir=False)
    (staging.path / "output.log").write_text("hours of work\n")
    (staging.path / "sub").mkdir()
    (staging.path / "sub" / "model.bin").write_text("model")
    Faulty.error = ConnectionError("no route to host")
    result = staging.commit(finished())
    staging.close()
    kept = tmp_path / "kept" / "e-1" / "0001-x=1"
    assert result.state is State.FAILED
    assert result.failure.kind == "StorageUnavailableError"
    assert "ConnectionError: no route to host" in result.failure.message
    assert str(kept) in result.failure.message
    assert faulty.full(here("").rstrip("/")) in result.failure.message
    assert (kept / "output.log").read_text() == "hours of work\n"
    assert (kept / "sub" / "model.bin").read_text() == "model"

    # As the message says: what is there, copied to the project, is the committed trial.
    Faulty.error = None
    for file in kept.rglob("*"):
        if file.is_file():
            faulty.upload(file, here(file.relative_to(kept).as_posix()))
    assert read_committed(faulty, PATHS, trial_of()).metric == 0.5


def test_a_failure_of_its_own_is_not_hidden_by_the_storages(faulty, tmp_path, monkeypatch):
    monkeypatch.setenv("HOPSML_KEPT", str(tmp_path / "kept"))
    staging = Staging(faulty, PATHS, trial_of(), local_logdir=False)
    (staging.path / "output.log").write_text("Traceback")
    Faulty.error = PermissionError("not yours")
    failure = Failure("LookupError", "no data", "Traceback …")
    failed = TrialResult(1, "0001-x=1", {"x": 1}, State.FAILED, failure=failure)
    result = staging.commit(failed)
    staging.close()
    assert result.failure.kind == "LookupError"
    assert result.failure.message.startswith("no data; moreover, storage did not take")
    assert (tmp_path / "kept" / "e-1" / "0001-x=1" / "output.log").exists()


def test_files_kept_of_two_attempts_do_not_overwrite_each_other(faulty, tmp_path, monkeypatch):
    monkeypatch.setenv("HOPSML_KEPT", str(tmp_path / "kept"))
    for text in ("first", "second"):
        staging = Staging(faulty, PATHS, trial_of(), local_logdir=False)
        (staging.path / "output.log").write_text(text)
        Faulty.error = PermissionError("no")
        staging.commit(finished())
        staging.close()
    root = tmp_path / "kept" / "e-1"
    assert (root / "0001-x=1" / "output.log").read_text() == "first"
    assert (root / "0001-x=1.2" / "output.log").read_text() == "second"


def test_files_are_kept_elsewhere_where_the_named_directory_cannot_be_written(
    faulty, tmp_path, monkeypatch
):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("HOPSML_KEPT", str(tmp_path / "file" / "kept"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    staging = Staging(faulty, PATHS, trial_of(), local_logdir=False)
    (staging.path / "output.log").write_text("log")
    Faulty.error = PermissionError("no")
    result = staging.commit(finished())
    staging.close()
    kept = tmp_path / "home" / "hopsml_kept" / "e-1" / "0001-x=1"
    assert str(kept) in result.failure.message
    assert (kept / "output.log").read_text() == "log"


def test_another_attempt_goes_on_with_the_log_and_removes_what_else_was_brought(faulty):
    first = Staging(faulty, PATHS, trial_of(), local_logdir=False)
    (first.path / "output.log").write_text("first\n")
    (first.path / "train").mkdir()
    (first.path / "train" / EVENTS).write_text("old")
    first._sync.round()  # and then its worker is killed
    first.close()
    assert faulty.exists(here(f"train/{EVENTS}"))

    second = Staging(faulty, PATHS, trial_of(attempt=2), local_logdir=False)
    assert (second.path / "output.log").read_text() == "first\n"
    assert faulty.listdir(here("").rstrip("/")) == ["output.log"]
    add(second.path / "output.log", "second\n")
    second.commit(finished())
    second.close()
    assert faulty.read(here("output.log")) == b"first\nsecond\n"
    listed = json.loads(faulty.read(here(".outputs.json")))["_commit"]["files"]
    assert {entry["name"] for entry in listed} == {".metric", "output.log"}


def test_whether_a_trial_is_committed_is_asked_again_while_storage_is_away(faulty, monkeypatch):
    monkeypatch.setattr(retries, "PATIENCE_SECONDS", 30)
    Faulty.error = ConnectionError("no route")
    threading.Timer(0.2, lambda: setattr(Faulty, "error", None)).start()
    assert read_committed(faulty, PATHS, trial_of()) is None


def test_a_trial_on_storage_leaves_its_log_and_files_there(faulty, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def training(x):
        print("hello")
        (tmp_path / "plot.png").write_text("png")
        return {"metric": 1, "plot": "plot.png"}

    job = Job(
        function=packed(training, by_value=True), project=faulty, experiment_id="e-1",
        optimization_key="metric", needs_metric=True, local_logdir=False, directory=str(tmp_path),
    )  # fmt: skip
    staging = Staging(job.project, job.paths, trial_of(), local_logdir=False)
    result = staging.commit(evaluate(job, trial_of(), staging, Place()))
    staging.close()
    assert result.succeeded
    assert faulty.read(result.outputs["plot"]) == b"png"
    assert faulty.read(here("output.log")).endswith(b"hello\n")
