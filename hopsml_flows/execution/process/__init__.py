"""The training process, in which a trial runs. A Dask worker starts, supervises and ends it."""

from hopsml_flows.execution.process.supervision import Lost, Supervisor
from hopsml_flows.execution.process.work import Order

__all__ = ["Lost", "Order", "Supervisor"]
