"""What every task promises."""

import json
import pickle
import subprocess
import sys

import numpy as np
import pytest
import torch

from archwright import task
from archwright.errors import DataError
from archwright.task import ImageClassification, Part, Preparation, SequenceClassification, TabularClassification


def of(n_small=20, seed=0, **options):
    rng = np.random.default_rng(seed)
    y = np.repeat(["common", "rare"], [100, n_small])
    return SequenceClassification(rng.normal(size=(100 + n_small, 1, 30)), y, **options)


def test_test_data_are_opened_by_open_test_alone_and_counted():
    digits = task.load("digits")
    digits.describe(), digits.fingerprint, digits.train_and_validation(), digits.augment(digits.train.inputs[:4])
    assert digits.test_openings == 0
    test = digits.open_test()
    assert digits.test_openings == 1
    assert len(test) == digits.sizes["test"]


def test_parts_share_no_sample():
    digits = task.load("digits")
    parts = [digits.train, digits.validation, digits.open_test()]
    keys = [{row.numpy().tobytes() for row in part.inputs} for part in parts]
    assert not keys[0] & keys[1]
    assert not keys[0] & keys[2]
    assert not keys[1] & keys[2]


def test_training_and_validation_together_are_both():
    digits = task.load("digits")
    both = digits.train_and_validation()
    assert torch.equal(both.inputs[: len(digits.train)], digits.train.inputs)
    assert torch.equal(both.targets[len(digits.train) :], digits.validation.targets)


def test_the_fingerprint_knows_data_and_settings_and_is_the_same_in_another_process():
    first, again = of(), of()
    assert first.fingerprint == again.fingerprint
    others = [
        of(seed=1),
        of(split_seed=1),
        of(class_weight=None),
        of(metric="f1"),
        of(augmentation=task.NoAugmentation()),
    ]
    assert len({first.fingerprint, *(o.fingerprint for o in others)}) == 6
    code = "from archwright import task; print(task.load('digits').fingerprint)"
    elsewhere = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert elsewhere.stdout.strip() == task.load("digits").fingerprint


def test_the_fingerprint_knows_test_data():
    x, y = np.random.default_rng(0).normal(size=(40, 8)), np.arange(40) % 2
    one, other = (SequenceClassification(x, y, x_test=x[:4] + d, y_test=y[:4]) for d in (0.0, 0.1))
    assert one.fingerprint != other.fingerprint


def test_the_description_is_json():
    for name in ("digits", "breast_cancer", "diabetes"):
        said = task.load(name).describe()
        assert json.loads(json.dumps(said)) == said
        assert said["name"] == name
        assert {"kind", "sizes", "input_shape", "n_outputs", "metric", "source", "split_seed"} <= set(said)
    assert sum(task.load("digits").describe()["class_counts"]) == 1797


def test_classes_out_of_balance_are_weighed_and_balanced_accuracy_leads():
    even, odd = of(n_small=60), of(n_small=20)
    assert even.describe()["class_weights"] is None
    assert even.metric == "accuracy"
    assert odd.metric == "balanced_accuracy"
    common, rare = odd.describe()["class_weights"]
    counts = odd.train.targets.bincount().tolist()
    assert rare / common == pytest.approx(counts[0] / counts[1])
    assert common * counts[0] + rare * counts[1] == pytest.approx(sum(counts))
    wrong = torch.tensor([[2.0, 0.0]])
    assert odd.loss(wrong.repeat(2, 1), torch.tensor([0, 1])) > even.loss(wrong.repeat(2, 1), torch.tensor([0, 1]))


def test_class_weights_can_be_switched_off_forced_or_given():
    assert of(class_weight=None).describe()["class_weights"] is None
    assert of(n_small=60, class_weight="balanced").describe()["class_weights"] is not None
    common, rare = of(class_weight={"rare": 5.0}).describe()["class_weights"]
    assert rare / common == pytest.approx(5.0)
    with pytest.raises(DataError, match=r"class_weight names 'rar'.*Did you mean 'rare'"):
        of(class_weight={"rar": 5.0})
    with pytest.raises(DataError, match=r"allowed are 'auto', 'balanced', None"):
        of(class_weight="inverse")


def test_label_smoothing_reaches_the_loss():
    digits = task.load("digits")
    sure = 20.0 * torch.eye(10)[digits.train.targets[:8]]
    assert digits.loss(sure, digits.train.targets[:8]) < 1e-3
    assert digits.loss(sure, digits.train.targets[:8], label_smoothing=0.1) > 1.0


def test_a_score_can_be_asked_for_some_metrics():
    digits = task.load("digits")
    perfect = torch.eye(10)[digits.validation.targets]
    assert digits.score(perfect, digits.validation.targets, ["accuracy"]) == {"accuracy": 1.0}
    assert set(digits.score(perfect, digits.validation.targets)) == set(digits.metrics)
    with pytest.raises(DataError, match=r"no metric 'acuracy'.*Did you mean 'accuracy'"):
        digits.score(perfect, digits.validation.targets, ["acuracy"])
    with pytest.raises(DataError, match=r"no metric 'rmse'"):
        task.load("digits", metric="rmse")


@pytest.mark.parametrize("name", ["digits", "breast_cancer", "diabetes"])
def test_a_task_travels_between_processes(name):
    original = task.load(name)
    copy = pickle.loads(pickle.dumps(original))
    assert copy.fingerprint == original.fingerprint
    assert copy.preparation == original.preparation
    output = torch.zeros(len(original.validation), original.n_outputs)
    assert copy.score(output, copy.validation.targets) == original.score(output, original.validation.targets)


@pytest.mark.parametrize(
    "made",
    [
        lambda: ImageClassification(np.zeros((30, 9, 9)) + np.arange(30)[:, None, None], np.arange(30) % 3),
        lambda: SequenceClassification(np.zeros((30, 1, 20)) + np.arange(30)[:, None, None], np.arange(30) % 3),
        lambda: TabularClassification(np.zeros((30, 4)) + np.arange(30)[:, None], np.arange(30) % 3),
    ],
)
def test_every_default_space_builds_networks_that_fit(made):
    problem = made()
    for name in problem.spaces:
        space = problem.space(name)
        net = space.build(space.sample(np.random.default_rng(0))).eval()
        with torch.no_grad():
            assert net(problem.train.inputs[:4]).shape == (4, problem.n_outputs)
    with pytest.raises(DataError, match=r"has no space 'rnn'"):
        problem.space("rnn")


def test_a_part_has_a_target_for_every_input():
    with pytest.raises(DataError, match=r"3 inputs and 2 targets"):
        Part(torch.zeros(3, 1), torch.zeros(2))


@pytest.mark.parametrize(
    ("wrong", "message"), [({}, "not a preparation"), ({"version": 99}, "newer than this archwright")]
)
def test_a_preparation_that_is_none_is_refused(wrong, message):
    with pytest.raises(DataError, match=message):
        Preparation.from_json(wrong)


def test_importing_the_package_does_not_import_torch():
    code = "import sys, archwright.task; print([m for m in ('torch', 'sklearn', 'pandas') if m in sys.modules])"
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
    )


def test_a_worker_that_gets_a_task_of_images_waits_for_neither_scikit_learn_nor_pandas(tmp_path):
    (tmp_path / "task.pickle").write_bytes(pickle.dumps(task.load("digits")))
    code = (
        "import pickle, sys, torch; t = pickle.load(open(sys.argv[1], 'rb'));"
        "t.score(torch.zeros(288, 10), t.validation.targets); t.loss(torch.zeros(288, 10), t.validation.targets);"
        "print([m for m in ('sklearn', 'pandas', 'scipy') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "task.pickle"], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
