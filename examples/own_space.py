"""Your own search space: the network that you would write, with some places left open.

    python examples/own_space.py

The five words for an open place are explained in docs/space.md, the layers in docs/networks.md.
"""

import os

import numpy as np
import torch

import archwright as aw
from archwright import Space, choice, integer, nn, repeat, searchable

BUDGET = os.environ.get("ARCHWRIGHT_EXAMPLE_BUDGET", "1 min")


class PowerPool(torch.nn.Module):
    """Pool each channel by its generalised mean; the exponent is learnt: 1 is the average, infinity the maximum.

    Radenović et al., Fine-tuning CNN Image Retrieval with No Human Annotation, TPAMI 2019.
    """

    def __init__(self, start: float):
        super().__init__()
        self.power = torch.nn.Parameter(torch.tensor(start))

    def forward(self, x):
        return x.clamp(min=1e-6).pow(self.power).mean((2, 3)).pow(1 / self.power)


# Any class joins by `searchable`: from now on its arguments may be left open.
PowerPool = searchable(PowerPool)

# `tied`: one decision for all copies of the block. Everything else in the block is decided anew for each copy.
activation = choice("relu", "silu", name="activation", tied=True)
block = choice(
    nn.Residual(nn.SeparableBlock(kernel=choice(3, 5, name="kernel"), activation=activation), project=False),
    nn.InvertedResidual(expansion=choice(2, 3, name="expansion"), activation=activation),
    name="block",
)
space = Space(
    nn.Sequential(
        nn.ConvBlock(width=integer(8, 32, step=4, name="width"), activation=activation),
        repeat(block, (0, 2), name="early"),  # variable depth: none, one or two blocks
        nn.MaxPool(2),
        repeat(block, (1, 2), name="late"),  # the same block again, decided anew
        choice(nn.GlobalPool(), PowerPool(start=choice(2.0, 4.0)), name="pool"),
        nn.Classifier(10),
    )
)


# A rule forbids combinations. It reads decisions by name; those that may be switched off with `a.get(name)`.
def narrow_or_shallow(a):
    return a["0/width"] <= 24 or a["early/times"] + a["late/times"] <= 3


space = space.where(narrow_or_shallow)

rng = np.random.default_rng(0)
print(space.describe())
print("one of them:", space.sample(rng))

result = aw.search(aw.task.load("digits"), space=space, budget=BUDGET)

print()
print(f"{len(result.trials)} trials; the chosen one has {result.best.costs['params']:,.0f} parameters and reaches")
print(f"{result.test['accuracy']['mean']:.4f} on the test part:")
for name, value in result.best.architecture.items():
    print(f"  {name:33} {value}")
