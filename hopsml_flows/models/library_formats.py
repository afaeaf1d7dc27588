"""Saves a model as the library that made it saves models.

This module imports no library: an object is recognised by the modules of its classes, whose library
is imported already. It only saves; nothing of this project loads what was pickled.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hopsml_flows.errors import MissingPackageError

__all__ = ["Format", "format_of"]


@dataclass(frozen=True, slots=True)
class Format:
    """How a library saves its models.

    Args:
        library: What the record calls the library.
        save: Writes a model into an empty directory.
        package: The package whose version the record has.
    """

    library: str
    save: Callable[[Any, Path], object]
    package: str

    @property
    def version(self) -> str | None:
        """The version of the library that is in use."""
        version = getattr(sys.modules.get(self.package), "__version__", None)
        return version if isinstance(version, str) else None


def format_of(model: object) -> Format | None:
    """Return the format that an object is saved in; None if it is a model of no known library.

    Args:
        model: Anything.

    Example:
        >>> from sklearn.linear_model import LinearRegression
        >>> format_of(LinearRegression()).library
        'sklearn'
        >>> format_of("model.pkl") is None
        True
    """
    bases = {(kind.__module__.partition(".")[0], kind.__name__) for kind in type(model).__mro__}
    # Models of tf-keras and Keras may be TensorFlow's modules as well: the first that fits counts.
    return next((format_ for base, format_ in _FORMATS if base in bases), None)


def _save_keras(model: Any, directory: Path) -> None:
    model.save(directory / "model.keras")


def _save_tf_keras(model: Any, directory: Path) -> None:
    model.save(directory, save_format="tf")


def _save_tensorflow(model: Any, directory: Path) -> None:
    importlib.import_module("tensorflow").saved_model.save(model, str(directory))


def _save_torch(model: Any, directory: Path) -> None:
    # The state, which torch.load reads back with weights_only=True: it holds no code.
    importlib.import_module("torch").save(model.state_dict(), directory / "model.pt")


def _save_script(model: Any, directory: Path) -> None:
    model.save(str(directory / "model.pt"))


def _save_sklearn(model: Any, directory: Path) -> None:
    try:
        joblib = importlib.import_module("joblib")
    except ImportError as error:
        raise MissingPackageError(
            "a model of scikit-learn is saved with joblib, which is not installed"
        ) from error
    joblib.dump(model, directory / "model.joblib")


_FORMATS: tuple[tuple[tuple[str, str], Format], ...] = (
    (("keras", "Model"), Format("keras", _save_keras, "keras")),
    (("tf_keras", "Model"), Format("tf_keras", _save_tf_keras, "tf_keras")),
    (("torch", "ScriptModule"), Format("torch", _save_script, "torch")),
    (("torch", "Module"), Format("torch", _save_torch, "torch")),
    (("sklearn", "BaseEstimator"), Format("sklearn", _save_sklearn, "sklearn")),
    (("tensorflow", "Module"), Format("tensorflow", _save_tensorflow, "tensorflow")),
)
