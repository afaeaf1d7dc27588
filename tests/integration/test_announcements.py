"""What a Prefect server is told of an experiment: artifacts and events."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from hopsml_flows import experiment
from tests.servers.prefect import Client, artifacts
from tests.waiting import eventually

from .training import product


@pytest.fixture
def client(prefect_server):
    with Client(prefect_server) as client:
        yield client


def shown_in_the_end(flow_run_id, name, trials):
    """Artifacts of an experiment, once they tell of its end and list so many trials."""
    return artifacts(
        flow_run_id,
        lambda shown: (
            ": FINISHED" in shown[f"{name}-summary"]
            and len(json.loads(shown[f"{name}-trials"])) == trials
        ),
    )


def events(client, experiment_id, *kinds):
    """Events of an experiment, once those are there.

    The server writes them in batches, of which a later one may be written before another.
    """
    body = {
        "filter": {"resource": {"id": [f"hopsml.experiment.{experiment_id}"]}, "order": "ASC"},
        "limit": 50,
    }
    return eventually(
        lambda: client.found("events", body)["events"],
        lambda found: Counter(e["event"] for e in found) >= Counter(kinds),
    )


def test_artifacts_and_events_tell_of_an_experiment(options, client):
    """Each artifact is made once a run, so that its versions are the experiments of a name."""

    def sometimes(x):
        if x == 3:
            raise ValueError("no <b>threes</b> | please")
        return {"score": x, "note": "a|b"}

    named = {**options, "name": "Told | by <night>", "optimization_key": "score", "seed": 1}
    runs = [
        experiment.grid_search(sometimes, {"x": xs}, tags=["told"], **named)
        for xs in ([2, 3, 1], [5])
    ]
    first, second = runs
    shown = shown_in_the_end(first.flow_run_id, "told-by-night", 3)
    shown_in_the_end(second.flow_run_id, "told-by-night", 1)
    assert set(shown) == {f"told-by-night-{kind}" for kind in ("progress", "summary", "trials")}
    page = shown["told-by-night-summary"]
    assert page.startswith(r"## Told \| by \<night\>: FINISHED")
    assert "| best score | 2 \\(MAX\\) |" in page
    assert "| trials | 3 of 3 done, 1 failed, 0 running |" in page
    assert f"| directory | `{first.path}` |" in page
    assert r"0002\-x\=3: ValueError: no \<b\>threes\</b\> \| please" in page
    assert shown["told-by-night-progress"] == 100.0
    rows = json.loads(shown["told-by-night-trials"])
    assert [(row["trial"], row["state"]) for row in rows] == [
        (1, "FINISHED"),
        (3, "FINISHED"),
        (2, "FAILED"),
    ]
    latest = client.get("/artifacts/told-by-night-summary/latest").raise_for_status().json()
    assert latest["flow_run_id"] == second.flow_run_id
    versions = client.found(
        "artifacts", {"artifacts": {"key": {"any_": ["told-by-night-summary"]}}}
    )
    assert len(versions) == 2

    kinds = {"hopsml.best.improved", "hopsml.trial.failed", "hopsml.experiment.finished"}
    found = events(client, first.id, *kinds)
    by_name = {event["event"]: event for event in found}
    # The second trial may come before the first, which is better then, too.
    assert set(by_name) == kinds
    for event in found:
        related = {r["prefect.resource.role"]: r["prefect.resource.id"] for r in event["related"]}
        assert related["flow-run"] == f"prefect.flow-run.{first.flow_run_id}"
        assert event["payload"]["directory"] == first.path
    failed = by_name["hopsml.trial.failed"]["payload"]
    assert failed["trial"]["parameters"] == {"x": 3}
    assert failed["error"] == "ValueError: no <b>threes</b> | please"
    end = by_name["hopsml.experiment.finished"]["payload"]
    assert (end["metric"], end["best"]["name"]) == (2, "0001-x=2")
    assert end["trials"] == {"total": 3, "succeeded": 2, "failed": 1, "stopped": 0}
    improved = [e["payload"] for e in found if e["event"] == "hopsml.best.improved"]
    assert improved[0]["previous_metric"] is None
    assert max(payload["metric"] for payload in improved) == 2


def test_a_failed_experiment_says_so_and_one_that_goes_on_does_not_repeat_itself(options, client):
    from hopsml_flows.errors import ExperimentFailedError

    with pytest.raises(ExperimentFailedError) as caught:
        experiment.grid_search(lambda x: 1 / x, {"x": [0]}, name="broken", **options)
    first = caught.value.result
    failed = ["hopsml.trial.failed", "hopsml.experiment.failed"]
    (trial, end) = events(client, first.id, *failed)
    assert [trial["event"], end["event"]] == failed
    assert "the only trial failed" in end["payload"]["error"]
    again = experiment.grid_search(product, {"x": [0]}, resume=first.id, **options)
    experiment.grid_search(product, {"x": [0]}, resume=first.id, **options)
    finished = ["hopsml.best.improved", "hopsml.experiment.finished", "hopsml.experiment.finished"]
    found = events(client, again.id, *failed, *finished)
    assert [event["event"] for event in found] == failed + finished
    # What goes on under another name is told under the experiment's own.
    assert set(shown_in_the_end(again.flow_run_id, "broken", 1)) == {
        f"broken-{kind}" for kind in ("progress", "summary", "trials")
    }
