"""What cannot be says so: the module, the place, and what was allowed."""

import pytest

from archwright import nn
from archwright.errors import EvaluationError, SpaceError
from archwright.nn import materialize


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: nn.ConvBlock(8, activation="rellu"), "ConvBlock: unknown activation 'rellu'.*Did you mean 'relu'"),
        (lambda: nn.ConvBlock(8, norm="bach"), "ConvBlock: unknown norm 'bach'.*Did you mean 'batch'"),
        (lambda: nn.LinearBlock(8, init="xaver"), "LinearBlock: unknown init 'xaver'.*Did you mean 'xavier'"),
        (lambda: nn.LinearBlock(8, norm="instance"), "LinearBlock: unknown norm 'instance'"),
        (lambda: nn.Parallel(nn.Identity(), merge="add"), "Parallel: unknown merge 'add'. Allowed: sum, concat"),
        (lambda: nn.Parallel(), "Parallel: branches must be a whole number, 1 or more; got 0"),
        (lambda: nn.Recurrent(8, "gruu"), "Recurrent: unknown cell 'gruu'.*Did you mean 'gru'"),
        (lambda: nn.CausalBlock(8, norm="layer"), "CausalBlock: unknown norm 'layer'"),
        (lambda: nn.Pool("mean"), "Pool: unknown kind 'mean'"),
        (lambda: nn.ConvBlock(0), "ConvBlock: width must be a whole number, 1 or more; got 0"),
        (lambda: nn.ConvBlock(8, kernel=2.5), "ConvBlock: kernel must be a whole number"),
        (lambda: nn.ConvBlock(8, dropout=1), "ConvBlock: dropout must lie in 0..1"),
        (lambda: nn.SqueezeExcite(0), "SqueezeExcite: the squeeze-excite ratio"),
        (lambda: nn.InvertedResidual(expansion=0), "InvertedResidual: expansion must be above 0"),
        (lambda: nn.Cell(nn.Identity(), nn.Identity()), "Cell: 2 edges make no complete graph"),
        (lambda: nn.StateCell([[0], [2]], [[nn.Zero()], [nn.Zero()]]), "StateCell: node 2 reads states .2."),
        (lambda: nn.Classifier(10, hidden=(8, 0)), r"Classifier: hidden\[1\] must be a whole number"),
    ],
)
def test_a_constructor_refuses_what_makes_no_sense(make, message):
    with pytest.raises(SpaceError, match=message):
        make()


@pytest.mark.parametrize(
    ("make", "shape", "message"),
    [
        (lambda: nn.ConvBlock(8, 9, padding="valid"), (1, 8, 8), "ConvBlock.*kernel 9.*padded input has 8"),
        (lambda: nn.ConvBlock(8, groups=3), (4, 9), "groups 3 must divide both 4 input channels and width 8"),
        (lambda: nn.Sequential(nn.MaxPool(2), nn.MaxPool(2)), (1, 3), r"at '1' \(Pool, input.*less than one of 1"),
        (lambda: nn.Residual(nn.ConvBlock(3), project=False), (4, 9), "Residual: the body turns"),
        (lambda: nn.Residual(nn.GlobalPool()), (4, 9), "must keep the number of axes"),
        (lambda: nn.Parallel(nn.ConvBlock(3), nn.ConvBlock(4)), (2, 9), r"Parallel: branches of shapes .* be added"),
        (
            lambda: nn.Parallel(nn.ConvBlock(3), nn.MaxPool(2), merge="concat"),
            (2, 9),
            "Parallel: branches of shapes .* be concatenated",
        ),
        (lambda: nn.Cell(nn.ConvBlock(3), nn.Identity(), nn.Identity()), (2, 9), "Cell: node 2 cannot add"),
        (lambda: nn.Recurrent(4), (1, 8, 8), "Recurrent takes sequences .*; got an input of shape"),
        (lambda: nn.ConvBlock(4), (7,), "ConvBlock takes sequences .* or images"),
        (lambda: nn.SelfAttention(3), (8, 9), "3 heads do not divide 8 channels"),
        (lambda: nn.Sequential(nn.GlobalPool(), nn.ConvBlock(3, norm="instance")), (2, 9), "at '1' .ConvBlock"),
        (lambda: nn.ConvBlock(3, 3, padding="valid", norm="instance"), (2, 3), "instance"),
        (lambda: nn.Sequential(nn.Flatten(), nn.Linear(5, 3)), (2, 3), r"at '1' \(Linear, input \(2, 6\)\)"),
        (lambda: nn.DenseBlock(kernel=4), (2, 9), "DenseBlock: kernel must be odd"),
    ],
)
def test_a_shape_that_cannot_be_is_named_with_its_place(make, shape, message):
    with pytest.raises(EvaluationError, match=message) as caught:
        materialize(make(), shape)
    assert f"cannot take inputs of shape {shape}" in str(caught.value)


def test_parts_that_see_no_input_are_named():
    class Branching(nn.Sequential.function):
        def forward(self, x):
            return self[0](x)

    with pytest.raises(EvaluationError, match=r"see no input.*'1'"):
        materialize(Branching(nn.ConvBlock(3), nn.ConvBlock(3)), (2, 9))
