"""Looks at a study's model and data before its experiment starts, in a process of its own.

The names of layers and features are known only to the user's generators. They run once, in a child
process without GPUs: in the driver, TensorFlow would take a GPU's memory for as long as it lives.
"""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hopsml_flows.ablation.components import Component, Kind
from hopsml_flows.ablation.datasets import DatasetFunction, feature_names, nearest
from hopsml_flows.ablation.generators import ABLATED, called, takes
from hopsml_flows.ablation.models import names_begin_again
from hopsml_flows.ablation.rewiring import structure_of
from hopsml_flows.ablation.structure import Structure
from hopsml_flows.ablation.study import StudyParts
from hopsml_flows.errors import AblationError, InvalidArgumentError, InvalidFunctionError
from hopsml_flows.execution.payload import live_in_this_process, packed, unpacked
from hopsml_flows.user_warnings import warn

__all__ = ["check_features", "check_layers", "check_parts", "inspect_study", "main"]

_PROGRAM = (
    "import json, sys; sys.path[:] = json.loads(sys.argv.pop()); "
    "from hopsml_flows.ablation.inspection import main; main(sys.argv.pop())"
)
_BASE = {ABLATED: None}
_LAST_LINES = 5
_LOOK, _ANSWER = "look.pickle", "answer.pickle"

_Answer = tuple[InvalidArgumentError, bool] | None


@dataclass(frozen=True, slots=True)
class _Look:
    """What the child process does: it looks at a study.

    Args:
        parts: The study.
        looks_at_model: Whether the base model is made.
        looks_at_data: Whether the dataset is made.
    """

    parts: StudyParts
    looks_at_model: bool
    looks_at_data: bool

    def __call__(self) -> None:
        """Look at the study.

        Raises:
            InvalidArgumentError: A name is wrong.
            _GeneratorFailed: A generator of the user's failed.
        """
        parts = self.parts
        if self.looks_at_model and parts.base_model is not None:
            generator = parts.base_model
            names_begin_again()
            model = _made("base_model_generator", generator, lambda: called(generator, _BASE))
            check_layers(structure_of(model), parts)
        if self.looks_at_data:
            make = DatasetFunction(parts, ())
            data = _made("dataset_generator", parts.dataset, lambda: make(1, 1))
            known = feature_names(data, parts.feature_names)
            check_features(known, parts, told=takes(parts.dataset, ABLATED))


def inspect_study(parts: StudyParts, *, elsewhere: bool) -> None:
    """Check a study's names against its model and its data.

    Args:
        parts: The study.
        elsewhere: Whether trials run on other machines, which may have what this one lacks. Then a
            generator that fails here is no error.

    Raises:
        InvalidArgumentError: A name is unknown, or is that of the first or the last layer; or a
            generator fails.
    """
    look = _Look(
        # What the look does not need may be large.
        replace(
            parts,
            custom_models={},
            dataset=parts.dataset if parts.dataset_is_made else None,
            given=None,
        ),
        looks_at_model=parts.base_model is not None and any(map(_is_of_base, parts.components)),
        looks_at_data=parts.dataset is not None and parts.dataset_is_made and bool(parts.features),
    )
    if not look.looks_at_model and not look.looks_at_data:
        return
    with tempfile.TemporaryDirectory(prefix="hopsml-") as directory:
        found = _in_child(look, Path(directory))
    if found is None:
        return
    error, generator_failed = found
    if generator_failed and elsewhere:
        warn(f"the study's names could not be checked before it starts: {error}")
        return
    raise error


def check_parts(parts: StudyParts) -> None:
    """Check a study's features against data that it, or Maggy's configuration, has in memory.

    Args:
        parts: The study.

    Raises:
        InvalidArgumentError: A feature is unknown, or the data can be read only once.
    """
    sets = (parts.given or {}).get("dataset")
    in_memory = (sets or ()) if parts.dataset is None else [parts.dataset]
    if not parts.features or not in_memory or parts.dataset_is_made:
        return
    if any(isinstance(one, Iterator) for one in in_memory):
        because = "an iterator gives its elements once: give what makes it as dataset_generator"
        raise InvalidArgumentError("study", "its dataset", because=because)
    try:
        known = [name for one in in_memory for name in feature_names(one, parts.feature_names)]
    except AblationError as error:
        raise InvalidArgumentError("study", "its dataset", because=str(error)) from None
    check_features(list(dict.fromkeys(known)), parts, told=False)


def check_features(known: list[str], parts: StudyParts, *, told: bool) -> None:
    """Check that the features of a study are in its data.

    Args:
        known: Names of the features of its data; none if they cannot be read.
        parts: The study.
        told: Whether its generator is told which one to leave out.

    Raises:
        InvalidArgumentError: One is not.
    """
    for name in parts.features:
        if name in known or (told and not known):
            continue
        if known:
            must = f"must be a feature of the dataset, which has {', '.join(known)}"
            raise InvalidArgumentError("features.include", name, must + nearest(name, known))
        raise InvalidArgumentError(
            "features.include",
            name,
            because="the dataset's features have no names: give feature_names= of its columns, or "
            f"a dataset generator with an argument {ABLATED}",
        )


def check_layers(structure: Structure, parts: StudyParts) -> None:
    """Check that the layers of a study are in its model, and may be left out.

    Args:
        structure: The layers of its base model.
        parts: The study.

    Raises:
        InvalidArgumentError: One is not, or may not.
    """
    for component in parts.of_model:
        structure.named(component)


def main(directory: str) -> None:
    """Do what the child process does.

    Args:
        directory: Where the packed look is, and where its answer goes.
    """
    data = (Path(directory) / _LOOK).read_bytes()
    live_in_this_process(data)
    answer: _Answer = None
    try:
        unpacked(data, own_process=True)()
    except _GeneratorFailed as failed:
        argument, name, why = failed.args
        answer = (InvalidFunctionError(argument, name, because=f"it failed with {why}"), True)
    except InvalidArgumentError as error:
        answer = (error.with_traceback(None), False)
    except AblationError as error:
        answer = (InvalidArgumentError("study", "its model or data", because=str(error)), False)
    (Path(directory) / _ANSWER).write_bytes(pickle.dumps(answer))
    os._exit(0)  # libraries may have threads that never end


class _GeneratorFailed(Exception):  # noqa: N818 - it does not leave this module
    """A generator of the user's failed: what it is, its name, and why."""


def _made(argument: str, generator: Callable[..., Any], make: Callable[[], Any]) -> Any:
    try:
        return make()
    except Exception as error:  # it is the user's code
        name = getattr(generator, "__qualname__", type(generator).__qualname__)
        raise _GeneratorFailed(argument, name, f"{type(error).__name__}: {error}") from error


def _is_of_base(component: Component) -> bool:
    return not component.is_feature and component.kind is not Kind.CUSTOM


def _in_child(look: _Look, directory: Path) -> _Answer:
    """Return what is wrong with the study, and whether a generator failed; None if nothing is."""
    (directory / _LOOK).write_bytes(packed(look, by_value=False))
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, str(directory), json.dumps(sys.path)],
        env={**os.environ, "CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "3"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        check=False,
    )
    try:
        answer: _Answer = pickle.loads((directory / _ANSWER).read_bytes())
    except OSError:  # it died
        lines = done.stderr.decode(errors="replace").strip().splitlines()[-_LAST_LINES:]
        because = f"what makes it ended its process (code {done.returncode}): {'; '.join(lines)}"
        return InvalidArgumentError("study", "its model or data", because=because), True
    return answer
