"""Maggy 1.0: a configuration, in the program for Iris; scikit-learn's network stands for Keras'."""

from hopsml_flows import Searchspace, experiment
from hopsml_flows.experiment_config import OptimizationConfig

sp = Searchspace(number_layers=("INTEGER", [2, 4]), learning_rate=("DOUBLE", [0.001, 0.01]))


def training_fn(number_layers, learning_rate, reporter):
    """Train on Iris; report and return the accuracy."""
    from sklearn.datasets import load_iris
    from sklearn.neural_network import MLPClassifier

    x, y = load_iris(return_X_y=True)
    model = MLPClassifier((16,) * number_layers, learning_rate_init=learning_rate, random_state=0)
    for epoch in range(10):
        model.partial_fit(x, y, classes=[0, 1, 2])
        reporter.broadcast(metric=model.score(x, y), step=epoch)
    return model.score(x, y)


config = OptimizationConfig(
    num_trials=4,
    optimizer="randomsearch",
    searchspace=sp,
    direction="max",
    es_interval=1,
    es_min=5,
    name="hp_tuning_test",
)
result = experiment.lagom(train_fn=training_fn, config=config)
best = result["best_config"]
print(best["number_layers"], "layers, learning rate", best["learning_rate"])
