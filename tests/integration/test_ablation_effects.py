"""What ablation studies on real workers find: effects, a search's winner, more seeds, resuming."""

from __future__ import annotations

import json
import random
import shutil
import warnings
from pathlib import Path

import numpy as np
import pytest

from hopsml_flows import AblationStudy, experiment
from hopsml_flows.ablation import Verdict
from hopsml_flows.errors import InvalidArgumentError
from hopsml_flows.search import Float, Int

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
    error = float(np.mean((model.predict(x[test]) - y[test]) ** 2))
    return {"metric": error, "parameters": x.shape[1] + 1}


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
        **{**options, "progress": True},
    )
    assert verdicts(result) == EXPECTED
    assert [judged.effect.arm for judged in result.effects][:2] == list(EXPECTED)[:2]
    first = result.effects[0]
    assert first.words.startswith("matters at 5 repeats: without it the metric is")
    assert first.effect.parameters == 4
    assert first.effect.seconds is not None
    printed = capsys.readouterr().out
    assert f"feature slope: {first.words}"[:60] in printed
    stored = json.loads(Path(result.path, "experiment-effects.json").read_text())
    assert [entry["words"] for entry in stored["effects"]] == [
        judged.words for judged in result.effects
    ]
    assert Path(result.path, "experiment-effects.png").read_bytes().startswith(b"\x89PNG")


def test_more_seeds_go_to_undecided_arms_and_a_resumed_study_gives_the_same(options):
    arguments = {"direction": "min", "sequential": True, "seed": 1, **options}
    result = experiment.ablation(of_synthetic, synthetic_study(), **arguments)
    assert verdicts(result) == EXPECTED
    assert len(result.trials) < 6 * 5
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
