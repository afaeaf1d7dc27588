from __future__ import annotations

import pytest

from hopsml_flows.execution.devices.visible_gpus import Chosen, chosen

FOUR = ["GPU-aa11", "GPU-aa22", "GPU-bb33", "GPU-cc44"]


def visible(setting, uuids=FOUR, slices=("MIG-s1", "MIG-GPU-aa11/1/0")):
    return chosen(setting, uuids, slices.__contains__)


@pytest.mark.parametrize(
    ("setting", "entries"),
    [
        (None, ["0", "1", "2", "3"]),
        ("0,2", ["0", "2"]),
        (" 3 , 1 ", ["3", "1"]),
        ("0,9,1", ["0"]),
        ("-1,0", []),
        ("1,-1,2", ["1"]),
        ("1,1", ["1"]),
        ("x", []),
        ("", []),
        (",0", []),
        ("NoDevFiles", []),
        ("GPU-bb33,MIG-s1", ["GPU-bb33", "MIG-s1"]),
        ("MIG-GPU-aa11/1/0", ["MIG-GPU-aa11/1/0"]),
        ("MIG-other,0", []),
        ("GPU-none,0", []),
    ],
)
def test_cuda_visible_devices_is_read_as_cuda_reads_it(setting, entries):
    assert [choice.entry for choice in visible(setting)] == entries


def test_a_gpu_is_found_by_the_beginning_of_its_identifier_unless_two_have_it():
    assert visible("GPU-b,GPU-aa2") == [Chosen("GPU-b", 2), Chosen("GPU-aa2", 1)]
    assert visible("GPU-aa,0") == []


def test_one_gpu_named_in_two_ways_is_one():
    assert visible("0,GPU-aa11,1") == [Chosen("0", 0)]


def test_a_lost_gpu_is_not_visible_and_the_others_keep_their_places():
    uuids = ["GPU-aa11", None, "GPU-bb33"]
    assert [choice.index for choice in visible(None, uuids)] == [0, 2]
    assert [choice.index for choice in visible("2,1,0", uuids)] == [2]


@pytest.mark.parametrize("setting", [None, "0", "GPU-aa11", ""])
def test_without_gpus_none_is_visible(setting):
    assert visible(setting, [], ()) == []
