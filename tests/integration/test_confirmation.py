"""Winners of searches, evaluated again on fresh seeds, and promoted if they are better."""

from __future__ import annotations

import json
import random
import signal
from pathlib import Path

import pytest

from hopsml_flows import experiment, model
from hopsml_flows.errors import InvalidArgumentError
from hopsml_flows.search import Direction
from hopsml_flows.text import number_text
from hopsml_flows.trials import State, trial_seed
from tests.servers.prefect import Client, task_runs
from tests.waiting import eventually

LUCK = 100.0


def noisy(x=1):
    """A metric with noise, which the trial's seed decides."""
    import random

    return x * random.gauss(1, 0.01)


def lucky(x=1):
    """A metric with luck: rarely it is far too good. The model is kept."""
    import json
    import random
    from pathlib import Path

    luck = 100.0 if random.random() < 0.3 else 0.0
    Path("net.pt").write_text(json.dumps({"x": x}))
    return {"metric": x + luck, "model": "net.pt"}


def is_lucky(seed, number):
    return random.Random(trial_seed(seed, number)).random() < 0.3


def confirming(result):
    return sorted(Path(result.path, "confirmation").iterdir())


def test_a_confirmed_winner_has_a_mean_on_fresh_seeds_beside_its_metric(
    options, experiments, capsys
):
    printing = {**options, "progress": True}
    result = experiment.grid_search(noisy, {"x": [1, 2, 3]}, seed=5, confirm=3, **printing)
    found = result.confirmation
    assert found.optimistic == result.best.metric
    assert len(set(found.metrics)) == 3
    assert found.optimistic not in found.metrics
    assert found.mean == pytest.approx(sum(found.metrics) / 3)
    assert found.interval[0] < found.mean < found.interval[1]
    assert found.defaults.contestant.params == {"x": 1}
    assert found.probability > 0.99

    # They are no trials of the search, and have seeds of their own.
    assert [trial.number for trial in result.trials] == [1, 2, 3]
    assert not {trial.seed for trial in found.results} & {trial.seed for trial in result.trials}
    assert [trial.number for trial in found.results] == [
        1000001, 1000002, 1000003, 1000101, 1000102, 1000103,
    ]  # fmt: skip
    assert len(confirming(result)) == 6
    assert len(task_runs(result.flow_run_id, 9)) == 9
    record = experiments()[result.id]
    assert record["confirmation"]["winner"]["mean"] == found.mean
    assert record["metric"] == found.optimistic
    assert (record["promotion"], record["trials_total"], record["state"]) == (None, 3, "FINISHED")
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "CONFIRMED" in line]
    assert line.startswith(f"CONFIRMED metric {number_text(found.mean)} (95 % interval ")
    said = f"on 3 fresh seeds; the search found {number_text(found.optimistic)}"
    assert said in line


def test_a_search_by_itself_confirms_nothing(options, experiments):
    result = experiment.grid_search(noisy, {"x": [1, 2]}, **options)
    assert result.confirmation is result.promotion is None
    assert not Path(result.path, "confirmation").exists()
    assert experiments()[result.id]["confirmation"] is None


def test_a_metric_that_is_to_be_small_is_confirmed_as_such(options):
    result = experiment.random_search(
        noisy, {"x": [-50, 0]}, samples=3, direction=Direction.MIN, seed=1, confirm=2, **options
    )
    assert result.best.params["x"] < 0
    assert result.confirmation.probability > 0.95


def test_a_generation_is_no_owner_of_the_trials_that_confirm(options):
    result = experiment.differential_evolution(
        noisy, {"x": [2.0, 9.0]}, population=4, generations=1, seed=1, confirm=2, **options
    )
    assert {trial.generation for trial in result.confirmation.results} == {None}
    assert len(confirming(result)) == 4
    assert result.confirmation.probability > 0.9


def counting(x, reporter, budget=1):
    import random

    for step in range(int(budget)):
        reporter.broadcast(x + step / 100, step)
    return x + random.gauss(0, 0.01)


def test_an_asynchronous_search_confirms_its_winner_with_the_winners_budget(options):
    result = experiment.optimize(
        counting, {"x": [0.0, 1.0]}, num_trials=5, seed=1, confirm=2,
        optimizer={"optimizer": "asha", "reduction_factor": 2, "max_budget": 2}, **options,
    )  # fmt: skip
    found = result.confirmation
    assert found.winner.contestant.params == result.best.params
    assert {trial.budget for trial in found.results} == {result.best.budget}
    assert found.without_defaults == "the function has no default for x"
    assert found.winner.failed == 0


def test_lagom_confirms(options):
    from hopsml_flows import Searchspace
    from hopsml_flows.experiment_config import OptimizationConfig

    config = OptimizationConfig(
        num_trials=3, optimizer="randomsearch", searchspace=Searchspace(x=("DOUBLE", [2.0, 9.0])),
        direction="max", name="confirmed",
    )  # fmt: skip
    result = experiment.lagom(noisy, config, confirm=2, **options)
    assert result.confirmation.probability > 0.9


def test_a_failure_on_a_fresh_seed_is_told_and_no_failure_of_the_search(options, tmp_path, capsys):
    of_search, marker = [str(trial_seed(1, number)) for number in (1, 2)], tmp_path / "failed"

    def train(x):
        import os
        from contextlib import suppress

        if os.environ["HOPSML_SEED"] not in of_search:
            with suppress(FileExistsError):  # only one of them fails
                marker.touch(exist_ok=False)
                raise OSError("disk full")
        return x

    printing = {**options, "progress": True}
    result = experiment.grid_search(train, {"x": [1, 2]}, seed=1, confirm=3, **printing)
    assert result.failed == ()
    assert sorted(map(str, result.confirmation.metrics)) == ["2.0", "2.0", "None"]
    [failed] = [trial for trial in result.confirmation.results if trial.state is State.FAILED]
    assert str(failed.failure) == "OSError: disk full"
    assert f"Trial {failed.number} failed: OSError: disk full" in capsys.readouterr().out


def test_the_winner_of_each_night_meets_other_seeds_though_the_search_has_one_seed(options):
    first, second = (
        experiment.grid_search(noisy, {"x": [1, 2]}, seed=5, confirm=2, **options) for _ in range(2)
    )
    assert first.best.metric == second.best.metric
    assert not set(first.confirmation.seeds) & set(second.confirmation.seeds)
    assert not set(first.confirmation.metrics) & set(second.confirmation.metrics)


RESUMED = """
import os
from pathlib import Path
from hopsml_flows import experiment

FOLDER, RESUME = {folder!r}, {resume!r}

def train(x=1):
    import os, random, signal
    from contextlib import suppress
    from pathlib import Path
    diary = Path({folder!r}, "diary")
    with diary.open("a") as lines:
        lines.write(f"{{x}} {{os.environ['HOPSML_SEED']}}\\n")
    if len(diary.read_text().splitlines()) >= 3 + 4:
        with suppress(FileNotFoundError):  # of two trials, one ends the driver
            fatal = Path({folder!r}, "driver").rename(Path({folder!r}, "killed"))
            os.kill(int(fatal.read_text()), signal.SIGKILL)
    return x * random.gauss(1, 0.01)

if __name__ == "__main__":
    if not RESUME:
        Path(FOLDER, "driver").write_text(str(os.getpid()))
    # Of its own: a shared one would keep the processes of a killed driver's trials for minutes.
    cluster = experiment.ClusterConfig("local", n_workers=2)
    result = experiment.grid_search(
        train, {{"x": [1, 2, 3]}}, confirm=4, seed=1, project={project!r}, cluster=cluster,
        progress=False, resume=RESUME,
    )
    print("MEAN", result.confirmation.mean)
"""


def test_a_run_that_dies_halfway_through_confirming_repeats_nothing(
    tmp_path, project, run_script, experiments, prefect_server
):
    def run(resume=None, *, check=True):
        code = RESUMED.format(folder=str(tmp_path), project=str(project), resume=resume)
        return run_script(code, check=check, PREFECT_API_URL=prefect_server)

    first = run(check=False)
    assert first.returncode == -signal.SIGKILL, first.stdout + first.stderr
    ((name, before),) = experiments().items()
    assert before["confirmation"] is None
    outputs = Path(project, "Experiments", name).rglob(".outputs.json")
    results = {path: path.read_bytes() for path in outputs}
    assert sum(path.parent.parent.name == "confirmation" for path in results) >= 2

    assert f"MEAN {run(name).stdout.partition('MEAN ')[2]}" != "MEAN "
    assert {path: path.read_bytes() for path in results} == results
    assert len(experiments()[name]["confirmation"]["winner"]["metrics"]) == 4
    diary = (tmp_path / "diary").read_text().splitlines()
    evaluations = 3 + 2 * 4
    assert len(set(diary)) == evaluations
    # At most the two that ran when the driver died were begun again.
    assert len(diary) - evaluations <= 2


def test_each_night_promotes_a_better_model_and_refuses_a_lucky_one(options, experiments, tmp_path):
    def night(bounds, seed, samples):
        return experiment.random_search(
            lucky, bounds, samples=samples, seed=seed, name="nightly", warm_start="last",
            confirm=5, only_if_better="nightly-net", **options,
        )  # fmt: skip

    honest = next(s for s in range(1000) if not any(is_lucky(s, n) for n in range(1, 9)))
    first = night({"x": [1, 20]}, honest, 3)
    assert (first.promotion.promoted, first.promotion.version) == (True, 1)
    assert first.promotion.why == "the model has no version yet"
    record = model.get_model("nightly-net", project_name=options["project"]).record
    assert record.confirmed["metric"]["mean"] == first.confirmation.mean
    assert record.confirmed["metric"]["optimistic"] == first.best.metric
    copy = model.download_model("nightly-net", 1, options["project"], local_path=tmp_path / "copy")
    (weights,) = Path(copy).rglob("net.pt")
    assert json.loads(weights.read_text()) == first.best.params

    # Trial 2 is the second best one of the night before; now it is lucky.
    unlucky = next(
        s for s in range(100_000)
        if [n for n in range(1, 9) if is_lucky(s, n)] == [2]
    )  # fmt: skip
    second = night({"x": [1, 20]}, unlucky, 8)
    assert second.best.number == 2
    assert second.best.metric >= LUCK
    assert second.best.params["x"] < first.best.params["x"]
    promotion = second.promotion
    assert (promotion.promoted, promotion.version, promotion.champion) == (False, None, 1)
    assert promotion.probability < 0.05
    assert promotion.optimistic > promotion.corrected
    assert "only with probability 0" in promotion.why
    assert experiments()[second.id]["promotion"]["promoted"] is False

    third = night({"x": [1, 60]}, honest, 8)
    assert (third.promotion.promoted, third.promotion.version) == (True, 2)
    assert third.promotion.champion == 1
    best = model.get_best_model("nightly-net", "metric", model.Metric.MAX, options["project"])
    assert (best.version, best.record.origin.params) == (2, third.best.params)


def test_a_run_resumed_after_its_promotion_promotes_nothing_more(options):
    call = {"only_if_better": "net", "confirm": 2, "seed": 4}
    first = experiment.grid_search(lucky, {"x": [1, 2]}, **call, **options)
    assert (first.promotion.promoted, first.promotion.version) == (True, 1)
    again = experiment.grid_search(lucky, {"x": [1, 2]}, resume=first.id, **call, **options)
    assert again.promotion == first.promotion
    assert again.confirmation == first.confirmation
    assert model.get_model("net", project_name=options["project"]).version == 1


def test_a_promoted_experiment_that_is_resumed_after_a_later_promotion_keeps_its_record(
    options, experiments
):
    call = {"only_if_better": "net", "confirm": 2, "seed": 4}
    first = experiment.grid_search(lucky, {"x": [1, 2]}, **call, **options)
    later = experiment.grid_search(lucky, {"x": [1, 900]}, **{**call, "confirm": 5}, **options)
    assert (later.promotion.promoted, later.promotion.version) == (True, 2)
    before = experiments()[first.id]
    again = experiment.grid_search(lucky, {"x": [1, 2]}, resume=first.id, **call, **options)
    assert again.promotion == first.promotion
    after = experiments()[first.id]
    assert [after[name] for name in ("confirmation", "promotion")] == [
        before[name] for name in ("confirmation", "promotion")
    ]


def test_a_champion_is_trained_with_the_values_that_the_search_has(options):
    def train(layers):
        import random
        from pathlib import Path

        assert type(layers) is tuple
        Path("net.pt").write_text(str(layers))
        return {"metric": sum(layers) * random.gauss(1, 0.001), "model": "net.pt"}

    call = {"only_if_better": "net", "confirm": 2}
    first = experiment.grid_search(train, {"layers": [(8, 8)]}, **call, **options)
    assert first.promotion.version == 1
    grid = {"layers": [(8, 8), (64, 32)]}
    second = experiment.grid_search(train, grid, **call, **options)
    assert second.confirmation.champion.failed == 0
    assert second.promotion.version == 2


def test_a_training_function_that_exports_by_itself_is_promoted_once(options, experiments):
    def train(x):
        import random
        from pathlib import Path

        from hopsml_flows import model

        metric = x + random.gauss(0, 0.1)
        Path("net.pt").write_text(str(x))
        model.export("net.pt", "net", metrics={"metric": metric})
        return {"metric": metric, "model": "net.pt"}

    call = {"only_if_better": "net", "confirm": 2, "seed": 4}
    first = experiment.grid_search(train, {"x": [1, 2]}, **call, **options)
    assert first.promotion.promoted
    assert first.promotion.why == "the model has no version yet"
    record = model.get_model("net", first.promotion.version, options["project"]).record
    assert record.confirmed["metric"]["optimistic"] == first.best.metric
    again = experiment.grid_search(train, {"x": [1, 2]}, resume=first.id, **call, **options)
    assert again.promotion == first.promotion


def test_a_promotion_and_its_asset_are_events_on_the_server(options, prefect_server):
    result = experiment.grid_search(
        lucky, {"x": [1, 2]}, only_if_better="net", confirm=2, name="told", **options
    )
    asset = f"file://{options['project']}/Models/net/1"

    def events(resource):
        body = {"filter": {"resource": {"id": [resource]}, "order": "ASC"}, "limit": 50}
        return {event["event"]: event for event in client.found("events", body)["events"]}

    with Client(prefect_server) as client:
        told = eventually(
            lambda: events(f"hopsml.experiment.{result.id}"),
            lambda found: {"hopsml.search.confirmed", "hopsml.model.promoted"} <= set(found),
        )
        made = eventually(lambda: events(asset), bool)
    confirmation = told["hopsml.search.confirmed"]["payload"]["confirmation"]
    assert confirmation["winner"]["mean"] == result.confirmation.mean
    assert told["hopsml.model.promoted"]["payload"]["promotion"]["version"] == 1
    (event,) = made.values()
    assert event["event"] == "prefect.asset.materialization.succeeded"
    assert event["payload"]["promotion"]["model"] == "net"


def test_a_winner_that_saves_no_model_is_not_promoted(options):
    result = experiment.grid_search(noisy, {"x": [1, 2]}, only_if_better="none", **options)
    assert len(result.confirmation.seeds) == 5
    assert not result.promotion.promoted
    why = "it returned no path of a model, and not one of its files is certain to be one"
    assert result.promotion.why == why


def test_a_champion_that_does_not_fit_is_an_error_before_anything_starts(
    options, experiments, tmp_path
):
    def other(units):
        raise AssertionError("it ran")

    experiment.grid_search(lucky, {"x": [1, 2]}, only_if_better="net", confirm=2, **options)
    (tmp_path / "weights").write_text("weights")
    model.export(
        tmp_path / "weights", "stranger", metrics={"metric": 1.0}, project=options["project"]
    )
    before = experiments()
    for call, said in (
        ({"train": other, "grid_dict": {"units": [1]}}, "do not fit the training function"),
        ({"optimization_key": "loss"}, "no version of it has a finite loss: they have metric"),
        ({"direction": "MIN"}, "version 1 was made with direction MAX"),
        ({"only_if_better": "stranger"}, "the hyperparameters of version 1 are not known"),
    ):
        wanted = {"train": lucky, "grid_dict": {"x": [1]}, "only_if_better": "net", **call}
        with pytest.raises(InvalidArgumentError, match=r"^only_if_better: ") as caught:
            experiment.grid_search(**wanted, **options)
        assert said in str(caught.value)
    assert experiments() == before
