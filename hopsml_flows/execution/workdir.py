"""A working directory of its own for each trial, that looks like the experiment's.

HopsML's executors had containers; programs written for it save ``image_file.png`` into the
working directory and return its name. Trials side by side would overwrite each other's. Here
each trial works in a directory whose entries link to the original's: relative reads find the
user's data, new files stay with the trial.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["own_working_directory"]


@contextmanager
def own_working_directory(like: str, scratch: str | None = None) -> Iterator[Path]:
    """Change the process's working directory to one of its own for the block.

    Args:
        like: Absolute path of the directory it stands in for; where there is none (on another
            machine), the new one starts empty.
        scratch: Directory that somebody else removes in the end: the process keeps its working
            directory there and only brings it up to date. Without one it is removed with the
            block.

    Yields:
        The new working directory.
    """
    before = os.getcwd()
    if scratch is None:
        work = Path(tempfile.mkdtemp(prefix="hopsml-trial-"))
    else:
        work = Path(scratch) / f"worker-{os.getpid()}"
        work.mkdir(exist_ok=True)
    try:
        _match(work, like)
        os.chdir(work)
        yield work
    finally:
        os.chdir(before)
        if scratch is None:
            shutil.rmtree(work, ignore_errors=True)  # removes links, never what they lead to


def _match(work: Path, like: str) -> None:
    """Make a directory hold links to the entries of another one, and nothing else."""
    wanted: dict[str, str] = {}
    if os.path.isdir(like):
        with os.scandir(like) as entries:
            wanted = {entry.name: entry.path for entry in entries}
    with os.scandir(work) as entries:
        present = list(entries)
    for entry in present:
        if entry.is_symlink() and os.readlink(entry.path) == wanted.get(entry.name):
            del wanted[entry.name]
        elif entry.is_dir(follow_symlinks=False):
            shutil.rmtree(entry.path, ignore_errors=True)
        else:
            os.unlink(entry.path)
    for name, target in wanted.items():
        os.symlink(target, work / name)
