"""A Prefect flow that can be deployed and run from its stored parameters.

Knows Prefect's deployments, and nothing of experiments but where their flows can be imported.
"""

from __future__ import annotations

import inspect
from typing import Any, Generic, ParamSpec, TypeVar

from prefect import Flow
from prefect.types.entrypoint import EntrypointType

from hopsml_flows.execution import check_not_loading
from hopsml_flows.flows.argument_names import check_known
from hopsml_flows.plan.run_form import deployed
from hopsml_flows.prefect_internals.flow_sources import forget_source

__all__ = ["HOME", "DeployableFlow"]

P = ParamSpec("P")
R = TypeVar("R")

HOME = "hopsml_flows.experiment"
"""Module that users, and workers, import flows from."""


class DeployableFlow(Flow[P, R], Generic[P, R]):
    """A flow that workers find wherever this package is installed.

    Its function's module must be :data:`HOME`, from which Prefect makes entrypoints.
    """

    @property
    def entrypoint(self) -> str:
        """Where workers find the flow."""
        return f"{self.fn.__module__}.{self.fn.__name__}"

    def validate_parameters(self, parameters: dict[str, Any]) -> dict[str, Any]:
        """Let parameters pass as they are, if they are parameters of this flow.

        What they may be is judged when the flow runs, by the same code and with the same messages
        as in Python. Prefect's own way is pydantic, whose messages bury what is wrong.

        Args:
            parameters: Parameter name to value.

        Raises:
            UnknownArgumentError: One is unknown.
            TypeError: One is missing.
        """
        signature = inspect.signature(self.fn)
        check_known(self.fn.__name__, parameters, list(signature.parameters))
        signature.bind(**parameters)
        return parameters

    def to_deployment(self, name: str, **options: Any) -> Any:  # type: ignore[override]
        """A deployment of this flow; see ``prefect.Flow.to_deployment``.

        Workers import the flow from this package, rather than from a file at the path that it has
        here. Parameters may be Python objects: functions, ``Float``, arrays, a ``ClusterConfig``.

        Args:
            name: The deployment's name.
            **options: As Prefect's.
        """
        return super().to_deployment(name, **_deployed(options))

    async def ato_deployment(self, name: str, **options: Any) -> Any:  # type: ignore[override]
        """As :meth:`to_deployment`."""
        return await super().ato_deployment(name, **_deployed(options))

    # Prefect's are class methods, which load the flow that is named; here it is known.
    def from_source(self, source: Any, entrypoint: str | None = None) -> Any:  # type: ignore[override]
        """This flow with code from elsewhere; see ``prefect.Flow.from_source``.

        Its deployments work in a copy of the source, where training functions are found by import
        strings such as "train.py:train" and "package.module:train".

        Args:
            source: A local path, a git URL, or a storage block.
            entrypoint: Another flow, in the source; default this one, of the package.
        """
        loaded = super().from_source(source, entrypoint or self.entrypoint)
        return _awaited(loaded) if inspect.isawaitable(loaded) else _detached(loaded)

    async def afrom_source(self, source: Any, entrypoint: str | None = None) -> Any:  # type: ignore[override]
        """As :meth:`from_source`."""
        return _detached(await super().afrom_source(source, entrypoint or self.entrypoint))


def _deployed(options: dict[str, Any]) -> dict[str, Any]:
    check_not_loading()
    return {
        **options,
        "parameters": deployed(options.get("parameters") or {}),
        "entrypoint_type": EntrypointType.MODULE_PATH,
    }


def _detached(loaded: Flow[..., Any]) -> Flow[..., Any]:
    """A copy of the loaded flow; a verb, which Prefect changed in place, is put back."""
    own = loaded.with_options()
    if isinstance(loaded, DeployableFlow):
        forget_source(loaded)
    return own


async def _awaited(loading: Any) -> Flow[..., Any]:
    return _detached(await loading)
