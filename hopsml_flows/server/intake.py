"""How a Prefect server should take in the events of trials: in batches.

One transaction per event, Prefect's default, costs almost three times the processor time.
"""

from __future__ import annotations

__all__ = ["INTAKE_SERVICES", "INTAKE_SETTINGS"]

INTAKE_SERVICES = ("task_run_recorder", "event_persister")
"""Services of the server that store events of task runs, as its settings name them."""

INTAKE_SETTINGS = {
    f"PREFECT_SERVER_SERVICES_{service.upper()}_{setting}": value
    for service in INTAKE_SERVICES
    # The recorder cuts its interval to whole seconds; 0 makes it spin.
    for setting, value in (("BATCH_SIZE", "200"), ("FLUSH_INTERVAL", "1"))
}
"""Variables of a server's environment that are recommended; the embedded server has them."""
