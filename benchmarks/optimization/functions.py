"""Synthetic problems: continuous, mixed, and shaped like the tuning of learners.

Every constant is fixed, so that a problem is the same in every run. Optima lie off the centre and
off the bounds, and rotations keep parameters from being searched one by one.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from optimization.problem import Problem

from hopsml_flows.search.space import Categorical, Float, Int, SearchSpace

Array = np.ndarray
Params = dict[str, Any]


def continuous() -> list[Problem]:
    """Classical functions, shifted and rotated, all with the minimum 0."""
    return [
        _continuous("sphere", 4, 5.0, _sphere, seed=1),
        _continuous("ellipsoid", 5, 5.0, _ellipsoid, seed=2),
        _continuous("rosenbrock", 4, 2.5, _rosenbrock, seed=3),
        _continuous("rastrigin", 3, 5.12, _rastrigin, seed=4),
        _continuous("ackley", 6, 20.0, _ackley, seed=5),
        _continuous("levy", 5, 10.0, _levy, seed=6),
    ]


def mixed() -> list[Problem]:
    """Continuous, integer, categorical and boolean parameters together."""
    return [_mixed_ellipsoid(), _mixed_rastrigin(), _mixed_branches()]


def tuning() -> list[Problem]:
    """Surrogates of validation errors: log scales, integers, categories, interactions."""
    return [
        Problem("network", "tuning", _NETWORK, _network),
        Problem("boosting", "tuning", _BOOSTING, _boosting),
        Problem("convnet", "tuning", _CONVNET, _convnet),
    ]


# --- continuous ---------------------------------------------------------------------------------


def _continuous(
    name: str, dimensions: int, bound: float, function: Callable[[Array], float], seed: int
) -> Problem:
    rng = np.random.default_rng(seed)
    shift = rng.uniform(-0.6 * bound, 0.6 * bound, dimensions)
    rotation = _rotation(rng, dimensions)
    names = [f"x{i}" for i in range(dimensions)]

    def value(params: Params) -> float:
        x = np.array([params[name] for name in names])
        return function(rotation @ (x - shift))

    space = SearchSpace({name: Float(-bound, bound) for name in names})
    return Problem(name, "continuous", space, value, optimum=0.0)


def _rotation(rng: np.random.Generator, dimensions: int) -> Array:
    q, r = np.linalg.qr(rng.standard_normal((dimensions, dimensions)))
    return q * np.sign(np.diag(r))


def _sphere(z: Array) -> float:
    return float(z @ z)


def _ellipsoid(z: Array) -> float:
    return float(10.0 ** (4 * np.arange(len(z)) / (len(z) - 1)) @ z**2)


def _rosenbrock(z: Array) -> float:
    z = z + 1
    return float(np.sum(100 * (z[1:] - z[:-1] ** 2) ** 2 + (1 - z[:-1]) ** 2))


def _rastrigin(z: Array) -> float:
    return float(np.sum(z**2 - 10 * np.cos(2 * np.pi * z) + 10))


def _ackley(z: Array) -> float:
    spread = -20 * math.exp(-0.2 * math.sqrt(z @ z / len(z)))
    waves = -math.exp(float(np.mean(np.cos(2 * np.pi * z))))
    return spread + waves + 20 + math.e


def _levy(z: Array) -> float:
    w = 1 + z / 4
    first = math.sin(math.pi * w[0]) ** 2
    middle = np.sum((w[:-1] - 1) ** 2 * (1 + 10 * np.sin(np.pi * w[:-1] + 1) ** 2))
    last = (w[-1] - 1) ** 2 * (1 + math.sin(2 * math.pi * w[-1]) ** 2)
    return float(first + middle + last)


# --- mixed --------------------------------------------------------------------------------------


def _mixed_ellipsoid() -> Problem:
    """Two reals and two integers, rotated together; a category moves the optimum of one of them."""
    rng = np.random.default_rng(7)
    rotation = _rotation(rng, 4)
    scales = np.array([1.0, 4.0, 16.0, 64.0])
    moves = {"a": 0.0, "b": 1.5, "c": -2.0, "d": 3.0, "e": -1.0}
    offsets = {"a": 30.0, "b": 12.0, "c": 45.0, "d": 0.0, "e": 20.0}
    space = SearchSpace(
        {
            "x": Float(-5.0, 5.0),
            "y": Float(-5.0, 5.0),
            "m": Int(-10, 10),
            "n": Int(0, 30),
            "family": Categorical(list(moves)),
            "flag": Categorical([True, False]),
        }
    )

    def value(params: Params) -> float:
        family, flag = params["family"], params["flag"]
        point = np.array(
            [
                params["x"] - 1.3 - moves[family] * (0.5 if flag else 1.0),
                params["y"] + 2.1,
                (params["m"] - 3) / 2,
                (params["n"] - 22) / 3,
            ]
        )
        z = rotation @ point
        return float(scales @ z**2) / 4 + offsets[family] + (0.0 if flag else 8.0)

    return Problem("mixed-ellipsoid", "mixed", space, value, optimum=0.0)


def _mixed_rastrigin() -> Problem:
    """Many basins over reals, integers, a category with a basin of its own, and a boolean."""
    depth = {"north": 0.0, "east": 6.0, "south": 9.0, "west": 3.0}
    phase = {"north": 0.7, "east": -1.1, "south": 2.3, "west": -2.6}
    space = SearchSpace(
        {
            "u": Float(-4.0, 4.0),
            "v": Float(-4.0, 4.0),
            "steps": Int(1, 25),
            "side": Categorical(list(depth)),
            "mirror": Categorical([False, True]),
        }
    )

    def value(params: Params) -> float:
        side = params["side"]
        u = params["u"] - phase[side]
        v = params["v"] + (1.2 if params["mirror"] else -0.8) * (1 + 0.2 * u)
        k = params["steps"] - 17
        waves = 6 * (2 - math.cos(1.5 * math.pi * u) - math.cos(1.5 * math.pi * v))
        comb = 3 * (1 - math.cos(2 * math.pi * k / 4)) + 0.12 * k * k
        return 2 * (u * u + v * v) + waves + comb + depth[side] + 2.0 * (not params["mirror"])

    return Problem("mixed-rastrigin", "mixed", space, value, optimum=0.0)


def _mixed_branches() -> Problem:
    """A category chooses the landscape; the best on average has not the best optimum."""
    rng = np.random.default_rng(8)
    centres = {name: rng.uniform(-2.5, 2.5, 3) for name in ("bowl", "valley", "egg-box")}
    rotation = _rotation(rng, 3)
    space = SearchSpace(
        {
            "branch": Categorical(list(centres)),
            "a": Float(-4.0, 4.0),
            "b": Float(-4.0, 4.0),
            "c": Float(-4.0, 4.0),
            "level": Int(1, 64, log=True),
        }
    )

    def value(params: Params) -> float:
        branch = params["branch"]
        z = rotation @ (np.array([params["a"], params["b"], params["c"]]) - centres[branch])
        level = math.log2(params["level"])
        if branch == "bowl":
            return float(z @ z) + 4 + 0.3 * (level - 2) ** 2
        if branch == "valley":
            return float(0.2 * z[0] ** 2 + 20 * z[1] ** 2 + 2 * z[2] ** 2) + 1.5 * (level - 5) ** 2
        waves = float(np.sum(1 - np.cos(2 * z)))
        return 0.5 * float(z @ z) + 3 * waves + 2 + 0.5 * (level - 1) ** 2

    return Problem("mixed-branches", "mixed", space, value, optimum=0.0)


# --- shaped like tuning -------------------------------------------------------------------------

_NETWORK = SearchSpace(
    {
        "learning_rate": Float(1e-5, 1.0, log=True),
        "weight_decay": Float(1e-6, 1e-1, log=True),
        "dropout": Float(0.0, 0.8),
        "layers": Int(1, 8),
        "units": Int(16, 1024, log=True),
        "batch_size": Int(16, 512, log=True),
        "optimizer": Categorical(["sgd", "momentum", "adam", "rmsprop"]),
        "normalize": Categorical([True, False]),
    }
)


def _network(params: Params) -> float:
    """Validation error of a network: the best rate hangs on optimizer, batch, depth; it diverges.

    More capacity needs more regularisation, of which there are two kinds.
    """
    optimizer, normalize = params["optimizer"], params["normalize"]
    best_rate = {"sgd": -0.9, "momentum": -1.8, "adam": -3.1, "rmsprop": -3.4}[optimizer]
    floor = {"sgd": 0.035, "momentum": 0.008, "adam": 0.0, "rmsprop": 0.015}[optimizer]
    depth = params["layers"]
    best_rate += 0.5 * math.log10(params["batch_size"] / 64)
    best_rate -= 0.0 if normalize else 0.12 * depth
    off = math.log10(params["learning_rate"]) - best_rate
    rate = 0.05 * off**2 if off < 0 else 0.12 * off**2
    diverged = 0.5 / (1 + math.exp(-6 * (off - 1.1)))
    capacity = math.log2(params["units"]) + 1.4 * math.sqrt(depth)
    underfit = 0.012 * max(0.0, 11.3 - capacity) ** 1.7
    wanted = 0.16 * (capacity - 7.5)
    decay = math.log10(params["weight_decay"])
    given = 1.3 * params["dropout"] + 0.28 * (decay + 6) / 2
    regular = 0.22 * (given - wanted) ** 2 + 0.006 * (decay + 3.4) ** 2
    trained = 0.02 * max(0, depth - 4) ** 1.5 * (0.3 if normalize else 1.0)
    batch = 0.006 * math.log2(params["batch_size"] / 48) ** 2
    ripple = 0.004 * math.sin(5 * off) * math.sin(3 * capacity)
    error = 0.06 + floor + rate + diverged + underfit + regular + trained + batch + ripple
    return 0.9 * math.tanh(error / 0.9)


_BOOSTING = SearchSpace(
    {
        "learning_rate": Float(1e-3, 1.0, log=True),
        "rounds": Int(10, 2000, log=True),
        "depth": Int(1, 12),
        "min_child_weight": Float(1e-2, 1e2, log=True),
        "reg_lambda": Float(1e-4, 1e2, log=True),
        "subsample": Float(0.2, 1.0),
        "booster": Categorical(["gbtree", "dart", "gblinear"]),
        "growth": Categorical(["depthwise", "lossguide", "oblivious"]),
    }
)


def _boosting(params: Params) -> float:
    """Log loss of boosted trees: rate and rounds make a ridge, depth an interaction with both."""
    strength = math.log10(params["learning_rate"] * params["rounds"])
    rate = math.log10(params["learning_rate"])
    if params["booster"] == "gblinear":  # trees' settings do nothing
        return 0.47 + 0.03 * (strength - 0.9) ** 2 + 0.01 * (math.log10(params["reg_lambda"])) ** 2
    depth = params["depth"]
    best_depth = {"depthwise": 6.0, "lossguide": 8.0, "oblivious": 5.0}[params["growth"]]
    floor = {"depthwise": 0.006, "lossguide": 0.0, "oblivious": 0.011}[params["growth"]]
    wanted = 1.1 - 0.11 * (depth - best_depth)
    fit = strength - wanted
    loss = 0.31 + floor + (0.10 * fit**2 if fit < 0 else 0.05 * fit**2)
    loss += 0.012 * max(0.0, rate + 1.6) ** 2 + 0.0035 * (depth - best_depth) ** 2
    child = math.log10(params["min_child_weight"])
    penalty = math.log10(params["reg_lambda"])
    loss += 0.010 * (child + 0.6 * penalty - 0.15 * (depth - 6) - 0.4) ** 2
    loss += 0.003 * (penalty - 0.2) ** 2
    best_sample = 0.85 if params["booster"] == "dart" else 0.65
    loss += 0.12 * (params["subsample"] - best_sample) ** 2
    if params["booster"] == "dart":
        loss += 0.004 + 0.02 * max(0.0, strength - 1.5)
    return loss + 0.0015 * math.sin(7 * strength) * math.cos(4 * child)


_CONVNET = SearchSpace(
    {
        "kernel": Int(2, 8),
        "pool": Int(2, 8),
        "dropout": Float(0.01, 0.99),
        "learning_rate": Float(1e-4, 0.5, log=True),
        "filters": Int(8, 128),
        "activation": Categorical(["relu", "tanh", "elu"]),
    }
)
"""The space of HopsML's published example of differential evolution, and three parameters more."""


def _convnet(params: Params) -> float:
    """Error of a small convolutional network: integers without a log scale, and parity effects."""
    kernel, pool, dropout = params["kernel"], params["pool"], params["dropout"]
    error = 0.010 + 0.0022 * (kernel - 5) ** 2 + 0.004 * max(0, pool - 3) ** 1.6
    error += 0.010 * (pool == 2) + 0.004 * (kernel % 2 == 0) + 0.0012 * abs(kernel - 2 * pool + 2)
    best = 0.55 - 0.05 * (pool - 2) + 0.0016 * (params["filters"] - 64)
    error += 0.09 * (dropout - best) ** 2 + 0.4 * max(0.0, dropout - 0.8) ** 2
    error += 0.05 * (1 - math.exp(-(((params["filters"] - 88) / 45) ** 2)))
    activation = params["activation"]
    off = math.log10(params["learning_rate"]) + {"relu": 2.2, "tanh": 1.5, "elu": 2.6}[activation]
    error += 0.03 * off**2 * (1.0 if off < 0 else 2.0)
    error += {"relu": 0.0, "tanh": 0.012, "elu": 0.003}[activation]
    return float(error + 0.001 * math.sin(20 * dropout))
