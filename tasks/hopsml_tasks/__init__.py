"""The Prefect tasks that the flows are made of; thin: they call execution and tracking."""

from hopsml_tasks.process import process
from hopsml_tasks.trial import trial

__all__ = ["process", "trial"]
