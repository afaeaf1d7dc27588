"""Write a trial's files locally, upload them to the project, and commit them last.

In a local project the staging directory is the trial's own directory, so nothing is uploaded.
Otherwise, or with ``local_logdir=True``, it is a temporary directory. Its files are uploaded while
the trial runs and at its end, also after a failure. If storage does not accept them at the end,
they are moved to a directory that stays, and the trial fails.
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
from hopsml_flows.execution.files.kept_files import keep, keep_content
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

__all__ = ["Staging", "take_over_log"]

_CHUNK = 1 << 20

_BEGINS = frozenset({TrialFiles.HPARAMS, TrialFiles.EVENTS_START})
"""Files that are written before the training function is called."""


class Staging:
    """The local directory of one attempt of one trial.

    Args:
        project: Where the trial's files go.
        paths: The experiment's paths.
        trial: The trial.
        local_logdir: Keep all files but the log, and those that say that the trial began, in a
            temporary directory until the end.
        scratch: Parent of the temporary directory; None for the system's default.
        resumed: Whether an earlier run may have left files of this trial.
        sync_interval: Seconds between two uploads while the trial runs.
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
    """File name of the log."""

    @property
    def log(self) -> Path:
        """The local file that receives the trial's output."""
        return self.path / self.log_name

    @property
    def logdir(self) -> Path:
        """The local directory for the training function's event files."""
        return self.path

    def write(self, name: str, data: str | bytes) -> None:
        """Write one of this library's own small files.

        If the disk is full, content is held in memory until the commit, except for files written
        before the training function is called.

        Raises:
            OSError: The file cannot be written for another reason, or must exist before the call.
        """
        content = data.encode() if isinstance(data, str) else data
        try:
            (self.path / name).write_bytes(content)
        except OSError as error:
            if name in _BEGINS or not has_no_room(error):
                raise
            self._unwritten[name] = content
        # Spares reading it again at the commit.
        self._written[name] = (len(content), hashlib.sha256(content).hexdigest())

    def attach(self, outputs: dict[str, Any], terms: Terms | None = None) -> dict[str, Any]:
        """Copy files and directories that the outputs name into the trial's directory.

        A local file or directory is copied (never moved), and its path in the outputs replaced by
        the one relative to the project. Any other string stays as it is.

        Args:
            outputs: Output name to JSON value.
            terms: How to take in the trial's files; None for the defaults.

        Returns:
            The outputs with the new paths.

        Raises:
            InvalidOutputError: A directory exceeds the limits.
            OSError: A file cannot be copied.
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
        """Directory for the kept files of the working directory."""
        return self.path / TrialFiles.KEPT

    def sync_also_in(self, seconds: float) -> None:
        """Upload files once more after so many seconds: the process may end soon after."""
        if self._sync is not None:
            self._sync.also_in(seconds)

    def commit(self, result: TrialResult) -> TrialResult:
        """Upload all files to the project. The last file marks a success as done.

        Args:
            result: The trial's result.

        Returns:
            The result, for a success with the path of its log among the outputs. If storage did not
            accept the files, a failure that says where they are kept.
        """
        if result.succeeded and LOG not in result.outputs:
            outputs = {**result.outputs, LOG: self._target(self.log_name)}
            result = replace(result, outputs=outputs)
        if result.succeeded and result.metric is not None:
            self.write(TrialFiles.METRIC, repr(result.metric))
        commit = self._commit_text(result) if result.succeeded else None
        try:
            if self._sync is not None:
                # A failed trial's end events tell readers that no more files will come.
                self._sync.finish(last="" if commit else TrialFiles.EVENTS_END)
                self._make_empty_directories()
            self._upload_rest()
            if commit is not None:
                path = self._target(TrialFiles.OUTPUTS)
                persistently(
                    lambda: self._project.replace(path, commit), limit=answer_limit(self._project)
                )
        except Exception as error:  # each file system has errors of its own
            if self._sync is None and commit is None:  # the log says why the trial failed
                return result
            return self._keep(result, commit, error)
        if self._elsewhere is not None:
            shutil.rmtree(self._elsewhere, ignore_errors=True)
        return result

    def close(self) -> None:
        """Stop uploads, and remove the staging directory if it is temporary."""
        if self._sync is not None:
            self._sync.stop()
            shutil.rmtree(self.path, ignore_errors=True)

    def _make_empty_directories(self) -> None:
        """Create the attached directories without files: uploads only create those with files."""
        for directory in self._empty:
            target = self._target(directory.relative_to(self.path.resolve()).as_posix())
            persistently(
                partial(self._project.make_directory, target), limit=answer_limit(self._project)
            )

    def _keep(self, result: TrialResult, commit: str | None, error: Exception) -> TrialResult:
        """Move all files to a lasting place; the trial is done once they are in the project."""
        content = {**self._unwritten, **({TrialFiles.OUTPUTS: commit.encode()} if commit else {})}
        where = self._project.full(self._paths.trial(self._trial.directory))
        lines = str(error).splitlines() or [""]
        reason = f"({type(error).__name__}: {lines[0]})"
        if self._sync is None:  # a local project: only the last files are missing on its full disk
            kept = self._keep_beside({**self._own_files(), **content})
            text = (
                f"storage did not take the trial's last files {reason}; the others are in {where}"
            )
            advice = f"the last ones are kept on {socket.gethostname()} in {kept}: copy them to "
            advice += "the others"
        else:
            kept = keep(self.path, self._paths.id, self._trial, place=self._elsewhere)
            for name, data in content.items():
                (kept / name).write_bytes(data)
            text = f"storage did not take the trial's files {reason}"
            advice = f"they are kept on {socket.gethostname()} in {kept}: copy them to {where}"
        unavailable = StorageUnavailableError(
            f"{text}; {advice}, or resume the experiment on that machine"
        )
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

    def _upload_rest(self) -> None:
        """Upload the files that did not fit into the staging directory."""
        for name, content in self._unwritten.items():
            replace_file(self._project, self._target(name), content)
        for file in self._elsewhere.iterdir() if self._elsewhere else ():
            upload = partial(self._project.upload, file, self._target(file.name))
            limit = answer_limit(self._project, file.stat().st_size)
            persistently(upload, limit=limit)

    def _own_files(self) -> dict[str, bytes]:
        """Files that say how the trial ended. For a failed trial the driver writes them as well."""
        files = {name: self.path / name for name in (TrialFiles.EVENTS_END, TrialFiles.METRIC)}
        return {name: file.read_bytes() for name, file in files.items() if file.is_file()}

    def _keep_beside(self, content: Mapping[str, bytes]) -> Path:
        """Keep small files beside the files that did not fit, or else in a new place."""
        if self._elsewhere is None:
            return keep_content(self._paths.id, self._trial, content)
        for name, data in content.items():
            (self._elsewhere / name).write_bytes(data)
        return self._elsewhere

    def _copy(self, source: Path, target: Path) -> None:
        """Copy an attached file whole; on a full disk, to a place where it is kept."""
        try:
            copy_whole(source, target)
        except OSError as error:
            if not has_no_room(error):
                raise
            if self._elsewhere is None:
                content = {target.name: source}
                self._elsewhere = keep_content(self._paths.id, self._trial, content)
            else:
                copy_whole(source, self._elsewhere / target.name)

    def _local_directory(self, scratch: str | None) -> Path:
        return Path(tempfile.mkdtemp(prefix="hopsml-staging-", dir=scratch))

    def _take_over(self) -> int:
        """Continue the previous attempt's log, and remove its other files from the project.

        Returns:
            The log's size in the project, in bytes.
        """
        root = self._target("").rstrip("/")
        size = take_over_log(self._project, self._target(self.log_name), self.log)
        for name in persistently(lambda: self._project.listdir(root)):
            kept = (self.log_name, TrialFiles.CHECKPOINTS)
            if name not in kept and (self._trial.directory or not is_of_experiment(name)):
                with suppress(FileNotFoundError):
                    persistently(partial(self._project.remove, f"{root}/{name}", recursive=True))
        return size

    def _target(self, name: str) -> str:
        return self._paths.trial(self._trial.directory, name)

    def _clear(self) -> None:
        """Remove what an earlier attempt left, except its log and its checkpoints."""
        for entry in self._entries():
            if entry.name in (self.log_name, TrialFiles.CHECKPOINTS):
                continue
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink()

    def _entries(self) -> list[Path]:
        # Without a directory of its own, the trial shares the experiment's with its record.
        entries = sorted(self.path.iterdir())
        if self._trial.directory:
            return entries
        return [entry for entry in entries if not is_of_experiment(entry.name)]

    def _files(self) -> list[Path]:
        files: list[Path] = []
        for entry in self._entries():
            if is_temporary(entry.name):  # checkpoints that come now, or came when a worker died
                continue
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


def take_over_log(project: Project, source: str, log: Path) -> int:
    """Continue the log that an earlier attempt uploaded.

    Args:
        project: The project.
        source: The log's path in the project.
        log: The local file that receives its content.

    Returns:
        The log's size in the project, in bytes; 0 if there is none.
    """
    with suppress(FileNotFoundError):
        content = persistently(lambda: project.read(source))
        # If the earlier attempt ran on this machine, the local log may hold more than it uploaded.
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
