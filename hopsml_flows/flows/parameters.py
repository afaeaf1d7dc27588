"""Types of flow parameters: what Prefect's run form shows and what it lets through."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema

from hopsml_flows.execution import TrainingFunction
from hopsml_flows.search import Direction, Strategy, Updating

__all__ = ["DirectionParameter", "StrategyParameter", "TrainParameter", "UpdatingParameter"]

TrainParameter = Annotated[
    Any,
    BeforeValidator(TrainingFunction),
    WithJsonSchema(
        {
            "type": "string",
            "title": "train",
            "description": "'package.module:name' or 'path/file.py:name'",
        }
    ),
]
"""A training function; an import string in forms and deployments."""

DirectionParameter = Annotated[Direction | str, BeforeValidator(Direction.parse)]
"""A direction; in any case where it is a string."""

StrategyParameter = Annotated[Strategy | str, BeforeValidator(Strategy.parse)]
"""A strategy of differential evolution."""

UpdatingParameter = Annotated[Updating | str, BeforeValidator(Updating.parse)]
"""When results enter the population of differential evolution."""
