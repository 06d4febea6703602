from archwright.strategy.gaussian import GaussianProcess
from archwright.testing import StrategyContract


class TestGaussianProcess(StrategyContract):
    def make(self, space):
        return GaussianProcess(space, initial=5, candidates=60)
