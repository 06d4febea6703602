"""Costs of one network by name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from archwright.cost.counting import Walk
from archwright.cost.timing import latency
from archwright.cost.twin import checked_shape, own_dtype, run, twin, untouched_rng
from archwright.errors import EvaluationError, ObjectiveError, did_you_mean
from archwright.nn import deployed, is_materialized
from archwright.objective import COSTS

__all__ = ["measure"]


def measure(
    module: nn.Module,
    input_shape: Iterable[int] | int,
    names: Iterable[str] = ("params", "macs", "bytes", "peak_bytes"),
    *,
    dtype: torch.dtype | None = None,
    batch: int = 1,
    threads: int = 1,
    repeats: int = 30,
) -> dict[str, float]:
    """Costs of inference with `module`, by name, in the order of `names`.

    - ``params``: trainable parameters; one that is shared counts once.
    - ``macs``: multiply-accumulates of one inference on one input: convolutions, matrix products,
      recurrent layers, attention. Half of what others call FLOPs. Biases, activations, norms and pooling count zero.
    - ``bytes``: parameters and buffers as they are stored in a state dict, shared ones once.
    - ``peak_bytes``: the most bytes of tensors that are alive at once during one inference on one input, as
      Python holds them: the input, what the forward still refers to, and results of each operation, views and
      in-place results sharing what they share. Weights, buffers and an operation's own scratch space are left out;
      attention and recurrent layers are one operation.
    - ``latency_ms``: the median of `latency` with the given `batch`, `threads` and `repeats`, which concern it alone.

    What is there for training alone, as a discriminator, is not counted (`archwright.nn.deployed`).

    All but latency are counted on a copy on the processor, with zeros for weights, wherever the module
    lives. The module is never changed: a lazy one stays lazy, buffers, training mode and torch's generators stay.

    Args:
        module: The network, lazy or not.
        input_shape: The shape of one input, without batch.
        names: Which costs; see `archwright.objective.COSTS`.
        dtype: Type of the input; by default the weights'. Give ``torch.int64`` for a network that reads tokens.
        batch: Inputs at once when latency is measured.
        threads: Torch threads when latency is measured.
        repeats: Timed runs when latency is measured.

    Raises:
        ObjectiveError: A name that is no cost.
        EvaluationError: The network cannot run on such an input; says where.

    >>> measure(nn.Linear(784, 10), 784)
    {'params': 7850, 'macs': 7840, 'bytes': 31400, 'peak_bytes': 3176}
    """
    wanted = (names,) if isinstance(names, str) else tuple(names)
    for name in wanted:
        if name not in COSTS:
            raise ObjectiveError(f"{name!r} is no cost. {did_you_mean(name, COSTS)}")
    shape, module = checked_shape(input_shape), deployed(module)
    found: dict[str, float] = {}
    walks = not {"macs", "peak_bytes"}.isdisjoint(wanted)
    counts = walks or not {"params", "bytes"}.isdisjoint(wanted)
    if counts:
        lazy = not is_materialized(module)
        sized = module
        with _apart():
            if lazy or walks:
                sized = twin(module, device="cpu", weights=False)
                x = torch.zeros((1, *shape), dtype=dtype or own_dtype(module))
            if lazy:
                run(sized, x)  # unwatched: small networks, the many, are quicker so
                if not is_materialized(sized):
                    raise EvaluationError("parts of the network see no input and so have no size: remove them")
            if walks:
                with Walk([*sized.parameters(), *sized.buffers()], [x]) as walk:
                    run(sized, x)
                found["macs"], found["peak_bytes"] = walk.macs, walk.peak_bytes
        found["params"] = sum(p.numel() for p in sized.parameters() if p.requires_grad)
        found["bytes"] = sum(t.numel() * t.element_size() for t in _stored(sized))
    if "latency_ms" in wanted:
        timed = latency(module, shape, batch=batch, threads=threads, repeats=repeats, dtype=dtype)
        found["latency_ms"] = timed.median_ms
    return {name: found[name] for name in wanted}


def _stored(module: nn.Module) -> list[Tensor]:
    """Parameters and persistent buffers, each once."""
    stored: dict[int, Tensor] = {id(p): p for p in module.parameters()}
    for part in module.modules():
        for name, buffer in part._buffers.items():
            if buffer is not None and name not in part._non_persistent_buffers_set:
                stored[id(buffer)] = buffer
    return list(stored.values())


@contextmanager
def _apart() -> Iterator[None]:
    """Inference mode, the generators and torch's fused attention layer put back afterwards.

    The fused layer would be one operation from queries to projections, and only on some devices and sizes.
    """
    fused = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with untouched_rng(), torch.inference_mode():
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fused)
