"""A trial's files: written locally, brought to the project, committed last.

On a local project the trial's own directory is the staging directory, and there is nothing to
bring. Elsewhere, or with ``local_logdir=True``, it is a temporary directory whose files are brought
while the trial runs and at its end, also after a failure. Where storage does not take them in the
end, they are moved to a directory that stays, and the trial has failed.
"""

from __future__ import annotations

import hashlib
import shutil
import socket
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from hopsml_flows.errors import StorageUnavailableError
from hopsml_flows.execution.files.attachments import Attachments, Terms
from hopsml_flows.execution.files.copies import copy_whole
from hopsml_flows.execution.files.kept_files import keep, kept_place
from hopsml_flows.execution.files.sync import SYNC_SECONDS, Sync
from hopsml_flows.storage import (
    ExperimentPaths,
    Project,
    TrialFiles,
    has_no_room,
    is_of_experiment,
)
from hopsml_flows.storage.interface import is_temporary
from hopsml_flows.storage.retries import answer_limit, persistently, replace_file
from hopsml_flows.trials import LOG, Failure, State, Trial, TrialResult, commit_text

__all__ = ["Staging", "taken_over"]

_CHUNK = 1 << 20

_BEGINS = frozenset({TrialFiles.HPARAMS, TrialFiles.EVENTS_START})
"""Files that are written before the function is called."""


class Staging:
    """The local directory of one attempt of one trial.

    Args:
        project: Where the trial's files go.
        paths: The experiment's paths.
        trial: The trial.
        local_logdir: Keep everything but the log, and what says that the trial began, in a
            temporary directory until the end.
        scratch: Where that is made; None for the system's place.
        resumed: Whether an earlier run may have left files of this trial.
        sync_interval: Seconds between two times that files are brought while the trial runs.
    """

    def __init__(
        self,
        project: Project,
        paths: ExperimentPaths,
        trial: Trial,
        *,
        local_logdir: bool,
        scratch: str | None = None,
        resumed: bool = False,
        sync_interval: float = SYNC_SECONDS,
    ) -> None:
        self._project = project
        self._paths = paths
        self._trial = trial
        self._written: dict[str, tuple[int, str]] = {}
        self._empty: list[Path] = []
        self._unwritten: dict[str, bytes] = {}
        self._elsewhere: Path | None = None
        if project.local_root is not None and not local_logdir:
            self.path = project.local_root / paths.trial(trial.directory)
            self.path.mkdir(parents=True, exist_ok=True)
            self._sync: Sync | None = None
            if trial.may_have_begun or resumed:
                self._clear()
            return
        self.path = self._local_directory(scratch)
        self._sync = Sync(
            project,
            self.path,
            self._target,
            self._files,
            seconds=sync_interval,
            only_log=local_logdir,
        )
        try:
            again = trial.may_have_begun or resumed
            self._sync.start(log_has=self._take_over() if again else 0)
        except BaseException:
            self.close()
            raise

    log_name = TrialFiles.LOG
    """Name of the log."""

    @property
    def log(self) -> Path:
        """The local file that takes what the trial prints."""
        return self.path / self.log_name

    @property
    def logdir(self) -> Path:
        """The local directory for the training function's event files."""
        return self.path

    def write(self, name: str, data: str | bytes) -> None:
        """Write a small file of the project's own.

        Raises:
            OSError: It cannot be written. Where only room is lacking, and the function has been
                called, the file is remembered instead, for the commit.
        """
        content = data.encode() if isinstance(data, str) else data
        try:
            (self.path / name).write_bytes(content)
        except OSError as error:
            if name in _BEGINS or not has_no_room(error):
                raise
            self._unwritten[name] = content
        # Known without reading it again at the commit.
        self._written[name] = (len(content), hashlib.sha256(content).hexdigest())

    def attach(self, outputs: dict[str, Any], terms: Terms | None = None) -> dict[str, Any]:
        """Copy files and directories that the outputs name into the trial's directory.

        A value that is the path of an existing local file or directory is copied (never moved),
        and replaced by its path relative to the project; any other string stays what it is.

        Args:
            outputs: Output name to JSON value.
            terms: What is known of the trial besides.

        Returns:
            The outputs with paths in place of files.

        Raises:
            InvalidOutputError: A directory is beyond the limits.
            OSError: Something cannot be copied.
        """
        attachments = Attachments(
            self.path,
            self._target,
            terms or Terms(),
            copy=self._copy,
            keep=lambda source: keep(source, self._paths.id, self._trial),
            locally=self.is_local,
            never=[self._project.local_root] if self._project.local_root else [],
        )
        taken = attachments.take_in(outputs)
        self._empty = attachments.empty
        return taken

    @property
    def is_local(self) -> bool:
        """Whether the project is on a disk of this machine."""
        return self._project.local_root is not None

    @property
    def kept(self) -> Path | None:
        """Where files of the working directory go that are kept."""
        return self.path / TrialFiles.KEPT

    def sync_also_in(self, seconds: float) -> None:
        """Bring files once more after so many seconds, since the process may end soon after."""
        if self._sync is not None:
            self._sync.also_in(seconds)

    def commit(self, result: TrialResult) -> TrialResult:
        """Bring everything to the project; a success is marked done by the last file written.

        Args:
            result: What came of the trial.

        Returns:
            The same, with the path of its log among the outputs; or a failure where storage did not
            take the files: they are kept then, and the failure says where.
        """
        if result.succeeded and LOG not in result.outputs:
            outputs = {**result.outputs, LOG: self._target(self.log_name)}
            result = replace(result, outputs=outputs)
        if result.succeeded and result.metric is not None:
            self.write(TrialFiles.METRIC, repr(result.metric))
        commit = self._commit_text(result) if result.succeeded else None
        try:
            if self._sync is not None:
                # Of a failed trial the events of its end say that there is no more.
                self._sync.finish(last="" if commit else TrialFiles.EVENTS_END)
                self._make_empty_directories()
            self._bring_rest()
            if commit is not None:
                path = self._target(TrialFiles.OUTPUTS)
                persistently(
                    lambda: self._project.replace(path, commit), limit=answer_limit(self._project)
                )
        except Exception as error:  # each file system has errors of its own
            if self._sync is None and commit is None:  # its log says why it failed
                return result
            return self._kept(result, commit, error)
        if self._elsewhere is not None:
            shutil.rmtree(self._elsewhere, ignore_errors=True)
        return result

    def close(self) -> None:
        """Remove the temporary directory, if it is one."""
        if self._sync is not None:
            self._sync.stop()
            shutil.rmtree(self.path, ignore_errors=True)

    def _make_empty_directories(self) -> None:
        """Make those of attached directories that no file brings along; object stores have none."""
        for directory in self._empty:
            target = self._target(directory.relative_to(self.path.resolve()).as_posix())
            persistently(
                partial(self._project.make_directory, target), limit=answer_limit(self._project)
            )

    def _kept(self, result: TrialResult, commit: str | None, error: Exception) -> TrialResult:
        """Move the files where they stay, complete: copied to the project, the trial is done."""
        content = {**self._unwritten, **({TrialFiles.OUTPUTS: commit.encode()} if commit else {})}
        where = self._project.full(self._paths.trial(self._trial.directory))
        lines = str(error).splitlines() or [""]
        reason = f"({type(error).__name__}: {lines[0]})"
        if self._sync is None:  # its files lie in the project: a full disk lacks the last ones
            kept = self._beside({**self._own_files(), **content})
            text = (
                f"storage did not take the trial's last files {reason}; the others are in {where}"
            )
            advice = f"those are kept on {socket.gethostname()} in {kept}: copy what is there to it"
        else:
            kept = keep(self.path, self._paths.id, self._trial, place=self._elsewhere)
            for name, data in content.items():
                (kept / name).write_bytes(data)
            text = f"storage did not take the trial's files {reason}"
            advice = f"they are kept on {socket.gethostname()} in {kept}: copy what is there to "
            advice += where
        unavailable = StorageUnavailableError(f"{text}; {advice}, or resume the experiment there")
        at = f"{socket.gethostname()}:{kept}"
        if result.failure is not None:
            message = f"{result.failure.message}; moreover, {unavailable}"
            return replace(result, failure=replace(result.failure, message=message, kept=at))
        return replace(
            result,
            state=State.FAILED,
            metric=None,
            outputs={},
            failure=Failure(StorageUnavailableError.__name__, str(unavailable), kept=at),
        )

    def _bring_rest(self) -> None:
        """Bring what found no room on this machine."""
        for name, content in self._unwritten.items():
            replace_file(self._project, self._target(name), content)
        for file in self._elsewhere.iterdir() if self._elsewhere else ():
            upload = partial(self._project.upload, file, self._target(file.name))
            limit = answer_limit(self._project, file.stat().st_size)
            persistently(upload, limit=limit)

    def _own_files(self) -> dict[str, bytes]:
        """What says how the trial ended, which the driver writes as well if the trial failed."""
        files = {name: self.path / name for name in (TrialFiles.EVENTS_END, TrialFiles.METRIC)}
        return {name: file.read_bytes() for name, file in files.items() if file.is_file()}

    def _beside(self, content: Mapping[str, bytes]) -> Path:
        """Keep small files where what found no room is kept, or in a new place."""
        if self._elsewhere is None:
            return kept_place(self._paths.id, self._trial, content)
        for name, data in content.items():
            (self._elsewhere / name).write_bytes(data)
        return self._elsewhere

    def _copy(self, source: Path, target: Path) -> None:
        """Copy an attached file whole, or to where it is kept if there is no room for it."""
        try:
            copy_whole(source, target)
        except OSError as error:
            if not has_no_room(error):
                raise
            if self._elsewhere is None:
                content = {target.name: source}
                self._elsewhere = kept_place(self._paths.id, self._trial, content)
            else:
                copy_whole(source, self._elsewhere / target.name)

    def _local_directory(self, scratch: str | None) -> Path:
        return Path(tempfile.mkdtemp(prefix="hopsml-staging-", dir=scratch))

    def _take_over(self) -> int:
        """Go on with the log of the attempt before, and remove what else it brought.

        Returns:
            The log's size.
        """
        root = self._target("").rstrip("/")
        size = taken_over(self._project, self._target(self.log_name), self.log)
        for name in persistently(lambda: self._project.listdir(root)):
            if name != self.log_name and (self._trial.directory or not is_of_experiment(name)):
                with suppress(FileNotFoundError):
                    persistently(partial(self._project.remove, f"{root}/{name}", recursive=True))
        return size

    def _target(self, name: str) -> str:
        return self._paths.trial(self._trial.directory, name)

    def _clear(self) -> None:
        """Remove what an attempt before this one left, all but its log."""
        for entry in self._entries():
            if entry.name == self.log_name:
                continue
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink()

    def _entries(self) -> list[Path]:
        # An experiment without trial directories keeps its record in the same place.
        entries = sorted(self.path.iterdir())
        if self._trial.directory:
            return entries
        return [entry for entry in entries if not is_of_experiment(entry.name)]

    def _files(self) -> list[Path]:
        files: list[Path] = []
        for entry in self._entries():
            if entry.is_dir() and not entry.is_symlink():
                files += [file for file in sorted(entry.rglob("*")) if file.is_file()]
            elif entry.is_file() and entry.name != TrialFiles.OUTPUTS:
                files.append(entry)
        return [file for file in files if not is_temporary(file.name)]

    def _commit_text(self, result: TrialResult) -> str:
        files = [self._described(file) for file in self._files()]
        if self._elsewhere is not None:
            files += [self._described(file, self._elsewhere) for file in self._elsewhere.iterdir()]
        return commit_text(
            result,
            files=files,
            experiment=self._paths.id,
            directory=self._trial.directory,
        )

    def _described(self, file: Path, top: Path | None = None) -> dict[str, Any]:
        name = file.relative_to(top or self.path).as_posix()
        size, digest = self._written.get(name) or (file.stat().st_size, _sha256(file))
        return {"name": name, "size": size, "sha256": digest}


def taken_over(project: Project, source: str, log: Path) -> int:
    """Go on with the log that an attempt before has brought.

    Args:
        project: Where it is.
        source: Its path there.
        log: The local file that takes its content.

    Returns:
        Its size in the project, in bytes.
    """
    with suppress(FileNotFoundError):
        content = persistently(lambda: project.read(source))
        # What could not be brought any more is here still, where this machine had the process.
        if not log.exists() or log.stat().st_size < len(content):
            log.write_bytes(content)
        return len(content)
    return 0


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
