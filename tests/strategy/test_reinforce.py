import math

import numpy as np
import pytest

from archwright.space import Space, choice, integer, real
from archwright.strategy.reinforce import Reinforce, reinforce_loss
from archwright.testing import StrategyContract
from archwright.testing.strategy import TOY, run
from archwright.trial import Measurement, Proposal, Trial

torch = pytest.importorskip("torch")

ADDITIVE = Space({f"d{i}": choice(0, 1, 2, 3) for i in range(8)})


def additive(architecture):
    return Measurement({"loss": float(sum((v - 1) ** 2 for v in architecture.values()))})


def flat(parts):
    return torch.cat([p.flatten() for p in parts])


def told(strategy, trials):
    for trial in trials:
        strategy.tell(trial)
    return strategy


def trial_of(space, number, codes, score, origin="controller after 0 updates"):
    return Trial(number, Proposal(space.architecture(codes), origin=origin), "done", Measurement(), (score,))


class TestReinforce(StrategyContract):
    def make(self, space):
        return Reinforce(space, hidden=8)

    def test_it_concentrates_on_the_better_arm(self):
        # Rewards are certain. Arm 1 is better whatever the noise of sampling: each seed's controller must prefer it.
        arms = Space({"arm": choice(0, 1), "n": integer(1, 1000)})
        for seed in range(3):
            strategy = Reinforce(arms, seed=seed, levels=2)
            trials = run(strategy, arms, n=71, seed=seed, evaluate=lambda a: Measurement({"loss": 1.0 - a["arm"]}))
            assert [t.architecture["arm"] for t in trials[-30:]].count(1) > 24

    def test_it_does_better_than_random_search_where_decisions_add_up(self):
        # The loss of a random architecture has mean 12 and standard deviation 4.24, so the mean of 30 of them is
        # below 9.5 with a chance of 1 in 1,600; ours must be in each of three seeds.
        for seed in range(3):
            trials = run(Reinforce(ADDITIVE, seed=seed), ADDITIVE, n=100, seed=seed, evaluate=additive)
            assert np.mean([t.scores[0] for t in trials[-30:]]) < 9.5

    def test_a_baseline_reduces_the_variance_of_the_gradient(self):
        # The same 60 batches of 5 episodes, rewards in 0.5..1: without a baseline all of them push.
        policy = Reinforce(ADDITIVE, hidden=8).policy
        rng = np.random.default_rng(0)
        gradients = {0.0: [], 0.75: []}
        for _ in range(60):
            episodes = [policy.process.steps(codes) for codes in policy.controller.sample(rng, 5)]
            rewards = torch.tensor([0.5 + 0.5 * sum(a == 1 for _, a in e) / 8 for e in episodes], dtype=torch.float64)
            log_p = policy.controller.evaluate(episodes)[0]
            for baseline, found in gradients.items():
                loss = reinforce_loss(log_p, log_p.detach(), rewards - baseline)
                made = torch.autograd.grad(loss, list(policy.controller.head.parameters()), retain_graph=True)
                found.append(flat(made))
        without, with_one = (torch.stack(g).var(dim=0).sum().item() for g in gradients.values())
        assert with_one < 0.3 * without

    def test_the_loss_by_hand(self):
        now = torch.tensor([math.log(0.2), math.log(0.5)], dtype=torch.float64)
        asked = torch.tensor([math.log(0.4), math.log(0.25)], dtype=torch.float64)
        loss = reinforce_loss(now, asked, torch.tensor([1.0, -2.0], dtype=torch.float64))
        # Weights: 0.2 / 0.4, and 0.5 / 0.25 cut to 1.
        assert loss.item() == pytest.approx(-(0.5 * 1.0 * math.log(0.2) + 1.0 * -2.0 * math.log(0.5)) / 2)

    def test_an_update_makes_the_better_likelier_and_the_worse_less_likely(self):
        space = Space({"a": choice(0, 1, 2, 3), "b": choice(0, 1, 2, 3)})
        strategy = Reinforce(space, batch=2, entropy=0.0)
        episodes = [[(0, 1), (1, 1)], [(0, 2), (1, 3)]]
        before = strategy.policy.controller.evaluate(episodes)[0]
        told(strategy, [trial_of(space, 0, [1, 1], 0.1), trial_of(space, 1, [2, 3], 0.9)])
        after = strategy.policy.controller.evaluate(episodes)[0]
        assert after[0] > before[0]
        assert after[1] < before[1]
        assert strategy.policy.updates == 1

    def test_what_is_told_late_has_the_probability_that_it_was_asked_with(self):
        strategy = Reinforce(ADDITIVE, batch=3, hidden=8)
        old = strategy.policy.controller.evaluate([[(i, 1) for i in range(8)]])[0].item()
        told(strategy, [trial_of(ADDITIVE, i, [i] * 8, float(i)) for i in range(3)])
        made = [strategy.policy.tell(trial_of(ADDITIVE, 3 + i, [1] * 8, 0.0)) for i in range(3)]
        assert made[:2] == [None, None]
        assert made[2].asked.tolist() == pytest.approx([old] * 3)
        assert strategy.policy.controller.evaluate(made[2].episodes)[0][0].item() != pytest.approx(old)

    def test_what_was_not_asked_for_is_imitated_only_where_it_is_above_the_baseline(self):
        strategy = Reinforce(ADDITIVE, batch=4, hidden=8)
        scores = (0.0, 1.0, 2.0, 3.0)
        for origin in ("mutation of 3", "controller after 7 updates"):
            made = [strategy.policy.tell(trial_of(ADDITIVE, i, [i] * 8, s, origin)) for i, s in enumerate(scores)][-1]
            assert made.advantages[0] > 0
            assert made.advantages[-1] == 0

    def test_failed_and_infeasible_trials_have_negative_advantages(self):
        strategy = Reinforce(ADDITIVE, batch=3, hidden=8)
        proposal = Proposal(ADDITIVE.architecture([0] * 8), origin="controller after 0 updates")
        strategy.policy.tell(trial_of(ADDITIVE, 0, [1] * 8, 1.0))
        strategy.policy.tell(Trial(1, proposal, "failed"))
        made = strategy.policy.tell(Trial(2, proposal, "infeasible", violation=1.0))
        assert made.advantages.tolist() == pytest.approx([5 / 6, -2 / 3, -1 / 6])  # rewards 0.5, -1, -0.5

    def test_asking_and_learning_leave_the_global_generator_alone(self):
        torch.manual_seed(3)
        expected = torch.rand(3)
        torch.manual_seed(3)
        run(Reinforce(TOY, hidden=8), TOY, n=12)
        assert torch.equal(torch.rand(3), expected)

    @pytest.mark.parametrize(
        ("settings", "message"),
        [
            ({"batch": 0}, "batch must be at least 1, got 0"),
            ({"hidden": 0}, "hidden must be at least 1, got 0"),
            ({"tries": 0}, "tries must be at least 1, got 0"),
            ({"learning_rate": 0.0}, "learning_rate must be finite and above 0, got 0.0"),
            ({"temperature": -1.0}, "temperature"),
            ({"entropy": -1.0}, "entropy must be at least 0, got -1.0"),
            ({"decay": 1.0}, "decay"),
            ({"tanh": -1.0}, "tanh"),
        ],
    )
    def test_arguments_that_make_no_sense_are_refused(self, settings, message):
        with pytest.raises(ValueError, match=message):
            Reinforce(TOY, **settings)


class TestController:
    @pytest.mark.parametrize("space", [TOY, Space({"x": real(0.0, 1.0), "n": integer(0, 5000), "c": choice(1, 2)})])
    def test_episodes_are_of_the_space_and_probabilities_sum_to_one(self, space):
        policy = Reinforce(space, hidden=8, levels=3).policy
        rng = np.random.default_rng(0)
        for codes in policy.controller.sample(rng, 20):
            assert space.architecture(codes) in space

        def every(steps=()):
            found = []

            def choose(place, so_far):
                if len(so_far) < len(steps):
                    return steps[len(so_far)][1]
                found.append(place)
                return 0

            policy.process.episode(choose, rng)
            if not found:
                return [list(steps)]
            return [e for a in range(policy.process.sizes[found[0]]) for e in every((*steps, (found[0], a)))]

        if len(space.decisions) == 3:
            log_p, entropies = policy.controller.evaluate(every())
            assert log_p.exp().sum().item() == pytest.approx(1.0)
            assert len(log_p) == 3 * 3 * 2
            assert (entropies > 0.9 * (2 * math.log(3) + math.log(2)) / 3).all()

    def test_it_samples_by_the_probabilities_that_it_evaluates(self):
        # 2,000 draws of a decision of three: each share within 0.05 of its probability but for chances below 1e-5.
        space = Space({"a": choice(0, 1, 2)})
        policy = Reinforce(space, hidden=8).policy
        with torch.no_grad():
            policy.controller.head.bias.copy_(torch.tensor([1.0, 0.0, -1.0]))
        p = policy.controller.evaluate([[(0, a)] for a in range(3)])[0].exp().tolist()
        drawn = np.bincount([codes[0] for codes in policy.controller.sample(np.random.default_rng(0), 2000)]) / 2000
        assert drawn.tolist() == pytest.approx(p, abs=0.05)
        assert max(p) > 0.5
