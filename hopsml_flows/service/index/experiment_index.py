"""The index of a project: brought up to date by ``refresh``, and asked by the other methods."""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, TypeVar

import orjson

from hopsml_flows.errors import InvalidArgumentError
from hopsml_flows.search import Direction
from hopsml_flows.service.index.entries import (
    Column,
    ExperimentEntry,
    ExperimentState,
    SummaryEntries,
    is_gone,
)
from hopsml_flows.service.index.index_file import IndexFile
from hopsml_flows.service.index.queries import ExperimentQuery, TrialQuery
from hopsml_flows.service.index.scan import Changed, Known, changed, listed, present
from hopsml_flows.service.index.statements import (
    KEY,
    cell_place,
    experiments_where,
    order_of_experiments,
    trials_order,
    trials_where,
)
from hopsml_flows.storage import Project, process_lives
from hopsml_flows.text import unicode_text
from hopsml_flows.tracking.record import ExperimentRecord
from hopsml_flows.trials import State, TrialResult, told_result

__all__ = ["ExperimentIndex", "ExperimentPage", "Refreshed", "Series", "TrialPage"]

_T = TypeVar("_T")

_ENTRY = "id, record, problem, summary_problem, told, unread, columns"


@dataclass(frozen=True, slots=True)
class Refreshed:
    """What a refresh found.

    Args:
        changed: Identifiers of experiments that are new or whose files have changed.
        removed: Identifiers of experiments that are gone.
    """

    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.changed or self.removed)


@dataclass(frozen=True, slots=True)
class ExperimentPage:
    """A page of a list of experiments.

    Args:
        experiments: The experiments of the page.
        total: Number of experiments that match the query.
    """

    experiments: tuple[ExperimentEntry, ...]
    total: int


@dataclass(frozen=True, slots=True)
class Series:
    """The runs of one name.

    Args:
        name: The name.
        count: Number of runs that match the query.
        latest: The run that started last.
        best: The run with the best metric, of those with the aim of the latest; None if none has
            one.
        metrics: The metrics of the runs with that aim, the oldest first.
    """

    name: str
    count: int
    latest: ExperimentEntry
    best: ExperimentEntry | None
    metrics: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class TrialPage:
    """A page of a list of trials.

    Args:
        trials: The trials of the page.
        total: Number of trials that match the query.
    """

    trials: tuple[TrialResult, ...]
    total: int


class ExperimentIndex:
    """The experiments of a project, and the trials that have ended.

    The methods may be called from several threads. Only :meth:`refresh` reads the storage; the
    others say what the index knew then. A context manager.

    Args:
        project: The project.

    Example:
        >>> with ExperimentIndex(Project("memory://index-example")) as index:
        ...     refreshed = index.refresh()
        ...     index.experiments(ExperimentQuery(limit=20)).total
        0
    """

    def __init__(self, project: Project) -> None:
        self.project = project
        self._file = IndexFile(project)
        self._refreshing = threading.Lock()

    def __enter__(self) -> ExperimentIndex:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the index's file."""
        self._file.close()

    def refresh(self, *, thorough: bool = True, only: Sequence[str] | None = None) -> Refreshed:
        """Bring the index up to date with the storage: one listing, and reads of what changed.

        Args:
            only: Identifiers of the experiments to look at, without a listing; None for all.
            thorough: Whether to look at experiments that are over, too, on stores whose directories
                have no times, such as S3. That costs two requests per experiment. Without it, only
                new experiments and those that run are looked at there.

        Raises:
            StorageUnavailableError: Storage refuses the listing, or did not answer in time. The
                index still knows what it knew.
        """
        with self._refreshing:
            try:
                return self._refresh(thorough, only)
            except sqlite3.Error:
                # The file is damaged, locked, or the disk is full: the directories have it all.
                self._file.discard()
            try:
                return self._refresh(True, None)
            except sqlite3.Error:
                self._file.move_to_memory()
                return self._refresh(True, None)

    def experiments(self, query: ExperimentQuery | None = None) -> ExperimentPage:
        """Return the experiments that match a query.

        Args:
            query: The query; None for all, the newest first.
        """
        query = query or ExperimentQuery()

        def ask(connection: sqlite3.Connection) -> ExperimentPage:
            lost = _lost(connection)
            where, values = experiments_where(query, lost)
            order, more = order_of_experiments(query, lost)
            (total,) = connection.execute(
                f"SELECT count(*) FROM experiments WHERE {where}", values
            ).fetchone()
            rows = connection.execute(
                f"SELECT {_ENTRY} FROM experiments WHERE {where} ORDER BY {order} LIMIT ? OFFSET ?",
                [*values, *more, _limit(query.limit), query.offset],
            )
            return ExperimentPage(tuple(_entry(row, lost) for row in rows), total)

        return self._asked(ask)

    def series(self, query: ExperimentQuery | None = None) -> tuple[list[Series], int]:
        """Return the experiments that match a query, folded by name: a row per name.

        Args:
            query: The query; its order is that of the latest runs, its page counts names.

        Returns:
            The series of the page, and the number of all series.
        """
        query = query or ExperimentQuery()

        def ask(connection: sqlite3.Connection) -> tuple[list[Series], int]:
            lost = _lost(connection)
            where, values = experiments_where(query, lost)
            order, more = order_of_experiments(query, lost)
            # Without the records, which are long.
            folded = (
                "SELECT key, row_number() OVER (PARTITION BY name ORDER BY start DESC, id DESC) "
                "AS place, count(*) OVER (PARTITION BY name) AS runs "
                f"FROM experiments WHERE {where}"
            )
            (total,) = connection.execute(
                f"SELECT count(DISTINCT name) FROM experiments WHERE {where}", values
            ).fetchone()
            rows = connection.execute(
                f"SELECT {_ENTRY}, runs FROM ({folded}) JOIN experiments USING (key) "
                "WHERE place = 1 "
                f"ORDER BY {order} LIMIT ? OFFSET ?",
                [*values, *more, _limit(query.limit), query.offset],
            ).fetchall()
            found = []
            for *row, runs in rows:
                latest = _entry(row, lost)
                direction = _direction(latest)
                told: list[tuple[float, str]] = []
                if direction is not None:
                    told = connection.execute(
                        f"SELECT metric, id FROM experiments WHERE {where} AND name = ? "
                        "AND metric IS NOT NULL AND direction IS ? "
                        "AND json_extract(record, '$.optimization_key') IS json_extract(?, '$') "
                        "ORDER BY start, id",
                        [*values, unicode_text(latest.name), *_aim(latest)],
                    ).fetchall()
                best = None
                if direction is not None and told:
                    loss = direction.loss
                    first = min(told, key=lambda pair: loss(pair[0]))[1]
                    best = connection.execute(
                        f"SELECT {_ENTRY} FROM experiments WHERE id = ?", [first]
                    ).fetchone()
                found.append(
                    Series(
                        latest.name,
                        runs,
                        latest,
                        None if best is None else _entry(best, lost),
                        tuple(metric for metric, _ in told),
                    )
                )
            return found, total

        return self._asked(ask)

    def experiment(self, experiment_id: str) -> ExperimentEntry | None:
        """Return an experiment; None if the index does not know it.

        Args:
            experiment_id: The whole identifier.
        """

        def ask(connection: sqlite3.Connection) -> ExperimentEntry | None:
            row = connection.execute(
                f"SELECT {_ENTRY} FROM experiments WHERE id = ?", [unicode_text(experiment_id)]
            ).fetchone()
            return None if row is None else _entry(row, _lost(connection, experiment_id))

        return self._asked(ask)

    def version(self, experiment_id: str = "") -> int:
        """Return a number that grows with each change of an experiment, or of any of them.

        Args:
            experiment_id: The whole identifier; "" for the whole project.
        """

        def ask(connection: sqlite3.Connection) -> int:
            if experiment_id:
                statement = "SELECT version FROM experiments WHERE id = ?"
                row = connection.execute(statement, [unicode_text(experiment_id)]).fetchone()
            else:
                row = connection.execute("SELECT version FROM latest").fetchone()
            return 0 if row is None else int(row[0])

        return self._asked(ask)

    def choices(self) -> dict[str, list[str]]:
        """Return what filters can offer: the names, kinds, users and tags that there are."""

        def ask(connection: sqlite3.Connection) -> dict[str, list[str]]:
            found = {}
            for heading, column in (("names", "name"), ("kinds", "kind"), ("users", "user")):
                rows = connection.execute(
                    f"SELECT DISTINCT {column} FROM experiments WHERE {column} IS NOT NULL "
                    f"ORDER BY {column}"
                )
                found[heading] = [value for (value,) in rows]
            rows = connection.execute(
                "SELECT DISTINCT value FROM experiments, json_each(tags) ORDER BY value"
            )
            found["tags"] = [value for (value,) in rows]
            return found

        return self._asked(ask)

    def trials(self, experiment_id: str, query: TrialQuery | None = None) -> TrialPage:
        """Return the trials of an experiment that match a query.

        Args:
            experiment_id: The whole identifier.
            query: The query; None for all trials, the best first.

        Raises:
            InvalidArgumentError: The trials have no such column.
        """
        query = query or TrialQuery()

        def ask(connection: sqlite3.Connection) -> TrialPage:
            entry = _known(connection, experiment_id)
            if entry is None:
                return TrialPage((), 0)
            where, values = trials_where(entry, query)
            order, more = trials_order(entry, query)
            is_filtered = bool(query.conditions or query.text)
            # All matches are counted by the way: to look for them twice would take twice as long.
            count = "count(*) OVER ()" if is_filtered else "0"
            # The order is found in short rows; what a page shows is read afterwards.
            found = connection.execute(
                f"SELECT place, {count} FROM trials WHERE {where} ORDER BY {order} "
                "LIMIT ? OFFSET ?",
                [*values, *more, _limit(query.limit), query.offset],
            ).fetchall()
            total = entry.told
            if is_filtered and found:
                total = found[0][1]
            elif is_filtered:  # nothing matches, or the page is beyond the last one
                counting = f"SELECT count(*) FROM trials WHERE {where}"
                (total,) = connection.execute(counting, values).fetchone()
            rows = _entries_of(connection, entry.id, [place for place, _ in found])
            return TrialPage(tuple(_trial(*row) for row in rows), total)

        return self._asked(ask)

    def trial(self, experiment_id: str, number: int) -> TrialResult | None:
        """Return a trial that has ended; None if the index does not know it.

        Args:
            experiment_id: The whole identifier.
            number: The trial's number.
        """

        def ask(connection: sqlite3.Connection) -> TrialResult | None:
            row = connection.execute(
                "SELECT entry, place FROM trials JOIN entries USING (experiment, place) "
                f"WHERE experiment = {KEY} AND number = ?",
                [unicode_text(experiment_id), min(max(number, -1), 2**63 - 1)],
            ).fetchone()
            return None if row is None else _trial(*row)

        return self._asked(ask)

    def values(
        self, experiment_id: str, columns: Sequence[str], query: TrialQuery | None = None
    ) -> dict[str, list[Any]]:
        """Return columns of an experiment's trials, as plots need them.

        Texts are cut, and values that are neither numbers nor texts are texts in JSON.

        Args:
            experiment_id: The whole identifier.
            columns: What :class:`TrialQuery` can sort by.
            query: Which trials, in which order; None for all by number.

        Raises:
            InvalidArgumentError: The trials have no such column.
        """
        query = query or TrialQuery(sort="number")

        def ask(connection: sqlite3.Connection) -> dict[str, list[Any]]:
            entry = _known(connection, experiment_id)
            if entry is None or not columns:
                return {column: [] for column in columns}
            places = {column: cell_place(entry, column, "columns") for column in columns}
            own = [column for column, place in places.items() if place is None]
            where, values = trials_where(entry, query)
            order, more = trials_order(entry, query)
            rows = connection.execute(
                f"SELECT {', '.join(['cells', *own])} FROM trials "
                f"WHERE {where} ORDER BY {order} LIMIT ? OFFSET ?",
                [*values, *more, _limit(query.limit), query.offset],
            ).fetchall()
            texts, *rest = zip(*rows, strict=True) if rows else ((), *((),) * len(own))
            known = dict(zip(own, map(list, rest), strict=True))
            # SQLite would read each trial's cells again for each column.
            cells = orjson.loads(f"[{','.join(texts)}]") if len(own) < len(places) else []
            return {
                column: known[column]
                if place is None
                else [row[place] if place < len(row) else None for row in cells]
                for column, place in places.items()
            }

        return self._asked(ask)

    def _asked(self, ask: Callable[[sqlite3.Connection], _T]) -> _T:
        """Return what the index says; if its file is damaged, what a new one says."""
        try:
            with self._file.reader() as connection:
                return ask(connection)
        except InvalidArgumentError:
            raise
        except (sqlite3.Error, ValueError, KeyError, TypeError):
            # A damaged page may also give rows that no version has written.
            self._file.discard()
        self.refresh()
        with self._file.reader() as connection:
            return ask(connection)

    def _refresh(self, thorough: bool, only: Sequence[str] | None) -> Refreshed:
        now_there = listed(self.project) if only is None else present(self.project, only)
        with self._file.reader() as connection:
            known = _known_files(connection)
        asked = known.keys() if only is None else known.keys() & set(only)
        removed = tuple(sorted(asked - now_there.keys()))
        if removed:
            with self._file.writer() as connection:
                _remove(connection, removed)
        seen: list[str] = []
        for batch in changed(self.project, now_there, known, thorough=thorough):
            with self._file.writer() as connection:
                for each in batch:
                    _write(connection, each)
            seen += [each.id for each in batch if each.entry is not None or each.trials is not None]
        return Refreshed(tuple(seen), removed)


def _known_files(connection: sqlite3.Connection) -> dict[str, Known]:
    rows = connection.execute(
        "SELECT id, record_version, summary_version, settled, modified, state, gone, "
        "CASE state WHEN 'RUNNING' THEN record END FROM experiments"
    )
    return {
        name: Known(
            record,
            summary,
            bool(settled),
            modified,
            state == State.RUNNING or record is None,
            bool(gone),
            _driver(text),
        )
        for name, record, summary, settled, modified, state, gone, text in rows
    }


def _driver(record: str | None) -> dict[str, Any] | None:
    """The driver that a record of the index names; None without a record, or without one in it."""
    if record is None:
        return None
    try:
        return json.loads(record).get("driver") or None
    except (ValueError, AttributeError) as error:
        raise sqlite3.DatabaseError("the index has a record that no version has written") from error


def _known(connection: sqlite3.Connection, experiment_id: str) -> ExperimentEntry | None:
    row = connection.execute(
        f"SELECT {_ENTRY} FROM experiments WHERE id = ?", [unicode_text(experiment_id)]
    ).fetchone()
    return None if row is None else _entry(row, ())


def _entries_of(
    connection: sqlite3.Connection, experiment_id: str, places: Sequence[int]
) -> Iterable[tuple[str, int]]:
    """The entries of trials, in the order of their places."""
    rows = connection.execute(
        "SELECT entry, place FROM json_each(?) AS wanted CROSS JOIN entries "
        f"ON entries.experiment = {KEY} AND entries.place = wanted.value ORDER BY wanted.key",
        [json.dumps(places), experiment_id],
    )
    return rows.fetchall()


def _entry(row: Sequence[Any], lost: Iterable[str]) -> ExperimentEntry:
    name, record, problem, summary_problem, told, unread, columns = row
    return ExperimentEntry(
        name,
        None if record is None else ExperimentRecord.from_json(record),
        problem,
        summary_problem,
        told,
        unread,
        tuple(Column(*column) for column in json.loads(columns)),
        name in lost,
    )


def _trial(entry: str, place: int) -> TrialResult:
    result = told_result(json.loads(entry), place)
    if result is None:
        raise ValueError("the index has a trial that no version has written")
    return result


def _lost(connection: sqlite3.Connection, experiment_id: str | None = None) -> set[str]:
    """Running experiments whose drivers are gone: ended on this machine, or silent elsewhere."""
    rows = connection.execute(
        "SELECT id, record, gone FROM experiments "
        "WHERE state = 'RUNNING' AND (? IS NULL OR id = ?)",
        [experiment_id, experiment_id],
    )
    return {
        name
        for name, record, gone in rows
        if (driver := _driver(record)) and is_gone(process_lives(driver), silent=bool(gone))
    }


def _direction(entry: ExperimentEntry) -> Direction | None:
    """Which metric of an experiment is better; None if nothing is optimized."""
    told = None if entry.record is None else entry.record.direction
    return Direction(told) if told in set(Direction) else None


def _aim(entry: ExperimentEntry) -> tuple[str | None, str]:
    """The direction of what an experiment optimizes, and its key as JSON."""
    record = entry.record
    if record is None:
        return None, "null"
    return record.direction, json.dumps(record.optimization_key)


def _limit(limit: int | None) -> int:
    return -1 if limit is None else limit


def _remove(connection: sqlite3.Connection, names: Iterable[str]) -> None:
    for name in names:
        for table in ("trials", "entries"):
            connection.execute(f"DELETE FROM {table} WHERE experiment = {KEY}", [name])
        connection.execute("DELETE FROM experiments WHERE id = ?", [name])
    _next_version(connection)


def _next_version(connection: sqlite3.Connection) -> int:
    """Count a change. The first number of a new index is the time: none comes again."""
    row = connection.execute("UPDATE latest SET version = version + 1 RETURNING version").fetchone()
    if row is None:
        row = (time.time_ns() // 1_000_000,)
        connection.execute("INSERT INTO latest VALUES (?)", row)
    return int(row[0])


def _write(connection: sqlite3.Connection, news: Changed) -> None:
    """Write what has changed of an experiment. Its version is raised if a page shows the change."""
    entry = news.entry
    connection.execute(
        "INSERT INTO experiments (id, settled, name, state, start) VALUES (?, 0, '', '', 0) "
        "ON CONFLICT (id) DO NOTHING",
        [news.id],
    )
    known = news.known
    (gone,) = connection.execute("SELECT gone FROM experiments WHERE id = ?", [news.id]).fetchone()
    _update(
        connection,
        news.id,
        record_version=known.record,
        summary_version=known.summary,
        settled=known.settled,
        modified=known.modified,
        gone=known.gone,
    )
    if entry is not None:
        _write_record(connection, entry)
    if news.trials is not None:
        _write_trials(connection, news.id, news.trials)
    if entry is not None or news.trials is not None or known.gone != bool(gone):
        _update(connection, news.id, version=_next_version(connection))


def _write_record(connection: sqlite3.Connection, entry: ExperimentEntry) -> None:
    record = entry.record
    told: dict[str, Any] = {}
    if record is not None:
        told = {
            "record": json.dumps({name: getattr(record, name) for name in record.__slots__}),
            "kind": record.function,
            "user": record.user,
            "description": record.description,
            "tags": json.dumps([unicode_text(tag) for tag in record.tags]),
            "metric": record.metric,
            "direction": record.direction,
            "duration": record.duration,
            "trials": record.trials_total,
            "failed": record.trials_failed,
            "stopped": record.trials_stopped,
        }
    names = ("record", "kind", "user", "description", "tags", "metric", "direction", "duration")
    _update(
        connection,
        entry.id,
        **{
            **dict.fromkeys((*names, "trials", "failed", "stopped")),
            **told,
            "problem": entry.problem,
            "name": entry.name,
            "state": (ExperimentState(record.state) if record else entry.state).value,
            "start": entry.started,
            "end": entry.ended,
        },
    )


def _write_trials(connection: sqlite3.Connection, name: str, trials: SummaryEntries) -> None:
    for table in ("trials", "entries"):
        connection.execute(f"DELETE FROM {table} WHERE experiment = {KEY}", [name])
    (key,) = connection.execute(f"SELECT {KEY}", [name]).fetchone()
    connection.executemany(
        "INSERT INTO entries VALUES (?, ?, ?)",
        ((key, place, entry) for place, _, entry, _ in trials.trials),
    )
    connection.executemany(
        f"INSERT INTO trials VALUES ({', '.join('?' * 15)})",
        (
            (
                key,
                place,
                result.number,
                unicode_text(result.name),
                result.state.value,
                result.metric,
                result.started or None,
                result.ended or None,
                result.duration if result.ended else None,
                result.generation,
                result.budget,
                result.attempt,
                unicode_text(str(result.failure)) if result.failure else None,
                unicode_text(result.worker) if result.worker else None,
                cells,
            )
            for place, result, _, cells in trials.trials
        ),
    )
    _update(
        connection,
        name,
        summary_problem=trials.problem,
        told=len(trials.trials),
        unread=trials.unread,
        columns=json.dumps([[getattr(c, name) for name in c.__slots__] for c in trials.columns]),
    )


def _update(connection: sqlite3.Connection, name: str, /, **values: Any) -> None:
    """Change columns of an experiment."""
    changes = ", ".join(f'"{column}" = ?' for column in values)
    texts = [unicode_text(v) if isinstance(v, str) else v for v in values.values()]
    connection.execute(f"UPDATE experiments SET {changes} WHERE id = ?", [*texts, name])
