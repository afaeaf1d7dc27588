"""Finds the version of a model that the winner of a search has to beat."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hopsml_flows.errors import InvalidArgumentError, SignatureMismatchError
from hopsml_flows.execution import BUDGET, check_names
from hopsml_flows.models import Metric, ModelRecord, best_record
from hopsml_flows.models.repository import versions_of
from hopsml_flows.plan.plan import Plan
from hopsml_flows.search import Float
from hopsml_flows.search.registry import gives_budgets
from hopsml_flows.tracking import intact_record
from hopsml_flows.trials import DEFAULT_KEY
from hopsml_flows.trials.confirmation import Champion
from hopsml_flows.values.arguments import is_number
from hopsml_flows.values.plain import image_key

__all__ = ["find_champion", "own_version", "with_own_values"]

_ARGUMENT = "only_if_better"


def find_champion(
    plan: Plan, experiment_id: str | None = None, winner: Mapping[str, Any] | None = None
) -> Champion | None:
    """Return the best version of the model that a plan names; None if it has no version.

    Args:
        plan: The plan; one that names no model has no champion.
        experiment_id: The experiment, if it has begun. Versions that its training function has
            exported by itself are no champions of it.
        winner: The hyperparameters of its winner. The version that the winner became before a
            resumption is no champion of it either.

    Raises:
        InvalidArgumentError: The versions have another metric or another direction; or the
            hyperparameters of the best one are not known, or do not fit the training function.
        StorageUnavailableError: Storage refuses a record, or did not answer in time.
    """
    name = plan.options.only_if_better
    if name is None or plan.direction is None:
        return None
    key = _key(plan)
    records = [
        record
        for record in versions_of(plan.options.project, name).records
        if _competes(record, key, experiment_id, winner)
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
    given = (BUDGET,) if plan.is_asynchronous and gives_budgets(plan.search()) else ()
    try:
        check_names(plan.train.callable, list(best.origin.params), argument=_ARGUMENT, given=given)
    except SignatureMismatchError as error:
        raise _refused(
            name, f"the hyperparameters of {where} do not fit the training function ({error})"
        ) from None
    params = with_own_values(plan, best.origin.params)
    return Champion(name, best.version, params, best.origin.experiment)


def with_own_values(plan: Plan, params: Mapping[str, Any]) -> dict[str, Any]:
    """Return hyperparameters that were read from JSON, with the search space's own values.

    A version's record holds the images of values: of a tuple, a list. The training function gets
    what the trials of the search get.

    Args:
        plan: The plan; values that its search space does not have stay as they are.
        params: The hyperparameters.
    """
    return {name: _own_value(plan, name, value) for name, value in params.items()}


def _own_value(plan: Plan, name: str, value: Any) -> Any:
    domain = plan.domains.get(name)
    if isinstance(domain, Float) and is_number(value):
        return float(value)
    # A grid has no domain of a hyperparameter with one value.
    values = plan.space.get(name) if domain is None else getattr(domain, "choices", ())
    key = image_key(value)
    own = values if isinstance(values, (list, tuple)) else ()
    return next((each for each in own if image_key(each) == key), value)


def own_version(plan: Plan, experiment_id: str, winner: Mapping[str, Any]) -> ModelRecord | None:
    """Return the version that the winner of an experiment became; None if it became none.

    Args:
        plan: The plan; it names a model.
        experiment_id: The experiment.
        winner: The winner's hyperparameters.

    Raises:
        StorageUnavailableError: Storage refuses a record, or did not answer in time.
    """
    name = plan.options.only_if_better
    assert name is not None
    own = [
        record
        for record in versions_of(plan.options.project, name).records
        if _became(record, _key(plan), experiment_id, winner)
    ]
    return own[-1] if own else None


def _key(plan: Plan) -> str:
    return plan.optimization_key or DEFAULT_KEY


def _competes(
    record: ModelRecord, key: str, experiment_id: str | None, winner: Mapping[str, Any] | None
) -> bool:
    """Whether the winner of an experiment has to beat a version."""
    if experiment_id is None or record.origin.experiment != experiment_id:
        return True
    if key not in record.confirmed:  # its training function exports by itself
        return False
    return winner is None or not _became(record, key, experiment_id, winner)


def _became(record: ModelRecord, key: str, experiment_id: str, winner: Mapping[str, Any]) -> bool:
    """Whether a version was promoted as the winner of an experiment.

    What a training function exports by itself has no optimistic metric, which only a search knows.
    """
    if record.origin.experiment != experiment_id:
        return False
    if record.confirmed.get(key, {}).get("optimistic") is None:
        return False
    return image_key(record.origin.params) == image_key(dict(winner))


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
