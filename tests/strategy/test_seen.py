from archwright.space import Space, choice
from archwright.strategy import RegularizedEvolution
from archwright.testing.strategy import run
from archwright.trial import Measurement


def test_evolution_goes_on_where_rules_leave_an_architecture_no_mutation():
    # a and b change together or not at all, so no allowed architecture differs in one decision.
    space = Space({"a": choice(*range(9)), "b": choice(*range(9))}).where(lambda x: x["a"] == x["b"])
    strategy = RegularizedEvolution(space, population_size=3, tournament_size=2)
    trials = run(strategy, space, n=20, evaluate=lambda x: Measurement({"loss": float(x["a"])}))
    assert sorted(t.architecture["a"] for t in trials) == list(range(9))


def test_evolution_of_one_member_is_exhausted_by_a_space_of_one():
    space = Space({"a": choice(1)})
    strategy = RegularizedEvolution(space, population_size=1, tournament_size=1)
    assert len(run(strategy, space, n=5, evaluate=lambda x: Measurement({"loss": 1.0}))) == 1
