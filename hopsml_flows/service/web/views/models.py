"""What pages show of models. Pure."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from hopsml_flows.models import ModelRecord
from hopsml_flows.service.web.views.words import cell_text, clock_time, long_text, size
from hopsml_flows.text import plural
from hopsml_flows.trials.confirmation import confirms
from hopsml_flows.values.arguments import is_number, is_whole

__all__ = ["ModelFileRow", "ModelRow", "ModelView", "model_row", "model_view", "shown_rows"]

_MOST_METRICS = 4


@dataclass(frozen=True, slots=True)
class ModelFileRow:
    """A file of a model.

    Args:
        name: Relative to the version's directory.
        size: Its size in words.
        sha256: The hash of its content.
    """

    name: str
    size: str
    sha256: str


@dataclass(frozen=True, slots=True)
class ModelRow:
    """A version of a model in a list.

    Args:
        name: The model's name.
        version: The version.
        created: When it was exported.
        library: The library that saved it, with its version.
        size: The size of its files, in words.
        metrics: Name and text of the first metrics.
        more_metrics: How many others there are.
        experiment: The experiment that it comes from, or "".
        has_experiment: Whether that experiment is there.
        trial: The trial that it comes from, or None.
        confirms: Whether that trial confirmed a winner; such a trial has no page.
        user: Who exported it.
        description: The user's words.
    """

    name: str
    version: int
    created: str
    library: str
    size: str
    metrics: Sequence[tuple[str, str]]
    more_metrics: int
    experiment: str
    has_experiment: bool
    trial: int | None
    confirms: bool
    user: str
    description: str


@dataclass(frozen=True, slots=True)
class ModelView:
    """All that is known of a version of a model.

    Args:
        row: The version as a list shows it.
        metrics: Name and text of all metrics, and of what fresh seeds say of them.
        params: Name and text of the trial's hyperparameters.
        signature: What it takes, or "".
        files: Its files.
        facts: Name and text of the rest.
    """

    row: ModelRow
    metrics: Sequence[tuple[str, str]]
    params: Sequence[tuple[str, str]]
    signature: str
    files: Sequence[ModelFileRow]
    facts: Sequence[tuple[str, str]]


def model_row(record: ModelRecord, experiments: Collection[str]) -> ModelRow:
    """Return a version as a list shows it.

    Args:
        record: Its record.
        experiments: The experiments that are there.

    Example:
        >>> record = ModelRecord("digits", 2, "2026-01-31", metrics={"loss": 0.25})
        >>> row = model_row(record, [])
        >>> row.metrics, row.size, row.experiment
        ([('loss', '0.25')], '0 B', '')
    """
    origin = record.origin
    metrics = [(name, cell_text(value)) for name, value in record.metrics.items()]
    trial = origin.trial if is_whole(origin.trial) and origin.trial > 0 else None
    return ModelRow(
        name=record.name,
        version=record.version,
        created=_moment(record.created),
        library=" ".join(filter(None, (record.library, record.library_version))),
        size=size(record.size),
        metrics=metrics[:_MOST_METRICS],
        more_metrics=max(0, len(metrics) - _MOST_METRICS),
        experiment=origin.experiment or "",
        has_experiment=origin.experiment in experiments,
        trial=trial if origin.experiment else None,
        confirms=trial is not None and confirms(trial),
        user=record.user,
        description=record.description or "",
    )


def model_view(record: ModelRecord, directory: str, experiments: Collection[str]) -> ModelView:
    """Return all that is known of a version.

    Args:
        record: Its record.
        directory: Its directory: a local path or a URL.
        experiments: The experiments that are there.
    """
    row = model_row(record, experiments)
    facts = [
        ("Created", row.created),
        ("User", row.user),
        ("Library", row.library),
        ("Size", f"{row.size} in {plural(len(record.files), 'file')}"),
        ("Project", record.project),
        ("Directory", directory),
    ]
    signature = record.input_signature
    return ModelView(
        row=row,
        metrics=[
            *((name, long_text(value)) for name, value in record.metrics.items()),
            *_confirmed(record),
        ],
        params=[(name, cell_text(value)) for name, value in record.origin.params.items()],
        signature="" if signature is None else json.dumps(signature, indent=1),
        files=[ModelFileRow(each.name, size(each.size), each.sha256) for each in record.files],
        facts=[(name, text) for name, text in facts if text],
    )


def shown_rows(
    records: Sequence[ModelRecord], *, text: str = "", experiment: str = ""
) -> list[ModelRecord]:
    """Return the versions that a list is asked for.

    Args:
        records: All versions.
        text: A part of the model's name or description, in any case.
        experiment: The experiment that they come from; "" for any.

    Example:
        >>> records = [ModelRecord("digits", 1, ""), ModelRecord("faces", 1, "")]
        >>> [record.name for record in shown_rows(records, text="FACE")]
        ['faces']
    """
    wanted = text.casefold()
    return [
        record
        for record in records
        if wanted in f"{record.name}\n{record.description or ''}".casefold()
        and experiment in ("", record.origin.experiment)
    ]


def _confirmed(record: ModelRecord) -> Iterator[tuple[str, str]]:
    for name, told in record.confirmed.items():
        text = cell_text(told["mean"])
        if isinstance(told.get("metrics"), list):
            text += f", the mean on {plural(len(told['metrics']), 'fresh seed')}"
        if is_number(told.get("optimistic")):
            text += f"; the search found {cell_text(told['optimistic'])}"
        yield f"{name}, confirmed", text


def _moment(text: str) -> str:
    try:
        return clock_time(datetime.fromisoformat(text).timestamp())
    except (ValueError, OverflowError, OSError):
        return text
