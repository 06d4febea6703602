import pytest
import torch

from archwright.errors import EvaluationError
from archwright.evaluator import Context, Recipe, Training
from archwright.evaluator.checkpoint import path_of
from archwright.space import Architecture
from archwright.trial import Proposal


@pytest.fixture
def averaging(space, digits):
    recipe = Recipe(batch_size=64, ema=0.9, precision="float32", layout="contiguous")
    return Training(space, digits, recipe)


def test_a_trial_of_three_epochs_continued_to_nine_trains_six_more(averaging, small, tmp_path):
    first = averaging(Proposal(small, epochs=3), 0, Context(number=4, folder=tmp_path))
    then = averaging(Proposal(small, epochs=9, continues=4), 1, Context(number=7, folder=tmp_path))
    assert (first.epochs, then.epochs) == (3, 6)
    assert [p["epoch"] for p in then.curve] == [4, 5, 6, 7, 8, 9]
    assert then.extra["continued_from_epoch"] == 3
    assert then.curve[1]["train_loss"] < first.curve[0]["train_loss"], "it does not begin anew"
    assert then.metrics["accuracy"] > first.metrics["accuracy"]
    assert path_of(tmp_path, 7).exists()


def test_continuing_is_reproducible(averaging, small, tmp_path):
    averaging(Proposal(small, epochs=1), 0, Context(number=0, folder=tmp_path))
    go_on = Proposal(small, epochs=3, continues=0)
    once, twice = (averaging(go_on, 5, Context(number=n, folder=tmp_path)) for n in (1, 2))
    assert once == twice


def test_the_rate_rises_and_comes_down_again_over_the_added_epochs(averaging, small, tmp_path):
    first = averaging(Proposal(small, epochs=3), 0, Context(number=0, folder=tmp_path))
    then = averaging(Proposal(small, epochs=9, continues=0), 0, Context(number=1, folder=tmp_path))
    rates = [p["lr"] for p in first.curve + then.curve]
    assert rates[2] < 0.01 * averaging.recipe.lr
    assert rates[-1] < 0.01 * averaging.recipe.lr
    assert max(rates[3:]) > 0.5 * averaging.recipe.lr


def test_all_of_the_training_goes_on_not_the_weights_alone(averaging, small, tmp_path):
    averaging(Proposal(small, epochs=2), 0, Context(number=0, folder=tmp_path))
    saved = torch.load(path_of(tmp_path, 0), weights_only=True)
    assert saved["epoch"] == 2
    assert saved["optimizer"]["state"][0]["step"] == 2 * round(len(averaging.task.train) / 64)
    assert saved["updates"] == saved["optimizer"]["state"][0]["step"]


def test_a_best_epoch_of_before_stays_the_best(space, digits, small, tmp_path):
    """Going on at a ruinous rate: the measurement is still that of the good weights."""
    gentle = Training(space, digits, Recipe(batch_size=32, precision="float32", layout="contiguous"))
    ruinous = Training(space, digits, Recipe(lr=30.0, optimizer="adamw", precision="float32", layout="contiguous"))
    first = gentle(Proposal(small, epochs=4), 0, Context(number=0, folder=tmp_path))
    then = ruinous(Proposal(small, epochs=5, continues=0), 0, Context(number=1, folder=tmp_path))
    assert then.curve[0]["accuracy"] < first.metrics["accuracy"]
    assert then.metrics["accuracy"] == first.metrics["accuracy"]
    assert then.extra["best_epoch"] <= 4


def test_lost_weights_mean_training_from_the_beginning(averaging, small, tmp_path):
    measured = averaging(Proposal(small, epochs=2, continues=0), 0, Context(number=1, folder=tmp_path))
    assert measured.epochs == 2
    assert "trial 0" in measured.extra["restarted"]


def test_broken_weights_are_told(averaging, small, tmp_path):
    path_of(tmp_path, 0).parent.mkdir()
    path_of(tmp_path, 0).write_bytes(b"PK\x03\x04 cut short")
    with pytest.raises(EvaluationError, match="cannot be read as weights"):
        averaging(Proposal(small, epochs=2, continues=0), 0, Context(number=1, folder=tmp_path))


def test_weights_of_another_architecture_are_refused(averaging, small, tmp_path):
    averaging(Proposal(small, epochs=1), 0, Context(number=0, folder=tmp_path))
    other = Architecture({"0/width": 16, "4/dropout": 0.0})
    with pytest.raises(EvaluationError, match="another architecture"):
        averaging(Proposal(other, epochs=2, continues=0), 0, Context(number=1, folder=tmp_path))


def test_continuing_to_fewer_epochs_is_refused(averaging, small, tmp_path):
    averaging(Proposal(small, epochs=2), 0, Context(number=0, folder=tmp_path))
    with pytest.raises(EvaluationError, match="trained for 2 epochs already"):
        averaging(Proposal(small, epochs=2, continues=0), 0, Context(number=1, folder=tmp_path))


def test_nothing_is_kept_without_a_folder_or_a_number_of_epochs(training, small, tmp_path):
    training(Proposal(small), 0, Context(number=0, folder=tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_a_file_of_weights_is_whole_and_alone(averaging, small, tmp_path):
    averaging(Proposal(small, epochs=1), 0, Context(number=0, folder=tmp_path))
    assert [p.name for p in (tmp_path / "weights").iterdir()] == ["0.pt"]


def test_a_folder_that_cannot_be_written_does_not_lose_the_measurement(averaging, small, tmp_path):
    (tmp_path / "weights").write_text("a file where the folder should be")
    measured = averaging(Proposal(small, epochs=1), 0, Context(number=0, folder=tmp_path))
    assert measured.metrics["accuracy"] > 0
    assert measured.extra["not_saved"]
