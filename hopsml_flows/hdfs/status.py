"""The status of a file, in one form for every storage."""

from __future__ import annotations

import grp
import os
import pwd
import stat as stat_module
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from hopsml_flows.hdfs.places import Place
from hopsml_flows.storage import FileInfo
from hopsml_flows.storage.content_version import file_system

__all__ = ["StatResult", "status_of"]


@dataclass(frozen=True, slots=True)
class StatResult:
    """The status of a file or directory. A value is None where the storage does not say.

    Args:
        name: Full path: a URL, or an absolute path if the project is local.
        kind: ``file`` or ``directory``.
        st_size: Bytes; 0 for a directory.
        st_mtime: Time of the last write, in seconds since 1970.
        st_atime: Time of the last read, in seconds since 1970.
        permissions: Such as 0o644.
        owner: Name of the owner.
        group: Name of the group.
        replication: Copies that HDFS keeps of each block.
        st_blksize: Bytes of a block of HDFS.
        uid: Number of the owner; only if the project is local.
        gid: Number of the group; only if the project is local.
        st_ino: Number of the file on its device; 0 if the storage has none.
        st_dev: Number of the device; 0 if the storage has none.
        st_nlink: Number of hard links.
    """

    name: str
    kind: str
    st_size: int
    st_mtime: float | None = None
    st_atime: float | None = None
    permissions: int | None = None
    owner: str | None = None
    group: str | None = None
    replication: int | None = None
    st_blksize: int | None = None
    uid: int | None = None
    gid: int | None = None
    st_ino: int = 0
    st_dev: int = 0
    st_nlink: int = 1

    @property
    def st_uid(self) -> int | str | None:
        """The owner: a number if the project is local, else a name."""
        return self.owner if self.uid is None else self.uid

    @property
    def st_gid(self) -> int | str | None:
        """The group: a number if the project is local, else a name."""
        return self.group if self.gid is None else self.gid

    @property
    def st_ctime(self) -> float | None:
        """Time of the last write: storages report no other change."""
        return self.st_mtime

    @property
    def st_blocks(self) -> int:
        """Size in blocks of 512 bytes, as ``os.stat`` counts them."""
        return -(-self.st_size // 512)

    @property
    def st_mode(self) -> int:
        """Type and permissions, as ``os.stat`` has them."""
        kind = stat_module.S_IFDIR if self.kind == "directory" else stat_module.S_IFREG
        return kind | (self.permissions or 0)

    def as_dict(self) -> dict[str, Any]:
        """Return the status with the keys of HopsML's ``lsl``."""
        return {
            "name": self.name,
            "kind": self.kind,
            "size": self.st_size,
            "last_mod": self.st_mtime,
            "last_access": self.st_atime,
            "permissions": self.permissions,
            "owner": self.owner,
            "group": self.group,
            "replication": self.replication,
            "block_size": self.st_blksize,
        }


def status_of(place: Place, info: FileInfo) -> StatResult:
    """Return the status of a place.

    Args:
        place: The place.
        info: Its description by the project.
    """
    more: dict[str, Any] = {}
    if place.project.local_root is not None:
        more = _local(str(place.project.local_root / place.path))
    elif place.project.url.startswith("webhdfs://"):  # the others report only size and time
        more = _webhdfs(file_system(place.project).info(place.full))
    return StatResult(
        name=place.full,
        kind="directory" if info.is_directory else "file",
        st_size=info.size,
        st_mtime=info.modified,
        **more,
    )


def _local(path: str) -> dict[str, Any]:
    found = os.stat(path)
    owner: str | None = None
    group: str | None = None
    with suppress(KeyError):  # an id without a name, as in containers
        owner = pwd.getpwuid(found.st_uid).pw_name
    with suppress(KeyError):
        group = grp.getgrgid(found.st_gid).gr_name
    return {
        "st_atime": found.st_atime,
        "permissions": stat_module.S_IMODE(found.st_mode),
        "owner": owner,
        "group": group,
        "uid": found.st_uid,
        "gid": found.st_gid,
        "st_ino": found.st_ino,
        "st_dev": found.st_dev,
        "st_nlink": found.st_nlink,
    }


def _webhdfs(info: dict[str, Any]) -> dict[str, Any]:
    return {
        "st_atime": info["accessTime"] / 1000,
        "permissions": int(info["permission"], 8),
        "owner": info["owner"],
        "group": info["group"],
        "replication": info["replication"],
        "st_blksize": info["blockSize"],
        "st_ino": info.get("fileId", 0),
    }
