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
def own_working_directory(like: str) -> Iterator[Path]:
    """Change the process's working directory to a fresh one; remove it at the end.

    Args:
        like: Absolute path of the directory it stands in for; where there is none (on another
            machine), the new one starts empty.

    Yields:
        The new working directory.
    """
    before = os.getcwd()
    work = Path(tempfile.mkdtemp(prefix="hopsml-trial-"))
    try:
        if os.path.isdir(like):
            with os.scandir(like) as entries:
                for entry in entries:
                    os.symlink(entry.path, work / entry.name)
        os.chdir(work)
        yield work
    finally:
        os.chdir(before)
        shutil.rmtree(work, ignore_errors=True)  # removes links, never what they lead to
