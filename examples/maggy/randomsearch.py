"""Maggy 1.1: hyperparameters as the dict ``hparams``, in the program of its own test."""

from hopsml_flows import Searchspace, experiment
from hopsml_flows.config import HyperparameterOptConfig

sp = Searchspace(argument_param=("DOUBLE", [1, 5]), param2=("DOUBLE", [1, 5]))


def train(model, train_set, test_set, hparams, reporter):
    """Report what the hyperparameters give; return it under a key of its own."""
    assert (model, train_set, test_set) == (None, None, None)
    for step in range(20):
        acc = 1.0 * hparams["argument_param"] + hparams["param2"] + 0.1 * step
        reporter.broadcast(metric=acc, step=step)
    return {"accuracy": acc}


config = HyperparameterOptConfig(
    searchspace=sp,
    optimizer="randomsearch",
    direction="max",
    num_trials=5,
    name="test",
    hb_interval=1,
    es_interval=10,
)
result = experiment.lagom(train_fn=train, config=config)
print(result["best_val"], result["best_config"])
