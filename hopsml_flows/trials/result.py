"""What an experiment returns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, SupportsIndex, overload

from hopsml_flows.search import Direction
from hopsml_flows.text import unicode_text
from hopsml_flows.trials.model import State, TrialResult

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ExperimentResult"]

_ONE_TRIAL = frozenset(
    {"launch", "mirrored", "collective_all_reduce", "parameter_server", "distributed"}
)
"""Verbs that return their experiment's directory and outputs, as HopsML's do."""


@dataclass(frozen=True, slots=True)
class ExperimentResult(Sequence[Any]):
    """An experiment that is over.

    It is also the tuple that the verb returned in HopsML: ``path, outputs`` of ``launch`` and the
    verbs for distributed training, ``best_dir, best_params, best_outputs`` of the searches. It
    unpacks, and has items, slices (as tuples) and a length, as that tuple has.

    Args:
        id: The experiment's identifier.
        function: The verb that ran it.
        path: The experiment's directory: a local path or a URL.
        state: FINISHED, FAILED or KILLED.
        direction: Which way is better, or None where nothing is optimized.
        best: The best trial, or None.
        trials: All trials, in order.
        duration: Seconds from start to end.
        flow_run_id: The Prefect flow run, or None.
    """

    id: str
    function: str
    path: str
    state: State
    direction: Direction | None
    best: TrialResult | None
    trials: tuple[TrialResult, ...]
    duration: float
    flow_run_id: str | None = None

    def as_tuple(self) -> tuple[Any, ...]:
        """What HopsML returned: ``path, outputs``, or ``best_dir, best_params, best_outputs``."""
        if self.function in _ONE_TRIAL:
            return self.path, self.outputs
        return self.best_dir, self.best_params, self.outputs

    @overload
    def __getitem__(self, index: SupportsIndex) -> Any: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Any, ...]: ...
    def __getitem__(self, index: SupportsIndex | slice) -> Any:
        return self.as_tuple()[index]

    def __len__(self) -> int:
        return len(self.as_tuple())

    @property
    def best_dir(self) -> str | None:
        """The best trial's directory: a local path or a URL."""
        if self.best is None:
            return None
        return f"{self.path}/{self.best.directory}" if self.best.directory else self.path

    @property
    def best_params(self) -> dict[str, Any] | None:
        """The best trial's hyperparameters."""
        return None if self.best is None else self.best.params

    @property
    def best_metric(self) -> float | None:
        """The best trial's metric."""
        return None if self.best is None else self.best.metric

    @property
    def outputs(self) -> dict[str, Any] | None:
        """The best trial's outputs; where nothing is searched, those of the one trial, or None."""
        if self.function not in _ONE_TRIAL:
            return None if self.best is None else self.best.outputs
        if len(self.trials) == 1:
            return self.trials[0].outputs or None
        return None

    @property
    def failed(self) -> tuple[TrialResult, ...]:
        """The trials that failed."""
        return tuple(result for result in self.trials if not result.succeeded)

    def to_pandas(self) -> pd.DataFrame:
        """The trials as a table: number, parameters, outputs, metric, state, seconds, error.

        Columns of parameters are named ``params.<name>``, of outputs ``outputs.<name>``. Text that
        is not Unicode is escaped, since pandas cannot hold it.

        Raises:
            ImportError: pandas is not installed.
        """
        import pandas as pd

        return pd.DataFrame(
            [
                {
                    "number": result.number,
                    **_columns("params", result.params),
                    **_columns("outputs", result.outputs),
                    "metric": result.metric,
                    "state": result.state.value,
                    "seconds": result.duration,
                    "directory": result.directory,
                    "error": str(result.failure) if result.failure else None,
                }
                for result in self.trials
            ]
        )


def _columns(kind: str, values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        unicode_text(f"{kind}.{name}"): unicode_text(value) if isinstance(value, str) else value
        for name, value in values.items()
    }
