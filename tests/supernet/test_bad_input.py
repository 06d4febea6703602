"""What cannot work is told with its place in the space."""

import pytest
import torch

from archwright import Space, choice, nn, repeat, searchable
from archwright.errors import EvaluationError, ObjectiveError, SpaceError
from archwright.supernet import Supernet

X = torch.randn(3, 4, 5, 5, generator=torch.Generator().manual_seed(0))


def supernet(*parts, shape=(4, 5, 5)):
    return Supernet(Space(nn.Sequential(*parts)), shape)


def test_a_space_without_a_choice():
    with pytest.raises(SpaceError, match=r"no choice.*space\.build"):
        Supernet(Space(nn.Sequential(nn.ConvBlock(4))), (4, 5, 5))


def test_a_space_that_is_no_network():
    with pytest.raises(SpaceError, match="whose value is a network"):
        Supernet(Space({"lr": choice(0.1, 0.2)}), (4, 5, 5))


def test_a_space_whose_networks_take_no_such_input():
    with pytest.raises(EvaluationError, match=r"none of .* takes inputs of shape \(4,\).*ConvBlock takes"):
        supernet(nn.ConvBlock(choice(4, 8)), shape=(4,))


def test_candidates_whose_shapes_cannot_be_added():
    net = supernet(choice(nn.ConvBlock(4), nn.ConvBlock(8), name="op"))
    assert net(X, [1]).shape[1] == 8
    with pytest.raises(EvaluationError, match=r"choice 'op'.*ConvBlock\(4\): \(3, 4, 5, 5\).*\(3, 8, 5, 5\)"):
        net(X, [torch.tensor([0.5, 0.5])])


def test_depths_whose_positions_cannot_be_added():
    net = supernet(repeat(nn.ConvBlock(stride=2), (0, 1), name="deep"))
    with pytest.raises(EvaluationError, match=r"repeat 'deep/times'.*0 times.*1 times"):
        net(X, [torch.tensor([0.5, 0.5])])


class InPlace(torch.nn.Module):
    def forward(self, x):
        return x.add_(1)


@pytest.mark.parametrize("gates", [[1], [torch.tensor([0.5, 0.5])]])
@pytest.mark.parametrize("culprit", [InPlace(), torch.nn.ReLU(inplace=True)])
def test_a_candidate_that_changes_its_input(gates, culprit):
    net = supernet(choice(nn.Identity(), culprit, name="op"))
    with pytest.raises(EvaluationError, match=f"choice 'op': {type(culprit).__name__} changes its input in place"):
        net(X.clone(), gates)


def test_a_repeated_module_that_changes_what_an_earlier_exit_has_made():
    net = supernet(repeat(InPlace(), (0, 2), name="deep"))
    assert net(X.clone(), [1]).shape == X.shape
    with pytest.raises(EvaluationError, match="repeat 'deep/times': copy 0 changes its input"):
        net(X.clone(), [torch.full((3,), 1 / 3)])


def test_a_batch_of_one_in_training_with_batch_norm():
    net = supernet(nn.Flatten(), nn.LinearBlock(choice(4, 8), norm="batch"), shape=(4, 5, 5))
    with pytest.raises(EvaluationError, match=r"at '1'.*batch norm cannot train on a batch of 1"):
        net.train()(X[:1], [0])
    assert net.eval()(X[:1], [0]).shape == (1, 4)


def test_inputs_of_another_size_are_told_by_place():
    net = supernet(nn.ConvBlock(choice(4, 8)), nn.Classifier(2, pool="flatten"))
    with pytest.raises(EvaluationError, match=r"at '0', input \(2, 7, 5, 5\).*larger than any seen"):
        net(torch.randn(2, 7, 5, 5), [0])


def test_an_architecture_that_cannot_be_is_told_by_place():
    net = supernet(nn.SelfAttention(choice(1, 3, name="heads")), nn.Classifier(2), shape=(4, 6))
    with pytest.raises(EvaluationError, match=r"at '0'.*3 heads do not divide 4 channels"):
        net(torch.randn(2, 4, 6), [1])


def test_an_error_of_a_users_module_is_told_by_place():
    class Fails(torch.nn.Module):
        def __init__(self, n):
            super().__init__()
            self.n = n

        def forward(self, x):
            if self.n == 2:
                raise ValueError("two is too many")
            return x

    net = supernet(nn.ConvBlock(4), searchable(Fails)(choice(1, 2, name="n")))
    with pytest.raises(EvaluationError, match=r"at '1'.*two is too many"):
        net(X, [1])


def test_partial_channels_through_candidates_that_change_the_width():
    net = Supernet(Space(choice(nn.ConvBlock(8), nn.ConvBlock(8, 1), name="op")), (4, 5, 5), partial=2)
    with pytest.raises(EvaluationError, match="choice 'op': with partial=2"):
        net(X, [torch.tensor([0.5, 0.5])])


@pytest.mark.parametrize("partial", [0, 1.5])
def test_partial_must_be_a_whole_number(partial):
    with pytest.raises(SpaceError, match="partial must be a whole number, 1 or more"):
        Supernet(Space(choice(nn.ConvBlock(), nn.Identity())), (4, 5, 5), partial=partial)


def test_an_unknown_table():
    net = supernet(nn.ConvBlock(choice(4, 8)))
    with pytest.raises(ObjectiveError, match="Did you mean 'params'"):
        net.table("param")
