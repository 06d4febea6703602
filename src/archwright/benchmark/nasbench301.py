"""NAS-Bench-301: the cells of DARTS, their accuracy on CIFAR-10 predicted by models of 60,000 trainings.

Zela et al., *Surrogate NAS Benchmarks: Going Beyond the Limited Search Spaces of Tabular NAS Benchmarks*, ICLR 2022
(https://arxiv.org/abs/2008.09777).
"""

from __future__ import annotations

import functools
import itertools
import os
from collections import namedtuple
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from archwright.benchmark.problem import Benchmark
from archwright.benchmark.reading import folders
from archwright.errors import DataError, EvaluationError
from archwright.evaluator import Context
from archwright.objective import Objectives, maximize
from archwright.space import Flow, Space, choice, searchable, subset
from archwright.trial import Measurement, Proposal

__all__ = ["OPERATIONS", "Genotype", "darts_space", "nasbench301"]

OPERATIONS = (
    "max_pool_3x3",
    "avg_pool_3x3",
    "skip_connect",
    "sep_conv_3x3",
    "sep_conv_5x5",
    "dil_conv_3x3",
    "dil_conv_5x5",
)

Genotype = namedtuple("Genotype", "normal normal_concat reduce reduce_concat")
"""The two cells as DARTS writes them: eight pairs (operation, what it reads) each, two a node; what is concatenated."""

CELLS = ("normal", "reduce")
NODES = (2, 3, 4, 5)
"""Inner nodes; 0 and 1 are the outputs of the two cells before."""

EPOCHS = 100
SOURCE = "Zela et al., Surrogate NAS Benchmarks, ICLR 2022, https://arxiv.org/abs/2008.09777"
MODELS = ("nb_models_1.0/xgb_v1.0", "nb_models_1.0/lgb_runtime_v1.0")
"""Folders of the models of accuracy (percent) and of training time (seconds)."""


def genotype(*decided: Any) -> Any:
    """Both cells, from what each node reads, its first and its second operation: four nodes of each cell in turn."""
    nodes = [decided[i : i + 3] for i in range(0, len(decided), 3)]
    pairs = [(op, i) for inputs, *ops in nodes for op, i in zip(ops, inputs, strict=True)]
    half = len(pairs) // 2
    return Genotype(pairs[:half], list(NODES), pairs[half:], list(NODES))


def genotype_flow(flow: Flow, x: Any, *decided: Any) -> Any:
    """A node sums its two operations, a cell's output is all its nodes; the cells are drawn one after the other."""
    nodes = iter([decided[i : i + 3] for i in range(0, len(decided), 3)])
    for name in CELLS:
        states = [flow.op(f"{name} input 0", x), flow.op(f"{name} input 1", x)]
        for _ in NODES:
            inputs, *operations = next(nodes)
            states.append(_node(flow, inputs, operations, list(states)))
        x = flow.concat(states[2:])
    return x


def _node(flow: Flow, inputs: Any, operations: Sequence[Any], states: list[Any]) -> Any:
    def made(read: Sequence[int]) -> Any:
        return flow.sum([flow.op(op, states[i]) for op, i in zip(operations, read, strict=True)])

    return flow.select(inputs, made)


def darts_space() -> Space:
    """Two cells of four nodes; each node reads two earlier states and applies an operation to each."""
    decided: list[Any] = []
    for name, node in itertools.product(CELLS, NODES):
        decided.append(subset(range(node), 2, name=f"{name}/{node}/reads"))
        decided += [choice(*OPERATIONS, name=f"{name}/{node}/{part}") for part in ("first", "second")]
    return Space(searchable(genotype, flow=genotype_flow)(*decided))


class Surrogate:
    """The evaluator: asks the models of the package ``nasbench301``, without their noise.

    Args:
        space: Gives genotypes.
        folders: Of the models of accuracy and of training time.
    """

    def __init__(self, space: Space, folders: tuple[str, str]):
        self.space, self.folders = space, folders

    def __call__(self, proposal: Proposal, seed: int, context: Context | None = None) -> Measurement:
        if proposal.epochs not in (None, EPOCHS):
            raise EvaluationError(f"nasbench301 knows trainings of {EPOCHS} epochs alone, got {proposal.epochs}")
        found = self.space.build(proposal.architecture)
        accuracy, seconds = (
            float(_model(folder).predict(config=found, representation="genotype", with_noise=False))
            for folder in self.folders
        )
        return Measurement(metrics={"accuracy": accuracy}, seconds=seconds, epochs=EPOCHS)


@functools.cache
def _model(folder: str) -> Any:
    return _package().load_ensemble(folder)


def _package() -> Any:
    try:
        import nasbench301
    except ImportError as error:
        raise DataError(
            f"NAS-Bench-301 needs the package 'nasbench301' ({error}): pip install nasbench301 (it wants old versions "
            "of what it needs: best in an environment of its own), then its models; see its README"
        ) from None
    return nasbench301


def nasbench301(tables: str | os.PathLike[str] | None = None) -> Benchmark:
    """The DARTS space under the surrogates: predicted validation accuracy, in percent, is searched.

    The best value is not known. The models are looked for as ``nb_models_1.0/xgb_v1.0`` and
    ``nb_models_1.0/lgb_runtime_v1.0`` in the folder of the tables.

    Tested with a stand-in of the package: neither it nor the models could be had where this was written.
    """
    _package()
    looked = folders(tables)
    found = next((f for f in looked if all((f / m).is_dir() for m in MODELS)), None)
    if found is None:
        raise DataError(
            f"nasbench301 needs the folders {' and '.join(MODELS)}, which are in none of "
            f"{', '.join(map(str, looked))}: nasbench301.download_models(version='1.0', download_dir=...) gets them"
        )
    space = darts_space()
    performance, runtime = (str(Path(found) / model) for model in MODELS)
    return Benchmark(
        "nasbench301",
        space,
        Surrogate(space, (performance, runtime)),
        Objectives.of(maximize("accuracy")),
        title="cells of DARTS on CIFAR-10, predicted accuracy in percent",
        source=SOURCE,
    )
