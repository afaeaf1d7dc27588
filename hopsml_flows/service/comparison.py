"""Experiments and trials side by side, and what differs between two experiments. Pure."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hopsml_flows.trials import LOG, TrialResult

if TYPE_CHECKING:
    import pandas as pd

    from hopsml_flows.tracking import ExperimentRecord

__all__ = [
    "Comparison",
    "ComparisonRow",
    "compared",
    "environment_facts",
    "experiment_facts",
    "program_difference",
    "settings",
    "trial_facts",
]

_MISSING = object()
_PACKAGE = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)\s*==\s*(\S+)")
_PYTHON = re.compile(r"# Python (\S+)")
_GPU = re.compile(r"# GPU (\d+ .+)")
_DRIVER = re.compile(r"# driver (\S+)")


@dataclass(frozen=True, slots=True)
class ComparisonRow:
    """A fact about each of the things that are compared.

    Args:
        name: The fact, such as ``params.x``.
        values: Its values, one per thing; None where a thing lacks it.
        differs: Whether they are not all the same.
    """

    name: str
    values: tuple[Any, ...]
    differs: bool


@dataclass(frozen=True, slots=True)
class Comparison:
    """Things side by side.

    Args:
        heads: What is compared: identifiers of experiments, or ``EXPERIMENT/NUMBER``.
        rows: The facts.
    """

    heads: tuple[str, ...]
    rows: tuple[ComparisonRow, ...]

    @property
    def differences(self) -> tuple[ComparisonRow, ...]:
        """The facts in which the things differ."""
        return tuple(row for row in self.rows if row.differs)

    def to_pandas(self) -> pd.DataFrame:
        """Return a table with a row per fact and a column per thing.

        Raises:
            ImportError: pandas is not installed.
        """
        import pandas as pd

        return pd.DataFrame(
            [row.values for row in self.rows],
            index=[row.name for row in self.rows],
            columns=list(self.heads),
            dtype=object,
        )


def compared(heads: Sequence[str], facts: Sequence[Mapping[str, Any]]) -> Comparison:
    """Return facts side by side.

    Args:
        heads: Names of the things.
        facts: The facts about each.

    Example:
        >>> comparison = compared(["a", "b"], [{"x": 1, "y": 2}, {"x": 1, "y": 3}])
        >>> [(row.name, row.values) for row in comparison.differences]
        [('y', (2, 3))]
    """
    names = dict.fromkeys(name for each in facts for name in each)
    rows = []
    for name in names:
        values = [each.get(name, _MISSING) for each in facts]
        differs = len({_image(value) for value in values}) > 1
        rows.append(
            ComparisonRow(name, tuple(None if v is _MISSING else v for v in values), differs)
        )
    return Comparison(tuple(heads), tuple(rows))


def experiment_facts(
    record: ExperimentRecord | None, state: str, best: TrialResult | None
) -> dict[str, Any]:
    """Return what is compared of an experiment: what was asked for, and what came of it.

    Args:
        record: Its record; None if it has none.
        state: Its state.
        best: Its best trial, or None.
    """
    facts: dict[str, Any] = {"state": state}
    if record is None:
        return facts
    facts |= {
        "metric": record.metric,
        "trials": record.trials_total,
        "succeeded": record.trials_succeeded,
        "failed": record.trials_failed,
        "duration": record.duration,
    }
    facts |= settings(record)
    if best is not None:
        facts |= {f"best.{name}": value for name, value in best.params.items()}
    return facts


def trial_facts(trial: TrialResult) -> dict[str, Any]:
    """Return what is compared of a trial.

    Args:
        trial: The trial.
    """
    outputs = {name: value for name, value in trial.outputs.items() if name != LOG}
    facts = {"state": trial.state.value, "metric": trial.metric, "seconds": trial.duration}
    facts |= {f"params.{name}": value for name, value in trial.params.items()}
    facts |= {f"outputs.{name}": value for name, value in outputs.items()}
    if trial.failure is not None:
        facts["error"] = str(trial.failure)
    return facts


def settings(record: ExperimentRecord) -> dict[str, Any]:
    """Return what was asked for: the verb and its arguments, one fact each.

    Args:
        record: The experiment's record.
    """
    facts: dict[str, Any] = {
        "kind": record.function,
        "train": record.train,
        "direction": record.direction,
        "optimization_key": record.optimization_key,
    }
    facts |= {f"space.{name}": value for name, value in record.search_space.items()}
    for name, value in record.options.items():
        facts |= _flattened(f"options.{name}", value)
    return facts


def environment_facts(text: str | None) -> dict[str, str]:
    r"""Return the packages of an environment, Python and a GPU's driver, with their versions.

    Args:
        text: Content of ``environment.txt``, or None.

    Example:
        >>> environment_facts("# Python 3.12.1 (cpython)\nnumpy==2.1.0\n")
        {'Python': '3.12.1', 'numpy': '2.1.0'}
    """
    facts: dict[str, str] = {}
    for line in (text or "").splitlines():
        if python := _PYTHON.match(line):
            facts["Python"] = python[1]
        elif gpu := _GPU.match(line):  # a line for each kind
            facts["GPU"] = ", ".join(filter(None, (facts.get("GPU"), gpu[1])))
        elif driver := _DRIVER.match(line):
            facts["GPU driver"] = driver[1]
        elif package := _PACKAGE.fullmatch(line.strip()):
            facts[package[1].lower()] = package[2]
    return facts


def program_difference(
    heads: tuple[str, str], programs: tuple[str | None, str | None]
) -> list[str]:
    r"""Return the difference of two programs in the unified format; empty if they are the same.

    Of notebooks, the sources of the cells are compared.

    Args:
        heads: Names of the two.
        programs: The programs; None where there is none.

    Example:
        >>> program_difference(("a", "b"), ("x = 1\n", "x = 2\n"))[-2:]
        ['-x = 1', '+x = 2']
    """
    one, other = (_source(program or "").splitlines() for program in programs)
    return list(difflib.unified_diff(one, other, *heads, lineterm=""))


def _flattened(name: str, value: Any) -> dict[str, Any]:
    """An option as facts: the arguments of an optimizer are facts of their own."""
    if isinstance(value, Mapping) and value:
        found: dict[str, Any] = {}
        for key, inner in value.items():
            found |= _flattened(f"{name}.{key}", inner)
        return found
    return {name: value}


def _source(program: str) -> str:
    """A program's text; of a notebook, the text of its cells."""
    if not program.lstrip().startswith("{"):
        return program
    try:
        cells = json.loads(program)["cells"]
        sources = [cell["source"] for cell in cells]
        return "\n\n".join(s if isinstance(s, str) else "".join(s) for s in sources)
    except (ValueError, KeyError, TypeError, RecursionError):
        return program


def _image(value: Any) -> str:
    return "" if value is _MISSING else json.dumps(value, sort_keys=True, default=str)
