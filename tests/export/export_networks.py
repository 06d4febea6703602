"""Networks to export: each of another kind, with weights that are not their first ones."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

IMAGE = (1, 8, 8)
SEQUENCE = (3, 6)


class Residual(nn.Module):
    def __init__(self, channels: int):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(channels, channels, 3, padding=1), nn.BatchNorm2d(channels), nn.ReLU())

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x)


class Branches(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU())
        self.residual = Residual(8)
        self.paths = nn.ModuleList([nn.Conv2d(8, 4, 1), nn.Sequential(nn.ReLU(), nn.Conv2d(8, 4, 3, padding=1))])
        self.idle = nn.Sequential(nn.Identity(), nn.Dropout(0.0))
        self.register_buffer("scale", torch.tensor([0.5]), persistent=False)
        self.head = nn.Linear(8, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.residual(self.stem(x))
        x = F.gelu(torch.cat([path(x) for path in self.paths], 1)) * self.scale
        return self.head(self.idle(x.mean((2, 3)).view(x.shape[0], -1)))


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(3, 6, num_layers=2, bidirectional=True, batch_first=True)
        self.gru = nn.GRU(12, 5, batch_first=True)
        self.rnn = nn.RNN(5, 4, nonlinearity="relu", batch_first=True)
        self.head = nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        y, (h, _) = self.lstm(x.transpose(1, 2))
        y, _ = self.gru(y)
        _, last = self.rnn(y)
        return self.head(torch.cat([last[-1], h[0, :, :4]], 1))


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv1d(3, 8, 3, padding=1)
        self.position = nn.Parameter(torch.zeros(1, 6, 8))
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.block = nn.TransformerEncoderLayer(8, 2, 16, activation="gelu", batch_first=True, norm_first=True)
        self.head = nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        y = self.stem(x).transpose(1, 2) + self.position
        y = y + self.attention(y, y, y, need_weights=False)[0]
        return self.head(self.block(y).mean(1))


class Last(nn.Module):
    """The last position of what a recurrent layer gives."""

    def __init__(self, layer: nn.RNNBase):
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x)[0][:, -1]


class WeightNorm(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = weight_norm(nn.Conv1d(3, 6, 3, dilation=2))
        self.head = nn.Linear(6, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(F.pad(self.conv(x), (4, 0)).amax(-1))


class Tied(nn.Module):
    """Tokens in, tokens out, by one table."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(11, 6)
        self.head = nn.Linear(6, 11, bias=False)
        self.head.weight = self.embedding.weight

    def forward(self, tokens: Tensor) -> Tensor:
        return self.head(self.embedding(tokens).mean(1))


class InPlace(nn.Module):
    """Every value is changed after it was named."""

    def __init__(self):
        super().__init__()
        self.act = nn.ReLU(inplace=True)
        self.line = nn.Linear(5, 5)

    def forward(self, x: Tensor) -> Tensor:
        y = self.line(x)
        kept = y * 1.0
        self.act(y)
        y += x
        y.mul_(2)
        return y - kept[:, 1:2]


THRESHOLD = 0.1


def doubled(x: Tensor) -> Tensor:
    return x * 2 if x.sum() > THRESHOLD else x


class Gate(nn.Module):
    """Control flow that depends on the data; it does not keep its argument `size`."""

    def __init__(self, size: int, flipped: bool = False):
        super().__init__()
        self.inner = nn.Linear(size, size)
        self.flipped = flipped

    def forward(self, x: Tensor) -> Tensor:
        if (x.mean() > THRESHOLD) != self.flipped:
            return self.inner(doubled(x))
        return x


class Gated(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Flatten(), nn.Linear(64, 6), Gate(6), nn.Linear(6, 3))

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x)


TRACEABLE = {
    "branches": (Branches, IMAGE),
    "recurrent": (Recurrent, SEQUENCE),
    "attention": (Attention, SEQUENCE),
    "weight norm": (WeightNorm, SEQUENCE),
    "one layer": (lambda: nn.Linear(4, 2), (4,)),
    "in place": (InPlace, (5,)),
}


def trained(make, seed: int = 0) -> nn.Module:
    """The network with other weights and statistics than it was made with."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = make()
        with torch.no_grad():
            for tensor in (*network.parameters(), *network.buffers()):
                if tensor.dtype.is_floating_point:
                    tensor.add_(torch.randn_like(tensor).abs() * 0.2)
    return network.eval()
