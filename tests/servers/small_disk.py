"""A file system of a few megabytes, which a test can fill."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.servers.fetch import MissingError

_BLOCK = 4096


class SmallDisk:
    """A mounted file system.

    Args:
        root: Where it is mounted.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._filler = root / "filler"

    def fill(self) -> None:
        """Leave no room for a byte."""
        with open(self._filler, "ab", buffering=0) as file, suppress(OSError):
            while True:
                file.write(b"x" * _BLOCK)

    def free(self) -> None:
        """Make room."""
        self._filler.unlink(missing_ok=True)


@contextmanager
def small_disk(root: Path, megabytes: int = 4) -> Iterator[SmallDisk]:
    """Mount one, as root or by sudo.

    Raises:
        MissingError: This user may not mount file systems.
    """
    root.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=777", "none", str(root)]
    for before in ([], ["sudo", "-n"]):
        with suppress(OSError):
            done = subprocess.run([*before, *mount], capture_output=True, text=True, check=False)
            if done.returncode == 0:
                break
    else:
        raise MissingError("this user may mount no file system")
    try:
        yield SmallDisk(root)
    finally:
        subprocess.run([*before, "umount", "-l", str(root)], check=True)
