"""Linear algebra in one thread, so that its results do not depend on a number of threads.

In which order BLAS sums depends on its number of threads, which the environment, containers and
other libraries set. Where points nearly coincide, the last bits decide which of two candidates is
better: a replay with another number of threads would choose the other one. One thread is faster,
too, where trials use the machine's cores.
"""

from __future__ import annotations

import functools
import sys
import threading
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from threadpoolctl import ThreadpoolController

__all__ = ["in_one_thread"]

P = ParamSpec("P")
R = TypeVar("R")

_lock = threading.RLock()


def in_one_thread(call: Callable[P, R]) -> Callable[P, R]:
    """Let the linear algebra of NumPy, SciPy and PyTorch use one thread while a function runs.

    BLAS has one number of threads per process, so such functions run one after another. Where
    another thread of the process holds a limit of ``threadpoolctl`` meanwhile, that one stays.

    Args:
        call: The function.

    Example:
        >>> import numpy
        >>> @in_one_thread
        ... def product(matrix):
        ...     return matrix @ matrix
        >>> product(numpy.eye(2)).tolist()
        [[1.0, 0.0], [0.0, 1.0]]
    """

    @functools.wraps(call)
    def limited(*args: P.args, **kwargs: P.kwargs) -> R:
        with (
            _lock,
            _controller(len(sys.modules)).limit(limits=1),
        ):
            return call(*args, **kwargs)

    return limited


@functools.lru_cache(maxsize=1)
def _controller(modules: int) -> ThreadpoolController:  # noqa: ARG001 - the cache's key
    """Find the libraries that are loaded, which takes a millisecond; an import may load others."""
    return ThreadpoolController()
