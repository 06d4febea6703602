"""Equal results are promised for equal numbers of threads."""

import pytest
import torch

from archwright.supernet import Supernet


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def trained(monkeypatch):
    """Every architecture that supernets are trained on from now on, in order."""
    seen = []
    forward = Supernet.forward

    def noted(self, x, gates):
        if self.training:
            seen.append(gates)
        return forward(self, x, gates)

    monkeypatch.setattr(Supernet, "forward", noted)
    return seen
