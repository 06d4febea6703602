"""Networks for whole graphs: layers in which nodes hear from their neighbours, and one vector of all nodes.

A graph is a matrix of as many rows as the largest graph has nodes: whether there is such a node, its features, and to
which nodes it is joined. Sums over neighbours are then products of matrices, which every runtime has; graphs of some
hundred nodes fit, larger ones do not.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from archwright.errors import EvaluationError
from archwright.nn.activations import ACTIVATIONS, activation
from archwright.nn.check import at_least, fraction, one_of, rank_of
from archwright.nn.inferred import Inferred

__all__ = ["GRAPH_JOINS", "GRAPH_NORMS", "MESSAGES", "READOUTS", "GraphNetwork", "MessageBlock"]

MESSAGES = ("gcn", "sage", "sum", "gin", "gat")
GRAPH_NORMS = ("none", "layer", "graph")
GRAPH_JOINS = ("last", "concat", "max", "sum")
READOUTS = ("sum", "mean", "max", "attention")

FAR = 1e4
"""What is taken from a score so that it counts no more: not infinite, which half precision makes NaN of."""


class MessageBlock(Inferred):
    """A layer in which each node hears from its neighbours, then normalisation, activation and dropout.

    With neighbours N(i), degrees d counting the node itself, and learned W, V, a:

    - ``gcn``: sum over N(i) and i of W h_j / sqrt(d_i d_j) (Kipf & Welling, ICLR 2017, equation 2,
      https://arxiv.org/abs/1609.02907);
    - ``sage``: W h_i + V mean over N(i) of h_j (Hamilton et al., *GraphSAGE*, NeurIPS 2017,
      https://arxiv.org/abs/1706.02216);
    - ``sum``: W h_i + V sum over N(i) of h_j (Morris et al., AAAI 2019, https://arxiv.org/abs/1810.02244);
    - ``gin``: a perceptron of (1 + e) h_i + sum over N(i) of h_j, e learned (Xu et al., ICLR 2019, equation 4.1,
      https://arxiv.org/abs/1810.00826);
    - ``gat``: sum over N(i) and i of w_ij W h_j, the weights w a softmax of leaky_relu(a [W h_i, W h_j]), several heads
      side by side (Veličković et al., ICLR 2018, https://arxiv.org/abs/1710.10903).

    Shapes: nodes (B, N, features), joined (B, N, N) of zeros and ones, there (B, N); to (B, N, width).

    Args:
        width: Numbers of a node afterwards; None keeps them.
        kind: One of `MESSAGES`.
        activation: One of `archwright.nn.ACTIVATIONS`.
        norm: ``layer`` over the numbers of a node, ``graph`` over the nodes of a graph (Cai et al., *GraphNorm*, ICML
            2021, https://arxiv.org/abs/2009.03294), or ``none``.
        dropout: Share of numbers dropped.
        residual: Whether what came in is added, where it has the same width.
        heads: Of ``gat``; the width is rounded up to a multiple.
    """

    def __init__(
        self,
        width: int | None = None,
        kind: str = "gin",
        activation: str = "relu",
        norm: str = "none",
        dropout: float = 0.0,
        residual: bool = False,
        heads: int = 4,
    ):
        super().__init__()
        at_least("MessageBlock", 1, width=width, heads=heads)
        one_of("MessageBlock", "kind", kind, MESSAGES)
        one_of("MessageBlock", "activation", activation, ACTIVATIONS)
        one_of("MessageBlock", "norm", norm, GRAPH_NORMS)
        fraction("MessageBlock", dropout=dropout)
        self.width, self.kind, self.activation, self.norm = width, kind, activation, norm
        self.dropout, self.residual, self.heads = dropout, residual, heads
        self.body: nn.Module | None = None
        self.after: nn.Module | None = None
        self.adds = False

    def forward(self, nodes: Tensor, joined: Tensor, there: Tensor) -> Tensor:
        """What each node is after it has heard; nodes that are not there stay zeros."""
        if self.waiting:
            self._make(nodes)
        assert self.body is not None
        assert self.after is not None
        heard = self.after(self.body(nodes, joined, there), there)
        heard = heard + nodes if self.adds else heard
        return heard * there.unsqueeze(2)

    def _make(self, nodes: Tensor) -> None:
        features = nodes.shape[2]
        width = self.width or features
        made: dict[str, type[_Heard]] = {"gcn": _GCN, "sage": _Sage, "sum": _Sum, "gin": _GIN}
        body = _GAT(features, width, self.heads) if self.kind == "gat" else made[self.kind](features, width)
        after = _After(body.width, self.norm, self.activation, self.dropout)
        self.body, self.after = (part.to(nodes.device).train(self.training) for part in (body, after))
        self.adds = self.residual and body.width == features
        self.waiting = False


class _Heard(nn.Module):
    """What a node makes of itself and of its neighbours."""

    def __init__(self, features: int, width: int):
        super().__init__()
        self.width = width
        self.own = nn.Linear(features, width)


class _GCN(_Heard):
    def forward(self, nodes: Tensor, joined: Tensor, there: Tensor) -> Tensor:
        root = (joined.sum(2) + 1).clamp_min(1).rsqrt().unsqueeze(2)
        scaled = root * F.linear(nodes, self.own.weight)
        return root * (torch.bmm(joined, scaled) + scaled) + self.own.bias


class _Sage(_Heard):
    def __init__(self, features: int, width: int):
        super().__init__(features, width)
        self.other = nn.Linear(features, width, bias=False)

    def forward(self, nodes: Tensor, joined: Tensor, there: Tensor) -> Tensor:
        mean = torch.bmm(joined, nodes) / joined.sum(2, keepdim=True).clamp_min(1)
        return self.own(nodes) + self.other(mean)


class _Sum(_Heard):
    def __init__(self, features: int, width: int):
        super().__init__(features, width)
        self.other = nn.Linear(features, width, bias=False)

    def forward(self, nodes: Tensor, joined: Tensor, there: Tensor) -> Tensor:
        return self.own(nodes) + self.other(torch.bmm(joined, nodes))


class _GIN(_Heard):
    def __init__(self, features: int, width: int):
        super().__init__(features, width)
        self.more = nn.Parameter(torch.zeros(1))
        self.second = nn.Linear(width, width)

    def forward(self, nodes: Tensor, joined: Tensor, there: Tensor) -> Tensor:
        return self.second(torch.relu(self.own((1 + self.more) * nodes + torch.bmm(joined, nodes))))


class _GAT(nn.Module):
    def __init__(self, features: int, width: int, heads: int):
        super().__init__()
        heads = min(heads, width)
        each = math.ceil(width / heads)
        self.width, self.heads = heads * each, heads
        self.value = nn.Linear(features, self.width, bias=False)
        self.ends = nn.Parameter(torch.empty(2, heads, each))
        self.bias = nn.Parameter(torch.zeros(self.width))
        nn.init.xavier_uniform_(self.ends)

    def forward(self, nodes: Tensor, joined: Tensor, there: Tensor) -> Tensor:
        value = self.value(nodes).unflatten(2, (self.heads, -1)).transpose(1, 2)  # (B, heads, N, each)
        to, of = (value * self.ends[0].unsqueeze(1)).sum(3), (value * self.ends[1].unsqueeze(1)).sum(3)
        scores = F.leaky_relu(to.unsqueeze(3) + of.unsqueeze(2), 0.2)
        self_too = torch.maximum(joined, torch.diag_embed(torch.ones_like(there))).unsqueeze(1)
        weights = (scores - FAR * (1 - self_too)).softmax(3)
        return torch.matmul(weights, value).transpose(1, 2).flatten(2) + self.bias


class _After(nn.Module):
    """Normalisation, activation, dropout."""

    def __init__(self, width: int, norm: str, act: str, dropout: float):
        super().__init__()
        self.norm: nn.Module | None = None
        if norm != "none":
            self.norm = _GraphNorm(width) if norm == "graph" else _LayerNorm(width)
        rest = [activation(act)] if act != "none" else []
        self.rest = nn.Sequential(*rest, *([nn.Dropout(dropout)] if dropout else []))

    def forward(self, nodes: Tensor, there: Tensor) -> Tensor:
        return self.rest(nodes if self.norm is None else self.norm(nodes, there))


class _LayerNorm(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        self.norm = nn.LayerNorm(width)

    def forward(self, nodes: Tensor, there: Tensor) -> Tensor:
        return self.norm(nodes)


class _GraphNorm(nn.Module):
    """Over the nodes of each graph; how much of their mean is taken away is learned."""

    def __init__(self, width: int):
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.ones(width)), nn.Parameter(torch.zeros(width))
        self.share = nn.Parameter(torch.ones(width))

    def forward(self, nodes: Tensor, there: Tensor) -> Tensor:
        kept, n = there.unsqueeze(2), there.sum(1).clamp_min(1).view(-1, 1, 1)
        less = nodes - self.share * ((nodes * kept).sum(1, keepdim=True) / n)
        deviation = (((less * kept) ** 2).sum(1, keepdim=True) / n + 1e-5).sqrt()
        return self.weight * less / deviation + self.bias


class GraphNetwork(Inferred):
    """Layers of messages, what each of them found joined, all nodes to one vector, and a head.

    Shapes: (B, N, 1 + features + N) to what the head gives of (B, width). A row is a node: 1 where there is one, its
    features, and 1 for each node that it is joined to. What is said of a graph depends neither on the order of its
    nodes nor on how many rows are filled up.

    Args:
        layers: Of `MessageBlock`; a head for vectors last.
        join: What all layers found side by side (``concat``), the largest of it (``max``), its ``sum``, or the ``last``
            alone: jumping knowledge (Xu et al., ICML 2018, https://arxiv.org/abs/1806.03536). ``max`` and ``sum`` need
            layers of one width.
        readout: Of nodes: ``sum``, ``mean``, ``max``, or a mean weighed by learned ``attention`` (Li et al., ICLR 2016,
            equation 7, https://arxiv.org/abs/1511.05493, with one softmax over the nodes).
    """

    tells_more = True
    """Its layers are called with more than one tensor, so that no other module can stand for one of them."""

    def __init__(self, *layers: nn.Module, join: str = "last", readout: str = "sum"):
        super().__init__()
        one_of("GraphNetwork", "join", join, GRAPH_JOINS)
        one_of("GraphNetwork", "readout", readout, READOUTS)
        if len(layers) < 2:
            raise EvaluationError(f"GraphNetwork has {len(layers)} parts: a layer of messages and a head are needed")
        self.layers, self.head = nn.ModuleList(layers[:-1]), layers[-1]
        self.join, self.readout = join, readout
        self.nodes = 0
        self.score: nn.Module | None = nn.LazyLinear(1) if readout == "attention" else None

    def forward(self, x: Tensor) -> Tensor:
        """What the head gives of whole graphs."""
        if self.waiting:
            rank_of("GraphNetwork", tuple(x.shape), (3,))
            if x.shape[2] < x.shape[1] + 2:
                raise EvaluationError(
                    f"GraphNetwork takes (batch, nodes, 1 + features + nodes), a feature at least; got {tuple(x.shape)}"
                )
            self.nodes = x.shape[1]
        there, h, joined = x[:, :, 0], x[:, :, 1 : -self.nodes], x[:, :, -self.nodes :]
        found = []
        for layer in self.layers:
            h = layer(h, joined, there)
            found.append(h)
        if self.waiting and self.join in ("max", "sum") and len({f.shape[2] for f in found}) > 1:
            widths = [f.shape[2] for f in found]
            raise EvaluationError(f"GraphNetwork: join={self.join!r} needs layers of one width; got {widths}")
        self.waiting = False
        return self.head(self._read(self._joined(found), there))

    def _joined(self, found: list[Tensor]) -> Tensor:
        if self.join == "concat":
            return torch.cat(found, 2)
        if self.join == "last":
            return found[-1]
        both = torch.stack(found)
        return both.amax(0) if self.join == "max" else both.sum(0)

    def _read(self, h: Tensor, there: Tensor) -> Tensor:
        kept = there.unsqueeze(2)
        if self.readout == "sum":
            return (h * kept).sum(1)
        if self.readout == "mean":
            return (h * kept).sum(1) / kept.sum(1).clamp_min(1)
        if self.readout == "max":
            return (h - FAR * (1 - kept)).amax(1) * kept.amax(1)
        assert self.score is not None
        weights = (self.score(h) - FAR * (1 - kept)).softmax(1)
        return (weights * h * kept).sum(1)
