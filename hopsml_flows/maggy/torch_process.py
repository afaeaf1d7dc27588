"""One PyTorch process of a Maggy training: what Maggy does around the training function.

The processes join a group, a module that the function makes synchronises its gradients, each data
loader has a share of its dataset, and the metric is the mean over all processes that return one.
Without that, processes would train apart without an error. PyTorch is imported when the function is
called.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import wraps
from importlib import import_module
from typing import Any

from hopsml_flows.maggy.named_arguments import NamedArguments
from hopsml_flows.values.plain import single_number

__all__ = ["TorchProcess"]


class TorchProcess(NamedArguments):
    """Calls a training function in one of several PyTorch processes.

    What finds the others is in the environment, as ``torch.distributed`` reads it. On machines with
    GPUs, the module and each batch are on the process's first GPU.
    """

    @contextmanager
    def _surroundings(self) -> Iterator[Mapping[str, Any]]:
        torch = _torch()
        has_gpu = torch.cuda.is_available()
        device = torch.device("cuda" if has_gpu else "cpu")
        joins = not torch.distributed.is_initialized()
        if joins:
            torch.distributed.init_process_group("nccl" if has_gpu else "gloo")
        module = self._given["module"]
        factories = [_Synchronised(each, device) for each in _listed(module)]
        try:
            with _sharing(device):
                yield {**self._given, "module": factories if _is_list(module) else factories[0]}
        finally:
            if joins:
                torch.distributed.destroy_process_group()

    def _finished(self, outputs: Any) -> Any:
        metric = outputs.get(self._key) if isinstance(outputs, Mapping) else outputs
        number = single_number(metric)
        mean = _mean(number)  # also without a number: the other processes wait for this one
        if mean is None or (number is None and metric is not None):
            return outputs
        return {**outputs, self._key: mean} if isinstance(outputs, Mapping) else mean


class _Synchronised:
    """Makes modules whose copies in all processes have the same gradients."""

    def __init__(self, factory: Callable[..., Any], device: Any) -> None:
        self._factory = factory
        self._device = device

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        module = self._factory(*args, **kwargs).to(self._device)
        if not any(parameter.requires_grad for parameter in module.parameters()):
            return module  # which there is nothing to synchronise of
        return _torch().nn.parallel.DistributedDataParallel(module)


@contextmanager
def _sharing(device: Any) -> Iterator[None]:
    """Let each data loader load the process's share of its dataset, onto its device, in a block.

    The class itself is changed: programs import it in many ways, most at the top of the script.
    """
    data = _torch().utils.data
    kind = data.DataLoader
    own_init, own_iter = kind.__init__, kind.__iter__

    @wraps(own_init)
    def init(
        self: Any,
        dataset: Any,
        batch_size: int | None = 1,
        shuffle: bool | None = None,
        sampler: Any = None,
        batch_sampler: Any = None,
        *rest: Any,
        **settings: Any,
    ) -> None:
        own = sampler is None and batch_sampler is None and batch_size is not None
        self._hopsml_share = None
        if own and not isinstance(dataset, data.IterableDataset):
            sampler = data.DistributedSampler(dataset, shuffle=bool(shuffle))
            self._hopsml_share, shuffle = sampler, None
        self._hopsml_epoch = 0
        own_init(self, dataset, batch_size, shuffle, sampler, batch_sampler, *rest, **settings)

    @wraps(own_iter)
    def iterate(self: Any) -> Iterator[Any]:
        # A loader that was made before the block has no share.
        share = getattr(self, "_hopsml_share", None)
        if share is not None:
            share.set_epoch(self._hopsml_epoch)
            self._hopsml_epoch += 1
        for batch in own_iter(self):
            yield _moved(batch, device)

    kind.__init__, kind.__iter__ = init, iterate
    try:
        yield
    finally:
        kind.__init__, kind.__iter__ = own_init, own_iter


def _moved(batch: Any, device: Any) -> Any:
    if isinstance(batch, Mapping):
        return {name: _moved(item, device) for name, item in batch.items()}
    if isinstance(batch, (list, tuple)):
        return [_moved(item, device) for item in batch]
    return batch.to(device) if callable(getattr(batch, "to", None)) else batch


def _mean(number: float | None) -> float | None:
    """Return the mean of the numbers of all processes; None if none has one."""
    torch = _torch()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    own = [0.0, 0.0] if number is None else [float(number), 1.0]
    both = torch.tensor(own, dtype=torch.float64, device=device)
    torch.distributed.all_reduce(both)
    total, count = both.tolist()
    return total / count if count else None


def _torch() -> Any:
    # By its name: it is no dependency, and type checkers may not know it.
    return import_module("torch")


def _is_list(module: Any) -> bool:
    return isinstance(module, (list, tuple))


def _listed(module: Any) -> list[Any]:
    return list(module) if _is_list(module) else [module]
