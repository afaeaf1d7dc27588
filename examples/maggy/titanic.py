"""An ablation study in the shape of Maggy's Titanic example, of eleven trials.

It leaves out three features, four layers, two groups of layers, and tries a custom model.
"""

import numpy as np
import pandas as pd

from hopsml_flows import experiment
from hopsml_flows.ablation import AblationStudy


def passengers():
    """Make a table of passengers, in place of the feature store's."""
    rng = np.random.default_rng(7)
    table = pd.DataFrame(
        {
            "age": rng.normal(30, 12, 200) / 50,
            "fare": rng.exponential(30, 200) / 100,
            "pclass": rng.integers(1, 4, 200) / 3,
            "sex": rng.integers(0, 2, 200),
        }
    )
    table["survived"] = (table["sex"] - 0.5 + table["fare"] - table["pclass"] / 3 > 0).astype(int)
    return table


def base_model_generator():
    """Make the model of which layers are left out."""
    import keras

    layers = keras.layers
    return keras.Sequential(
        [
            layers.Dense(16, activation="relu", name="my_dense_one"),
            layers.Dense(16, activation="relu", name="my_dense_two"),
            layers.Dense(8, activation="relu", name="my_dense_three"),
            layers.Dense(8, activation="relu", name="my_dense_four"),
            layers.Dense(4, activation="relu", name="my_dense_five"),
            layers.Dense(1, activation="sigmoid", name="my_dense_sigmoid"),
        ]
    )


def one_layer():
    """Make the custom model."""
    import keras

    return keras.Sequential([keras.layers.Dense(1, activation="sigmoid", name="only")])


study = AblationStudy(
    "titanic_train_dataset",
    training_dataset_version=1,
    label_name="survived",
    dataset_generator=passengers,
)
study.features.include("pclass", "fare")
study.features.include(["sex"])
study.model.set_base_model_generator(base_model_generator)
study.model.layers.include("my_dense_two", "my_dense_three", "my_dense_four", "my_dense_five")
study.model.layers.include_groups(["my_dense_two", "my_dense_four"])
study.model.layers.include_groups(prefix="my_dense")
study.model.add_custom_model_generator(one_layer, "one layer")


def train(dataset_function, model_function, reporter):
    """Train the model of a trial with its dataset."""
    table = dataset_function(2, 32)
    label = table.pop("survived")
    model = model_function()
    model.compile(optimizer="adam", loss="binary_crossentropy", metrics=["accuracy"])
    history = model.fit(table.to_numpy(), label.to_numpy(), epochs=2, verbose=0)
    reporter.log(f"columns {list(table.columns)}")
    reporter.log(f"layers {[layer.name for layer in model.layers]}")
    return float(history.history["accuracy"][-1])


if __name__ == "__main__":
    result = experiment.lagom(
        map_fun=train,
        experiment_type="ablation",
        ablation_study=study,
        ablator="loco",
        name="Titanic-LOCO",
    )
    print(result["num_trials"], "trials; best without", result["best_config"])
