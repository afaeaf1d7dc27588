"""Prefect events of an experiment, for automations: its end, failed trials, a better best trial.

``docs/how-to/prefect-ui.md`` documents names and payloads. Prefect sends events in a thread of its
own. An event that cannot be sent never harms the experiment: the error is only logged.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from prefect.events import emit_event

from hopsml_flows.storage import EXPERIMENTS
from hopsml_flows.text import readable
from hopsml_flows.tracking.prefect.assets import (
    experiment_resource,
    full_place,
    send_materialized,
    trial_resource,
)
from hopsml_flows.tracking.prefect.markdown import as_text

if TYPE_CHECKING:
    from hopsml_flows.tracking.record import ExperimentRecord
    from hopsml_flows.trials import TrialResult
    from hopsml_flows.trials.confirmation import Confirmation, Promotion

__all__ = ["EventSender", "best_payload", "end_payload", "trial_payload"]

_MESSAGE = 2000
_VALUE = 500
_MOST_VALUES = 100

_logger = logging.getLogger(__name__)


class EventSender:
    """Sends the events of one experiment. Use it within the experiment's flow run.

    Args:
        directory: The experiment's directory, as a path or a URL without a password.
        tensorboard: URL of the TensorBoard that shows it, or None.
    """

    def __init__(self, directory: str, tensorboard: str | None) -> None:
        self._directory = readable(directory)
        self._project = directory.rpartition(f"/{EXPERIMENTS}/")[0]
        self._tensorboard = tensorboard

    def send_trial_failed(self, record: ExperimentRecord, result: TrialResult) -> None:
        """Send that a trial failed and will not be tried again."""
        payload = trial_payload(record, self._directory, result)
        payload["error"] = as_text(result.failure or "no metric", _MESSAGE)
        self._send("hopsml.trial.failed", record, payload, result)

    def send_best_improved(
        self, record: ExperimentRecord, result: TrialResult, before: TrialResult | None
    ) -> None:
        """Send that a trial is better than all before it. The first metric counts as better."""
        payload = best_payload(record, self._directory, result, before)
        self._send("hopsml.best.improved", record, payload, result)

    def send_confirmed(self, record: ExperimentRecord, confirmation: Confirmation) -> None:
        """Send that the winner was evaluated again on fresh seeds."""
        payload = {**_experiment(record, self._directory), "confirmation": confirmation.as_json()}
        self._send("hopsml.search.confirmed", record, payload)

    def send_promotion(
        self,
        record: ExperimentRecord,
        promotion: Promotion,
        place: str | None,
        trial: TrialResult | None = None,
    ) -> None:
        """Send that the winner became a version of a model, or was refused.

        A version is a Prefect asset, too: what it was made of are its events' related resources.
        """
        event = "hopsml.model.promoted" if promotion.promoted else "hopsml.model.refused"
        payload = {**_experiment(record, self._directory), "promotion": promotion.as_json()}
        self._send(event, record, payload)
        if place is not None:
            send_materialized(place, self._project, record.id, trial, payload)

    def send_proposed(self, record: ExperimentRecord, promotion: Promotion) -> None:
        """Send that a person is asked whether the winner becomes a version of a model."""
        payload = {**_experiment(record, self._directory), "promotion": promotion.as_json()}
        self._send("hopsml.model.proposed", record, payload)

    def send_exports(self, record: ExperimentRecord, result: TrialResult) -> None:
        """Send that a trial exported versions of models, each of which is a Prefect asset.

        Args:
            record: The experiment's record.
            result: The trial's result.
        """
        for path in result.lineage.exports:
            place = full_place(self._project, path)
            payload = trial_payload(record, self._directory, result)
            send_materialized(place, self._project, record.id, result, payload)

    def send_ended(self, record: ExperimentRecord, best: TrialResult | None) -> None:
        """Send that the experiment is over: finished, failed or killed."""
        payload = end_payload(record, self._directory, best, self._tensorboard)
        self._send(f"hopsml.experiment.{record.state.value.lower()}", record, payload)

    def _send(
        self,
        event: str,
        record: ExperimentRecord,
        payload: dict[str, Any],
        trial: TrialResult | None = None,
    ) -> None:
        resource = {
            "prefect.resource.id": experiment_resource(record.id),
            "prefect.resource.name": as_text(record.name),
            "hopsml.experiment.function": record.function,
        }
        self._emit(event, resource, [] if trial is None else [_resource_of(record, trial)], payload)

    def _emit(
        self,
        event: str,
        resource: dict[str, str],
        related: list[dict[str, str]],
        payload: dict[str, Any],
    ) -> None:
        try:
            # Prefect adds the flow run, its flow, its deployment and its tags.
            emit_event(event=event, resource=resource, related=related, payload=payload)
        except Exception as error:  # too large for the server, or an error of a library
            _logger.debug("event %s of %s not sent: %s", event, resource, error)


def end_payload(
    record: ExperimentRecord, directory: str, best: TrialResult | None, tensorboard: str | None
) -> dict[str, Any]:
    """Return the payload of the event that an experiment is over.

    Args:
        record: The experiment's record.
        directory: Its directory.
        best: Its best trial, or None.
        tensorboard: URL of the TensorBoard that showed it, or None.
    """
    return {
        **_experiment(record, directory),
        "state": record.state.value,
        "metric": record.metric,
        "best": None if best is None else _trial(directory, best),
        "trials": {
            "total": record.trials_total,
            "succeeded": record.trials_succeeded,
            "failed": record.trials_failed,
            "stopped": record.trials_stopped,
        },
        "duration": record.duration,
        "error": None if record.error is None else as_text(record.error, _MESSAGE),
        "tensorboard": tensorboard,
    }


def best_payload(
    record: ExperimentRecord, directory: str, result: TrialResult, before: TrialResult | None
) -> dict[str, Any]:
    """Return the payload of the event that a trial is better than all before it.

    Args:
        record: The experiment's record.
        directory: The experiment's directory.
        result: The trial's result.
        before: The best trial before it, or None.
    """
    previous = None if before is None else before.metric
    payload = trial_payload(record, directory, result)
    return {**payload, "metric": result.metric, "previous_metric": previous}


def trial_payload(record: ExperimentRecord, directory: str, result: TrialResult) -> dict[str, Any]:
    """Return the payload that all events of a trial share.

    Args:
        record: The experiment's record.
        directory: The experiment's directory.
        result: The trial's result.
    """
    return {**_experiment(record, directory), "trial": _trial(directory, result)}


def _experiment(record: ExperimentRecord, directory: str) -> dict[str, Any]:
    return {
        "experiment": record.id,
        "name": as_text(record.name),
        "function": record.function,
        "project": readable(record.project),
        "directory": directory,
        "direction": record.direction,
        "optimization_key": record.optimization_key,
        "flow_run_id": record.flow_run_id,
        "tags": [as_text(tag) for tag in record.tags],
    }


def _trial(directory: str, result: TrialResult) -> dict[str, Any]:
    params = list(result.params.items())[:_MOST_VALUES]
    return {
        "number": result.number,
        "name": result.name,
        "generation": result.generation,
        "attempt": result.attempt,
        "parameters": {as_text(name): _value(value) for name, value in params},
        "metric": result.metric,
        "duration": round(result.duration, 3),
        "directory": f"{directory}/{result.directory}".rstrip("/"),
    }


def _value(value: Any) -> Any:
    """Return a value for JSON: None, booleans and finite numbers unchanged, others as text."""
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, float):
        return value if abs(value) < float("inf") else str(value)
    return as_text(value, _VALUE)


def _resource_of(record: ExperimentRecord, trial: TrialResult) -> dict[str, str]:
    return {
        "prefect.resource.id": trial_resource(record.id, trial.number),
        "prefect.resource.role": "trial",
        "prefect.resource.name": trial.name,
    }
