"""Finds the version of a model that the winner of a search has to beat."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hopsml_flows.errors import InvalidArgumentError, SignatureMismatchError
from hopsml_flows.execution import check_names
from hopsml_flows.models import Metric, ModelRecord, best_record
from hopsml_flows.models.repository import versions_of
from hopsml_flows.plan.plan import Plan
from hopsml_flows.tracking import intact_record
from hopsml_flows.trials import DEFAULT_KEY
from hopsml_flows.trials.confirmation import Champion
from hopsml_flows.values.plain import image_key

__all__ = ["find_champion", "is_of"]

_ARGUMENT = "only_if_better"


def find_champion(
    plan: Plan, experiment_id: str | None = None, winner: Mapping[str, Any] | None = None
) -> Champion | None:
    """Return the best version of the model that a plan names; None if it has no version.

    Args:
        plan: The plan; one that names no model has no champion.
        experiment_id: The experiment, if it has begun.
        winner: The hyperparameters of its winner. A version of this experiment with them is what
            became of the winner before a resumption, and not its champion.

    Raises:
        InvalidArgumentError: The versions have another metric or another direction; or the
            hyperparameters of the best one are not known, or do not fit the training function.
        StorageUnavailableError: Storage refuses a record, or did not answer in time.
    """
    name = plan.options.only_if_better
    if name is None or plan.direction is None:
        return None
    key = plan.optimization_key or DEFAULT_KEY
    records = [
        record
        for record in versions_of(plan.options.project, name).records
        if not is_of(record, experiment_id, winner)
    ]
    if not records:
        return None
    best = best_record(records, key, Metric(plan.direction.value))
    if best is None:
        known = ", ".join(sorted({metric for record in records for metric in record.metrics}))
        told = f"they have {known}" if known else "they have no metrics"
        raise _refused(name, f"no version of it has a finite {key}: {told}")
    where = f"version {best.version}"
    direction = _direction(plan, best, key)
    if direction not in (None, plan.direction.value):
        raise _refused(name, f"{where} was made with direction {direction}")
    if best.origin.experiment is None or not best.origin.params:
        raise _refused(name, f"the hyperparameters of {where} are not known")
    given = ("budget",) if plan.has_budgets else ()
    try:
        check_names(plan.train.callable, list(best.origin.params), argument=_ARGUMENT, given=given)
    except SignatureMismatchError as error:
        raise _refused(
            name, f"the hyperparameters of {where} do not fit the training function ({error})"
        ) from None
    return Champion(name, best.version, dict(best.origin.params), best.origin.experiment)


def is_of(record: ModelRecord, experiment_id: str | None, params: Mapping[str, Any] | None) -> bool:
    """Whether a version comes from an experiment, and has these hyperparameters.

    Args:
        record: The version.
        experiment_id: The experiment, or None.
        params: The hyperparameters, or None.
    """
    if experiment_id is None or params is None or record.origin.experiment != experiment_id:
        return False
    return image_key(record.origin.params) == image_key(dict(params))


def _direction(plan: Plan, record: ModelRecord, key: str) -> str | None:
    """The direction that a version's metric was optimized in, if anything says it."""
    told = record.confirmed.get(key, {}).get("direction")
    if isinstance(told, str):
        return told
    if record.origin.experiment is None:
        return None
    earlier = intact_record(plan.options.project, record.origin.experiment)
    if earlier is None or earlier.optimization_key != key:
        return None
    return earlier.direction


def _refused(name: str, because: str) -> InvalidArgumentError:
    return InvalidArgumentError(_ARGUMENT, name, because=because)
