"""One TensorFlow process of a Maggy training: what Maggy does around the training function.

The model is made under a strategy of all processes, and each process has a share of the data, in
batches. TensorFlow is imported when the function is called.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from hopsml_flows.maggy.named_arguments import NamedArguments, both_sets

__all__ = ["TensorFlowProcess"]

ProcessData = Callable[[Any, Any], tuple[Any, Any]]


class TensorFlowProcess(NamedArguments):
    """Calls a training function in one of several TensorFlow processes.

    What finds the others is in the environment, as ``TF_CONFIG``. If the hyperparameters have
    ``train_batch_size`` or ``test_batch_size``, arrays of that set become a ``tf.data.Dataset`` of
    the process's share, in batches of that size. Other sets are given as they are.

    Args:
        function: The training function.
        process_data: Called with ``train_set`` and ``test_set`` if both are paths; returns what
            the function gets.
        **settings: As of :class:`NamedArguments`.
    """

    def __init__(
        self, function: Callable[..., Any], *, process_data: ProcessData | None, **settings: Any
    ) -> None:
        super().__init__(function, **settings)
        self._process_data = process_data
        self._sizes: Mapping[str, Any] = settings.get("fixed") or {}

    @contextmanager
    def _surroundings(self) -> Iterator[Mapping[str, Any]]:
        import tensorflow as tf

        strategy = tf.distribute.MultiWorkerMirroredStrategy()  # before anything else of TensorFlow
        sets = [self._given.get(name) for name in ("train_set", "test_set")]
        if self._process_data is not None and all(isinstance(one, str) for one in sets):
            sets = list(self._process_data(*sets))
        names = ("train_batch_size", "test_batch_size")
        shares = [
            _share(data, self._sizes.get(name)) for data, name in zip(sets, names, strict=True)
        ]
        has_sets = any(one is not None for one in sets)
        model = self._given.get("model")
        factories = (
            [_InScope(each, strategy) for each in model]
            if isinstance(model, (list, tuple))
            else model and _InScope(model, strategy)
        )
        given = {**self._given, **(both_sets(*shares) if has_sets else {})}
        yield {**given, "model": factories, "module": factories}


class _InScope:
    """Makes models under a strategy."""

    def __init__(self, factory: Callable[..., Any], strategy: Any) -> None:
        self._factory = factory
        self._strategy = strategy

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        with self._strategy.scope():
            return self._factory(*args, **kwargs)


def _share(data: Any, batch_size: int | None) -> Any:
    """Return this process's share of arrays, in batches; anything else as it is."""
    import tensorflow as tf

    if data is None or batch_size is None or isinstance(data, (str, tf.data.Dataset)):
        return data
    index, count = _place()
    whole = tf.data.Dataset.from_tensor_slices(data)
    # With an equal number of rows, since all processes make each step together.
    share = whole.take(len(whole) // count * count).shard(count, index).batch(batch_size)
    options = tf.data.Options()
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.OFF
    return share.with_options(options)


def _place() -> tuple[int, int]:
    """Return which of the processes that train this one is, from 0, and how many there are."""
    config = json.loads(os.environ.get("TF_CONFIG", "{}"))
    if not config:
        return 0, 1
    cluster, task = config["cluster"], config["task"]
    chiefs = len(cluster.get("chief", []))
    before = chiefs if task["type"] == "worker" else 0
    return before + int(task["index"]), chiefs + len(cluster.get("worker", []))
