"""Adds tags and a note to an experiment that is over: the user's own words, in its record."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator

from hopsml_flows.errors import ExperimentRunningError, InvalidArgumentError, NotFoundError
from hopsml_flows.storage import ExperimentPaths, Project
from hopsml_flows.storage.lease import take_lease
from hopsml_flows.storage.retries import answer_limit, persistently, replace_file
from hopsml_flows.text import one_line, readable
from hopsml_flows.tracking import read_record

__all__ = ["annotate_experiment", "parse_tags"]

_MOST_TAGS = 50
_LONGEST_TAG = 100
_LONGEST_NOTE = 100_000


def annotate_experiment(
    project: Project,
    experiment_id: str,
    *,
    tags: Iterable[str] | None,
    note: str,
    notice: Callable[[str], None],
) -> None:
    """Replace the tags and the note in an experiment's record.

    Takes the experiment's lease first, as a driver does: the record of an experiment that runs is
    its driver's.

    Args:
        project: The project.
        experiment_id: The whole identifier.
        tags: The tags that it has from now on; None to leave them as they are.
        note: The note; "" for none.
        notice: Called with the reason when this waits for the lease.

    Raises:
        ExperimentRunningError: A driver runs the experiment.
        InvalidArgumentError: There are more than 50 tags, or a text is too long.
        NotFoundError: There is no such experiment any more, or it has no record.
        DamagedFileError: Its record cannot be understood.
        StorageUnavailableError: Storage refuses the record, or did not answer in time.
    """
    plain = None if tags is None else _checked_tags(tags)
    words = readable(note.replace("\r\n", "\n")).strip()
    if len(words) > _LONGEST_NOTE:
        must = f"must have at most {_LONGEST_NOTE:,} characters, not {len(words):,}"
        raise InvalidArgumentError("note", f"{words:.20}…", must)
    paths = ExperimentPaths(experiment_id)
    limit = answer_limit(project)
    if not persistently(lambda: project.exists(paths.record), limit=limit):
        raise NotFoundError("ID", experiment_id, because="it has no record")
    try:
        with take_lease(project, paths, notice):
            record = read_record(project, experiment_id)
            if record is None:
                raise NotFoundError("ID", experiment_id, because="it has no record")
            # The file's own content: a newer version may have written what this one does not know.
            text = persistently(lambda: project.read(paths.record), limit=limit)
            content = json.loads(text)
            content |= {"note": words or None}
            if plain is not None:
                content["tags"] = list(plain)
            replace_file(project, paths.record, json.dumps(content, indent=1))
    except ExperimentRunningError as error:
        raise error.renamed("ID") from error


def parse_tags(text: str, known: Iterable[str]) -> list[str]:
    """Return the tags of a text with commas between them.

    Args:
        text: The text, as the user has changed it.
        known: The tags that the experiment has. One with a comma in it stays whole.

    Example:
        >>> parse_tags("lr,wd, wide", ["lr,wd"])
        ['lr,wd', 'wide']
    """
    return list(_whole_tags(text.split(","), set(map(one_line, known))))


def _whole_tags(parts: list[str], known: set[str]) -> Iterator[str]:
    most = 1 + max((tag.count(",") for tag in known), default=0)
    begin = 0
    while begin < len(parts):
        end = min(begin + most, len(parts))
        while end > begin + 1 and one_line(",".join(parts[begin:end])) not in known:
            end -= 1
        yield one_line(",".join(parts[begin:end]))
        begin = end


def _checked_tags(tags: Iterable[str]) -> list[str]:
    """Return tags as texts of one line, each once.

    Raises:
        InvalidArgumentError: There are too many, or one is too long.
    """
    plain = list(filter(None, dict.fromkeys(map(one_line, tags))))
    if len(plain) > _MOST_TAGS:
        raise InvalidArgumentError("tags", len(plain), f"must be at most {_MOST_TAGS}")
    for tag in plain:
        if len(tag) > _LONGEST_TAG:
            must = f"must have at most {_LONGEST_TAG} characters each"
            raise InvalidArgumentError("tags", f"{tag:.20}…", must)
    return plain
