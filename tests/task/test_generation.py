"""Image generation: two networks that play, one that is kept, and how like real images its are."""

import json
import pickle

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.linalg import sqrtm
from sklearn.neighbors import NearestNeighbors

import archwright as aw
from archwright import cost, nn
from archwright import task as tasks
from archwright.errors import DataError, EvaluationError, ExportError, SpaceError
from archwright.evaluator import Context, Recipe, Training
from archwright.evaluator.loop import train
from archwright.evaluator.optimizer import make_optimizer
from archwright.export import predict, save_grid
from archwright.nn import deployed, materialize
from archwright.nn.adversarial import Adversarial, Discriminator
from archwright.run import tested as on_test
from archwright.space import Space
from archwright.task import CustomTask, ImageGeneration
from archwright.task.adversaries import discriminator_loss, generator_loss, gradient_penalty
from archwright.task.features import Features
from archwright.task.frechet import frechet, within
from archwright.task.pictures import Latents, Pictures, grid
from archwright.testing import TaskContract
from archwright.testing.task import samples
from archwright.trial import Proposal

QUICK = Recipe.suiting(ImageGeneration, epochs=2, precision="float32", layout="contiguous")


def squares(n=60, size=8, seed=0):
    """A bright square or a dark one on noise, and which it is."""
    rng = np.random.default_rng(seed)
    images, labels = rng.integers(90, 130, (n, size, size)).astype(np.uint8), np.arange(n) % 2
    for image, label in zip(images, labels, strict=True):
        r, c = rng.integers(0, size - 3, 2)
        image[r : r + 3, c : c + 3] = 250 if label else 5
    return images, labels


def small(task, seed=0):
    """The smallest network of the task's space, as a space of one point, and its architecture."""
    space = task.space()
    return space, space.sample(np.random.default_rng(seed))


class TestImageGeneration(TaskContract):
    steps = 300

    def make(self):
        return ImageGeneration(*squares(), name="squares")

    def make_of(self, n):
        return ImageGeneration(*(a[:n] for a in squares()))

    def library(self, task, output, target):
        made, real = task.features(output).double().numpy(), task.features(target).double().numpy()
        n, m = made.mean(0), real.mean(0)
        c, d = np.cov(made, rowvar=False, bias=True), np.cov(real, rowvar=False, bias=True)
        epsilon = 1e-9 * np.eye(len(c))  # singular: fewer images than features
        distance = ((n - m) ** 2).sum() + np.trace(c + d - 2 * sqrtm((c + epsilon) @ (d + epsilon)).real)

        def share(these, those):
            near = NearestNeighbors(n_neighbors=4).fit(those)
            radius = near.kneighbors(those)[0][:, 3]
            return (np.linalg.norm(these[:, None] - those[None], axis=2) <= radius).any(1).mean()

        return {"frechet": distance, "precision": share(made, real), "recall": share(real, made)}


def test_no_image_is_in_two_parts_and_ends_are_minus_one_and_one():
    task = TestImageGeneration().make()
    parts = [samples(tasks.Part(p.targets, p.targets)) for p in (task.train, task.validation, task.open_test())]
    assert len(set().union(*parts)) == sum(map(len, parts)) == 60
    assert task.train.targets.min() >= -1
    assert task.train.targets.max() <= 1
    images = squares()[0]
    back = task.preparation.targets.decode(task.preparation.targets.encode(images))
    assert np.array_equal(np.stack(back), images)
    twice = ImageGeneration(np.concatenate([images, images]))
    assert any("validation samples have the inputs of a training sample" in doubt for doubt in twice.doubts)


def test_the_frechet_distance_of_known_gaussians():
    one = torch.eye(3, dtype=torch.float64)
    zero = torch.zeros(3, dtype=torch.float64)
    assert frechet(zero, one, zero, one) == pytest.approx(0, abs=1e-9)
    assert frechet(zero, one, zero + 2, one) == pytest.approx(12)
    assert frechet(zero, one, zero, 4 * one) == pytest.approx(3)  # (2 - 1)^2 each
    rng = np.random.default_rng(0)
    a, b = (torch.from_numpy(np.cov(rng.normal(size=(4, 9)) * [[1], [2], [3], [4]])) for _ in range(2))
    both = np.trace((a + b).numpy() - 2 * sqrtm(a.numpy() @ b.numpy()).real)
    assert frechet(a[0] * 0, a, a[0] * 0, b) == pytest.approx(both)


def test_real_images_are_nearer_than_noise_and_all_of_one_kind_are_not_recalled():
    task = ImageGeneration(*squares(240))
    validation, train = task.validation.targets, task.train.targets[: len(task.validation)]
    real = task.score(train, validation)
    noise = task.score(torch.rand_like(train) * 2 - 1, validation)
    one = task.score(train[:1].expand_as(train) + 0.01 * torch.randn_like(train), validation)
    assert real["frechet"] < 0.3 * min(noise["frechet"], one["frechet"])
    assert real["recall"] > one["recall"] + 0.3
    assert set(task.references(task.train, task.validation)) == {"Gaussian of pixels", "training images"}
    assert task.score(task.kept(train), validation) == pytest.approx(real), "features are enough"
    assert within(torch.zeros(1, 2), torch.arange(10.0).view(5, 2)).shape == (1,)


def test_features_are_the_same_in_every_process_and_travel_trained():
    task, other = TestImageGeneration().make(), pickle.loads(pickle.dumps(TestImageGeneration().make()))
    x = task.validation.targets
    assert torch.equal(task.features(x), other.features(x))
    assert task.features(x) is task.features(x), "those of a part are told once"
    assert task.features.learns == "classes"
    turned = Features(task.train.targets)
    assert turned.learns == "turns"
    assert turned(x).shape == (len(x), 32)
    wide = Features(torch.rand(20, 3, 6, 9))
    assert wide(torch.rand(2, 3, 6, 9)).isfinite().all()


def test_features_are_learnt_when_the_task_is_made_and_never_by_a_worker(monkeypatch):
    task = TestImageGeneration().make()
    assert task.describe()["features_learn"] == "classes"
    assert task.describe()["features_seed"] == 0
    seen = task.features(task.validation.targets)

    def refused(*_):
        raise AssertionError("trained anew")

    monkeypatch.setattr("archwright.task.features._train", refused)
    monkeypatch.setattr("archwright.task.features._trained", {})  # as it is in a fresh process
    with pytest.raises(AssertionError, match="trained anew"):
        TestImageGeneration().make()
    away = pickle.loads(pickle.dumps(task))
    assert torch.equal(away.features(away.validation.targets), seen)
    space, architecture = small(away)
    measured = Training(space, away, QUICK, device="cpu")(Proposal(architecture, epochs=1), 0)
    assert measured.metrics["frechet"] > 0


def test_each_network_descends_its_own_loss_and_leaves_the_other_alone():
    task = TestImageGeneration().make()
    network = materialize(task.baseline(8), task.input_shape)
    optimizer = make_optimizer(network, QUICK)
    parts = {"generator": network.generator, "discriminator": network.discriminator}
    moved = []
    for loss in task.losses(network, task.train.inputs[:8], task.train.targets[:8]):
        before = {name: [p.clone() for p in part.parameters()] for name, part in parts.items()}
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        now = {n: any(not torch.equal(a, b) for a, b in zip(before[n], p.parameters())) for n, p in parts.items()}
        moved.append([name for name, changed in now.items() if changed])
    assert moved == [["discriminator"], ["generator"]]
    assert all(p.requires_grad for p in network.parameters())
    with pytest.raises(EvaluationError, match="Adversarial"):
        next(task.losses(torch.nn.Linear(64, 4), task.train.inputs, task.train.targets))


@pytest.mark.parametrize("game", nn.GAMES)
def test_games_reward_what_they_should(game):
    high, low = torch.full((4, 1), 3.0), torch.full((4, 1), -3.0)
    assert discriminator_loss(game, high, low) < discriminator_loss(game, low, high)
    assert generator_loss(game, torch.full((4, 1), 1.0)) < generator_loss(game, low)


def test_the_gradient_penalty_is_half_the_squared_slope():
    judge = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(9, 1))
    expected = judge[1].weight.square().sum() / 2
    assert gradient_penalty(judge, torch.rand(5, 1, 3, 3)).item() == pytest.approx(expected.item(), rel=1e-5)
    with pytest.raises(SpaceError, match="penalty"):
        Adversarial(torch.nn.Identity(), torch.nn.Identity(), "wasserstein")


@pytest.mark.parametrize("image", [(1, 8, 8), (1, 28, 28), (3, 20, 33)])
def test_every_sample_of_the_space_makes_images_judges_them_and_is_counted(image):
    space = nn.spaces.gan((64,), 64, image=image, widths=(4, 6))
    for seed in range(8):
        network = materialize(space.build(space.sample(np.random.default_rng(seed))), (64,))
        made = network(torch.randn(2, 64))
        assert made.shape == (2, *image)
        assert made.abs().max() <= 1
        assert network.discriminator(made).shape == (2, 1)
        own = sum(p.numel() for p in deployed(network).parameters())
        assert cost.measure(network, (64,), ("params", "macs", "peak_bytes"))["params"] == own
        assert own < sum(p.numel() for p in network.parameters())
    with pytest.raises(SpaceError, match="sides"):
        nn.spaces.gan((64,), 64, image=(1, 2, 2))


def test_a_discriminator_moves_images_only_while_it_learns():
    judge = Discriminator((1, 8, 8), 4, 1, shift=0.25)
    x = torch.rand(64, 1, 8, 8)
    moved = judge._moved(x)
    assert moved.shape == x.shape
    assert (moved != x).flatten(1).any(1).float().mean() > 0.8
    assert torch.equal(judge.eval()(x), judge.body(x))


def test_a_training_stops_at_its_deadline_goes_on_and_keeps_the_average(tmp_path):
    task = TestImageGeneration().make()
    space, architecture = small(task)
    training = Training(space, task, QUICK, device="cpu")
    first = training(Proposal(architecture, 2), 0, Context(folder=tmp_path, number=0))
    assert [p["epoch"] for p in first.curve] == [1, 2]
    more = training(Proposal(architecture, 3, continues=0), 0, Context(folder=tmp_path, number=1))
    assert more.extra["continued_from_epoch"] == 2
    assert more.epochs == 1
    state = training._begin(architecture)
    assert state.measured is not state.module
    with pytest.raises(EvaluationError, match="deadline"):
        train(state, task, QUICK, task.train, None, epochs=1, seed=0, deadline=0.0)
    module, measured = training.fit(architecture, 0)
    assert not isinstance(module, Adversarial)
    assert measured.costs["params"] == sum(p.numel() for p in module.parameters())


def test_learning_brings_images_nearer():
    task = ImageGeneration(*squares(300))
    space = Space(aw.searchable(lambda width: task.baseline(width))(aw.choice(16, name="width")))
    recipe = Recipe.suiting(task, epochs=12, layout="contiguous")
    measured = Training(space, task, recipe, device="cpu")(Proposal(next(iter(space))), 0)
    assert measured.curve[-1]["frechet"] < 0.3 * measured.curve[0]["frechet"]


def test_the_baseline_keeps_to_a_number_of_parameters_of_its_generator():
    task = TestImageGeneration().make()
    network = materialize(task.baseline(max_params=20_000), task.input_shape)
    assert 10_000 < sum(p.numel() for p in deployed(network).parameters()) <= 20_000
    assert sum(p.numel() for p in network.parameters()) > 20_000 or len(list(network.parameters())) > 0


def test_intervals_hold_the_value_though_resamples_are_biased():
    task = ImageGeneration(*squares(200))
    network = deployed(materialize(task.baseline(8), task.input_shape)).eval()
    found = on_test.tested(task, task.open_test(), [network], frozenset({"frechet"}), 0)
    for name in ("frechet", "precision", "recall"):
        figure = found["test"][name]
        assert figure["low"] <= figure["mean"] <= figure["high"], name
    assert found["pictures"]["shown"] == 40


@pytest.mark.parametrize(
    ("x", "options", "says"),
    [
        (np.zeros((9, 2, 2)), {}, "at least 3x3"),
        (np.full((9, 8, 8), np.nan), {"latent": 0}, "2 problems"),
        (np.zeros((9, 8, 8)), {"y": [1, 2]}, "one label a sample"),
        (np.zeros((30, 8, 8)), {"metric": "frechett"}, "Did you mean 'frechet'"),
        (np.zeros((9, 8, 8)), {"x_test": np.zeros((4, 7, 7))}, "resize"),
    ],
)
def test_what_is_wrong_with_data_is_said_before_anything_starts(x, options, says):
    with pytest.raises(DataError, match=says):
        ImageGeneration(x, **options)


def test_folders_and_files_with_and_without_classes(tmp_path):
    images, labels = squares(20)
    for i, (image, label) in enumerate(zip(images, labels, strict=True)):
        for folder in (tmp_path / "loose", tmp_path / "classes" / str(label), tmp_path / "parts" / "train"):
            folder.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(folder / f"{i}.png")
    (tmp_path / "parts" / "test").mkdir()
    for i in range(3):
        Image.fromarray(images[i]).save(tmp_path / "parts" / "test" / f"{i}.png")
    loose, classes, parts = (tasks.load(tmp_path / name, kind="generation") for name in ("loose", "classes", "parts"))
    assert loose.features.learns == "turns"
    assert classes.features.learns == "classes"
    assert parts.sizes["test"] == 3
    np.savez(tmp_path / "x.npz", x=images)
    assert tasks.load(tmp_path / "x.npz", kind="generation").sizes == loose.sizes
    (tmp_path / "loose" / "bad.png").write_bytes(b"no image")
    with pytest.raises(DataError, match=r"bad\.png"):
        tasks.load(tmp_path / "loose", kind="generation")
    with pytest.warns(UserWarning, match="left out"):
        skipped = tasks.load(tmp_path / "loose", kind="generation", on_bad_image="skip")
    assert skipped.sizes == loose.sizes
    assert tasks.load("digits", kind="generation").describe()["image"] == [1, 8, 8]
    with pytest.raises(DataError, match="Did you mean 'generation'"):
        tasks.load("digits", kind="generations")


def test_without_a_test_part_there_is_none():
    task = ImageGeneration(squares()[0], test_share=0)
    assert task.sizes == {"train": 48, "validation": 12, "test": 0}


def test_latents_are_drawn_alike_or_given():
    latents = Latents(5)
    assert torch.equal(latents(3, 1), latents(3, 1))
    assert not torch.equal(latents(3, 1), latents(3, 2))
    assert latents(np.ones((2, 5))).shape == (2, 5)
    for wrong in (0, np.ones((2, 4)), np.full((2, 5), np.inf)):
        with pytest.raises(DataError):
            latents(wrong)


def test_a_grid_lays_images_side_by_side():
    images = [np.full((4, 6), 50 * i, np.uint8) for i in range(5)]
    sheet = np.asarray(grid(images, columns=3))
    assert sheet.shape == (9, 20)
    assert sheet[5:, 7:13].tolist() == images[4].tolist()
    assert np.asarray(grid([np.zeros((4, 4, 3), np.uint8)])).shape == (4, 4, 3)
    with pytest.raises(DataError):
        grid([])
    assert Pictures((3, 4, 4)).decode(torch.zeros(1, 3, 4, 4))[0].shape == (4, 4, 3)


def test_a_search_ends_in_a_folder_that_makes_images(tmp_path):
    task = TestImageGeneration().make()
    space = Space(aw.searchable(lambda width: task.baseline(width))(aw.choice(4, 8, name="width")))
    result = aw.search(task, space=space, trials=2, recipe=QUICK, progress=False, seed=0)
    assert task.test_openings == 1
    assert result.record().goal.direction == "minimize"
    folder = result.save(tmp_path / "run")
    assert "none picked" in (tmp_path / "run" / "report.html").read_text()
    answers = {form: predict(folder, samples=5, form=form, seed=3) for form in ("source", "onnx", "pt2")}
    first = answers["source"]
    assert [a.image.shape for a in first] == [(8, 8)] * 5
    assert all(np.abs(a.image.astype(int) - b.image).max() <= 1 for f in answers.values() for a, b in zip(f, first))
    assert not np.array_equal(predict(folder, samples=5)[0].image, first[0].image), "another seed"
    with Image.open(save_grid(first, tmp_path / "a" / "grid.png")) as sheet:
        assert sheet.size == (26, 17)
    assert first[0].save_image(tmp_path).is_file()
    json.dumps([a.to_json() for a in first])
    given = predict(folder, Latents(64)(5, 3))
    assert np.array_equal(given[0].image, first[0].image)
    for wrong in ({"data": None}, {"data": np.zeros((1, 64)), "samples": 2}, {"samples": 0}):
        with pytest.raises(DataError, match="samples"):
            predict(folder, **wrong)
    with pytest.raises(ExportError, match="no images"):
        save_grid([], tmp_path / "grid.png")
    with pytest.raises(ExportError, match="another file"):
        save_grid(first, tmp_path / "grid.nothing")


def test_a_supernet_is_refused_before_anything_starts():
    task = TestImageGeneration().make()
    with pytest.raises(EvaluationError, match="play against each other"):
        aw.search(task, oneshot="spos", trials=1, progress=False)
    assert CustomTask.one_loss
