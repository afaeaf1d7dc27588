"""The Prefect server of a run: the configured one, or an embedded one where there is none."""
