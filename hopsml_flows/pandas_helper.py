"""Pandas data frames as files of the project, named as in ``hops.pandas_helper``.

Paths are those of ``hopsml_flows.hdfs``. If the project is remote, a file is read from a copy on
this machine. A written file appears when it is whole. As in pandas, the end of the name selects
the compression. Pandas is no dependency of this package.

Example:
    >>> import pandas as pd
    >>> from hopsml_flows import pandas_helper
    >>> frame = pd.DataFrame({"lr": [0.1, 0.2], "loss": [3, 4]})
    >>> pandas_helper.write_csv("Resources/table.csv.gz", frame, index=False)
    >>> pandas_helper.read_csv("Resources/table.csv.gz").loss.tolist()
    [3, 4]
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from hopsml_flows.errors import MissingPackageError
from hopsml_flows.hdfs.local_paths import local_path
from hopsml_flows.hdfs.places import AnyPath, place_of
from hopsml_flows.hdfs.transfer import write_whole

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "read_csv",
    "read_excel",
    "read_hdf",
    "read_json",
    "read_parquet",
    "write_csv",
    "write_excel",
    "write_hdf",
    "write_json",
    "write_parquet",
]


def read_csv(hdfs_filename: AnyPath, **kwds: Any) -> Any:
    """Read a CSV file.

    Args:
        hdfs_filename: The file.
        **kwds: As of ``pandas.read_csv``.

    Returns:
        A ``pandas.DataFrame``; with ``chunksize`` an iterator of them.

    Raises:
        MissingPackageError: Pandas is not installed.
        FileNotFoundError: The file does not exist.
    """
    return _read("read_csv", hdfs_filename, kwds)


def read_parquet(hdfs_filename: AnyPath, **kwds: Any) -> Any:
    """Read a Parquet file.

    Args:
        hdfs_filename: The file.
        **kwds: As of ``pandas.read_parquet``.
    """
    return _read("read_parquet", hdfs_filename, kwds)


def read_json(hdfs_filename: AnyPath, **kwds: Any) -> Any:
    """Read a JSON file.

    Args:
        hdfs_filename: The file.
        **kwds: As of ``pandas.read_json``.
    """
    return _read("read_json", hdfs_filename, kwds)


def read_hdf(hdfs_filename: AnyPath, **kwds: Any) -> Any:
    """Read an HDF5 file; needs PyTables.

    Args:
        hdfs_filename: The file.
        **kwds: As of ``pandas.read_hdf``.
    """
    return _read("read_hdf", hdfs_filename, kwds)


def read_excel(hdfs_filename: AnyPath, **kwds: Any) -> Any:
    """Read an Excel file; needs openpyxl or another engine of pandas.

    Args:
        hdfs_filename: The file.
        **kwds: As of ``pandas.read_excel``.
    """
    return _read("read_excel", hdfs_filename, kwds)


def write_csv(hdfs_filename: AnyPath, dataframe: pd.DataFrame, **kwds: Any) -> None:
    """Write a data frame to a CSV file, and replace an existing one.

    Args:
        hdfs_filename: The file; its directory is created.
        dataframe: The data frame.
        **kwds: As of ``DataFrame.to_csv``.
    """
    _write(hdfs_filename, lambda path: dataframe.to_csv(path, **kwds))


def write_parquet(hdfs_filename: AnyPath, dataframe: pd.DataFrame, **kwds: Any) -> None:
    """Write a data frame to a Parquet file, and replace an existing one.

    Args:
        hdfs_filename: The file; its directory is created.
        dataframe: The data frame.
        **kwds: As of ``DataFrame.to_parquet``.
    """
    _write(hdfs_filename, lambda path: dataframe.to_parquet(path, **kwds))


def write_json(hdfs_filename: AnyPath, dataframe: pd.DataFrame, **kwds: Any) -> None:
    """Write a data frame to a JSON file, and replace an existing one.

    Args:
        hdfs_filename: The file; its directory is created.
        dataframe: The data frame.
        **kwds: As of ``DataFrame.to_json``.

    Example:
        >>> import pandas as pd
        >>> from hopsml_flows import pandas_helper
        >>> pandas_helper.write_json("Resources/table.json", pd.DataFrame({"loss": [3, 4]}))
        >>> pandas_helper.read_json("Resources/table.json").loss.tolist()
        [3, 4]
    """
    _write(hdfs_filename, lambda path: dataframe.to_json(path, **kwds))


def write_hdf(hdfs_filename: AnyPath, dataframe: pd.DataFrame, **kwds: Any) -> None:
    """Write a data frame to an HDF5 file, and replace an existing one; needs PyTables.

    Args:
        hdfs_filename: The file; its directory is created.
        dataframe: The data frame.
        **kwds: As of ``DataFrame.to_hdf``, such as ``key``.
    """
    _write(hdfs_filename, lambda path: dataframe.to_hdf(path, **kwds))


def write_excel(hdfs_filename: AnyPath, dataframe: pd.DataFrame, **kwds: Any) -> None:
    """Write a data frame to an Excel file, and replace an existing one.

    Needs openpyxl or another engine of pandas.

    Args:
        hdfs_filename: The file; its directory is created.
        dataframe: The data frame.
        **kwds: As of ``DataFrame.to_excel``.
    """
    _write(hdfs_filename, lambda path: dataframe.to_excel(path, **kwds))


def _write(hdfs_filename: AnyPath, write: Callable[[str], object]) -> None:
    place = place_of(hdfs_filename, argument="hdfs_filename")
    write_whole(place, lambda local: write(str(local)))


def _read(function: str, hdfs_filename: AnyPath, arguments: dict[str, Any]) -> Any:
    read: Callable[..., Any] = getattr(_pandas(function), function)
    return read(local_path(hdfs_filename), **arguments)


def _pandas(function: str) -> Any:
    try:
        return importlib.import_module("pandas")
    except ImportError as error:
        raise MissingPackageError(
            f"pandas_helper.{function} needs pandas, which is not installed (pip install pandas)"
        ) from error
