"""NumPy arrays as files of the project, named as in ``hops.numpy_helper``.

Paths are those of ``hopsml_flows.hdfs``. If the project is remote, a file is read from a copy on
this machine. Nothing is unpickled unless the caller passes ``allow_pickle=True``.

Example:
    >>> from hopsml_flows import numpy_helper
    >>> numpy_helper.save("Resources/weights", [[1.0, 2.0], [3.0, 4.0]])
    >>> numpy_helper.load("Resources/weights.npy").shape
    (2, 2)
"""

from __future__ import annotations

from typing import Any

from hopsml_flows.errors import UnsupportedOperationError
from hopsml_flows.hdfs.local_paths import local_path
from hopsml_flows.hdfs.places import AnyPath, Place, place_of
from hopsml_flows.hdfs.transfer import write_whole

__all__ = ["fromfile", "fromregex", "genfromtxt", "load", "loadtxt", "memmap", "save"]


def load(hdfs_filename: AnyPath, **kwds: Any) -> Any:
    """Read the array of a ``.npy`` file, or the arrays of a ``.npz`` file.

    Args:
        hdfs_filename: The file.
        **kwds: As of ``numpy.load``.

    Returns:
        A ``numpy.ndarray``, or for a ``.npz`` file a mapping of names to arrays.

    Raises:
        FileNotFoundError: The file does not exist.
    """
    return _numpy().load(local_path(hdfs_filename), **kwds)


def loadtxt(hdfs_filename: AnyPath, **kwds: Any) -> Any:
    """Read an array from a text file whose lines have equally many values.

    Args:
        hdfs_filename: The file.
        **kwds: As of ``numpy.loadtxt``.

    Returns:
        A ``numpy.ndarray`` with one row per line.

    Example:
        >>> from hopsml_flows import hdfs, numpy_helper
        >>> hdfs.dump("1 2 3", "Resources/row.txt")
        >>> numpy_helper.loadtxt("Resources/row.txt").sum().item()
        6.0
    """
    return _numpy().loadtxt(local_path(hdfs_filename), **kwds)


def genfromtxt(hdfs_filename: AnyPath, **kwds: Any) -> Any:
    """Read an array from a text file in which values may be missing.

    Args:
        hdfs_filename: The file.
        **kwds: As of ``numpy.genfromtxt``.

    Example:
        >>> from hopsml_flows import hdfs, numpy_helper
        >>> hdfs.dump("1,,3", "Resources/gaps.csv")
        >>> numpy_helper.genfromtxt("Resources/gaps.csv", delimiter=",", filling_values=0).tolist()
        [1.0, 0.0, 3.0]
    """
    return _numpy().genfromtxt(local_path(hdfs_filename), **kwds)


def fromregex(hdfs_filename: AnyPath, *args: Any, **kwds: Any) -> Any:
    r"""Read a structured array from a text file with a regular expression.

    Args:
        hdfs_filename: The file.
        *args: As of ``numpy.fromregex``: the expression and the type.
        **kwds: As of ``numpy.fromregex``.

    Example:
        >>> from hopsml_flows import hdfs, numpy_helper
        >>> hdfs.dump("epoch 1\nepoch 2\n", "Resources/epochs.log")
        >>> rows = numpy_helper.fromregex("Resources/epochs.log", r"epoch (\d+)", [("epoch", int)])
        >>> rows["epoch"].tolist()
        [1, 2]
    """
    return _numpy().fromregex(local_path(hdfs_filename), *args, **kwds)


def fromfile(hdfs_filename: AnyPath, **kwds: Any) -> Any:
    """Read an array of one dimension from a file of raw numbers.

    Args:
        hdfs_filename: The file.
        **kwds: As of ``numpy.fromfile``.

    Example:
        >>> from hopsml_flows import hdfs, numpy_helper
        >>> hdfs.dump(bytes(range(4)), "Resources/numbers.bin")
        >>> numpy_helper.fromfile("Resources/numbers.bin", dtype="uint8").tolist()
        [0, 1, 2, 3]
    """
    return _numpy().fromfile(local_path(hdfs_filename), **kwds)


def memmap(hdfs_filename: AnyPath, **kwds: Any) -> Any:
    """Map a file of raw numbers into memory for reading.

    Args:
        hdfs_filename: The file.
        **kwds: As of ``numpy.memmap``. ``mode`` is "r", the default, or "c" for changes in memory
            only.

    Raises:
        FileNotFoundError: The file does not exist.
        UnsupportedOperationError: The mode would change the file.

    Example:
        >>> from hopsml_flows import hdfs, numpy_helper
        >>> hdfs.dump(bytes(range(4)), "Resources/numbers.bin")
        >>> numpy_helper.memmap("Resources/numbers.bin", dtype="uint8", shape=(2, 2)).tolist()
        [[0, 1], [2, 3]]
    """
    mode = kwds.pop("mode", "r")
    if mode not in ("r", "c", "readonly", "copyonwrite"):
        raise UnsupportedOperationError(
            f"numpy_helper.memmap: mode={mode!r} would change a copy; use numpy_helper.save"
        )
    return _numpy().memmap(local_path(hdfs_filename), mode=mode, **kwds)


def save(hdfs_filename: AnyPath, data: Any) -> None:
    """Write an array to a ``.npy`` file, and replace an existing one.

    Args:
        hdfs_filename: The file. Its directory is created, and ``.npy`` is added if the name lacks
            it.
        data: The array, of any shape, or what NumPy makes one from.

    Example:
        >>> from hopsml_flows import numpy_helper
        >>> numpy_helper.save("Resources/row", [1, 2, 3])
        >>> numpy_helper.load("Resources/row.npy").tolist()
        [1, 2, 3]
    """
    place = place_of(hdfs_filename, argument="hdfs_filename")
    if not place.path.endswith(".npy"):
        place = Place(place.project, f"{place.path}.npy")
    write_whole(place, lambda local: _numpy().save(local, data))


def _numpy() -> Any:
    import numpy as np  # here, so that importing this module stays light

    return np
