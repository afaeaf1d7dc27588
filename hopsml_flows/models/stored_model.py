"""A version of a model that a project has, as users get it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from hopsml_flows.models.record import ModelRecord
from hopsml_flows.storage import ModelPaths, Project
from hopsml_flows.text import one_line

__all__ = ["StoredModel"]


class StoredModel(Mapping[str, Any]):
    """A version of a model in a project's ``Models``.

    It is also the mapping that HopsML returned, with the keys ``name``, ``version``, ``metrics``,
    ``description``, ``created``, ``experimentId``, ``projectName`` and ``path``.

    Args:
        project: The project that has it.
        record: Its record.

    Example:
        >>> from hopsml_flows import model
        >>> from pathlib import Path
        >>> _ = Path("model.pt").write_bytes(b"weights")
        >>> _ = model.export("model.pt", "digits", 1, overwrite=True, metrics={"accuracy": 0.9})
        Exported model digits as version 1
        >>> best = model.get_best_model("digits", "accuracy", model.Metric.MAX)
        >>> best["name"], best.metrics["accuracy"]
        ('digits', 0.9)
    """

    def __init__(self, project: Project, record: ModelRecord) -> None:
        self.project = project
        self.record = record

    def __repr__(self) -> str:
        metrics = ", ".join(f"{name}={value:g}" for name, value in self.metrics.items())
        return one_line(f"<model {self.name}, version {self.version}: {metrics or 'no metrics'}>")

    @property
    def name(self) -> str:
        """The model's name."""
        return self.record.name

    @property
    def version(self) -> int:
        """The version."""
        return self.record.version

    @property
    def metrics(self) -> dict[str, int | float]:
        """Metric's name to number."""
        return self.record.metrics

    @property
    def path(self) -> str:
        """The version's directory: a local path or a URL."""
        return self.project.full(ModelPaths(self.name, self.version).root)

    def __getitem__(self, key: str) -> Any:
        return self._as_in_hopsml()[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._as_in_hopsml())

    def __len__(self) -> int:
        return len(self._as_in_hopsml())

    def __hash__(self) -> int:
        return hash((self.path, self.record.created))

    def __eq__(self, other: object) -> bool:
        if isinstance(other, StoredModel):
            return (self.path, self.record) == (other.path, other.record)
        return dict(self) == other

    def _as_in_hopsml(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "version": self.version,
            "metrics": self.metrics,
            "description": self.record.description,
            "created": self.record.created,
            "experimentId": self.record.origin.experiment,
            "projectName": self.record.project,
            "path": self.path,
        }
