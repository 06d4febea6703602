"""Optimizers of the training loop: torch's own, fused, and without torch's compiler.

The first use of an optimizer makes torch import its compiler, only to tell it that optimizers are not to be compiled:
a second and 100 MB in each process, and the first trial waits for it. Here nothing is compiled, so what the wrappers
say to it is left out: the methods are torch's as they are inside.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.optim import Optimizer

from archwright.errors import EvaluationError

if TYPE_CHECKING:
    from archwright.evaluator.recipe import Recipe

__all__ = ["make_optimizer"]


class AdamW(torch.optim.AdamW):
    """Torch's; see above."""

    add_param_group = inspect.unwrap(Optimizer.add_param_group)
    zero_grad = inspect.unwrap(Optimizer.zero_grad)
    state_dict = inspect.unwrap(Optimizer.state_dict)
    load_state_dict = inspect.unwrap(Optimizer.load_state_dict)
    step = torch.no_grad()(inspect.unwrap(torch.optim.AdamW.step))


class SGD(torch.optim.SGD):
    """Torch's; see above."""

    add_param_group = inspect.unwrap(Optimizer.add_param_group)
    zero_grad = inspect.unwrap(Optimizer.zero_grad)
    state_dict = inspect.unwrap(Optimizer.state_dict)
    load_state_dict = inspect.unwrap(Optimizer.load_state_dict)
    step = torch.no_grad()(inspect.unwrap(torch.optim.SGD.step))


def make_optimizer(module: nn.Module, recipe: Recipe) -> Optimizer:
    """The recipe's optimizer; fused, which on small networks takes a third of the time of torch's other ways.

    Vectors and scalars (biases, norms) are not decayed: shrinking them does not regularise, it shifts. A module with a
    number `weight_decay`, such as a table of users, has its own matrices decayed by that in place of the recipe's.
    """
    decays: dict[float, list[nn.Parameter]] = {recipe.weight_decay: [], 0.0: []}
    own: dict[int, float] = {
        id(p): decay
        for part in module.modules()
        if isinstance(decay := getattr(part, "weight_decay", None), float)
        for p in part.parameters(recurse=False)
    }
    for p in module.parameters():
        if p.requires_grad:
            decays.setdefault(own.get(id(p), recipe.weight_decay) if p.ndim > 1 else 0.0, []).append(p)
    groups: list[dict[str, Any]] = [{"params": p, "weight_decay": decay} for decay, p in decays.items() if p]
    if not groups:
        raise EvaluationError("the network has no parameter to train")
    if recipe.optimizer == "adamw":
        return AdamW(groups, lr=recipe.lr, betas=(recipe.momentum, 0.999), fused=True)
    return SGD(groups, lr=recipe.lr, momentum=recipe.momentum, nesterov=recipe.momentum > 0, fused=True)
