"""Writes a saved program into a directory, and finds the training function in it."""

from __future__ import annotations

import importlib
import io
import json
import sys
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from types import ModuleType
from typing import Any

from hopsml_flows.errors import DamagedFileError, FunctionNotFoundError
from hopsml_flows.execution import TrainingFunction
from hopsml_flows.execution.function import imported
from hopsml_flows.execution.saved_source import cells_source, load_source, own_names
from hopsml_flows.models.record import is_file_name
from hopsml_flows.storage import ExperimentFiles
from hopsml_flows.tracking.versions.stored_program import StoredProgram

__all__ = ["executed_cells", "look_first_in", "saved_function", "unpack"]

_LARGEST = 1 << 26
"""Most bytes of the modules; the archive has at most 8 MiB of them."""

_DAMAGES = (
    *(zipfile.BadZipFile, zlib.error, OSError, EOFError),
    *(NotImplementedError, RuntimeError),  # another compression; a password
)
"""What reading an archive raises that is damaged, or was made otherwise."""

_MAIN = "__main__"


def unpack(program: StoredProgram, directory: Path) -> None:
    """Write the modules of a program into a directory, from which Python can import them.

    Args:
        program: The program.
        directory: An empty directory.

    Raises:
        DamagedFileError: The archive is none, or has files that lead out of the directory.
    """
    if program.modules is None:
        return
    try:
        with zipfile.ZipFile(io.BytesIO(program.modules)) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > _LARGEST:
                raise DamagedFileError(ExperimentFiles.MODULES, f"has more than {_LARGEST:,} bytes")
            for entry in archive.infolist():
                if entry.is_dir():
                    continue
                if not is_file_name(entry.filename):
                    problem = f"has {entry.filename!r:.80}, which is no file of a program"
                    raise DamagedFileError(ExperimentFiles.MODULES, problem)
                target = directory / entry.filename
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(archive.read(entry))
    except _DAMAGES as error:
        problem = f"cannot be unpacked ({type(error).__name__}: {error})"
        raise DamagedFileError(ExperimentFiles.MODULES, problem) from error


def saved_function(train: str, program: StoredProgram, directory: Path) -> TrainingFunction:
    """Return the training function of a program that was unpacked.

    Args:
        train: Its import string, as the experiment's record has it.
        program: The program.
        directory: Where :func:`unpack` wrote its modules; the first place that Python looks at.

    Raises:
        FunctionNotFoundError: The program has no such function, or cannot be loaded.
    """
    place, _, name = train.rpartition(":")
    if place == _MAIN or place.endswith(".py"):
        module: ModuleType = _main_module(train, place, program, directory)
        return TrainingFunction.named(train, _member(train, module, name))
    _provide_module(place, name, program, directory)
    return TrainingFunction.named(train, _callable(train, imported("train", train)))


def _main_module(train: str, place: str, program: StoredProgram, directory: Path) -> ModuleType:
    """The script, the cells or the file that defines the function."""
    if place == _MAIN and program.suffix == ".ipynb" and program.content is not None:
        path = directory / "notebook.py"
        path.write_text(cells_source(executed_cells(program.content)), encoding="utf-8")
        return load_source(train, path, is_notebook=True, is_main=True)
    kept = None if place == _MAIN else _kept_file(place, program, directory)
    if kept is None and program.suffix == ".py" and program.content is not None:
        kept = directory / (ExperimentFiles.PROGRAM if place == _MAIN else Path(place).name)
        kept.write_bytes(program.content)
    if kept is None:
        raise FunctionNotFoundError(
            "train", train, because=f"the saved program has no file {Path(place).name!r}"
        )
    return load_source(train, kept, is_main=_is_main(place, kept, program, directory))


def _is_main(place: str, kept: Path, program: StoredProgram, directory: Path) -> bool:
    """Whether the file of the function is the script that was started."""
    if place == _MAIN:
        return True
    if program.script is not None:
        return kept == directory / program.script
    return program.main is not None and program.main == kept.name


def _kept_file(place: str, program: StoredProgram, directory: Path) -> Path | None:
    """The file among the modules that most of a path leads to; None if there is none."""
    parts = PurePosixPath(place.replace("\\", "/")).parts
    for begin in range(len(parts)):
        name = "/".join(parts[begin:])
        if is_file_name(name) and (directory / name).is_file():
            # A script of the same name may be the program, and not among the modules.
            return directory / name
    if program.script is not None and PurePosixPath(program.script).name == parts[-1]:
        return directory / program.script
    return None


def _provide_module(place: str, name: str, program: StoredProgram, directory: Path) -> None:
    """Let the function's module be found, where the program is that module alone."""
    path = directory.joinpath(*place.split("."))
    if path.with_suffix(".py").is_file() or (path / "__init__.py").is_file():
        return
    is_module = program.suffix == ".py" and program.content is not None
    if (
        is_module
        and "." not in place
        and name.partition(".")[0] in own_names(program.content or b"")
    ):
        path.with_suffix(".py").write_bytes(program.content or b"")
        importlib.invalidate_caches()


def _member(train: str, module: ModuleType, name: str) -> Callable[..., Any]:
    found: Any = module
    for part in name.split("."):
        try:
            found = getattr(found, part)
        except AttributeError:
            raise FunctionNotFoundError(
                "train", train, because=f"the saved program has no {part!r} at its top level"
            ) from None
    return _callable(train, found)


def _callable(train: str, found: Any) -> Callable[..., Any]:
    try:
        return TrainingFunction(found).callable
    except TypeError:
        raise FunctionNotFoundError(
            "train",
            train,
            because=f"{train.rpartition(':')[2]!r} of the saved program is no function",
        ) from None


def executed_cells(notebook: bytes) -> list[str]:
    """Return the cells of a saved notebook that were executed, in that order.

    Args:
        notebook: The notebook. Where it does not say which, all its cells with code are meant.

    Raises:
        DamagedFileError: It is no notebook.
    """
    try:
        content = json.loads(notebook)
        metadata = content.get("metadata") or {}
        told = (metadata.get("hopsml") or {}).get("executed")
        cells = told or [each for each in content["cells"] if each.get("cell_type") == "code"]
        sources = [each["source"] for each in cells]
        return [each if isinstance(each, str) else "".join(each) for each in sources]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise DamagedFileError(ExperimentFiles.NOTEBOOK, f"is no notebook ({error})") from error


def look_first_in(directory: Path, others: tuple[str, ...]) -> None:
    """Let Python look for modules in a directory first, and elsewhere last.

    Args:
        directory: The directory.
        others: The other places, such as the working directory.
    """
    sys.path.insert(0, str(directory))
    sys.path += [place for place in others if place not in sys.path]
    importlib.invalidate_caches()
