"""What one inference does: multiply-accumulates and live memory, seen operation by operation."""

from __future__ import annotations

import weakref
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from archwright.cost.products import ANSWERED, COUNTED, WHOLE

__all__ = ["Walk"]


class Walk(TorchDispatchMode):
    """Counts what happens inside ``with torch.inference_mode(), Walk(weights, [x]) as walk:``.

    Under inference mode a dispatch mode sees whole operations (``conv2d``, ``linear``, ``lstm``) before torch
    takes them apart. Those that multiply matrices are counted by formula, and most of them are answered with zeros of
    the right shape instead of being computed: walking a large network costs hardly more than a small one.
    All other operations run, so that whatever Python a forward holds meets real tensors.

    `torch.utils.flop_counter.FlopCounterMode` counts the same convolutions and products (a test compares
    them), but no recurrent layer, no attention on the processor, and no memory.

    Args:
        outside: Tensors whose memory is not counted: weights and buffers.
        held: Tensors that are alive from the start: the input.

    Attributes:
        macs: Multiply-accumulates of convolutions, matrix products, recurrent layers and attention so far.
        live_bytes: Bytes of tensors alive now.
        peak_bytes: The most bytes of tensors alive at once so far.
    """

    def __init__(self, outside: Iterable[Tensor] = (), held: Iterable[Tensor] = ()):
        super().__init__()
        self.macs = 0
        self.live_bytes = 0
        self.peak_bytes = 0
        self._seen: dict[int, Any] = {t.untyped_storage()._cdata: None for t in outside}
        for tensor in held:
            self._watch(tensor, ())

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """No: to skip it torch would import it, which takes a second, and nothing is compiled here."""
        return False

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        packet = func.overloadpacket
        if packet in ANSWERED:
            answer = ANSWERED[packet](*args, **kwargs)
            if answer is None:  # sizes that do not fit: let torch say so
                return func(*args, **kwargs)
            macs, out = answer
            self.macs += macs
        elif packet in COUNTED:
            out = func(*args, **kwargs)
            self.macs += COUNTED[packet](out, *args)
        elif packet not in WHOLE and _is_composite(func):
            with self:
                return func.decompose(*args, **kwargs)
        else:
            out = func(*args, **kwargs)
        for tensor in out if isinstance(out, (tuple, list)) else (out,):
            if isinstance(tensor, Tensor):
                self._watch(tensor, args)
        return out

    def _watch(self, tensor: Tensor, args: tuple[Any, ...]) -> None:
        """Count the tensor's storage until it dies, unless it is older than the walk."""
        if tensor.layout is not torch.strided:
            return
        storage = tensor.untyped_storage()
        key = storage._cdata
        if key in self._seen:  # a view, or written in place
            return
        if any(isinstance(a, Tensor) and a.untyped_storage()._cdata == key for a in args):
            return  # a view of a constant that the network holds
        size = storage.nbytes()

        def died(_: Any) -> None:
            del self._seen[key]
            self.live_bytes -= size

        self._seen[key] = weakref.ref(storage, died)
        self.live_bytes += size
        self.peak_bytes = max(self.peak_bytes, self.live_bytes)


_composites: dict[Any, bool] = {}


def _is_composite(func: Any) -> bool:
    """Whether torch only knows how to take the operation apart."""
    found = _composites.get(func)
    if found is None:
        found = torch._C._dispatch_has_kernel_for_dispatch_key(func.name(), "CompositeImplicitAutograd")
        _composites[func] = found
    return found
