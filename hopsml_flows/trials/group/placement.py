"""Which worker gets which member of a group, and which GPUs. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from hopsml_flows.trials.group.shape import GroupShape, Member

__all__ = ["Seat", "WorkerFacts", "gpu_shares", "placed"]


@dataclass(frozen=True, slots=True)
class WorkerFacts:
    """A worker that might run a member.

    Args:
        address: Its Dask address.
        host: The host that others reach it by.
        gpus: Identifiers of the GPUs that it sees.
        busy: Whether it has work.
    """

    address: str
    host: str
    gpus: tuple[str, ...] = ()
    busy: bool = False


@dataclass(frozen=True, slots=True)
class Seat:
    """Where a member will run.

    Args:
        address: The worker's Dask address.
        host: The host that others reach it by.
        gpus: GPUs that the process may use; empty hides them all.
    """

    address: str
    host: str
    gpus: tuple[str, ...]


def gpu_shares(
    workers: Iterable[WorkerFacts], seats: Collection[str] | None = None
) -> dict[str, tuple[str, ...]]:
    """Share out the GPUs of each host among the workers on it that see the same ones.

    Workers of dask-cuda see one GPU each, which is theirs; other workers of a host all see all of
    its GPUs, and get equal parts that do not overlap.

    Args:
        workers: All workers.
        seats: Addresses of the workers that shall have GPUs; None for as many as there are GPUs.

    Returns:
        Address to GPUs, of the workers that get any.
    """
    alike: defaultdict[tuple[str, tuple[str, ...]], list[str]] = defaultdict(list)
    for worker in workers:
        if worker.gpus and (seats is None or worker.address in seats):
            alike[worker.host, tuple(sorted(worker.gpus))].append(worker.address)
    shares: dict[str, tuple[str, ...]] = {}
    for (_, gpus), addresses in alike.items():
        served = addresses[: len(gpus)]
        for number, address in enumerate(served):
            first, end = (len(gpus) * n // len(served) for n in (number, number + 1))
            shares[address] = gpus[first:end]
    return shares


def placed(
    shape: GroupShape,
    workers: Collection[WorkerFacts],
    *,
    use_gpus: bool,
    shared: bool,
) -> Mapping[Member, Seat] | str:
    """Give each process of a group a worker of its own.

    Where there are GPUs, the processes that compute get them, and the others run without.

    Args:
        shape: The processes.
        workers: All workers of the cluster.
        use_gpus: Whether GPUs are used where there are any.
        shared: Whether other groups want the rest of the workers: then GPUs are kept for them.

    Returns:
        The seats; or where there are too few workers, what is missing.
    """
    free = sorted((w for w in workers if not w.busy), key=lambda worker: worker.address)
    members = shape.members
    if len(free) < len(members):
        busy = len(workers) - len(free)
        others = f" ({busy} more are busy)" if busy else ""
        return f"{len(members)} workers ({shape}), and {len(free)} are free{others}"
    computing = shape.needs_gpu if use_gpus and any(worker.gpus for worker in workers) else ()
    eligible = gpu_shares(workers) if computing else {}
    able = [worker for worker in free if worker.address in eligible]
    if len(able) < len(computing):
        return (
            f"{len(computing)} free workers with a GPU of their own ({shape}), and there are "
            f"{len(able)}; gpus_per_trial=0 in the ClusterConfig trains without"
        )
    chosen = dict(zip(computing, able, strict=False))
    shares = eligible
    if not shared:
        shares = gpu_shares(workers, [worker.address for worker in chosen.values()])
    taken = {worker.address for worker in chosen.values()}
    # Workers without GPUs first: the others may serve a process that has a use for them.
    rest = sorted(
        (worker for worker in free if worker.address not in taken),
        key=lambda worker: worker.address in eligible,
    )
    remaining = [member for member in members if member not in chosen]
    chosen |= dict(zip(remaining, rest, strict=False))
    return {
        member: Seat(
            chosen[member].address,
            chosen[member].host,
            shares.get(chosen[member].address, ()) if member in computing else (),
        )
        for member in members
    }
