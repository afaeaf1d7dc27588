from __future__ import annotations

import pytest
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.tensorflow_stub import errors
from tensorboard.compat.tensorflow_stub.pywrap_tensorflow import PyRecordReader_New
from tensorboard.plugins.hparams import api_pb2, metadata

from hopsml_flows.search import Categorical, Float, Int
from hopsml_flows.storage import TrialFiles
from hopsml_flows.tracking import end_events, experiment_events, start_events
from hopsml_flows.trials import Failure, State, Trial, TrialResult


def values(path):
    """Tag to value of an event file, read without TensorFlow."""
    reader = PyRecordReader_New(str(path))
    found = {}
    while True:
        try:
            reader.GetNext()
        except errors.OutOfRangeError:
            return found
        event = Event.FromString(reader.record())
        found.update({value.tag: value for value in event.summary.value})


def plugin(value):
    return metadata.parse_session_start_info_plugin_data(value.metadata.plugin_data.content)


def experiment(tmp_path, domains, metric="accuracy"):
    path = tmp_path / TrialFiles.EVENTS_START
    path.write_bytes(experiment_events(domains, metric))
    content = values(path)[metadata.EXPERIMENT_TAG].metadata.plugin_data.content
    return metadata.parse_experiment_plugin_data(content)


def test_a_trials_start_holds_its_parameters_and_name(tmp_path):
    params = {"rate": 0.1, "units": 3, "opt": "sgd", "bias": True, "kernel": [3, 3], "none": None}
    (tmp_path / TrialFiles.EVENTS_START).write_bytes(start_events(Trial(1, "0001-x", params)))
    start = plugin(values(tmp_path / TrialFiles.EVENTS_START)[metadata.SESSION_START_INFO_TAG])
    assert start.group_name
    found = dict(start.hparams)
    assert found["rate"].number_value == 0.1
    assert found["units"].number_value == 3
    assert found["opt"].string_value == "sgd"
    assert found["bias"].bool_value is True
    assert found["kernel"].string_value == "[3, 3]"
    assert found["none"].string_value == "None"


def test_trials_with_different_names_are_different_sessions_even_with_equal_parameters(tmp_path):
    groups = set()
    for name in ("0001-x=1", "0002-x=1"):
        (tmp_path / TrialFiles.EVENTS_START).write_bytes(start_events(Trial(1, name, {"x": 1})))
        found = values(tmp_path / TrialFiles.EVENTS_START)[metadata.SESSION_START_INFO_TAG]
        groups.add(plugin(found).group_name)
    assert len(groups) == 2


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
def test_a_trials_end_holds_its_status_and_time(tmp_path, result, status):
    (tmp_path / TrialFiles.EVENTS_END).write_bytes(end_events(result))
    found = values(tmp_path / TrialFiles.EVENTS_END)[metadata.SESSION_END_INFO_TAG]
    end = metadata.parse_session_end_info_plugin_data(found.metadata.plugin_data.content)
    assert (end.status, end.end_time_secs) == (status, 7.0)


def test_a_trials_end_holds_every_number_among_its_outputs(tmp_path):
    outputs = {
        "accuracy": 0.5, "epochs": 3, "huge": 10**400, "large": 1e300,
        "text": "x", "flag": True, "nan": "NaN", "list": [1], "none": None,
    }  # fmt: skip
    result = TrialResult(1, "1", {}, State.FINISHED, 0.5, outputs)
    (tmp_path / TrialFiles.EVENTS_END).write_bytes(end_events(result))
    tags = set(values(tmp_path / TrialFiles.EVENTS_END)) - {metadata.SESSION_END_INFO_TAG}
    assert tags == {"outputs/accuracy", "outputs/epochs"}


def test_the_experiment_describes_space_and_metric(tmp_path):
    domains = {
        "rate": Float(0.1, 0.5),
        "units": Int(2, 9),
        "opt": Categorical(["sgd", "adam"]),
    }
    found = experiment(tmp_path, domains)
    infos = {info.name: info for info in found.hparam_infos}
    assert list(infos) == ["rate", "units", "opt"]
    assert infos["rate"].domain_interval.max_value == 0.5
    assert infos["units"].domain_interval.min_value == 2
    assert {v.string_value for v in infos["opt"].domain_discrete.values} == {"sgd", "adam"}
    (metric,) = found.metric_infos
    assert (metric.name.tag, metric.display_name) == ("outputs/accuracy", "accuracy")


def test_numbers_of_two_types_stay_numbers(tmp_path):
    (info,) = experiment(tmp_path, {"x": Categorical([1, 0.5])}).hparam_infos
    assert {v.number_value for v in info.domain_discrete.values} == {0.5, 1.0}


@pytest.mark.parametrize(
    "choices", [[None, 1], ["a", 1], [True, "x"], [True, 1], [[3, 3], [5, 5]], [None, "x"]]
)
def test_choices_of_several_types_are_written_all_the_same(tmp_path, choices):
    (info,) = experiment(tmp_path, {"x": Categorical(choices)}).hparam_infos
    assert len(info.domain_discrete.values) == 2


def test_an_unknown_space_and_no_metric_are_written_too(tmp_path):
    found = experiment(tmp_path, {}, metric=None)
    assert (len(found.hparam_infos), len(found.metric_infos)) == (0, 0)
