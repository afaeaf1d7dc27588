"""The slot that a run of a deployment with a concurrency limit holds, and that a pause takes away.

The server takes the slot from a run that becomes Paused. Prefect's engine goes on to renew the
lease of the slot, is refused within minutes, and then ends the run in the middle of its pause.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from prefect.concurrency import _leases

__all__ = ["give_up_slot"]

_given_up: set[UUID] = set()


def give_up_slot(lease_id: UUID | None) -> None:
    """Let a run go on without its slot: its lease is renewed no more, and that ends nothing.

    Call it before the run is paused.

    Args:
        lease_id: The lease of the slot, from the details of the run's state; None if it has none.
    """
    if lease_id is None:
        return
    _given_up.add(lease_id)
    if not getattr(_leases._handle_lease_renewal_failure, "spares", False):  # noqa: SLF001
        _install()


def _install() -> None:
    """Make the engine's threads, which look these functions up, spare what was given up."""
    leases: Any = _leases
    renew, fail = leases._renew_concurrency_lease_with_retries, leases._handle_lease_renewal_failure  # noqa: SLF001

    def renew_unless_given_up(client: Any, lease_id: UUID, *args: Any) -> bool:
        return lease_id not in _given_up and renew(client, lease_id, *args)

    def fail_unless_given_up(exc: BaseException, lease_id: UUID, *args: Any) -> None:
        if lease_id not in _given_up:  # else a renewal was on its way when the run was paused
            fail(exc, lease_id, *args)

    fail_unless_given_up.spares = True  # type: ignore[attr-defined]
    leases._renew_concurrency_lease_with_retries = renew_unless_given_up  # noqa: SLF001
    leases._handle_lease_renewal_failure = fail_unless_given_up  # noqa: SLF001
