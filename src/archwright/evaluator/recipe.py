"""How to train: every number of the training loop in one frozen value."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, Literal, get_args

from archwright.errors import EvaluationError, did_you_mean

if TYPE_CHECKING:
    from archwright.task import Task

__all__ = ["Recipe"]

Optimizer = Literal["adamw", "sgd"]
Schedule = Literal["one-cycle", "cosine", "constant"]
Keep = Literal["best", "last"]
Precision = Literal["auto", "float32", "bfloat16"]
Layout = Literal["auto", "contiguous", "channels_last"]

_WORDS = {"optimizer": Optimizer, "schedule": Schedule, "keep": Keep, "precision": Precision, "layout": Layout}
MOST_NUMBERS = 2**21
"""Numbers in a batch of inputs at most, where no size of it is said: 8 MiB of float32. What networks make of them is
many times as much."""

LEAST_MEASURED = 1000
"""Validation samples that are measured at least, where there are as many: an accuracy then errs by 1.6 % or so."""

FEWEST, MOST = 32, 256
"""Samples of a batch where no size of it is said."""

_START, _END = 1 / 25, 1e-4  # of the peak learning rate, as in torch.optim.lr_scheduler.OneCycleLR


@dataclass(frozen=True)
class Recipe:
    """How to train a network; the defaults suit networks of a thousand to a million parameters.

    Args:
        epochs: Length of the full training, where a proposal does not say its own.
        seconds: Where a proposal does not say its epochs: for how long it trains, by the time that the processor
            computes, if that is less than `epochs` take. Each network then trains for as many epochs as its own pace
            allows, two at least: what is compared is what networks make of the same time. The same number of epochs
            takes some of them ten times as long. None for `epochs`, however long they take.
        folds: On how many divisions of training and validation part a network is trained and measured, where a proposal
            does not say its epochs and the task has so many (`archwright.task.Task.fold`): few validation samples tell
            too little. `seconds` are for all of them.
        batch_size: Samples a step; an epoch is cut into equal batches of about this size. None: about 100 steps an
            epoch, with 32 to 256 samples each, for what small data lack is steps; and of large inputs no more than
            8 MiB, but for 32 samples.
        samples: Most samples of an epoch, drawn anew for each; None for the whole training part. Where even a few
            epochs of all would be too long, as they are on very many large images, this measures earlier. Of the
            validation part as large a share is then measured, always the same, and 1,000 samples at least.
        optimizer: ``"adamw"`` (Loshchilov & Hutter, 2019) or ``"sgd"`` with Nesterov momentum.
        lr: The peak learning rate.
        momentum: First-moment decay: AdamW's beta1, or SGD's momentum.
        weight_decay: Decay of weight matrices and kernels; norms, biases and other vectors have none.
        schedule: ``"one-cycle"`` (Smith & Topin, 2018): cosine up from lr/25 and down to lr/10,000;
            ``"cosine"``: linear up from 0, cosine down to 0; ``"constant"``: linear up, then level.
        warmup: Share of the steps in which the rate rises.
        label_smoothing: Share of each target spread over all classes; tasks without classes ignore it.
        augment: Whether to apply the task's augmentation.
        clip_norm: Largest Euclidean norm of the gradient of a step; 0 for no limit.
        ema: Decay, a step, of an exponential moving average of the weights, which is then measured and kept
            in place of the weights themselves; 0 for none.
        keep: ``"best"``: weights of the epoch that is best on validation by the task's metric, smoothed over the
            last tenth of the epochs (five at most): a lucky epoch is no better a network, and its number would
            flatter. ``"last"``: of the last one; of the best if the training is ended early. Without a validation
            part it is always the last.
        precision: ``"float32"``, ``"bfloat16"`` (autocast; weights stay float32), or ``"auto"``: see
            `archwright.evaluator.precision.tuned`.
        layout: Memory layout of images, ``"contiguous"`` or ``"channels_last"``, or ``"auto"``.
        stretch: How many times as long the final training of a search may be, where there is time: on images that
            brings the last percent. 1 where a longer one would learn the samples by heart.

    A training that continues an earlier one (`Proposal.continues`) goes through the schedule anew over the epochs
    that it adds: warm restarts (Loshchilov & Hutter, *SGDR*, ICLR 2017). So every measurement is that of weights
    whose rate has come down, and rungs of 3, 9 and 27 epochs are cycles that grow by SGDR's own factor.
    """

    epochs: int = 60
    seconds: float | None = None
    folds: int = 1
    batch_size: int | None = None
    samples: int | None = None
    optimizer: Optimizer = "adamw"
    lr: float = 1e-2
    momentum: float = 0.9
    weight_decay: float = 1e-2
    schedule: Schedule = "one-cycle"
    warmup: float = 0.15
    label_smoothing: float = 0.05
    augment: bool = True
    clip_norm: float = 0.0
    ema: float = 0.0
    keep: Keep = "best"
    precision: Precision = "auto"
    layout: Layout = "auto"
    stretch: float = 5.0

    def __post_init__(self) -> None:
        for name, words in _WORDS.items():
            if (came := getattr(self, name)) not in get_args(words):
                raise ValueError(f"Recipe({name}={came!r}) is unknown. {did_you_mean(came, get_args(words))}")
        for name, fits, allowed in (
            ("epochs", self.epochs >= 1, "1 or more"),
            ("seconds", self.seconds is None or 0 < self.seconds < math.inf, "above 0, or None"),
            ("folds", self.folds >= 1, "1 or more"),
            ("batch_size", self.batch_size is None or self.batch_size >= 1, "1 or more, or None"),
            ("samples", self.samples is None or self.samples >= 1, "1 or more, or None"),
            ("lr", 0 < self.lr < math.inf, "above 0"),
            ("momentum", 0 <= self.momentum < 1, "0 up to below 1"),
            ("weight_decay", 0 <= self.weight_decay < math.inf, "0 or more"),
            ("warmup", 0 <= self.warmup <= 1, "0 to 1"),
            ("label_smoothing", 0 <= self.label_smoothing < 1, "0 up to below 1"),
            ("clip_norm", 0 <= self.clip_norm < math.inf, "0 or more"),
            ("stretch", 1 <= self.stretch < math.inf, "1 or more"),
            ("ema", 0 <= self.ema < 1, "0 up to below 1"),
        ):
            if not fits:
                raise ValueError(f"Recipe({name}={getattr(self, name)!r}) makes no sense: allowed is {allowed}")

    def lr_at(self, progress: float) -> float:
        """The learning rate when `progress` (0..1) of the steps is done.

        >>> recipe = Recipe(lr=1.0, warmup=0.25)
        >>> [round(recipe.lr_at(p), 4) for p in (0, 0.25, 1)]
        [0.04, 1.0, 0.0001]
        """
        if progress < self.warmup:
            share = progress / self.warmup
            if self.schedule == "one-cycle":
                return self.lr * (_START + (1 - _START) * (1 - math.cos(math.pi * share)) / 2)
            return self.lr * share
        if self.schedule == "constant":
            return self.lr
        share = (progress - self.warmup) / (1 - self.warmup) if self.warmup < 1 else 1.0
        end = _END if self.schedule == "one-cycle" else 0.0
        return self.lr * (end + (1 - end) * (1 + math.cos(math.pi * min(share, 1.0))) / 2)

    def batch_for(self, samples: int, input_shape: Sequence[int] = ()) -> int:
        """The batch size for a part of so many samples, each of this shape.

        >>> [Recipe().batch_for(n) for n in (100, 3_200, 8_000, 60_000)], Recipe(batch_size=48).batch_for(100)
        ([32, 32, 64, 256], 48)
        >>> [Recipe().batch_for(60_000, (3, side, side)) for side in (32, 64, 96, 224)]
        [256, 128, 64, 32]
        """
        if self.batch_size is not None:
            return self.batch_size
        room = MOST_NUMBERS // max(1, math.prod(input_shape))
        most = min(MOST, 2 ** int(math.log2(max(room, FEWEST))))
        return min(most, max(FEWEST, 2 ** round(math.log2(max(samples, 1) / 100))))

    def drawn_of(self, samples: int) -> int:
        """How many of so many training samples an epoch goes through.

        >>> Recipe().drawn_of(5_000), Recipe(samples=2_000).drawn_of(5_000), Recipe(samples=2_000).drawn_of(500)
        (5000, 2000, 500)
        """
        return samples if self.samples is None else min(samples, self.samples)

    def measured_of(self, validation: int, training: int) -> int:
        """How many of so many validation samples are measured, where training has so many.

        >>> Recipe().measured_of(9_000, 20_000), Recipe(samples=4_000).measured_of(9_000, 20_000)
        (9000, 1800)
        >>> Recipe(samples=400).measured_of(9_000, 20_000), Recipe(samples=400).measured_of(600, 20_000)
        (1000, 600)
        """
        share = self.drawn_of(training) / max(1, training)
        return min(validation, max(LEAST_MEASURED, round(share * validation)))

    @classmethod
    def suiting(cls, task: Task, **settings: Any) -> Recipe:
        """The defaults, with what the task's kind trains better with (`Task.recipe`), and `settings` above both."""
        return cls(**{**task.recipe, **settings})

    @property
    def is_tuned(self) -> bool:
        """Whether precision and layout are fixed: no ``"auto"`` is left."""
        return "auto" not in (self.precision, self.layout)

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Recipe:
        """Read what `to_json` gave.

        >>> Recipe.from_json(Recipe(epochs=3).to_json()) == Recipe(epochs=3)
        True
        """
        known = [f.name for f in fields(cls)]
        for name in values:
            if name not in known:
                raise EvaluationError(f"a recipe has no {name!r}. {did_you_mean(name, known)}")
        return cls(**values)
