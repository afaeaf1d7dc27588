"""The model repository: versions of trained models in a project's directory ``Models``."""

from hopsml_flows.models.metric import Metric, best_record, checked_metrics
from hopsml_flows.models.names import model_name, split_version, version_number
from hopsml_flows.models.record import ModelFile, ModelRecord, Origin

__all__ = [
    "Metric",
    "ModelFile",
    "ModelRecord",
    "Origin",
    "best_record",
    "checked_metrics",
    "model_name",
    "split_version",
    "version_number",
]
