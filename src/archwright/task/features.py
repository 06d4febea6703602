"""What a small classifier sees in images: the space in which made and real images are compared."""

from __future__ import annotations

import hashlib
import math
import weakref
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["FEATURES", "Features"]

FEATURES = 32
"""Numbers an image. More would need more images than small data have to tell their covariance."""

STEPS, BATCH, EPOCHS = (60, 400), 64, 20
"""Fewest and most steps of training, their images, and how often each image is seen between the two."""

SEED = 0

_trained: dict[str, dict[str, Tensor]] = {}


class Features:
    """The last hidden layer of a small convolutional network, standardised on the images that it was trained on.

    It learns the classes of the images where they are known, else by how much images were turned (Gidaris et al.,
    *Unsupervised Representation Learning by Predicting Image Rotations*, ICLR 2018). It is trained when it is made,
    from one seed and so always the same, and once for the same images in a process; other processes get it trained.

    Args:
        images: Of the training part, (n, c, h, w) in -1..1.
        labels: Their classes, (n,) int64, or None.
    """

    def __init__(self, images: Tensor, labels: Tensor | None = None):
        labels = labels if labels is not None and int(labels.max()) > 0 else None
        self.shape = tuple(images.shape[1:])
        self.learns = "classes" if labels is not None else "turns"
        self._last: tuple[Any, int, Tensor] | None = None
        self._network, seen = self._learnt(images.cpu(), labels)
        spread = seen.std(0)
        self._mean, self._std = seen.mean(0), spread.clamp_min(0.01 * float(spread.max()) + 1e-6)

    def __call__(self, images: Tensor) -> Tensor:
        """Features (n, FEATURES) of images (n, c, h, w) in -1..1; those of the tensor of last time are remembered."""
        if self._last is not None and self._last[0]() is images and self._last[1] == _version(images):
            return self._last[2]
        network = self._network.to(images.device)
        with torch.no_grad():
            found = torch.cat([network[0](batch.float()) for batch in images.split(256)])
        found = (found - self._mean.to(found.device)) / self._std.to(found.device)
        if _version(images) >= 0:
            self._last = (weakref.ref(images), _version(images), found)
        return found

    def facts(self) -> dict[str, Any]:
        """What `Task.describe` says of it."""
        return {"features_learn": self.learns, "features_seed": SEED}

    def _learnt(self, images: Tensor, labels: Tensor | None) -> tuple[nn.Sequential, Tensor]:
        """A trained network, features and then scores; and its features of `images`, not standardised."""
        key = hashlib.sha256(images.contiguous().numpy().data)
        key.update(b"" if labels is None else labels.contiguous().numpy().data)
        threads = torch.get_num_threads()
        torch.set_num_threads(1)  # the same numbers in every process
        try:
            with torch.enable_grad(), torch.inference_mode(False), torch.random.fork_rng(devices=[]):
                torch.manual_seed(SEED)
                classes = 4 if labels is None else int(labels.max()) + 1
                network = _network(self.shape, classes)
                if key.hexdigest() not in _trained:
                    _train(network, images, labels)
                    _trained[key.hexdigest()] = network.state_dict()
                network.load_state_dict(_trained[key.hexdigest()])
                network.eval().requires_grad_(False)
                return network, torch.cat([network[0](batch) for batch in images.split(256)])
        finally:
            torch.set_num_threads(threads)

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_last": None}


def _version(tensor: Tensor) -> int:
    """How often it was written to; -1 where torch does not count."""
    return -1 if tensor.is_inference() else tensor._version


def _network(shape: tuple[int, ...], classes: int) -> nn.Sequential:
    channels, h, w = shape
    halvings = max(1, min(3, int(math.log2(min(h, w) / 3)))) if min(h, w) >= 6 else 0
    parts: list[nn.Module] = []
    width = 16
    for i in range(3):
        parts += [
            nn.Conv2d(channels, width, 3, 2 if 1 <= i <= halvings or (i == 0 and halvings == 3) else 1, 1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
        ]
        channels, width = width, 2 * width
    body = nn.Sequential(*parts, nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(4 * channels, FEATURES))
    return nn.Sequential(body, nn.Sequential(nn.ReLU(), nn.Linear(FEATURES, classes)))


def _train(network: nn.Module, images: Tensor, labels: Tensor | None) -> None:
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)
    size = min(BATCH, len(images))
    network.train()
    steps = min(STEPS[1], max(STEPS[0], EPOCHS * len(images) // BATCH))
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = 3e-3 * (1 - step / steps)
        rows = torch.randperm(len(images))[:size]
        x = images[rows]
        x, y = _turned(x) if labels is None else (x, labels[rows])
        optimizer.zero_grad()
        F.cross_entropy(network(x), y, label_smoothing=0.1).backward()
        optimizer.step()


def _turned(x: Tensor) -> tuple[Tensor, Tensor]:
    """Each image turned by 0 to 3 quarters, and how many they were; halves alone where it is not square."""
    square = x.shape[2] == x.shape[3]
    y = torch.randint(4 if square else 2, (len(x),))
    turns = [torch.rot90(x, k if square else 2 * k, (2, 3)) for k in range(4 if square else 2)]
    return torch.stack(turns)[y, torch.arange(len(x))], y
