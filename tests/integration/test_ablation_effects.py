"""What ablation studies on real workers find: effects, a search's winner, more seeds, resuming."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import textwrap
import warnings
from pathlib import Path

import numpy as np
import pytest

from hopsml_flows import AblationStudy, experiment, experiments
from hopsml_flows.ablation import Verdict
from hopsml_flows.errors import InvalidArgumentError
from hopsml_flows.search import Float, Int
from tests.integration.test_differential_evolution import wait_until_no_trial_runs
from tests.servers.homes import used_home
from tests.servers.prefect import artifacts
from tests.waiting import wait_until

FEATURES = ["slope", "shift", "noise_one", "noise_two"]


@pytest.fixture
def options(prefect_server, project):
    cluster = experiment.ClusterConfig(kind="local", n_workers=1)
    return {"project": str(project), "cluster": cluster, "progress": False, "tensorboard": False}


def scaled_regression():
    from sklearn.linear_model import LinearRegression
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import StandardScaler

    return Pipeline([("useless", StandardScaler()), ("fit", LinearRegression())])


def of_synthetic(dataset_function, model_function):
    x, y = dataset_function()
    order = np.random.default_rng(random.randrange(2**32)).permutation(len(y))
    fit, test = order[:150], order[150:]
    model = model_function().fit(x[fit], y[fit])
    return float(np.mean((model.predict(x[test]) - y[test]) ** 2))


def synthetic_study():
    rng = np.random.default_rng(7)
    x = rng.normal(size=(200, 4))
    study = AblationStudy(feature_names=FEATURES)
    study.set_dataset((x, 2 * x[:, 0] - x[:, 1] + rng.normal(size=200)))
    study.features.include(*FEATURES)
    study.model.set_base_model_generator(scaled_regression)
    study.model.layers.include("useless")
    return study


def verdicts(result):
    return {judged.effect.arm: judged.verdict for judged in result.effects}


EXPECTED = {
    "feature slope": Verdict.MATTERS,
    "feature shift": Verdict.MATTERS,
    "feature noise_one": Verdict.NOISE,
    "feature noise_two": Verdict.NOISE,
    "layer useless": Verdict.NOISE,
}


def test_five_repeats_find_which_parts_matter(options, capsys):
    result = experiment.ablation(
        of_synthetic,
        synthetic_study(),
        direction="min",
        seed=1,
        name="parts",
        **{**options, "progress": True},
    )
    assert verdicts(result) == EXPECTED
    assert [judged.effect.arm for judged in result.effects][:2] == list(EXPECTED)[:2]
    first = result.effects[0]
    assert first.words.startswith("matters at 5 repeats: without it the metric is")
    # Counted in the trials: coefficients, and the intercept.
    assert {j.effect.arm: j.effect.parameters for j in result.effects} == {
        **dict.fromkeys([f"feature {name}" for name in FEATURES], 4),
        "layer useless": 5,
    }
    assert {trial.outputs["parameters"] for trial in result.trials} == {4, 5}
    assert first.effect.seconds is not None
    useless = next(j for j in result.effects if j.effect.arm == "layer useless")
    assert useless.words == "within noise at 5 repeats; it makes no difference at all"
    printed = capsys.readouterr().out
    assert f"feature slope: {first.words}"[:60] in printed
    stored = json.loads(Path(result.path, "experiment-effects.json").read_text())
    assert [entry["words"] for entry in stored["effects"]] == [
        judged.words for judged in result.effects
    ]
    assert Path(result.path, "experiment-effects.png").read_bytes().startswith(b"\x89PNG")
    assert experiments.get(result.id, project=options["project"]).effects == result.effects


def test_prefect_shows_the_effects_as_a_table(options):
    result = experiment.ablation(
        of_synthetic, synthetic_study(), direction="min", seed=1, repeats=2, name="parts", **options
    )
    shown = artifacts(result.flow_run_id, lambda shown: json.loads(shown["parts-effects"]))
    rows = json.loads(shown["parts-effects"])
    assert [row["without"] for row in rows] == [
        *(judged.effect.arm for judged in result.effects),
        "base",
    ]
    assert [row["verdict"] for row in rows[:-1]] == [judged.words for judged in result.effects]
    assert [(row["repeats"], row["parameters"]) for row in (rows[0], rows[-1])] == [
        ("2", "4"),
        ("", "5"),
    ]
    assert all(row["time"].endswith(" s") for row in rows)
    assert "parts-pictures" in shown


def keras_model(ablated_feature):
    import keras

    layers = keras.layers
    return keras.Sequential(
        [
            layers.Input(shape=(len(FEATURES) - (ablated_feature is not None),)),
            layers.Dense(16, name="first"),
            layers.Activation("relu", name="bend"),
            layers.Activation("linear", name="useless"),
            layers.Dense(1, name="last"),
        ]
    )


def bent_data():
    x = np.random.default_rng(7).normal(size=(1200, 4)).astype("float32")
    return x, np.abs(2 * x[:, 0]) + x[:, 1]


def of_keras(dataset_function, model_function):
    import keras

    x, y = dataset_function()
    model = model_function()
    model.compile(keras.optimizers.Adam(0.02), "mse")
    model.fit(x[:1000], y[:1000], epochs=60, batch_size=100, verbose=0)
    return float(model.evaluate(x[1000:], y[1000:], verbose=0))


def keras_study():
    study = AblationStudy(feature_names=FEATURES)
    study.set_dataset_generator(bent_data)
    study.features.include(*FEATURES)
    study.model.set_base_model_generator(keras_model)
    study.model.layers.include("bend", "useless")
    return study


@pytest.mark.slow
@pytest.mark.timeout(900)  # 35 trainings with TensorFlow
def test_five_repeats_find_the_useless_layer_of_a_keras_model(options):
    result = experiment.ablation(of_keras, keras_study(), direction="min", seed=1, **options)
    assert result.failed == ()
    assert verdicts(result) == {**EXPECTED, "layer bend": Verdict.MATTERS}
    useless = next(j for j in result.effects if j.effect.arm == "layer useless")
    assert useless.words == "within noise at 5 repeats; it makes no difference at all"
    parameters = {j.effect.arm: j.effect.parameters for j in result.effects}
    assert parameters["layer useless"] == parameters["layer bend"] == 4 * 16 + 16 + 16 + 1
    assert parameters["feature slope"] == 3 * 16 + 16 + 16 + 1
    assert result.findings.base.parameters == parameters["layer useless"]


SCRIPT = """
    import os, random, sys, time
    from hopsml_flows import AblationStudy, experiment, experiments

    def train(dataset_function, ablated_feature):
        with open("@calls", "a") as calls:
            calls.write("called\\n")
        time.sleep(0.2)
        until = time.monotonic() + 5  # the last ones give the test time to kill the study
        with open("@calls") as calls:
            late = len(calls.readlines()) > @late
        while late and not os.path.exists("@calls-go") and time.monotonic() < until:
            time.sleep(0.05)
        own = random.Random(f"{random.random()} {ablated_feature}")
        return sum(map(sum, dataset_function().values())) + own.gauss(0, 0.1)

    if __name__ == "__main__":
        study = AblationStudy()
        study.set_dataset({"large": [3.0], "small": [0.001], "nothing": [0.0]})
        study.features.include("large", "small", "nothing")
        experiment.ablation(
            train, study, sequential=True, repeats=6, name="killed", project="project", seed=7,
            cluster="local", resume=sys.argv[1] if len(sys.argv) > 1 else None,
        )
"""


@pytest.mark.slow
@pytest.mark.timeout(900)  # three drivers, each with a cluster of its own
@pytest.mark.parametrize("kill_after", [2, 6])
def test_a_study_whose_driver_is_killed_goes_on_and_finds_the_same(tmp_path, kill_after):
    env = {**os.environ, "PREFECT_HOME": str(used_home(tmp_path / "prefect"))}

    def script(directory, late):
        directory.mkdir()
        calls = directory / "calls"
        text = textwrap.dedent(SCRIPT).replace("@calls", str(calls)).replace("@late", str(late))
        (directory / "script.py").write_text(text)
        return calls

    def run(directory, *arguments):
        done = subprocess.run(
            [sys.executable, "script.py", *arguments],
            cwd=directory, env=env, capture_output=True, text=True, timeout=240, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        (found,) = directory.glob("project/Experiments/*")
        return found

    def outputs(directory):
        return {
            path: path.stat().st_mtime_ns
            for path in directory.glob("project/Experiments/*/*/.outputs.json")
        }

    def facts(found):
        told = json.loads((found / "experiment-effects.json").read_text())
        return told["metrics"], [(entry["arm"], entry["words"]) for entry in told["effects"]]

    undisturbed, disturbed = tmp_path / "undisturbed", tmp_path / "disturbed"
    script(undisturbed, 1_000)
    expected = facts(run(undisturbed))

    calls = script(disturbed, kill_after)
    with (tmp_path / "printed").open("w") as printed:
        first = subprocess.Popen(
            [sys.executable, "script.py"],
            cwd=disturbed, env=env, stdout=printed, stderr=subprocess.STDOUT,
        )  # fmt: skip
        wait_until(
            lambda: len(outputs(disturbed)) >= kill_after or first.poll() is not None,
            240,
            f"the end of {kill_after} trials",
        )
        first.send_signal(signal.SIGKILL)
        assert first.wait() == -signal.SIGKILL, (tmp_path / "printed").read_text()
    wait_until_no_trial_runs(calls)
    committed = outputs(disturbed)
    assert kill_after <= len(committed) < len(outputs(undisturbed))

    calls.with_name("calls-go").touch()
    (identifier,) = os.listdir(disturbed / "project" / "Experiments")
    found = run(disturbed, identifier)
    assert facts(found) == expected
    assert committed.items() <= outputs(disturbed).items()
    record = json.loads((found / "experiment.json").read_text())
    assert (record["state"], record["attempt"]) == ("FINISHED", 2)


def test_more_seeds_go_to_undecided_arms_and_a_resumed_study_gives_the_same(options):
    arguments = {"direction": "min", "sequential": True, "seed": 1, **options}
    result = experiment.ablation(of_synthetic, synthetic_study(), **arguments)
    assert verdicts(result) == EXPECTED
    assert len(result.trials) < 6 * 5
    record = json.loads(Path(result.path, "experiment.json").read_text())
    assert record["trials_total"] == len(result.trials)
    last = result.trials[-1].repeat
    in_last = [trial.params["ablated_feature"] for trial in result.trials if trial.repeat == last]
    assert in_last[0] == "None"
    assert set(in_last) < {"None", *FEATURES}

    gone = [trial for trial in result.trials if trial.repeat >= 2]
    for trial in gone:
        shutil.rmtree(Path(result.path, trial.directory))
    for name in (".summary.json", "experiment-effects.json"):
        Path(result.path, name).unlink()
    again = experiment.ablation(of_synthetic, synthetic_study(), resume=result.id, **arguments)
    assert [(t.params, t.repeat, t.metric) for t in again.trials] == [
        (t.params, t.repeat, t.metric) for t in result.trials
    ]
    kept = len(result.trials) - len(gone)
    assert [t.ended for t in again.trials[:kept]] == [t.ended for t in result.trials[:kept]]
    assert [j.words for j in again.effects] == [j.words for j in result.effects]
    assert Path(again.path, "experiment-effects.json").exists()

    fixed = {**arguments, "sequential": False}
    with pytest.raises(InvalidArgumentError, match="its sequential is True, not False"):
        experiment.ablation(of_synthetic, synthetic_study(), resume=result.id, **fixed)


def of_digits(alpha=0.0001, units=32, learning_rate=0.0001):
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split
    from sklearn.neural_network import MLPClassifier

    x, y = load_digits(return_X_y=True)
    seed = random.randrange(2**31)
    fit, test, fit_y, test_y = train_test_split(x[:600] / 16, y[:600], random_state=seed)
    model = MLPClassifier(
        (units,), alpha=alpha, learning_rate_init=learning_rate, max_iter=20, random_state=seed
    )
    warnings.simplefilter("ignore")  # it has not converged after so few iterations
    return float(model.fit(fit, fit_y).score(test, test_y))


def another(alpha, units, learning_rate):
    return 0.0


def of_budget(rate, budget, reporter):
    for step in range(int(budget)):
        reporter.broadcast(rate * (step + 1), step=step)
    return {"metric": rate * budget, "budget": budget}


def test_a_study_around_a_winner_with_a_budget_trains_with_that_budget(options):
    search = experiment.optimize(
        of_budget, {"rate": [0.0, 1.0]}, num_trials=7, seed=1,
        optimizer={"optimizer": "asha", "max_budget": 4, "reduction_factor": 2}, **options,
    )  # fmt: skip
    result = experiment.ablation(of_budget, around=search, repeats=3, **options)
    assert result.failed == ()
    assert {trial.budget for trial in result.trials} == {search.best.budget}
    assert {trial.outputs["budget"] for trial in result.trials} == {search.best.budget}
    (judged,) = result.effects
    assert judged.verdict in (Verdict.MATTERS, Verdict.HARMFUL)
    assert judged.words.endswith(", the same in each")


def test_a_study_around_a_winner_names_the_hyperparameter_that_mattered(options):
    space = {
        "alpha": Float(1e-6, 1e-3, log=True),
        "units": Int(28, 36),
        "learning_rate": Float(1e-5, 0.1, log=True),
    }
    search = experiment.random_search(of_digits, space, samples=12, seed=3, **options)
    result = experiment.ablation(of_digits, around=search, repeats=5, seed=2, **options)
    assert result.metrics_by_arm.keys() == {
        "base",
        "alpha=0.0001 (default)",
        "units=32 (default)",
        "learning_rate=0.0001 (default)",
    }
    assert result.trials[0].params == search.best_params
    assert verdicts(result) == {
        "learning_rate=0.0001 (default)": Verdict.MATTERS,
        "units=32 (default)": Verdict.NOISE,
        "alpha=0.0001 (default)": Verdict.NOISE,
    }
    assert [trial.seed for trial in result.trials[:4]] == [result.trials[0].seed] * 4

    before = sorted(Path(options["project"], "Experiments").iterdir())
    for function, given, said in [
        (another, {"around": search.id}, "it is an experiment of"),
        (of_digits, {"around": "digits-20240101-120000-aaaaaa"}, "must be an experiment of"),
        (of_digits, {"around": search.id, "direction": "min"}, "its direction is 'MAX', not 'MIN'"),
        (of_digits, {"around": search.id, "study": synthetic_study()}, "leaves out no parts"),
        (of_digits, {"around": 3}, "must be the result of a search"),
    ]:
        with pytest.raises(InvalidArgumentError, match=said):
            experiment.ablation(function, **given, **options)
    assert sorted(Path(options["project"], "Experiments").iterdir()) == before
