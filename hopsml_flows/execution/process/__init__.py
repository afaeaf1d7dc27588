"""The process that a trial lives in: started, supervised and ended by a Dask worker."""

from hopsml_flows.execution.process.supervision import Lost, Supervisor
from hopsml_flows.execution.process.work import Order

__all__ = ["Lost", "Order", "Supervisor"]
