"""NumPy arrays as files of the project, named as in ``hops.numpy_helper``.

Paths are those of ``hopsml_flows.hdfs``. Where the project is not local, a file is read from a copy
on this machine. Nothing is unpickled unless the caller passes ``allow_pickle=True``.
"""

from __future__ import annotations

from typing import Any

from hopsml_flows.errors import UnsupportedOperationError
from hopsml_flows.hdfs.local_paths import local_path
from hopsml_flows.hdfs.places import AnyPath, Place, place_of
from hopsml_flows.hdfs.transfer import write_whole

__all__ = ["fromfile", "fromregex", "genfromtxt", "load", "loadtxt", "memmap", "save"]


def load(hdfs_filename: AnyPath, **kwds: Any) -> Any:
    """Read an array of a ``.npy`` file, or the arrays of a ``.npz`` file.

    Args:
        hdfs_filename: The file.
        **kwds: As of ``numpy.load``.

    Raises:
        FileNotFoundError: There is no such file.
    """
    return _numpy().load(local_path(hdfs_filename), **kwds)


def loadtxt(hdfs_filename: AnyPath, **kwds: Any) -> Any:
    """Read an array of a text file in which each line has as many values.

    Args:
        hdfs_filename: The file.
        **kwds: As of ``numpy.loadtxt``.
    """
    return _numpy().loadtxt(local_path(hdfs_filename), **kwds)


def genfromtxt(hdfs_filename: AnyPath, **kwds: Any) -> Any:
    """Read an array of a text file in which values may be missing.

    Args:
        hdfs_filename: The file.
        **kwds: As of ``numpy.genfromtxt``.
    """
    return _numpy().genfromtxt(local_path(hdfs_filename), **kwds)


def fromregex(hdfs_filename: AnyPath, *args: Any, **kwds: Any) -> Any:
    """Read an array of a text file by a regular expression.

    Args:
        hdfs_filename: The file.
        *args: As of ``numpy.fromregex``.
        **kwds: As of ``numpy.fromregex``.
    """
    return _numpy().fromregex(local_path(hdfs_filename), *args, **kwds)


def fromfile(hdfs_filename: AnyPath, **kwds: Any) -> Any:
    """Read an array of a file of bare numbers.

    Args:
        hdfs_filename: The file.
        **kwds: As of ``numpy.fromfile``.
    """
    return _numpy().fromfile(local_path(hdfs_filename), **kwds)


def memmap(hdfs_filename: AnyPath, **kwds: Any) -> Any:
    """Map a file of bare numbers into memory, to be read.

    Args:
        hdfs_filename: The file.
        **kwds: As of ``numpy.memmap``; ``mode`` is "r", or "c" for changes that are not kept.

    Raises:
        UnsupportedOperationError: The mode would change the file.
    """
    mode = kwds.pop("mode", "r")
    if mode not in ("r", "c", "readonly", "copyonwrite"):
        raise UnsupportedOperationError(
            f"numpy_helper.memmap: mode={mode!r} would change a copy; write numpy_helper.save"
        )
    return _numpy().memmap(local_path(hdfs_filename), mode=mode, **kwds)


def save(hdfs_filename: AnyPath, data: Any) -> None:
    """Write an array to a ``.npy`` file, over one that is there.

    Args:
        hdfs_filename: The file; ``.npy`` is added where it does not end so, and its directory is
            made.
        data: The array.
    """
    place = place_of(hdfs_filename, argument="hdfs_filename")
    if not place.path.endswith(".npy"):
        place = Place(place.project, f"{place.path}.npy")
    write_whole(place, lambda local: _numpy().save(local, data))


def _numpy() -> Any:
    import numpy as np  # a training function's import of this module stays light

    return np
