"""Augmentation keeps shapes, follows its generator, and does what its name says."""

import pytest
import torch

from archwright.task.augment import (
    ImageAugmentation,
    NoAugmentation,
    SequenceAugmentation,
    TableAugmentation,
    cutout,
    mixup,
)  # fmt: skip


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


IMAGES = torch.rand(16, 3, 9, 12, generator=seeded(5))
SERIES = torch.randn(16, 2, 40, generator=seeded(6)).cumsum(2)
ROWS = torch.randn(16, 7, generator=seeded(7))

ALL = [
    (NoAugmentation(), IMAGES),
    (ImageAugmentation(), IMAGES),
    (ImageAugmentation(rotate=0, scale=0, shift=0.2, fill=(1.0, 2.0, 3.0)), IMAGES),
    (ImageAugmentation(shear=0.2, elastic=0.05, flip=True, noise=0.1, erase=0.3, fill=(0.1, 0.2, 0.3)), IMAGES),
    *((SequenceAugmentation(0.1, 0.1, 0.1, 0.5, 0.1, 0.1, outside=o), SERIES) for o in ("edge", "zero", "wrap")),
    (SequenceAugmentation(), SERIES),
    (TableAugmentation(0.1), ROWS),
]


@pytest.mark.parametrize(("augmentation", "batch"), ALL, ids=lambda v: type(v).__name__)
def test_shape_and_type_stay_the_input_is_untouched_and_the_generator_decides(augmentation, batch):
    before = batch.clone()
    first, again, other = (augmentation(batch, seeded(s)) for s in (1, 1, 2))
    assert first.shape == batch.shape
    assert first.dtype == batch.dtype
    assert torch.isfinite(first).all()
    assert torch.equal(first, again)
    assert torch.equal(batch, before)
    assert isinstance(augmentation, NoAugmentation) or not torch.equal(first, other)


def test_the_global_generator_is_left_alone():
    before = torch.get_rng_state()
    for augmentation, batch in ALL:
        augmentation(batch, seeded())
    mixup(IMAGES, torch.zeros(16, dtype=torch.int64), 2, seeded())
    assert torch.equal(torch.get_rng_state(), before)


def test_whole_pixel_shifts_move_the_picture_and_fill_the_border():
    image = torch.zeros(200, 1, 8, 8)
    image[:, :, 3, 4] = 1.0
    moved = ImageAugmentation(shift=0.125, rotate=0, scale=0, fill=(-1.0,))(image, seeded())
    at = (moved == 1.0).nonzero()
    assert len(at) == 200  # the dot is never lost or blurred
    assert {tuple(p) for p in at[:, 2:].tolist()} == {(r, c) for r in (2, 3, 4) for c in (3, 4, 5)}
    assert set(moved.unique().tolist()) == {-1.0, 0.0, 1.0}


def test_an_affine_map_of_nothing_is_the_identity():
    same = ImageAugmentation(shift=0, rotate=0, scale=0, shear=1e-12)(IMAGES, seeded())
    assert torch.allclose(same, IMAGES, atol=1e-5)


def test_a_rotation_keeps_lengths_in_an_oblong_picture():
    image = torch.zeros(64, 1, 21, 41)
    image[:, :, 10, 10:31] = 1.0  # a horizontal bar, 21 pixels long
    turned = ImageAugmentation(shift=0, rotate=60, scale=0)(image, seeded())
    for one in turned[:, 0]:
        ink = (one > 0.25).nonzero().float()
        extent = torch.cdist(ink, ink).max()
        assert 17 <= extent <= 24


def test_flipping_mirrors_about_half_of_the_images():
    image = torch.arange(4.0).view(1, 1, 1, 4).repeat(400, 1, 2, 1)
    out = ImageAugmentation(shift=0, rotate=0, scale=0, flip=True)(image, seeded())
    mirrored = (out[:, 0, 0, 0] == 3.0).sum().item()
    assert 140 < mirrored < 260  # 6 standard deviations


def test_a_shift_by_whole_steps_only_moves_a_series():
    series = torch.zeros(100, 1, 40)
    series[:, 0, 20] = 1.0
    moved = SequenceAugmentation(shift=0.1, amplitude=0, noise=0)(series, seeded())
    assert torch.equal(moved.sum(2), torch.ones(100, 1))
    assert set(moved.argmax(2).flatten().tolist()) <= set(range(16, 25))


def test_a_wrapped_line_stays_a_line():
    line = torch.linspace(-1, 1, 41).view(1, 1, 41).repeat(50, 1, 1)
    out = SequenceAugmentation(shift=0.3, amplitude=0, noise=0, outside="wrap")(line, seeded())
    steps = out.diff(dim=2)
    assert steps.min() >= -1e-6  # lifted: no jump back to the start
    assert steps.max() <= 0.0501


def test_smooth_noise_has_the_deviation_it_is_given_and_is_smooth():
    noise = SequenceAugmentation(shift=0, amplitude=0, noise=0, smooth_noise=0.5)(torch.zeros(500, 1, 60), seeded())
    assert noise.std().item() == pytest.approx(0.5, rel=0.05)
    neighbours = (noise[..., 1:] * noise[..., :-1]).mean() / noise.var()
    assert neighbours.item() > 0.7


def test_cutout_hides_one_square_and_mixup_blends_targets():
    hidden = cutout(torch.ones(20, 1, 16, 16), seeded(), share=0.5)
    areas = (hidden == 0).flatten(1).sum(1)
    assert (areas >= 16).all()
    assert (areas <= 81).all()
    x, y = mixup(IMAGES, torch.arange(16) % 3, 3, seeded(), strength=0.4)
    assert x.shape == IMAGES.shape
    assert torch.allclose(y.sum(1), torch.ones(16))
    assert (y.argmax(1) == torch.arange(16) % 3).all()
