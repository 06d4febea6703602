"""Image generation: new images that are like those of the data."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Generator, Tensor, nn

from archwright.errors import EvaluationError
from archwright.nn.adversarial import Adversarial
from archwright.task.adversaries import discriminator_loss, generator_loss, gradient_penalty
from archwright.task.arrays import Layout, check_lengths, image_array
from archwright.task.augment import NoAugmentation
from archwright.task.baseline import fitted
from archwright.task.dcgan import dcgan
from archwright.task.features import Features
from archwright.task.frechet import generation_metrics
from archwright.task.loss import SquaredError
from archwright.task.pictures import Latents, Pictures
from archwright.task.preparation import Preparation
from archwright.task.problems import Problems
from archwright.task.reading import BadImage, read_pictures
from archwright.task.splits import parts_of
from archwright.task.targets import Classes, label_array
from archwright.task.task import Augmentation, Part, Parts, Task

__all__ = ["ImageGeneration"]

PENALISED = 4
"""The gradient penalty is taken on a quarter of a batch: as true in the mean, and cheaper by what it saves."""


class ImageGeneration(Task):
    """New images that are like those given.

    A generator makes images of random numbers, and learns from a discriminator that learns to tell them from real ones:
    two networks, two losses and two descents a step (`losses`). What is measured and given away is the generator.

    Args:
        x: Images: (n, h, w), (n, h, w, c) or (n, c, h, w) arrays or tensors; lists of arrays, files or Pillow images.
        y: A label an image, where there are some. Networks never see them: the classifier whose features the metrics
            compare learns them, else how images were turned. See `archwright.task.features.Features`.
        x_test: Official test images; else `test_share` is taken from `x`.
        y_test: Their labels, which nothing needs.
        name: What the task is called.
        channels: Where channels stand, ``"first"`` or ``"last"``; by default found out.
        resize: Height and width that all images are brought to.
        latent: Random numbers of an image; a network may use fewer.
        metric: The main metric; ``"frechet"`` by default.
        augmentation: ``augmentation(images, generator)`` on real images of a training batch; by default nothing, for
            what it adds will be made too.
        test_share: Of all images.
        validation_share: Of the images that are not test.
        split_seed: The same seed gives the same parts, and the same random numbers to measure with.
        source: Where the data came from, for people.

    Metrics: ``frechet``, the Fréchet distance of Gaussians fitted to features of made and of held-out images. As the
    Fréchet inception distance of Heusel et al. (2017), but with features of a small classifier trained on the training
    part, so that figures compare networks of the same data, and with nobody else's. ``precision`` and ``recall``
    (Kynkäänmaa et al. 2019) say how many made images might be real, and how many real ones might be made.

    Shapes: inputs (n, latent), targets (n, channels, height, width) in -1..1, as outputs.

    Raises:
        DataError: anything wrong with the data; the message says where, what was allowed and what to do.
    """

    default_space = "gan"
    spaces = ("gan",)
    one_loss = False
    # No momentum (Brock et al., ICLR 2019) and small batches: measured. It is the average of weights that makes good
    # images (Yazici et al., ICLR 2019).
    recipe: Mapping[str, Any] = {
        "epochs": 60, "batch_size": 32, "lr": 1e-3, "momentum": 0.0, "weight_decay": 0.0, "schedule": "cosine",
        "warmup": 0.05, "label_smoothing": 0.0, "ema": 0.995, "precision": "float32", "stretch": 8.0,
    }  # fmt: skip

    def __init__(
        self,
        x: Any,
        y: Any = None,
        *,
        x_test: Any = None,
        y_test: Any = None,
        name: str = "pictures",
        channels: Layout = None,
        resize: tuple[int, int] | None = None,
        latent: int = 64,
        metric: str | None = None,
        augmentation: Augmentation | None = None,
        test_share: float = 0.2,
        validation_share: float = 0.2,
        split_seed: int = 0,
        source: str = "arrays",
    ):
        problems, test, labels = Problems(), None, None
        images = problems.of(image_array, x, "x", channels=channels, resize=resize)
        if x_test is not None:
            c = 1 if images is None else images.shape[1]
            test = problems.of(image_array, x_test, "x_test", channels=channels, resize=resize, n_channels=c)
        if y is not None:
            labels = problems.of(label_array, y, "y")
        if images is not None and labels is not None:
            problems.of(check_lengths, images, labels)
        if images is not None and min(images.shape[2:]) < 3:
            problems.add(f"images are {images.shape[2]}x{images.shape[3]}: at least 3x3 are needed. Give resize=")
        if isinstance(latent, bool) or not isinstance(latent, int) or latent < 1:
            problems.add(f"latent is {latent!r}: allowed are whole numbers of 1 or more")
        problems.check()
        assert images is not None
        rows = parts_of(len(images), split_seed, test_share, validation_share, {"test"} if test is not None else ())
        pictures = Pictures.of(images[rows["train"]], channels, resize)
        latents, untested = Latents(latent), test is None and test_share == 0.0

        def part(which: str, number: int) -> Part:
            if which == "test" and untested:
                return Part(torch.zeros(0, latent), torch.zeros(0, *pictures.shape))
            held = test if which == "test" and test is not None else images[rows[which]]
            made = pictures.prepare(held, f"the images of the {which} part")
            return Part(latents(len(made), 3 * split_seed + number), made)

        parts = Parts(part("train", 0), part("validation", 1), part("test", 2), untested=untested)
        known = None if labels is None else Classes.of(labels).encode(labels)[torch.from_numpy(rows["train"])]
        features = Features(parts.train.targets, known)
        super().__init__(
            name=name,
            parts=parts,
            preparation=Preparation(latents, pictures),
            loss=SquaredError(),
            metrics=generation_metrics(features),
            metric=metric or "frechet",
            n_outputs=math.prod(pictures.shape),
            augmentation=augmentation or NoAugmentation(),
            facts={
                "image": list(pictures.shape),
                **features.facts(),
                "source": source,
                "split_seed": split_seed,
                "official_test": test is not None,
            },
        )
        self.features = features
        self.space_options = {"image": pictures.shape}

    @classmethod
    def from_folder(
        cls,
        path: str | Path,
        *,
        on_bad_image: BadImage = "stop",
        resize: tuple[int, int] | None = None,
        name: str | None = None,
        **options: Any,
    ) -> ImageGeneration:
        """A folder of images, or of one folder of images a class; or with ``train/`` and ``test/`` folders of these.

        Args:
            path: The folder.
            on_bad_image: ``"stop"`` with an error where files are unreadable, or ``"skip"`` them with a warning.
            resize: Height and width to bring all images to; needed where they differ.
            name: What the task is called; by default the folder's name.
            options: As for the class.
        """
        data = read_pictures(path, on_bad_image=on_bad_image, resize=resize)
        task = cls(
            data.images,
            data.labels or None,
            x_test=data.test_images,
            resize=resize,
            channels="last" if len(data.images.shape) == 4 else None,
            name=name or Path(path).resolve().name,
            **{"source": str(path), **options},
        )
        task._facts["skipped_images"] = list(data.skipped)
        return task

    @property
    def answer(self) -> str:
        """What it asks for."""
        c, h, w = self.preparation.targets.shape  # type: ignore[union-attr]
        return f"images of {h}x{w}{' in colour' if c == 3 else ''}"

    def augment(self, inputs: Tensor, generator: Generator | None = None) -> Tensor:
        """Latent numbers stay: it is images that are changed; see `augmented`."""
        return inputs

    def augmented(self, inputs: Tensor, targets: Tensor, generator: Generator | None = None) -> tuple[Tensor, Tensor]:
        """Fresh latent numbers, and real images as the augmentation changes them."""
        fresh = torch.randn(inputs.shape, generator=generator, device=inputs.device)
        return fresh, self.augmentation(targets, generator)

    def losses(
        self,
        network: nn.Module,
        inputs: Tensor,
        targets: Tensor,
        label_smoothing: float = 0.0,
        precise: AbstractContextManager[Any] | None = None,
    ) -> Iterator[Tensor]:
        """First the discriminator's loss, then the generator's; see `archwright.task.adversaries`."""
        if not isinstance(network, Adversarial):
            raise EvaluationError(
                f"task {self.name!r} trains a generator against a discriminator: the network is a "
                f"{type(network).__name__}, allowed is archwright.nn.Adversarial(generator, discriminator)"
            )
        judge, within = network.discriminator, precise or nullcontext()
        with within:
            made = network.generator(inputs)
            if made.shape != targets.shape:
                raise EvaluationError(
                    f"the generator makes {tuple(made.shape[1:])}: images of this task are {tuple(targets.shape[1:])}"
                )
            real, false = judge(targets), judge(made.detach())
        loss = discriminator_loss(network.game, real.float(), false.float())
        if network.penalty:
            some = targets[: max(1, len(targets) // PENALISED)]
            loss = loss + network.penalty * gradient_penalty(judge, some)
        yield loss
        judge.requires_grad_(False)  # it has no gradient now, so that the optimizer leaves it alone
        try:
            with within:
                score = judge(made)
            yield generator_loss(network.game, score.float())
        finally:
            judge.requires_grad_(True)

    def kept(self, output: Tensor) -> Tensor:
        """Features of made images, which are all that the metrics read."""
        return self.features(output)

    def baseline(self, width: int | None = None, max_params: int | None = None) -> nn.Module:
        """DCGAN (`archwright.task.dcgan.dcgan`), of width 32 where nothing is said; parameters are the generator's."""
        shape = tuple(self.train.targets.shape[1:])
        c, h, w = shape

        def make(width: int) -> nn.Module:
            return dcgan((c, h, w), width)

        return make(width or 32) if max_params is None else fitted(make, self.input_shape, max_params)

    def references(self, train: Part, test: Part) -> dict[str, dict[str, float]]:
        """A Gaussian fitted to the pixels, and training images themselves: what perfect imitation would reach."""
        draw = np.random.default_rng(0)
        rows = draw.choice(len(train), len(test), replace=len(train) < len(test))
        pixels = train.targets.flatten(1).double().numpy()
        values, vectors = np.linalg.eigh(np.cov(pixels, rowvar=False))
        drawn = draw.normal(size=(len(test), len(values))) * np.sqrt(values.clip(0)) @ vectors.T + pixels.mean(0)
        noise = torch.from_numpy(drawn.clip(-1, 1).astype(np.float32)).reshape(test.targets.shape)
        made = {"Gaussian of pixels": noise, "training images": train.targets[torch.from_numpy(rows)]}
        return {name: self.score(self.features(images), test.targets) for name, images in made.items()}
