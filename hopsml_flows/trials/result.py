"""What an experiment returns."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from hopsml_flows.errors import InvalidArgumentError, UnsupportedOperationError
from hopsml_flows.search import Direction
from hopsml_flows.text import unicode_text
from hopsml_flows.trials.model import State, TrialResult
from hopsml_flows.trials.result_views import PageLink, result_html, result_text

if TYPE_CHECKING:
    import pandas as pd

    from hopsml_flows.search.decisions import Why
    from hopsml_flows.trials.confirmation import Confirmation, Promotion

__all__ = ["ExperimentResult", "RunResult", "SearchResult"]


@dataclass(frozen=True)
class ExperimentResult:
    """The result of an experiment.

    Verbs return one of its two kinds, :class:`SearchResult` and :class:`RunResult`. Each is also
    the tuple that the verb returned in HopsML.

    Args:
        id: The experiment's identifier.
        function: The verb that ran it.
        path: The experiment's directory: a local path or a URL.
        state: FINISHED, FAILED or KILLED.
        direction: Which way is better, or None if nothing is optimized.
        best: The best trial, or None.
        trials: All trials, in order.
        duration: Seconds from start to end.
        flow_run_id: The Prefect flow run, or None.
        optimization_key: The metric's key, or None where none was named.
        links: Pages about it that a browser can open, now that it has ended.
        picture: A picture of the search as PNG, or None.
        confirmation: What came of evaluating the winner again on fresh seeds, or None.
        promotion: Whether the winner became a version of a model, and why; or None.
        exporter: Exports a trial's model, for :meth:`export_model`; or None.
        findings: What the trials mean together, of an ablation study; or None.
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
    optimization_key: str | None = None
    links: tuple[PageLink, ...] = field(default=(), compare=False)
    picture: bytes | None = field(default=None, compare=False)
    confirmation: Confirmation | None = None
    promotion: Promotion | None = None
    exporter: Callable[..., str] | None = field(default=None, compare=False)
    findings: Any = field(default=None, compare=False, repr=False)  # a kind of result types it

    def __repr__(self) -> str:
        return result_text(self)

    def _repr_html_(self) -> str:  # IPython's, for notebooks
        return result_html(self)

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
        """The best trial's outputs, or None."""
        return None if self.best is None else self.best.outputs

    @property
    def failed(self) -> tuple[TrialResult, ...]:
        """The trials that failed."""
        return tuple(result for result in self.trials if not result.succeeded)

    def export_model(
        self,
        name: str,
        version: int | None = None,
        overwrite: bool = False,
        metrics: Mapping[str, Any] | None = None,
        description: str | None = None,
        *,
        file: str | None = None,
        trial: int | None = None,
        input_signature: Any = None,
    ) -> str:
        """Export the model that the best trial saved, to ``Models/<name>/<version>/``.

        The model is what the trial returned as "model", "saved_model", "model_path" or
        "model_dir"; or the only directory, or file with the suffix of a model, that it returned
        or left in its directory.

        Args:
            name: The model's name.
            version: The version, from 1; None for the one after the newest.
            overwrite: Replace the version if it exists.
            metrics: Metric's name to number; None for the numbers among the trial's outputs.
            description: What you want to say about it.
            file: Which output, or which path below the trial's directory, is the model.
            trial: Number of another trial.
            input_signature: What the model takes: an example of the input, or JSON values.

        Returns:
            The full path of the version's directory.

        Raises:
            InvalidArgumentError: No trial succeeded, or there is no such trial; or it is not
                certain which of its files is the model.
            ModelExistsError: The version exists, and ``overwrite`` is false.
            StorageUnavailableError: Storage refuses a file, or did not answer in time.
        """
        if self.exporter is None:
            raise UnsupportedOperationError("this result does not know its project's storage")
        return self.exporter(
            self._trial_to_export(trial),
            name,
            file=file,
            version=version,
            overwrite=overwrite,
            metrics=metrics,
            description=description,
            input_signature=input_signature,
        )

    def _trial_to_export(self, number: int | None) -> TrialResult:
        done = [result for result in self.trials if result.succeeded]
        if number is not None:
            found = next((result for result in done if result.number == number), None)
            if found is None:
                must = "must be the number of a trial that succeeded"
                raise InvalidArgumentError("trial", number, must)
            return found
        if self.best is not None:
            return self.best
        if len(done) == 1:
            return done[0]
        must = "must be the number of a trial that succeeded: there is no best one"
        raise InvalidArgumentError("trial", number, must)

    def to_pandas(self) -> pd.DataFrame:
        """The trials as a table: number, parameters, outputs, metric, state, seconds, error.

        Columns of parameters are named ``params.<name>``, of outputs ``outputs.<name>``. Where some
        trials have a budget, or were stopped early, there are columns ``budget`` and
        ``why_stopped``. Text that is not Unicode is escaped, since pandas cannot hold it.

        Raises:
            ImportError: pandas is not installed.
        """
        import pandas as pd

        with_budgets = any(result.budget is not None for result in self.trials)
        with_stops = any(result.why_stopped is not None for result in self.trials)
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
                    **({"budget": result.budget} if with_budgets else {}),
                    **({"why_stopped": _text(result.why_stopped)} if with_stops else {}),
                }
                for result in self.trials
            ]
        )


class SearchResult(  # noqa: SLOT001 - its base has fields, which a tuple has no slots for
    ExperimentResult, tuple[str, dict[str, Any], dict[str, Any]]
):
    """The result of a search: ``best_dir, best_params, best_outputs``.

    All three are None in the result of a search that failed, which
    :class:`~hopsml_flows.errors.ExperimentFailedError` carries.

    Example:
        >>> best = TrialResult(2, "0002-x=4", {"x": 4}, State.FINISHED, 0.9, {"accuracy": 0.9})
        >>> result = SearchResult(
        ...     id="digits",
        ...     function="grid_search",
        ...     path="/demo/digits",
        ...     state=State.FINISHED,
        ...     direction=Direction.MAX,
        ...     best=best,
        ...     trials=(best,),
        ...     duration=2.5,
        ... )
        >>> best_dir, best_params, best_outputs = result
        >>> best_params, best_outputs, result.best_metric
        ({'x': 4}, {'accuracy': 0.9}, 0.9)
    """

    def __new__(cls, *args: Any, **kwargs: Any) -> SearchResult:
        """The tuple of an experiment; its arguments are those of :class:`ExperimentResult`."""
        result = ExperimentResult(*args, **kwargs)
        return tuple.__new__(cls, (result.best_dir, result.best_params, result.outputs))

    def __getnewargs__(self) -> tuple[Any, ...]:  # pickle's
        return _values(self)


class RunResult(ExperimentResult, tuple[str, dict[str, Any] | None]):  # noqa: SLOT001 - as above
    """The result of training once, or once for each set of arguments: ``path, outputs``."""

    def __new__(cls, *args: Any, **kwargs: Any) -> RunResult:
        """The tuple of an experiment; its arguments are those of :class:`ExperimentResult`."""
        result = ExperimentResult(*args, **kwargs)
        return tuple.__new__(cls, (result.path, _only_outputs(result)))

    def __getnewargs__(self) -> tuple[Any, ...]:  # pickle's
        return _values(self)

    @property
    def outputs(self) -> dict[str, Any] | None:
        """The outputs of the only trial; None where there are several, or no outputs."""
        return _only_outputs(self)


def _text(why: Why | None) -> str | None:
    return None if why is None else str(why)


def _only_outputs(result: ExperimentResult) -> dict[str, Any] | None:
    return result.trials[0].outputs or None if len(result.trials) == 1 else None


def _values(result: ExperimentResult) -> tuple[Any, ...]:
    return tuple(getattr(result, own.name) for own in fields(result))


def _columns(kind: str, values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        unicode_text(f"{kind}.{name}"): unicode_text(value) if isinstance(value, str) else value
        for name, value in values.items()
    }
