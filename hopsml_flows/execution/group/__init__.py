"""One member of a distributed trial on its worker: its seat, its training process, its files."""

from hopsml_flows.execution.group.guard import check_packages
from hopsml_flows.execution.group.member import Process, current_process, group_directory
from hopsml_flows.execution.group.member_supervision import supervise
from hopsml_flows.execution.group.seats import Begin, SeatState, View, own_seats, remove_shared

__all__ = [
    "Begin",
    "Process",
    "SeatState",
    "View",
    "check_packages",
    "current_process",
    "group_directory",
    "own_seats",
    "remove_shared",
    "supervise",
]
