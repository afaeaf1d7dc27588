"""What TensorBoard's HPARAMS tab is told, read back without TensorFlow."""

from __future__ import annotations

import io
import math
import struct

import pytest
from tensorboard.compat.proto import event_pb2
from tensorboard.plugins.hparams import api_pb2, metadata, plugin_data_pb2
from tensorboard.summary.writer.record_writer import RecordWriter

from hopsml_flows.search import Categorical, Direction, Float, Int
from hopsml_flows.storage import TrialFiles
from hopsml_flows.tracking import end_events, experiment_events, start_events, text_parameters
from hopsml_flows.trials import Failure, State, Trial, TrialResult
from tests import events


@pytest.fixture
def told(tmp_path):
    """The content of an event file as TensorBoard's reader sees it."""

    def read(content, name=TrialFiles.EVENTS_START):
        (tmp_path / name).write_bytes(content)
        run = events.Run(tmp_path)
        return run.reload(), run.hparams

    return read


@pytest.fixture
def experiment(told):
    def read(space, metric="accuracy", direction=None):
        _, hparams = told(experiment_events(space, metric, direction))
        return metadata.parse_experiment_plugin_data(hparams[metadata.EXPERIMENT_TAG])

    return read


@pytest.fixture
def started(told):
    def read(params, texts=(), name="0001-x"):
        _, hparams = told(start_events(Trial(1, name, params), texts))
        content = hparams[metadata.SESSION_START_INFO_TAG]
        return metadata.parse_session_start_info_plugin_data(content)

    return read


def values_of(info):
    kind = {
        api_pb2.DATA_TYPE_STRING: "string_value",
        api_pb2.DATA_TYPE_BOOL: "bool_value",
        api_pb2.DATA_TYPE_FLOAT64: "number_value",
    }[info.type]
    assert {value.WhichOneof("kind") for value in info.domain_discrete.values} == {kind}
    return [getattr(value, kind) for value in info.domain_discrete.values]


def test_a_trials_start_holds_its_parameters_and_name(started):
    params = {
        "rate": 0.1, "units": 3, "opt": "sgd", "bias": True, "kernel": [3, 3], "none": None,
        "huge": 10**400,
    }  # fmt: skip
    start = started(params)
    assert not start.group_name  # the run's name is the line's
    assert start.start_time_secs > 0
    found = dict(start.hparams)
    assert found["rate"].number_value == 0.1
    assert found["units"].number_value == 3
    assert found["opt"].string_value == "sgd"
    assert found["bias"].bool_value is True
    assert found["kernel"].string_value == "[3, 3]"
    assert found["none"].string_value == "None"
    assert found["huge"].string_value == str(10**400)


@pytest.mark.parametrize(
    ("result", "status"),
    [
        (
            TrialResult(1, "1", {}, State.FINISHED, 0.5, {"metric": 0.5}, ended=7.0),
            api_pb2.STATUS_SUCCESS,
        ),
        (
            TrialResult(1, "1", {}, State.FAILED, failure=Failure("E", "no"), ended=7.0),
            api_pb2.STATUS_FAILURE,
        ),
    ],
)
def test_a_trials_end_holds_its_status_and_time(told, result, status):
    _, hparams = told(end_events(result), TrialFiles.EVENTS_END)
    content = hparams[metadata.SESSION_END_INFO_TAG]
    end = metadata.parse_session_end_info_plugin_data(content)
    assert (end.status, end.end_time_secs) == (status, 7.0)


@pytest.mark.parametrize(("step", "shown"), [(None, 0), (41, 41)])
def test_a_trials_end_holds_every_number_among_its_outputs_at_the_last_step(told, step, shown):
    outputs = {
        "accuracy": 0.5, "epochs": 3, "huge": 10**400, "large": 1e300,
        "text": "x", "flag": True, "nan": math.nan, "inf": -math.inf, "list": [1], "none": None,
    }  # fmt: skip
    result = TrialResult(1, "1", {}, State.FINISHED, 0.5, outputs, step=step)
    points, _ = told(end_events(result), TrialFiles.EVENTS_END)
    assert points == {"outputs/accuracy": [(shown, 0.5)], "outputs/epochs": [(shown, 3.0)]}


def test_a_stopped_trial_says_at_which_step_and_each_trial_its_budget(told):
    stopped = TrialResult(
        1, "1", {}, State.STOPPED, 0.5, {"accuracy": 0.5}, step=7, budget=9, ended=7.0
    )
    points, hparams = told(end_events(stopped), TrialFiles.EVENTS_END)
    assert points == {
        "outputs/accuracy": [(7, 0.5)],
        "trial/budget": [(7, 9.0)],
        "trial/stopped_at_step": [(7, 7.0)],
    }
    content = hparams[metadata.SESSION_END_INFO_TAG]
    end = metadata.parse_session_end_info_plugin_data(content)
    assert end.status == api_pb2.STATUS_SUCCESS  # it has a result, and TensorBoard no such status


def test_a_trial_that_runs_shows_the_budget_that_it_began_with(told):
    points, hparams = told(start_events(Trial(1, "1", {"x": 1}, budget=3)))
    assert points == {"trial/budget": [(0, 3.0)]}
    assert metadata.SESSION_START_INFO_TAG in hparams


@pytest.mark.parametrize("budgets", [False, True])
@pytest.mark.parametrize("stops", [False, True])
def test_there_are_columns_for_budgets_and_stops_where_there_can_be_some(told, budgets, stops):
    made = experiment_events({"x": Float(0, 1)}, "accuracy", budgets=budgets, stops=stops)
    _, hparams = told(made)
    found = metadata.parse_experiment_plugin_data(hparams[metadata.EXPERIMENT_TAG])
    names = {info.name.tag: info.display_name for info in found.metric_infos}
    assert names == {
        "outputs/accuracy": "accuracy",
        **({"trial/budget": "budget"} if budgets else {}),
        **({"trial/stopped_at_step": "stopped at step"} if stops else {}),
    }


def test_domains_are_typed_intervals_and_lists(experiment):
    found = experiment(
        {
            "rate": Float(0.001, 0.5, log=True),
            "units": Int(2, 9),
            "opt": Categorical(["sgd", "adam"]),
            "bias": Categorical([True, False]),
            "dropout": [0.5, 0, 0.25, 0.5],
            "kind": ["one"],
            "fixed": Float(0.1, 0.1),
            "layers": Int(3, 3),
            "loss": Categorical(["mse"]),
        }
    )
    infos = {info.name: info for info in found.hparam_infos}
    assert list(infos)[:6] == ["rate", "units", "opt", "bias", "dropout", "kind"]
    for name, low, high in (("rate", 0.001, 0.5), ("units", 2, 9)):
        interval = infos[name].domain_interval
        assert (interval.min_value, interval.max_value) == (low, high)
        assert infos[name].type == api_pb2.DATA_TYPE_FLOAT64
    assert [infos[name].description for name in ("rate", "units")] == ["log scale", ""]
    assert values_of(infos["opt"]) == ["adam", "sgd"]
    assert values_of(infos["bias"]) == [False, True]
    assert values_of(infos["dropout"]) == [0, 0.25, 0.5]
    assert values_of(infos["kind"]) == ["one"]
    # TensorBoard makes no slider of an interval without length.
    assert [values_of(infos[name]) for name in ("fixed", "layers", "loss")] == [[0.1], [3], ["mse"]]
    same = {name for name, info in infos.items() if not info.differs}
    assert same == {"kind", "fixed", "layers", "loss"}


def test_names_of_outputs_that_utf_8_cannot_hold_are_escaped(told):
    result = TrialResult(
        1, "0001", {}, State.FINISHED, 0.5, {"metric": 0.5, "size of caf\udce9": 2}
    )
    points, _ = told(end_events(result))
    assert set(points) == {"outputs/metric", r"outputs/size of caf\udce9"}


@pytest.mark.parametrize(
    "choices", [[None, 1], ["a", 1], [True, "x"], [True, 1], [[3, 3], [5, 5]], [None, "x"]]
)
def test_values_of_several_types_are_text_in_the_domain_and_in_the_trials(
    experiment, started, choices
):
    """A trial whose value is not in its domain would be filtered out of the table."""
    space = {"x": Categorical(choices), "y": [1, 2], "z": Float(0, 1)}
    domain = values_of(experiment(space).hparam_infos[0])
    assert text_parameters(space) == {"x"}
    for choice in choices:
        assert started({"x": choice}, {"x"}).hparams["x"].string_value in domain


def test_numbers_of_two_types_stay_numbers(experiment, started):
    space = {"x": [1, 0.5]}
    assert values_of(experiment(space).hparam_infos[0]) == [0.5, 1.0]
    assert text_parameters(space) == frozenset()


@pytest.mark.parametrize(
    ("direction", "goal"),
    [(Direction.MAX, "maximized"), (Direction.MIN, "minimized"), (None, "")],
)
def test_the_optimization_key_is_the_metric_and_its_description_the_goal(
    experiment, direction, goal
):
    (metric,) = experiment({}, "accuracy", direction).metric_infos
    assert metric.name.tag == "outputs/accuracy"
    assert (metric.display_name, metric.description) == ("accuracy", goal)


def test_an_unknown_space_and_no_metric_are_written_too(experiment):
    found = experiment({}, metric=None)
    assert (len(found.hparam_infos), len(found.metric_infos)) == (0, 0)


def test_events_are_as_tensorboards_own_modules_write_them():
    made = start_events(Trial(1, "0001-x", {"x": 1.5, "name": "ä", "flag": True}))
    records = list(_records(made))
    written = io.BytesIO()
    for record in records:
        RecordWriter(written).write(record)
    assert made == written.getvalue()
    (value,) = event_pb2.Event.FromString(records[-1]).summary.value
    data = plugin_data_pb2.HParamsPluginData.FromString(value.metadata.plugin_data.content)
    assert value.tag == metadata.SESSION_START_INFO_TAG
    expected = metadata.create_summary_metadata(data)
    # The order of a map's entries in serialized form changes from call to call.
    content = expected.plugin_data.content
    assert plugin_data_pb2.HParamsPluginData.FromString(content) == data
    expected.plugin_data.content = value.metadata.plugin_data.content
    assert value.metadata == expected
    assert value.tensor == metadata.NULL_TENSOR


def _records(content):
    while content:
        (length,) = struct.unpack("<Q", content[:8])
        yield content[12 : 12 + length]
        content = content[16 + length :]
