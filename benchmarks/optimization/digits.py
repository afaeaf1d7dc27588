"""A real training task: scikit-learn's support vector classifier on its digits data.

What is tuned is the classifier and what is done to the images before. Continuous parameters are
rounded to a tenth (of a decade, on log scales) before training, for everybody alike, so that
trainings can be shared: each is done once on this machine and kept in an SQLite file.
"""

from __future__ import annotations

import json
import math
import sqlite3
import warnings
from contextlib import closing
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from optimization.problem import Problem

from hopsml_flows.search.space import Categorical, Float, Int, SearchSpace

SPACE = SearchSpace(
    {
        "C": Float(1e-2, 1e4, log=True),
        "gamma": Float(1e-5, 1e1, log=True),
        "kernel": Categorical(["rbf", "poly", "sigmoid"]),
        "degree": Int(2, 5),
        "coef0": Float(0.0, 1.0),
        "power": Float(0.2, 3.0, log=True),
        "blur": Float(0.0, 1.5),
        "components": Int(4, 64, log=True),
        "whiten": Categorical([False, True]),
    }
)

_SPLITS = 2
_TRAIN = 150
"""Few, so that errors are large enough to tell good settings from better ones."""

_TEST = 1200


def digits(cache: Path) -> Problem:
    """The error of cross-validation as a problem.

    Args:
        cache: Directory for the results of trainings.
    """
    return Problem("svc-digits", "training", SPACE, _Trainings(cache / "svc-digits.sqlite"))


class _Trainings:
    """The error of a configuration, from the file or by training."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: dict[str, float] = {}

    def __call__(self, params: dict[str, Any]) -> float:
        settings = _settings(params)
        key = json.dumps([version("scikit-learn"), _SPLITS, _TRAIN, _TEST, settings])
        if key not in self._known:
            self._known[key] = self._kept(key, settings)
        return self._known[key]

    def _kept(self, key: str, settings: dict[str, Any]) -> float:
        """The error in the file, which another process may have put there, or a new one."""
        with closing(self._file()) as file:
            found = file.execute("SELECT error FROM trainings WHERE key = ?", (key,)).fetchone()
        if found:
            return float(found[0])
        error = self._train(settings)
        with closing(self._file()) as file, file:
            file.execute("INSERT OR IGNORE INTO trainings VALUES (?, ?)", (key, error))
        return error

    def _file(self) -> sqlite3.Connection:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        file = sqlite3.connect(self._path, timeout=120)
        file.execute("CREATE TABLE IF NOT EXISTS trainings (key TEXT PRIMARY KEY, error REAL)")
        return file

    def _train(self, settings: dict[str, Any]) -> float:
        from scipy.ndimage import gaussian_filter
        from sklearn.decomposition import PCA
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.model_selection import StratifiedShuffleSplit, cross_val_score
        from sklearn.pipeline import make_pipeline
        from sklearn.svm import SVC

        settings = dict(settings)
        blur = settings.pop("blur")
        images, labels = self._data
        images = gaussian_filter(images ** settings.pop("power"), (0, blur, blur))
        reduction = PCA(settings.pop("components"), whiten=settings.pop("whiten"), random_state=0)
        model = make_pipeline(reduction, SVC(**settings, max_iter=20_000))
        splits = StratifiedShuffleSplit(_SPLITS, train_size=_TRAIN, test_size=_TEST, random_state=0)
        points = images.reshape(len(images), -1)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # it has a limit of iterations
            return 1 - float(cross_val_score(model, points, labels, cv=splits).mean())

    @cached_property
    def _data(self) -> tuple[np.ndarray, np.ndarray]:
        from sklearn.datasets import load_digits

        images, labels = load_digits(return_X_y=True)
        return images.reshape(-1, 8, 8) / 16, labels


def _settings(params: dict[str, Any]) -> dict[str, Any]:
    """What the training depends on: parameters that the kernel ignores are left out."""
    kernel = params["kernel"]
    settings = {
        "C": _tenth_of_a_decade(params["C"]),
        "gamma": _tenth_of_a_decade(params["gamma"]),
        "kernel": kernel,
        "power": _tenth_of_a_decade(params["power"]),
        "blur": round(params["blur"], 1),
        "components": params["components"],
        "whiten": params["whiten"],
    }
    if kernel != "rbf":
        settings["coef0"] = round(params["coef0"], 1)
    if kernel == "poly":
        settings["degree"] = params["degree"]
    return settings


def _tenth_of_a_decade(value: float) -> float:
    return float(f"{10 ** (round(10 * math.log10(value)) / 10):.6g}")
