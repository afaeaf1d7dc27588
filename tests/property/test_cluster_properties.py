"""Whatever is written into a cluster: a typed error before anything is started, or it is usable."""

from __future__ import annotations

import logging
import math
import threading

from hypothesis import example, given, settings
from hypothesis import strategies as st

from hopsml_flows.cluster import ClusterConfig
from hopsml_flows.cluster.config_fields import LEAST_MEMORY, MOST_WORKERS
from hopsml_flows.errors import InvalidArgumentError, InvalidClusterError
from hopsml_flows.values.arguments import LARGEST, seconds, whole_number

WILD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-(10**40), 10**40),
    st.floats(),
    st.text(max_size=20),
    st.binary(max_size=5),
    st.from_regex(r"-?[0-9]{1,4}(\.[0-9])? ?([kKMGTPE]i?)?[bB]?", fullmatch=True),
    st.sampled_from(["auto", "4GiB", "0", "0.5", "1e400", "nan", "inf", 10**400, 1e300, 5e-324]),
    st.lists(st.integers(), max_size=2),
    st.dictionaries(st.one_of(st.text(max_size=5), st.integers()), st.integers(), max_size=2),
)

FIELDS = st.dictionaries(
    st.sampled_from(
        ["kind", "address", "n_workers", "memory_limit", "idle_timeout", "start_timeout",
         "gpus_per_trial", "options"]
    ),
    WILD,
)  # fmt: skip


def _names(argument, error):
    assert str(error).startswith(argument)


def _takes_time(duration):
    """Whether the standard library's timers take it."""
    assert 0 < duration < threading.TIMEOUT_MAX
    assert math.isfinite(duration)


@given(FIELDS)
@example({"memory_limit": "1"})
@example({"memory_limit": "4GiB"})
@settings(max_examples=500, deadline=None)
def test_a_cluster_is_refused_by_name_or_can_be_used(fields):
    try:
        config = ClusterConfig(**fields)
    except InvalidClusterError as error:
        _names("cluster", error)
        return
    assert config.n_workers is None or 1 <= config.n_workers <= MOST_WORKERS
    _takes_time(config.start_timeout)
    if config.idle_timeout is not None:
        _takes_time(config.idle_timeout)
    if config.gpus_per_trial:
        assert 1 <= round(1 / config.gpus_per_trial) <= 1000 or config.gpus_per_trial > 1
    if config.memory_limit not in (None, "auto"):
        from dask.system import CPU_COUNT
        from distributed.worker_memory import parse_memory_limit

        limit = parse_memory_limit(
            config.memory_limit, 1, CPU_COUNT, logger=logging.getLogger(__name__)
        )
        assert limit >= LEAST_MEMORY
    assert ClusterConfig.parse(config.as_dict()) == config


@given(WILD)
def test_a_time_is_refused_by_name_or_a_timer_takes_it(value):
    try:
        duration = seconds("trial_timeout", value)
    except InvalidArgumentError as error:
        _names("trial_timeout: must be", error)
        return
    _takes_time(duration + 1000)  # what is added to it


@given(WILD)
def test_a_whole_number_is_refused_by_name_or_json_takes_it(value):
    try:
        number = whole_number("retries", value, least=0)
    except InvalidArgumentError as error:
        _names("retries: must be", error)
        return
    assert 0 <= number <= LARGEST
