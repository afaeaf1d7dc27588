"""The page of one trial."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hopsml_flows.service.web.views.words import clock_time, long_text, size
from hopsml_flows.storage import FileInfo
from hopsml_flows.trials import InputFile, TrialResult
from hopsml_flows.trials.outputs import LOG

__all__ = [
    "IMAGE_TYPES",
    "ShownFile",
    "ShownInput",
    "ShownValue",
    "TrialView",
    "call_text",
    "function_lines",
    "trial_view",
]

IMAGE_TYPES = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".gif": "image/gif",
    ".webp": "image/webp",
}
"""Images that pages show. SVG is none of them: it can hold a program."""


@dataclass(frozen=True, slots=True)
class ShownFile:
    """A file of a trial.

    Args:
        path: Its path, relative to the experiment's directory.
        name: Its path, relative to the trial's directory.
        size: Its size in words, or "".
    """

    path: str
    name: str
    size: str = ""

    @property
    def is_image(self) -> bool:
        """Whether pages show it."""
        return posixpath.splitext(self.name)[1].lower() in IMAGE_TYPES


@dataclass(frozen=True, slots=True)
class ShownValue:
    """A hyperparameter or an output.

    Args:
        name: Its name.
        text: Its value.
        file: The file that it names, or None.
    """

    name: str
    text: str
    file: ShownFile | None = None

    @property
    def long(self) -> bool:
        """Whether the value needs lines of its own."""
        return "\n" in self.text or len(self.text) > 100


@dataclass(frozen=True, slots=True)
class ShownInput:
    """A file that a trial read.

    Args:
        path: Its path, relative to the project, or its full one elsewhere.
        size: Its size in words, or "".
        written: When it was written, or "".
    """

    path: str
    size: str
    written: str


@dataclass(frozen=True, slots=True)
class TrialView:
    """A trial.

    Args:
        trial: The trial.
        params: Its hyperparameters.
        outputs: Its outputs.
        files: Its files, without those that outputs name.
        images: Its images, those that outputs name among them.
        facts: Name and text of what else is known.
        call: Python that runs it again, or "".
        inputs: The files that it read through this package.
        unlisted: How many more it read.
    """

    trial: TrialResult
    params: Sequence[ShownValue]
    outputs: Sequence[ShownValue]
    files: Sequence[ShownFile]
    images: Sequence[ShownFile]
    facts: Sequence[tuple[str, str]] = field(default=())
    call: str = ""
    inputs: Sequence[ShownInput] = ()
    unlisted: int = 0


def trial_view(
    trial: TrialResult,
    root: str,
    files: Sequence[FileInfo],
    facts: Sequence[tuple[str, str]] = (),
    call: str = "",
) -> TrialView:
    """Return what a trial's page shows.

    Args:
        trial: The trial.
        root: Path of the experiment's directory in the project.
        files: The trial's files.
        facts: Name and text of what else is known.
        call: Python that runs it again, or "".
    """
    begin = f"{root}/"
    below = f"{begin}{trial.directory}/" if trial.directory else begin
    shown = {
        file.name: ShownFile(
            file.name.removeprefix(begin), file.name.removeprefix(below), size(file.size)
        )
        for file in sorted(files, key=lambda file: file.name)
    }
    outputs = [
        ShownValue(name, long_text(value), shown.get(value) if isinstance(value, str) else None)
        for name, value in trial.outputs.items()
        if name != LOG or not isinstance(value, str)
    ]
    return TrialView(
        trial,
        [ShownValue(name, long_text(value)) for name, value in trial.params.items()],
        outputs,
        list(shown.values()),
        [file for file in shown.values() if file.is_image],
        facts,
        call,
        [_shown_input(file) for file in trial.lineage.inputs],
        trial.lineage.unlisted,
    )


def _shown_input(file: InputFile) -> ShownInput:
    return ShownInput(
        long_text(file.path),
        "" if file.size is None else size(file.size),
        "" if file.modified is None else clock_time(file.modified),
    )


_IMPORTABLE = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")


def call_text(train: str, params: Mapping[str, Any]) -> str:
    """Return Python that trains once with a trial's hyperparameters.

    Args:
        train: Import string of the training function.
        params: The hyperparameters.

    Example:
        >>> print(call_text("digits:train", {"lr": 0.1}))
        from hopsml_flows import experiment
        from digits import train
        <BLANKLINE>
        experiment.launch(train, {"lr": [0.1]})
    """
    lines, name = function_lines(train)
    pairs = ", ".join(f"{_text(key)}: [{value!r}]" for key, value in params.items())
    arguments = f"{name}, {{{pairs}}}" if pairs else name
    lines += ["", f"experiment.launch({arguments})"]
    return "\n".join(lines)


def function_lines(train: str) -> tuple[list[str], str]:
    """Return the first lines of a program that trains, and what it calls the training function.

    Args:
        train: Import string of the training function.
    """
    module, _, name = train.partition(":")
    lines = ["from hopsml_flows import experiment"]
    if _IMPORTABLE.fullmatch(train) and module != "__main__":
        return [*lines, f"from {module} import {name}"], name
    return [*lines, "# train is the experiment's training function"], "train"


def _text(value: str) -> str:
    return f'"{value}"' if value.isidentifier() else repr(value)
