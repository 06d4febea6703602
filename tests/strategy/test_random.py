from archwright.space import Space, choice, repeat, searchable
from archwright.strategy import Random
from archwright.testing import StrategyContract
from archwright.testing.strategy import TOY, run
from archwright.trial import Measurement

chain = searchable(lambda *parts: parts, flow=lambda flow, x, *parts: flow.chain(parts, x))


class Same:
    """A layer that does nothing."""


identity = searchable(Same, flow=lambda flow, x: x)


class TestRandom(StrategyContract):
    def make(self, space):
        return Random(space)

    def test_it_never_proposes_a_function_twice_though_architectures_share_functions(self):
        maybe = choice(searchable(lambda k: k)(choice(1, 3)), identity(), name="op")
        space = Space(chain(repeat(maybe, 3)))
        trials = run(Random(space), space, n=100, evaluate=lambda a: Measurement({"loss": 0.0}))
        assert space.size == 27
        assert len(trials) == len({t.key for t in trials}) == 1 + 2 + 4 + 8

    def test_it_does_not_learn(self):
        one = run(Random(TOY), TOY, n=30)
        other = run(Random(TOY), TOY, n=30, evaluate=lambda a: Measurement({"loss": 1.0}))
        assert [t.architecture for t in one] == [t.architecture for t in other]
