import builtins
import itertools
import random
from collections import Counter

import numpy as np
import pytest

from archwright.errors import MissingExtraError
from archwright.space import Space, choice, real
from archwright.strategy import GeneticAlgorithm, Random
from archwright.testing import StrategyContract
from archwright.testing.strategy import CAPPED, TOY, TWO, run
from archwright.trial import Measurement, Proposal, Trial

BITS = Space({f"bit{i}": choice(0, 1) for i in range(12)})
ROUTE = Space({f"stop{i}": choice(*range(12)) for i in range(12)})


def done(space, number, loss, architecture=None):
    architecture = architecture or space.sample(np.random.default_rng(number))
    return Trial(
        number, Proposal(architecture), "done", Measurement({"loss": loss}), (loss,), key=space.key(architecture)
    )


def with_generation(losses, **settings):
    """A strategy whose first generation has these losses."""
    strategy = GeneticAlgorithm(ROUTE, population_size=len(losses), **settings)
    for number, loss in enumerate(losses):
        strategy.tell(done(ROUTE, number, loss))
    return strategy


def first_parents(strategy, n):
    """Whom n children are of, as numbers; only fit for strategies without crossover."""
    asked = (strategy.ask(np.random.default_rng(i)) for i in range(n))
    return Counter(parent for proposal in asked for parent in proposal.parents)


class TestGeneticAlgorithm(StrategyContract):
    def make(self, space):
        return GeneticAlgorithm(space, population_size=8)

    def test_it_beats_random_search(self):
        # A one-sided sign test at 20 pairs fails by chance in less than 1 of 1,000 runs when 17 or more are won.
        wins = 0
        for seed in range(20):
            ours = min(t.scores[0] for t in run(self.make(TOY), TOY, n=80, seed=seed))
            chance = min(t.scores[0] for t in run(Random(TOY), TOY, n=80, seed=seed))
            wins += ours <= chance
        assert wins >= 17

    @pytest.mark.parametrize("elitism", [0, 1, 3])
    def test_elitism_keeps_the_best_of_the_generation_before(self, elitism):
        strategy = GeneticAlgorithm(TOY, population_size=8, elitism=elitism)
        before: tuple[Trial, ...] = ()
        lost = 0
        for trial in run(self.make(TOY), TOY, n=100):
            strategy.tell(trial)
            if strategy.population != before and before:
                best = {t.number for t in sorted(before, key=lambda t: t.scores)[:elitism]}
                assert best <= {t.number for t in strategy.population}
                lost += min(t.scores for t in strategy.population) > min(t.scores for t in before)
            before = strategy.population
        assert len(before) == 8
        assert lost == 0 if elitism else lost > 0

    def test_roulette_selects_in_proportion_to_fitness(self):
        # Losses 0..4 are rewards 1, .75, .5, .25, 0: already nothing above the worst.
        strategy = with_generation([4.0, 3.0, 2.0, 1.0, 0.0], selection="roulette", crossover_rate=0.0, elitism=0)
        n = 2_000
        counts = first_parents(strategy, n)
        expected = np.array([0.0, 0.1, 0.2, 0.3, 0.4]) * n
        found = np.array([counts[i] for i in range(5)])
        assert found[0] == 0
        chi2 = np.sum((found[1:] - expected[1:]) ** 2 / expected[1:])
        assert chi2 < 21.1  # 3 degrees of freedom: exceeded by chance in 1 of 10,000 runs

    def test_a_tournament_is_won_by_the_best_of_those_drawn(self):
        # The i-th best of 5 wins a tournament of 2 with probability ((6 - i)^2 - (5 - i)^2) / 25.
        strategy = with_generation([4.0, 3.0, 2.0, 1.0, 0.0], tournament_size=2, crossover_rate=0.0, elitism=0)
        n = 2_000
        counts = first_parents(strategy, n)
        expected = np.array([1, 3, 5, 7, 9]) / 25 * n
        chi2 = np.sum((np.array([counts[i] for i in range(5)]) - expected) ** 2 / expected)
        assert chi2 < 23.6  # 4 degrees of freedom: exceeded by chance in 1 of 10,000 runs

    def test_roulette_serves_a_population_of_equals(self):
        strategy = with_generation([1.0] * 4, selection="roulette", crossover_rate=0.0)
        assert set(first_parents(strategy, 200)) == {0, 1, 2, 3}

    @pytest.mark.parametrize(("kind", "most"), [("one-point", 1), ("multi-point", 2), ("uniform", 11)])
    def test_a_child_takes_genes_of_both_parents(self, kind, most):
        strategy = GeneticAlgorithm(
            BITS, population_size=2, elitism=1, tournament_size=1, crossover=kind, crossover_rate=1.0, mutation_rate=0.0
        )
        for number, bit in enumerate((0, 1)):
            strategy.tell(done(BITS, number, 1.0, BITS.architecture([bit] * 12)))
        children = [strategy.ask(np.random.default_rng(i)) for i in range(60)]
        crossed = [list(p.architecture.values()) for p in children if len(p.parents) == 2 and "child" in p.origin]
        assert len(crossed) > 15
        seams = [sum(a != b for a, b in itertools.pairwise(genes)) for genes in crossed]
        assert min(seams) >= 1
        assert max(seams) == most if kind != "uniform" else 3 < max(seams) <= most

    def test_swap_moves_values_and_makes_none(self):
        strategy = GeneticAlgorithm(
            ROUTE,
            population_size=2,
            elitism=1,
            tournament_size=1,
            crossover_rate=0.0,
            mutation="swap",
            mutation_rate=0.2,
        )
        route = ROUTE.architecture(list(range(12)))
        for number in range(2):
            strategy.tell(done(ROUTE, number, 1.0, route))
        for i in range(50):
            child = strategy.ask(np.random.default_rng(i)).architecture
            assert sorted(child.values()) == list(range(12))
            assert child != route

    def test_change_mutates_each_gene_at_its_rate(self):
        strategy = GeneticAlgorithm(
            ROUTE, population_size=2, elitism=1, tournament_size=1, crossover_rate=0.0, mutation_rate=0.5
        )
        route = ROUTE.architecture(list(range(12)))
        for number in range(2):
            strategy.tell(done(ROUTE, number, 1.0, route))
        n = 300
        changed = sum(len(strategy.ask(np.random.default_rng(i)).architecture.differs(route)) for i in range(n))
        # A gene drawn anew is the old one in 1 of 12; 5 standard deviations are 1 false alarm in a million.
        rate = 0.5 * 11 / 12
        assert abs(changed - 12 * n * rate) < 5 * np.sqrt(12 * n * rate * (1 - rate))

    def test_a_real_makes_small_steps(self):
        space = Space({"rate": real(0.0, 1.0)})
        strategy = GeneticAlgorithm(space, population_size=2, elitism=1, tournament_size=1, mutation_rate=1.0)
        for number in range(2):
            strategy.tell(done(space, number, 1.0, space.architecture({"rate": 0.5})))
        steps = [strategy.ask(np.random.default_rng(i)).architecture["rate"] - 0.5 for i in range(200)]
        assert 0.07 < np.std(steps) < 0.13

    def test_generations_wait_for_nobody(self):
        trials = run(self.make(TOY), TOY, n=80, workers=5)
        drawn = [t.number for t in trials if t.proposal.origin == "random"]
        assert drawn == list(range(8))
        assert {t.number for t in trials if t.proposal.parents} >= set(range(20, 80))

    @pytest.mark.parametrize("settings", [{"selection": "roulette", "mutation": "swap"}, {"crossover": "one-point"}])
    @pytest.mark.parametrize("objectives", [TWO, CAPPED])
    def test_all_operators_serve_conditional_spaces_goals_and_ceilings(self, settings, objectives):
        ruled = TOY.where(lambda a: a["dropout"] != 2)
        trials = run(GeneticAlgorithm(ruled, population_size=8, **settings), ruled, n=60, objectives=objectives)
        for trial in trials:
            ruled.check(trial.architecture)
        assert len({t.key for t in trials}) == 60

    def test_the_global_random_numbers_of_a_program_are_left_alone(self):
        strategy = self.make(TOY)
        random.seed(1)
        for trial in run(self.make(TOY), TOY, n=30):
            strategy.tell(trial)
        random.seed(1)
        expected = random.random()
        random.seed(1)
        proposal = strategy.ask(np.random.default_rng(3))
        assert random.random() == expected
        random.seed(2)
        assert proposal == strategy.ask(np.random.default_rng(3))

    def test_without_deap_the_extra_is_named(self, monkeypatch):
        imported = builtins.__import__

        def missing(name, *rest, **more):
            if name.startswith("deap"):
                raise ImportError(name)
            return imported(name, *rest, **more)

        monkeypatch.setattr(builtins, "__import__", missing)
        with pytest.raises(MissingExtraError, match=r"archwright\[evolution\]"):
            GeneticAlgorithm(TOY)

    @pytest.mark.parametrize(
        ("given", "said"),
        [
            ({"population_size": 1}, "population_size must be at least 2"),
            ({"population_size": 4, "elitism": 4}, r"elitism must lie in 0\.\.3"),
            ({"tournament_size": 0}, "tournament_size must lie in"),
            ({"selection": "rank"}, "Allowed: tournament, roulette"),
            ({"crossover": "two-point"}, "Allowed: one-point, multi-point, uniform"),
            ({"mutation": "inversion"}, "Allowed: change, swap"),
            ({"crossover_rate": 1.5}, "crossover_rate is a probability"),
            ({"mutation_rate": -0.1}, "mutation_rate is a probability"),
            ({"tries": 0}, "tries must be at least 1"),
        ],
    )
    def test_settings_that_make_no_sense_are_refused(self, given, said):
        with pytest.raises(ValueError, match=said):
            GeneticAlgorithm(TOY, **given)
