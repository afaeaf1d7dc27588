"""Reads the winner of an earlier search, for a study around it. It writes nothing."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from hopsml_flows.ablation.around import Around, around_winner
from hopsml_flows.errors import DamagedFileError, InvalidArgumentError
from hopsml_flows.execution.signature import BUDGET, REPORTER
from hopsml_flows.plan.earlier_record import earlier_record
from hopsml_flows.search import Direction
from hopsml_flows.storage import Project
from hopsml_flows.tracking import read_trials
from hopsml_flows.trials import ExperimentResult, best_first

__all__ = ["AROUND", "arms_around", "identifier_of"]

AROUND = "around"


def identifier_of(around: Any) -> str:
    """Return the identifier of a search that is given as its result or by its identifier.

    Args:
        around: What the user gave.

    Raises:
        InvalidArgumentError: It is neither.
    """
    found = around.id if isinstance(around, ExperimentResult) else around
    if not isinstance(found, str) or not found:
        must = "must be the result of a search, or its identifier"
        raise InvalidArgumentError(AROUND, around, must)
    return found


def arms_around(
    project: Project, around: Any, function: Callable[..., Any], name: str, direction: Direction
) -> Around:
    """Return the arms around the winner of a search.

    Args:
        project: The project that has the search.
        around: The search's result, or its identifier.
        function: The function that is to be trained.
        name: Its import string.
        direction: Which way is better in the study.

    Raises:
        InvalidArgumentError: There is no such search, it optimized the other way, was of another
            function, or has no winner or nothing to set back.
        StorageUnavailableError: Storage does not answer.
    """
    identifier = identifier_of(around)
    record = earlier_record(project, identifier, argument=AROUND)
    if record.direction is not None and record.direction != direction.value:
        because = f"its direction is {record.direction!r}, not {direction.value!r}"
        raise InvalidArgumentError(AROUND, identifier, because=because)
    try:
        trials = read_trials(project, identifier)
    except DamagedFileError as error:
        raise InvalidArgumentError(AROUND, identifier, because=str(error)) from error
    # As in the search: what was stopped early may be its winner.
    first = next(iter(best_first(trials, direction)), None)
    best = first if first is not None and first.succeeded and first.metric is not None else None
    signature = inspect.signature(function)
    told = {"id": identifier, "train": record.train, "search_space": record.search_space}
    found = around_winner(
        told,
        None if best is None else best.params,
        signature,
        function=name,
        budget=None if best is None else best.budget,
    )
    _check_complete(identifier, found, signature)
    return found


def _check_complete(identifier: str, found: Around, signature: inspect.Signature) -> None:
    """Check that the winner has a value of each argument that the function needs.

    Raises:
        InvalidArgumentError: One is missing.
    """
    given = {REPORTER, *found.winner, *(() if found.budget is None else (BUDGET,))}
    lacking = [
        parameter.name
        for parameter in signature.parameters.values()
        if parameter.default is parameter.empty
        and parameter.kind
        in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
        and parameter.name not in given
    ]
    if lacking:
        because = f"its best trial has no value of {', '.join(lacking)}, which the function needs"
        if BUDGET in lacking:
            because += ": that search gave no budgets, so let budget have a default"
        raise InvalidArgumentError(AROUND, identifier, because=because)
