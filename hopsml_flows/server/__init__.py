"""The Prefect server of a run: the configured one, or an embedded one where there is none."""

__all__ = ["embedded_server", "embedded_url"]


def __getattr__(name: str) -> object:
    # Imports Dask; the server's own process needs none of it.
    if name in __all__:
        from hopsml_flows.server import embedded

        return getattr(embedded, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
