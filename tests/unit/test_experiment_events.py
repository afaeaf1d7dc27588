"""What the events of an experiment say, and that they never do harm."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from hopsml_flows.tracking import ExperimentRecord
from hopsml_flows.tracking.prefect import assets, events
from hopsml_flows.tracking.prefect.events import EventSender
from hopsml_flows.trials import Failure, InputFile, Lineage, State, TrialResult
from hopsml_flows.trials.confirmation import Promotion

RECORD = ExperimentRecord(
    id="digits-20260101-000000-abcdef",
    name="digits",
    project="demo",
    function="grid_search",
    experiment_type="PARALLEL_EXPERIMENTS",
    train="train.py:train",
    state=State.FINISHED,
    direction="MIN",
    optimization_key="loss",
    metric=0.25,
    trials_total=3,
    trials_succeeded=2,
    trials_failed=1,
    trials_stopped=1,
    duration=7.5,
    tags=("nightly",),
    flow_run_id="f-1",
)
TRIAL = TrialResult(
    2, "0002-x=1", {"x": 1, "act": "relu"}, State.FINISHED, 0.25, directory="0002-x=1", ended=1.5
)
BAD = replace(TRIAL, state=State.FAILED, metric=None, failure=Failure("ValueError", "no"))


@pytest.fixture
def sent(monkeypatch):
    """The events that were handed to Prefect."""
    events_sent = []
    for module in (events, assets):
        monkeypatch.setattr(module, "emit_event", lambda **event: events_sent.append(event))
    with temporary_settings({PREFECT_API_URL: "http://127.0.0.1:1/api"}):
        yield events_sent


@pytest.fixture
def sender():
    return EventSender("s3://bucket/p/Experiments/digits", "http://127.0.0.1:6006/")


def test_the_end_of_an_experiment(sent, sender):
    sender.send_ended(RECORD, TRIAL)
    sender.send_ended(replace(RECORD, state=State.FAILED, error="all trials failed"), None)
    sender.send_ended(replace(RECORD, state=State.KILLED), TRIAL)
    names = [event["event"] for event in sent]
    assert names == [f"hopsml.experiment.{end}" for end in ("finished", "failed", "killed")]
    event = sent[0]
    assert event["resource"] == {
        "prefect.resource.id": "hopsml.experiment.digits-20260101-000000-abcdef",
        "prefect.resource.name": "digits",
        "hopsml.experiment.function": "grid_search",
    }
    assert event["payload"] == {
        "experiment": "digits-20260101-000000-abcdef",
        "name": "digits",
        "function": "grid_search",
        "project": "demo",
        "directory": "s3://bucket/p/Experiments/digits",
        "direction": "MIN",
        "optimization_key": "loss",
        "flow_run_id": "f-1",
        "tags": ["nightly"],
        "state": "FINISHED",
        "metric": 0.25,
        "best": {
            "number": 2,
            "name": "0002-x=1",
            "generation": None,
            "attempt": 1,
            "parameters": {"x": 1, "act": "relu"},
            "metric": 0.25,
            "duration": 1.5,
            "directory": "s3://bucket/p/Experiments/digits/0002-x=1",
        },
        "trials": {"total": 3, "succeeded": 2, "failed": 1, "stopped": 1},
        "duration": 7.5,
        "error": None,
        "tensorboard": "http://127.0.0.1:6006/",
    }
    assert (sent[1]["payload"]["error"], sent[1]["payload"]["best"]) == ("all trials failed", None)


def test_a_better_trial_and_a_failed_one(sent, sender):
    sender.send_best_improved(RECORD, TRIAL, None)
    sender.send_best_improved(RECORD, TRIAL, replace(TRIAL, number=1, metric=0.5))
    sender.send_trial_failed(RECORD, BAD)
    assert [event["event"] for event in sent] == ["hopsml.best.improved"] * 2 + [
        "hopsml.trial.failed"
    ]
    first, second, failed = (event["payload"] for event in sent)
    assert (first["metric"], first["previous_metric"]) == (0.25, None)
    assert second["previous_metric"] == 0.5
    assert failed["error"] == "ValueError: no"
    assert failed["trial"]["parameters"] == {"x": 1, "act": "relu"}
    assert sent[2]["related"] == [
        {
            "prefect.resource.id": "hopsml.trial.digits-20260101-000000-abcdef.2",
            "prefect.resource.role": "trial",
            "prefect.resource.name": "0002-x=1",
        }
    ]


def test_payloads_are_json_of_limited_size(sent, sender):
    params = {f"p{n}": value for n, value in enumerate([float("nan"), [1] * 9999, "x" * 9999] * 99)}
    failure = Failure("E", "z" * 99_999)
    sender.send_trial_failed(
        replace(RECORD, name="n" * 999), replace(BAD, params=params, failure=failure)
    )
    (event,) = sent
    assert len(json.dumps(event["payload"], allow_nan=False)) < 100_000
    assert event["payload"]["trial"]["parameters"]["p0"] == "nan"
    assert len(event["payload"]["trial"]["parameters"]) == 100


def test_what_cannot_be_sent_does_no_harm(monkeypatch, sender):
    def refuses(**event):
        raise RuntimeError("too large")

    monkeypatch.setattr(events, "emit_event", refuses)
    sender.send_trial_failed(RECORD, BAD)
    sender.send_ended(RECORD, None)


PROMOTION = Promotion("net", True, "it is better", 5, 4, 0.99, 0.9, 0.8, 1000001)


def test_a_promotion_and_the_asset_that_it_made(sent, sender):
    sender.send_promotion(RECORD, PROMOTION, "s3://bucket/p/Models/net/5")
    told, made = sent
    assert told["event"] == "hopsml.model.promoted"
    assert told["payload"]["promotion"]["version"] == 5
    assert told["payload"]["experiment"] == RECORD.id
    assert made["event"] == "prefect.asset.materialization.succeeded"
    assert made["resource"]["prefect.resource.id"] == "s3://bucket/p/Models/net/5"
    assert made["resource"]["prefect.resource.name"] == "net/5"
    assert made["related"] == [
        {
            "prefect.resource.id": f"hopsml.experiment.{RECORD.id}",
            "prefect.resource.role": "experiment",
        }
    ]


def test_a_place_that_no_asset_may_have_is_told_without_one(sent, sender):
    sender.send_promotion(RECORD, PROMOTION, "/two words/Models/net/5")
    assert [event["event"] for event in sent] == ["hopsml.model.promoted"]


LINEAGE = Lineage((InputFile("Resources/a.csv", 7), InputFile("/two words/b")), 1, ("Models/n/3",))


def test_a_version_that_a_trial_exported_is_an_asset_made_of_what_it_read(sent, sender):
    sender.send_exports(RECORD, replace(TRIAL, lineage=LINEAGE))
    referenced, made = sent
    assert referenced["event"] == "prefect.asset.referenced"
    assert referenced["resource"] == {"prefect.resource.id": "s3://bucket/p/Resources/a.csv"}
    assert made["event"] == "prefect.asset.materialization.succeeded"
    assert made["resource"]["prefect.resource.id"] == "s3://bucket/p/Models/n/3"
    assert made["resource"]["prefect.resource.name"] == "n/3"
    related = [tuple(each.values())[::-1] for each in made["related"]]
    assert related == [
        ("asset", "s3://bucket/p/Resources/a.csv"),
        ("trial", f"hopsml.trial.{RECORD.id}.2"),
        ("experiment", f"hopsml.experiment.{RECORD.id}"),
    ]
    assert made["payload"]["trial"]["number"] == 2


def test_a_version_in_another_project_has_its_own_place(sent, sender):
    sender.send_exports(RECORD, replace(TRIAL, lineage=Lineage(exports=("/other/Models/n/3",))))
    (made,) = sent
    assert made["resource"]["prefect.resource.id"] == "file:///other/Models/n/3"


def test_a_trial_that_exported_nothing_sends_nothing(sent, sender):
    sender.send_exports(RECORD, replace(TRIAL, lineage=Lineage(LINEAGE.inputs)))
    assert sent == []


def test_a_promoted_version_is_an_asset_made_of_what_its_trial_read(sent, sender):
    trial = replace(TRIAL, number=1000001, lineage=LINEAGE)
    sender.send_promotion(RECORD, PROMOTION, "s3://bucket/p/Models/net/5", trial)
    roles = [each["prefect.resource.role"] for each in sent[-1]["related"]]
    assert roles == ["asset", "trial", "experiment"]


def test_without_a_server_no_asset_is_sent_for_which_prefect_would_start_one(sent):
    with temporary_settings(restore_defaults={PREFECT_API_URL}):
        assets.send_materialized("/demo/Models/n/3", "/demo", RECORD.id, TRIAL)
    assert sent == []


def test_a_model_that_waits_for_a_person_is_told(sent, sender):
    proposed = Promotion("net", False, "it is better", unanswered=True)
    sender.send_proposed(RECORD, proposed)
    (event,) = sent
    assert event["event"] == "hopsml.model.proposed"
    assert event["payload"]["promotion"]["unanswered"] is True


def test_a_refusal_makes_no_asset(sent, sender):
    sender.send_promotion(RECORD, replace(PROMOTION, promoted=False, version=None), None)
    assert [event["event"] for event in sent] == ["hopsml.model.refused"]
