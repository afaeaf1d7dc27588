"""Dask clusters, and the Prefect task runner that submits to them."""

from hopsml_flows.cluster.config import ClusterConfig, GroupSize
from hopsml_flows.cluster.config_fields import KINDS

__all__ = ["KINDS", "ClusterConfig", "GroupSize", "TrialTaskRunner"]


def __getattr__(name: str) -> object:
    # Judging arguments needs the config alone; the runner imports Prefect and Dask.
    if name == "TrialTaskRunner":
        from hopsml_flows.cluster.runner import TrialTaskRunner

        return TrialTaskRunner
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
