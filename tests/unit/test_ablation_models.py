"""Models without some of their layers: what is left is built, keeps its weights, and trains."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tf_keras
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier

from hopsml_flows import AblationStudy
from hopsml_flows.ablation.components import Component, Kind
from hopsml_flows.ablation.model_size import parameters_of
from hopsml_flows.ablation.models import ModelFunction
from hopsml_flows.ablation.rewiring import structure_of, without_layers
from hopsml_flows.ablation.rewiring.pipelines import without_columns
from hopsml_flows.ablation.study import StudyParts
from hopsml_flows.errors import AblationError, InvalidArgumentError

both = pytest.mark.parametrize("kit", [keras, tf_keras], ids=["keras", "tf_keras"])


def sequential(kit, *, built=True):
    layers = kit.layers
    return kit.Sequential(
        [
            *([layers.Input(shape=(6,))] if built else []),
            layers.Dense(16, name="one"),
            layers.Dense(8, name="two"),
            layers.Dense(8, name="three"),
            layers.Dense(1, name="last"),
        ]
    )


def with_skip(kit):
    layers = kit.layers
    inputs = kit.Input(shape=(8,), name="inputs")
    first = layers.Dense(8, name="first")(inputs)
    value = layers.Dense(8, name="inner")(first)
    value = layers.Dense(8, name="outer")(value)
    value = layers.Add(name="add")([first, value])
    value = layers.Dense(4, name="narrow")(value)
    outputs = layers.Dense(1, name="last")(value)
    return kit.Model(inputs, outputs)


def images(kit):
    layers = kit.layers
    inputs = kit.Input(shape=(8, 8, 3), name="inputs")
    value = layers.Conv2D(4, 3, name="first")(inputs)
    value = layers.Conv2D(4, 3, name="conv")(value)
    value = layers.Flatten(name="flat")(value)
    outputs = layers.Dense(2, name="last")(value)
    return kit.Model(inputs, outputs)


def names_of(model):
    return [layer.name for layer in model.layers]


@both
@pytest.mark.parametrize("built", [True, False])
def test_layers_of_a_sequential_model_are_gone_and_it_trains(kit, built):
    model = without_layers(sequential(kit, built=built), ["two", "three"])
    assert isinstance(model, kit.Sequential)
    assert names_of(model) == ["one", "last"]
    model.compile(optimizer="sgd", loss="mse")
    losses = model.fit(np.ones((4, 6)), np.ones(4), epochs=2, verbose=0).history["loss"]
    assert len(losses) == 2
    assert model.predict(np.ones((4, 6)), verbose=0).shape == (4, 1)


@both
def test_layers_that_keep_their_shapes_keep_their_weights(kit):
    base = sequential(kit)
    weights = {layer.name: layer.get_weights() for layer in base.layers}
    model = without_layers(base, ["three"])
    for layer in model.layers:
        for now, before in zip(layer.get_weights(), weights[layer.name], strict=True):
            np.testing.assert_array_equal(now, before)
    wider = without_layers(base, ["two"])  # the next one follows 16 units in place of 8
    assert wider.get_layer("three").get_weights()[0].shape == (16, 8)
    np.testing.assert_array_equal(wider.get_layer("last").get_weights()[0], weights["last"][0])


@both
def test_a_model_with_a_skip_connection_is_rewired(kit):
    base = with_skip(kit)
    x = np.random.default_rng(0).normal(size=(5, 8)).astype("float32")
    first = kit.Model(base.input, base.get_layer("first").output).predict(x, verbose=0)
    outer = base.get_layer("outer")
    model = without_layers(base, ["inner"])
    assert "inner" not in names_of(model)
    assert model.count_params() == base.count_params() - 8 * 8 - 8
    added = kit.Model(model.input, model.get_layer("add").output).predict(x, verbose=0)
    kernel, bias = outer.get_weights()
    np.testing.assert_allclose(added, first + first @ kernel + bias, rtol=1e-4, atol=1e-5)


@both
def test_a_whole_way_beside_a_skip_connection_leaves_both_inputs_the_same(kit):
    base = with_skip(kit)
    x = np.random.default_rng(0).normal(size=(5, 8)).astype("float32")
    first = kit.Model(base.input, base.get_layer("first").output).predict(x, verbose=0)
    model = without_layers(base, ["inner", "outer"])
    added = kit.Model(model.input, model.get_layer("add").output).predict(x, verbose=0)
    np.testing.assert_allclose(added, 2 * first, rtol=1e-5)


@both
def test_a_module_is_gone_with_its_connection(kit):
    study = AblationStudy()
    study.model.set_base_model_generator(lambda: with_skip(kit))
    study.model.modules.include("inner", "add")
    parts = study.parts()
    model = ModelFunction(parts, parts.of_model, [])()
    assert {"inner", "outer", "add"}.isdisjoint(names_of(model))
    assert model.predict(np.ones((2, 8)), verbose=0).shape == (2, 1)


@both
def test_a_layer_that_merges_cannot_be_left_out_alone(kit):
    with pytest.raises(AblationError, match="'add' cannot be left out alone: it merges first and"):
        without_layers(with_skip(kit), ["add"])


@both
def test_what_does_not_fit_names_layers_and_shapes(kit):
    with pytest.raises(AblationError) as caught:
        without_layers(images(kit), ["flat"])
    said = str(caught.value)
    assert "without layer 'flat' (from shape (None, 4, 4, 4) to (None, 64)) the rest of" in said
    assert "would give shape (None, 4, 4, 2) instead of (None, 2)" in said
    assert "adapt=True puts a linear layer there" in said


@both
def test_a_merge_of_unequal_shapes_names_them(kit):
    layers = kit.layers
    inputs = kit.Input(shape=(8,), name="inputs")
    first = layers.Dense(8, name="first")(inputs)
    narrow = layers.Dense(3, name="narrow")(first)
    wide = layers.Dense(8, name="wide")(narrow)
    outputs = layers.Dense(1, name="last")(layers.Add(name="add")([first, wide]))
    base = kit.Model(inputs, outputs)
    with pytest.raises(AblationError, match=r"'wide' \(from shape \(None, 3\) to \(None, 8\)\)"):
        without_layers(base, ["wide"])
    model = without_layers(base, ["wide"], adapt=True)
    assert "wide" not in names_of(model)
    assert model.get_layer("adapter_of_wide").count_params() == 24
    assert model.predict(np.ones((2, 8)), verbose=0).shape == (2, 1)


@both
def test_an_adapter_takes_the_place_only_where_it_is_needed(kit):
    model = without_layers(images(kit), ["flat"], adapt=True)
    assert names_of(model)[-2:] == ["adapter_of_flat", "last"]
    assert model.predict(np.ones((2, 8, 8, 3)), verbose=0).shape == (2, 2)
    assert names_of(without_layers(sequential(kit), ["two"], adapt=True)) == [
        "one",
        "three",
        "last",
    ]


@both
def test_a_sequential_model_gets_an_adapter_too(kit):
    layers = kit.layers
    base = kit.Sequential(
        [
            layers.Input(shape=(8, 8, 3)),
            layers.Conv2D(4, 3, name="first"),
            layers.Flatten(name="flat"),
            layers.Dense(2, name="last"),
        ]
    )
    with pytest.raises(AblationError, match="'flat'"):
        without_layers(base, ["flat"])
    model = without_layers(base, ["flat"], adapt=True)
    assert names_of(model) == ["first", "adapter_of_flat", "last"]
    assert model.predict(np.ones((2, 8, 8, 3)), verbose=0).shape == (2, 2)


@both
def test_a_compiled_model_stays_compiled(kit):
    base = sequential(kit)
    base.compile(optimizer=kit.optimizers.SGD(0.25), loss="mse")
    model = without_layers(base, ["two"])
    assert float(model.optimizer.learning_rate) == 0.25
    model.fit(np.ones((4, 6)), np.ones(4), verbose=0)


def squared(y, predicted):
    return (y - predicted) ** 2


@both
@pytest.mark.parametrize("make", [sequential, with_skip])
def test_a_model_stays_compiled_with_functions_of_the_users(kit, make):
    model = make(kit)
    model.compile(kit.optimizers.SGD(0.25), squared, metrics=[lambda y, p: p - y])
    left = without_layers(model, [model.layers[2].name])
    rows = np.zeros((4, model.input_shape[1]))
    left.fit(rows, np.zeros((4, 1)), verbose=0)
    assert left.loss is squared
    assert left.optimizer is not model.optimizer
    assert float(left.optimizer.learning_rate) == 0.25


@both
@pytest.mark.parametrize("is_functional", [False, True])
def test_a_layer_that_calls_a_nameless_function_stays(kit, is_functional):
    layers = kit.layers
    inner = [layers.Dense(4, name="one"), layers.Lambda(lambda x: 2 * x, name="twice")]
    inner += [layers.Dense(4, name="two"), layers.Dense(1, name="last")]
    if is_functional:
        inputs = value = kit.Input(shape=(4,))
        for layer in inner:
            value = layer(value)
        model = kit.Model(inputs, value)
    else:
        model = kit.Sequential([layers.Input(shape=(4,)), *inner])
    left = without_layers(model, ["two"])
    assert left.get_layer("twice")(np.ones((1, 4)))[0, 0] == 2
    assert left(np.ones((3, 4))).shape == (3, 1)


@both
def test_what_is_frozen_inside_of_a_model_in_a_model_stays_frozen(kit):
    layers = kit.layers
    inner = kit.Sequential(
        [layers.Input(shape=(4,)), layers.Dense(4, name="cold"), layers.Dense(4, name="warm")],
        name="inner",
    )
    inner.get_layer("cold").trainable = False
    left = without_layers(
        kit.Sequential(
            [
                layers.Input(shape=(4,)),
                inner,
                layers.Dense(4, name="middle"),
                layers.Dense(1, name="last"),
            ]
        ),
        ["middle"],
    )
    assert not left.get_layer("inner").get_layer("cold").trainable
    assert (len(left.trainable_weights), len(left.non_trainable_weights)) == (4, 2)


def test_a_module_reaches_across_operations_that_are_no_layers():
    layers = keras.layers
    inputs = keras.Input(shape=(4,))
    first = layers.Dense(4, name="first")(inputs)
    value = keras.ops.relu(layers.Dense(4, name="inner")(first))
    value = layers.Dense(4, name="outer")(value)
    last = layers.Dense(1, name="last")(2.0 * (first + value))
    model = keras.Model(inputs, last)
    structure = structure_of(model)
    assert {"first", "last"} <= structure.fixed
    (activation,) = [one.name for one in model.operations if one.name.startswith("relu")]
    module = structure.named(Component(Kind.MODULE, ("inner", "outer")))
    assert module == ("inner", activation, "outer")
    (doubling,) = [one.name for one in model.operations if one.name.startswith("multiply")]
    left = without_layers(model, [*module, doubling])
    kept = {one.name for one in left.operations}
    assert kept.isdisjoint([*module, doubling])
    assert {"first", "last"} <= kept
    assert left(np.ones((3, 4))).shape == (3, 1)


@both
def test_a_pair_of_a_module_and_a_layer_inside_of_it_is_none(kit):
    def pair(*components):
        return ModelFunction(StudyParts((), base_model=lambda: with_skip(kit)), components, [])

    inner, module = Component(Kind.LAYER, ("outer",)), Component(Kind.MODULE, ("inner", "add"))
    with pytest.raises(AblationError, match="'outer' is a part of 'Module: inner to add'"):
        pair(module, inner)()
    left = pair(Component(Kind.LAYER, ("narrow",)), module)()
    assert {"narrow", "outer"}.isdisjoint(layer.name for layer in left.layers)


def test_a_pair_of_a_step_and_a_step_inside_of_it_is_none():
    parts = StudyParts((), base_model=pipeline)
    steps = [Component(Kind.LAYER, (name,)) for name in ("prepare", "prepare__numbers")]
    with pytest.raises(AblationError, match="'prepare__numbers' is a part of 'prepare'"):
        ModelFunction(parts, steps, [])()


@both
def test_ends_are_known(kit):
    assert structure_of(sequential(kit)).fixed == {"one", "last"}
    assert structure_of(with_skip(kit)).fixed == {"inputs", "first", "last"}


@both
def test_layers_without_names_are_called_the_same_each_time(kit):
    study = AblationStudy()
    study.model.set_base_model_generator(
        lambda: kit.Sequential([kit.layers.Dense(units) for units in (4, 3, 2)])
    )
    study.model.layers.include("dense_1")
    parts = study.parts()
    for _ in range(2):
        model = ModelFunction(parts, parts.of_model, [])()
        assert names_of(model) == ["dense", "dense_2"]


@both
def test_models_with_a_call_of_their_own_are_an_error_that_says_what_to_do(kit):
    class Own(kit.Model):
        def call(self, inputs):
            return inputs

    with pytest.raises(AblationError, match="add_custom_model_generator"):
        structure_of(Own())


def test_what_has_no_layers_is_an_error_that_says_what_to_do():
    with pytest.raises(AblationError, match="LogisticRegression, which is no Keras model, PyTorch"):
        structure_of(LogisticRegression())


# scikit-learn


def pipeline():
    prepare = ColumnTransformer(
        [("numbers", StandardScaler(), ["age", "fare"]), ("words", OneHotEncoder(), ["sex"])]
    )
    return Pipeline([("prepare", prepare), ("pca", PCA(2)), ("model", LogisticRegression())])


def pipeline_without(add, features=()):
    study = AblationStudy()
    study.model.set_base_model_generator(pipeline)
    add(study)
    parts = study.parts()
    return ModelFunction(parts, parts.of_model, features)()


def test_a_step_of_a_pipeline_is_passed_through():
    model = pipeline_without(lambda study: study.model.layers.include("pca"))
    assert model.named_steps["pca"] == "passthrough"
    inner = pipeline_without(lambda study: study.model.layers.include("prepare__numbers"))
    assert inner.named_steps["prepare"].transformers[0][1] == "passthrough"


def test_the_first_step_may_be_left_out_and_the_estimator_may_not():
    assert structure_of(pipeline()).layers[:2] == ("prepare", "prepare__numbers")
    model = pipeline_without(lambda study: study.model.layers.include("prepare"))
    assert model.named_steps["prepare"] == "passthrough"
    with pytest.raises(InvalidArgumentError, match="must be a layer between"):
        pipeline_without(lambda study: study.model.layers.include("model"))


@pytest.mark.parametrize(
    ("columns", "left"),
    [
        ([0, 2], [1]),
        (np.array([1, -1]), [0, 1]),
        (slice(0, 2), [0]),
        ([True, False, True], [1]),
        (np.array([False, True, True]), [0, 1]),
        (0, []),
        (2, 1),
        ("age", []),
        ("fare", "fare"),
        (slice("fare", "sex"), slice("fare", "sex")),
        (np.array(["age", "sex"]), ["sex"]),
    ],
)
def test_columns_of_a_pipeline_are_numbered_without_the_feature(columns, left):
    given = ColumnTransformer([("some", StandardScaler(), columns)])
    model = without_columns(given, ["age"], ["age", "fare", "sex"])
    assert model.transformers[0][2] == left


def test_columns_by_number_without_names_are_an_error_and_not_other_columns():
    given = ColumnTransformer([("some", StandardScaler(), [0, 2])])
    with pytest.raises(AblationError, match="age cannot be left out: 'some' has its columns by nu"):
        without_columns(given, ["age"])
    assert without_columns(given, ["age"], is_told=True).transformers[0][2] == [0, 2]


def test_a_feature_that_is_left_out_is_no_column_of_the_pipeline():
    model = pipeline_without(lambda study: study.features.include("fare"), ["fare"])
    assert model.named_steps["prepare"].transformers[0][2] == ["age"]


# How many parameters there are


def model_function(make, *, custom=False):
    study = AblationStudy()
    if custom:
        study.model.add_custom_model_generator(make, "other")
    else:
        study.model.set_base_model_generator(make)
        study.model.layers.include("two")
    parts = study.parts()
    return ModelFunction(parts, parts.of_model, [])


@both
def test_the_parameters_of_a_model_without_a_layer_are_counted(kit):
    make = model_function(lambda: sequential(kit))
    assert make.parameters is None
    model = make()
    assert make.parameters == model.count_params() == 6 * 16 + 16 + 16 * 8 + 8 + 8 + 1


@both
def test_a_model_that_is_built_when_it_trains_is_counted_then(kit):
    make = model_function(lambda: sequential(kit, built=False))
    model = make()
    assert make.parameters is None
    model.compile(optimizer="sgd", loss="mse")
    model.fit(np.ones((4, 6)), np.ones(4), verbose=0)
    assert make.parameters == 6 * 16 + 16 + 16 * 8 + 8 + 8 + 1


@both
def test_of_several_models_the_last_is_counted(kit):
    sizes = iter([3, 5])
    make = model_function(
        lambda: kit.Sequential([kit.layers.Input(shape=(2,)), kit.layers.Dense(next(sizes))]),
        custom=True,
    )
    make()
    make()
    assert make.parameters == 2 * 5 + 5


def test_coefficients_of_scikit_learn_are_counted_once_they_are_fitted():
    x, y = np.random.default_rng(1).normal(size=(30, 3)), np.arange(30) % 2
    make = model_function(
        lambda: Pipeline(
            [("one", StandardScaler()), ("two", PCA(2)), ("fit", LogisticRegression())]
        )
    )
    model = make()
    assert make.parameters is None
    model.fit(x, y)
    assert make.parameters == 3 + 1
    with pytest.warns(ConvergenceWarning):
        network = MLPClassifier((4,), max_iter=1).fit(x, y)
    assert parameters_of(network) == 3 * 4 + 4 + 4 * 1 + 1


@pytest.mark.parametrize("model", [None, 0.5, "model", DecisionTreeClassifier(), object()])
def test_what_cannot_be_counted_has_no_number(model):
    assert parameters_of(model) is None


@pytest.mark.torch
def test_parameters_of_a_torch_module_are_counted():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    assert parameters_of(torch.nn.Linear(4, 3)) == 15
    assert parameters_of(torch.nn.LazyLinear(3)) is None


# Models of a study


def test_a_model_gets_the_feature_that_is_left_out_if_it_asks():
    study = AblationStudy()
    study.model.set_base_model_generator(lambda ablated_feature: ["base", ablated_feature])
    study.model.add_custom_model_generator(lambda ablated_feature: ["c", ablated_feature], "c")
    parts = study.parts()
    assert ModelFunction(parts, [], ["age"])() == ["base", "age"]
    assert ModelFunction(parts, [], [])() == ["base", None]
    assert ModelFunction(parts, parts.of_model, ["age"])() == ["c", "age"]


# PyTorch


@pytest.mark.torch
def test_children_of_a_torch_module_become_identities():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    nn = torch.nn

    def made():
        body = nn.Sequential(nn.Linear(8, 8), nn.ReLU())
        return nn.Sequential(nn.Linear(4, 8), body, nn.Linear(8, 6), nn.Linear(6, 1))

    assert structure_of(made()).fixed == {"0", "3"}
    model = without_layers(made(), ["1", "1.0"])
    assert isinstance(model[1], nn.Identity)
    assert model(torch.ones(2, 4)).shape == (2, 1)
    with pytest.raises(AblationError, match=r"'2' \(Linear\) cannot be left out: it takes shape"):
        without_layers(made(), ["2"])
    adapted = without_layers(made(), ["2"], adapt=True)
    assert adapted[2].bias is None
    assert adapted(torch.ones(2, 4)).shape == (2, 1)


@pytest.mark.torch
def test_an_adapter_of_a_torch_module_is_where_the_module_was_and_as_exact():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    nn = torch.nn
    model = nn.Sequential(nn.Conv1d(2, 4, 1), nn.Conv1d(4, 3, 1), nn.Conv1d(3, 1, 1)).double()
    adapted = without_layers(model, ["1"], adapt=True)
    assert adapted[1].weight.dtype == torch.float64
    assert adapted(torch.ones(2, 2, 5, dtype=torch.float64)).shape == (2, 1, 5)
