from __future__ import annotations

import json

import pytest

from hopsml_flows.trials import Framework, GroupShape, Role, ports_needed, variables


def told(shape):
    """The variables of each process, on hosts and ports that tell them apart."""
    hosts = {member: f"10.0.0.{n}" for n, member in enumerate(shape.members)}
    ports = {
        member: tuple(range(1000 + 10 * n, 1000 + 10 * n + ports_needed(shape, member)))
        for n, member in enumerate(shape.members)
    }
    return {str(member): variables(shape, member, hosts, ports) for member in shape.members}


def configs(shape):
    return {
        name: json.loads(found["TF_CONFIG"]) if "TF_CONFIG" in found else None
        for name, found in told(shape).items()
    }


def test_one_mirrored_process_is_told_of_no_cluster_and_keeps_no_port():
    shape = GroupShape(Framework.MIRRORED, 1)
    assert told(shape) == {"chief-0": {}}
    assert ports_needed(shape, shape.leader) == 0


def test_mirrored_processes_are_a_chief_and_workers():
    cluster = {"chief": ["10.0.0.0:1000"], "worker": ["10.0.0.1:1010", "10.0.0.2:1020"]}
    assert configs(GroupShape(Framework.MIRRORED, 3)) == {
        "chief-0": {"cluster": cluster, "task": {"type": "chief", "index": 0}},
        "worker-0": {"cluster": cluster, "task": {"type": "worker", "index": 0}},
        "worker-1": {"cluster": cluster, "task": {"type": "worker", "index": 1}},
    }


@pytest.mark.parametrize("workers", [1, 2])
def test_an_evaluator_is_no_part_of_the_cluster_and_knows_it(workers):
    shape = GroupShape(Framework.MIRRORED, workers, evaluator=True)
    found = configs(shape)
    assert (found["chief-0"] is None) == (workers == 1)
    assert found["evaluator-0"]["task"] == {"type": "evaluator", "index": 0}
    assert "evaluator" not in found["evaluator-0"]["cluster"]
    assert found["evaluator-0"]["cluster"]["chief"] == ["10.0.0.0:1000"]
    assert ports_needed(shape, shape.members[-1]) == 0


def test_parameter_servers_and_their_workers_come_besides_the_chief():
    shape = GroupShape(Framework.PARAMETER_SERVER, 2, ps=1)
    assert [str(member) for member in shape.members] == ["chief-0", "worker-0", "worker-1", "ps-0"]
    found = configs(shape)
    assert found["ps-0"]["task"] == {"type": "ps", "index": 0}
    assert {role: len(there) for role, there in found["ps-0"]["cluster"].items()} == {
        "chief": 1,
        "worker": 2,
        "ps": 1,
    }
    assert len({json.dumps(config["cluster"]) for config in found.values()}) == 1


def test_torch_processes_are_ranks_that_meet_at_the_first_one():
    shape = GroupShape(Framework.TORCH, 2)
    found = told(shape)
    assert [found[f"worker-{n}"]["RANK"] for n in (0, 1)] == ["0", "1"]
    for one in found.values():
        assert one["MASTER_ADDR"] == "10.0.0.0"
        assert one["MASTER_PORT"] == "1000"
        assert one["WORLD_SIZE"] == "2"
        assert one["LOCAL_RANK"] == "0"  # each sees its own GPUs alone
        assert "TF_CONFIG" not in one
    assert [ports_needed(shape, member) for member in shape.members] == [1, 0]


def test_trials_of_a_search_get_the_variables_of_both_on_ports_of_their_own():
    found = told(GroupShape(Framework.ANY, 2))
    config = json.loads(found["worker-0"]["TF_CONFIG"])
    assert config["cluster"] == {"chief": ["10.0.0.0:1000"], "worker": ["10.0.0.1:1010"]}
    assert found["worker-0"]["MASTER_PORT"] == "1001"
    assert found["worker-0"]["RANK"] == "1"


def test_hosts_of_ipv6_are_written_as_each_framework_wants_them():
    shape = GroupShape(Framework.ANY, 2)
    hosts = dict.fromkeys(shape.members, "[fe80::1]")
    ports = {shape.members[0]: (1, 2), shape.members[1]: (3,)}
    found = variables(shape, shape.leader, hosts, ports)
    assert json.loads(found["TF_CONFIG"])["cluster"]["worker"] == ["[fe80::1]:3"]
    assert found["MASTER_ADDR"] == "fe80::1"


def test_what_a_group_is_made_of_is_said_in_few_words():
    shape = GroupShape(Framework.PARAMETER_SERVER, 2, ps=1, evaluator=True)
    assert str(shape) == "1 chief, 2 worker, 1 ps, 1 evaluator"
    assert shape.members[-1].role is Role.EVALUATOR
    assert shape.counts == {"num_workers": 2, "evaluator": True, "num_ps": 1}
