"""One PyTorch process of a Maggy training: what Maggy does around the training function.

The processes join a group, a module that the function makes synchronises its gradients, each data
loader has a share of its dataset, and the metric is the mean over all processes. Without that,
processes would train apart without an error. PyTorch is imported when the function is called.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
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
        own_loader = torch.utils.data.DataLoader
        torch.utils.data.DataLoader = _sharing(own_loader, device)
        module = self._given["module"]
        factories = [_Synchronised(each, device) for each in _listed(module)]
        try:
            yield {**self._given, "module": factories if _is_list(module) else factories[0]}
        finally:
            torch.utils.data.DataLoader = own_loader
            if joins:
                torch.distributed.destroy_process_group()

    def _finished(self, outputs: Any) -> Any:
        metric = outputs.get(self._key) if isinstance(outputs, Mapping) else outputs
        number = single_number(metric)
        if number is None:
            return outputs
        mean = _mean(number)
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


def _sharing(loader: Any, device: Any) -> Any:
    """Return a data loader that loads the process's share of a dataset, onto its device."""
    data = _torch().utils.data

    class SharingLoader(loader):  # type: ignore[misc]
        def __init__(
            self,
            dataset: Any,
            batch_size: int | None = 1,
            shuffle: bool | None = None,
            sampler: Any = None,
            batch_sampler: Any = None,
            **settings: Any,
        ) -> None:
            own = sampler is None and batch_sampler is None and batch_size is not None
            self._share = None
            if own and not isinstance(dataset, data.IterableDataset):
                sampler = self._share = data.DistributedSampler(dataset, shuffle=bool(shuffle))
                shuffle = None
            self._epoch = 0
            super().__init__(dataset, batch_size, shuffle, sampler, batch_sampler, **settings)

        def __iter__(self) -> Iterator[Any]:
            if self._share is not None:
                self._share.set_epoch(self._epoch)
                self._epoch += 1
            for batch in super().__iter__():
                yield _moved(batch, device)

    return SharingLoader


def _moved(batch: Any, device: Any) -> Any:
    if isinstance(batch, Mapping):
        return {name: _moved(item, device) for name, item in batch.items()}
    if isinstance(batch, (list, tuple)):
        return [_moved(item, device) for item in batch]
    return batch.to(device) if callable(getattr(batch, "to", None)) else batch


def _mean(number: float) -> float:
    torch = _torch()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    total = torch.tensor(float(number), dtype=torch.float64, device=device)
    torch.distributed.all_reduce(total)
    return float(total) / int(torch.distributed.get_world_size())


def _torch() -> Any:
    # By its name: it is no dependency, and type checkers may not know it.
    return import_module("torch")


def _is_list(module: Any) -> bool:
    return isinstance(module, (list, tuple))


def _listed(module: Any) -> list[Any]:
    return list(module) if _is_list(module) else [module]
