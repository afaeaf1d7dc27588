"""The training function of a distributed trial, with plain errors for what often goes wrong."""

from __future__ import annotations

import asyncio
import functools
import importlib.util
import inspect
import socket
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any

from hopsml_flows.errors import MissingPackageError, UnsuitableKerasError
from hopsml_flows.execution.group.member import Process
from hopsml_flows.trials import Framework, GroupShape

__all__ = ["KERAS_VARIABLE", "check_packages", "guarded", "lacks"]

KERAS_VARIABLE = "TF_USE_LEGACY_KERAS"
"""Environment variable that makes ``tf.keras`` tf-keras; TensorFlow reads it on import."""

_PACKAGES = {
    Framework.MIRRORED: ("tensorflow", "pip install 'hopsml-flows[tensorflow]'"),
    Framework.PARAMETER_SERVER: ("tensorflow", "pip install 'hopsml-flows[tensorflow]'"),
    Framework.TORCH: ("torch", "pip install torch"),
}


def lacks(package: str) -> bool:
    """Whether a package is not installed here; this does not import it."""
    return importlib.util.find_spec(package) is None


def check_packages(shape: GroupShape, verb: str, where: str = "") -> None:
    """Check that the package of a group's framework is installed.

    Args:
        shape: The group.
        verb: Name of the verb, for the error.
        where: Name of the machine, for the error; "" if all runs on one machine.

    Raises:
        MissingPackageError: The package is not installed.
    """
    needed = _PACKAGES.get(shape.framework)
    if needed is not None and lacks(needed[0]):
        missing = f"is missing on {where}" if where else "is missing"
        raise MissingPackageError(f"{verb} needs {needed[0]}, which {missing}: {needed[1]}")


def guarded(function: Callable[..., Any], process: Process) -> Callable[..., Any]:
    """The training function as a member of a group calls it: also async, with plain errors.

    Args:
        function: The training function.
        process: The process; if it does not lead, its call returns None.

    Returns:
        A function that raises MissingPackageError if the framework is not installed, and
        UnsuitableKerasError for errors out of Keras 3's own training loop.
    """

    @functools.wraps(function)
    def called(*args: Any, **kwargs: Any) -> Any:
        verb = f"experiment.{process.verb}"
        check_packages(process.shape, verb, socket.gethostname())
        try:
            returned = function(*args, **kwargs)
            if inspect.isawaitable(returned):
                returned = asyncio.run(_await(returned))
        except Exception as error:
            if process.shape.needs_legacy_keras and _came_through_keras_3(error.__traceback__):
                raise UnsuitableKerasError(_advice()) from error
            raise
        return returned if process.leads else None

    return called


def _advice() -> str:
    how = (
        "make the model with tf.keras or tf_keras, not with the package keras (the verb sets "
        f"{KERAS_VARIABLE}=1 for that), or write the training loop yourself"
    )
    if lacks("tf_keras"):
        how = f"pip install tf-keras, then {how}"
    return f"Keras 3 cannot train under a strategy of several processes: {how}"


def _came_through_keras_3(trace: TracebackType | None) -> bool:
    """Whether an error comes out of Keras 3's own training loop.

    Keras removes its own frames from the traceback, except that of the wrapper that removes them. A
    variable of that frame holds the wrapped method. This is no documented interface: the test of
    Keras 3 in ``tests/integration/test_distributed_training.py`` fails when it changes.
    """
    while trace is not None:
        frame = trace.tb_frame
        if frame.f_globals.get("__name__") == "keras.src.utils.traceback_utils":
            method = getattr(frame.f_locals.get("fn"), "__qualname__", "")
            if method.startswith("TensorFlowTrainer."):
                return True
        trace = trace.tb_next
    return False


async def _await(value: Awaitable[Any]) -> Any:
    return await value
