"""The environment variables that make processes a group: TensorFlow's and PyTorch's. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from hopsml_flows.trials.group.shape import Framework, GroupShape, Member, Role

__all__ = ["ports_needed", "tf_config", "variables"]


def ports_needed(shape: GroupShape, member: Member) -> int:
    """How many ports a process listens on, that others must know.

    Args:
        shape: The group.
        member: The process.
    """
    torch = shape.framework in (Framework.TORCH, Framework.ANY) and member == shape.leader
    tensorflow = shape.framework is not Framework.TORCH and member.role is not Role.EVALUATOR
    if shape.framework is Framework.MIRRORED and len(shape.members) == 1:
        tensorflow = False
    return int(torch) + int(tensorflow)


def variables(
    shape: GroupShape,
    member: Member,
    hosts: Mapping[Member, str],
    ports: Mapping[Member, tuple[int, ...]],
) -> dict[str, str]:
    """The environment variables of one process.

    Args:
        shape: The group.
        member: The process.
        hosts: Host of each process, as others reach it.
        ports: Ports of each process.
    """
    found: dict[str, str] = {}
    if shape.framework is not Framework.TORCH:
        config = tf_config(shape, member, hosts, ports)
        if config is not None:
            found["TF_CONFIG"] = json.dumps(config)
    if shape.framework in (Framework.TORCH, Framework.ANY) and member in shape.trainers:
        found |= _torch(shape, member, hosts, ports)
    return found


def tf_config(
    shape: GroupShape,
    member: Member,
    hosts: Mapping[Member, str],
    ports: Mapping[Member, tuple[int, ...]],
) -> dict[str, Any] | None:
    """What TensorFlow reads from ``TF_CONFIG``; None if a process trains alone.

    An evaluator is no part of the cluster, as TensorFlow wants it: it only knows its task.

    Args:
        shape: The group.
        member: The process.
        hosts: Host of each process.
        ports: Ports of each process; the first one is TensorFlow's.
    """
    if member.role is not Role.EVALUATOR and len((*shape.trainers, *shape.servers)) == 1:
        return None
    cluster: dict[str, list[str]] = {}
    for other in (*shape.trainers, *shape.servers):
        cluster.setdefault(other.role.value, []).append(f"{hosts[other]}:{ports[other][0]}")
    return {"cluster": cluster, "task": {"type": member.role.value, "index": member.index}}


def _torch(
    shape: GroupShape,
    member: Member,
    hosts: Mapping[Member, str],
    ports: Mapping[Member, tuple[int, ...]],
) -> dict[str, str]:
    leader = shape.leader
    rank = shape.trainers.index(member)
    # Each Dask worker runs one member, which sees only its own GPUs. To PyTorch each is a separate
    # node; LOCAL_RANK says which of the visible devices to take.
    return {
        "MASTER_ADDR": hosts[leader].strip("[]"),
        "MASTER_PORT": str(ports[leader][-1]),
        "RANK": str(rank),
        "WORLD_SIZE": str(len(shape.trainers)),
        "LOCAL_RANK": "0",
        "LOCAL_WORLD_SIZE": "1",
        "GROUP_RANK": str(rank),
        "GROUP_WORLD_SIZE": str(len(shape.trainers)),
    }
