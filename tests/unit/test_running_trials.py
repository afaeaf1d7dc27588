from __future__ import annotations

from tensorboard.plugins.hparams import api_pb2, metadata, plugin_data_pb2

from hopsml_flows.board.running_trials import with_running


def _content(**message):
    data = plugin_data_pb2.HParamsPluginData(**message)
    return metadata.create_summary_metadata(data).plugin_data.content


START = {metadata.SESSION_START_INFO_TAG: _content(session_start_info={"group_name": "0001"})}


def _ended(status):
    return {**START, metadata.SESSION_END_INFO_TAG: _content(session_end_info={"status": status})}


def test_a_trial_without_an_end_is_running_and_others_keep_their_status():
    experiment = {metadata.EXPERIMENT_TAG: _content(experiment={})}
    seen = with_running(
        {
            ".": experiment,
            "0001": START,
            "0002": _ended(api_pb2.STATUS_SUCCESS),
            "0003": _ended(api_pb2.STATUS_FAILURE),
        }
    )
    assert seen["."] == experiment
    statuses = {
        run: metadata.parse_session_end_info_plugin_data(
            seen[run][metadata.SESSION_END_INFO_TAG]
        ).status
        for run in ("0001", "0002", "0003")
    }
    assert statuses == {
        "0001": api_pb2.STATUS_RUNNING,
        "0002": api_pb2.STATUS_SUCCESS,
        "0003": api_pb2.STATUS_FAILURE,
    }
