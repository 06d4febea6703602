import math

import numpy as np
import pytest

from archwright.space import Space, choice
from archwright.strategy.ppo import PPO, clipped_loss
from archwright.testing import StrategyContract
from archwright.testing.strategy import TOY, run
from archwright.trial import Measurement

torch = pytest.importorskip("torch")

ADDITIVE = Space({f"d{i}": choice(0, 1, 2, 3) for i in range(8)})


def additive(architecture):
    return Measurement({"loss": float(sum((v - 1) ** 2 for v in architecture.values()))})


def loss_at(ratio, advantage):
    now = torch.tensor([math.log(ratio)], dtype=torch.float64, requires_grad=True)
    loss = clipped_loss(now, torch.zeros(1, dtype=torch.float64), torch.tensor([advantage], dtype=torch.float64), 0.2)
    return loss.item(), torch.autograd.grad(loss, now)[0].item()


class TestPPO(StrategyContract):
    def make(self, space):
        return PPO(space, hidden=8, steps=2)

    @pytest.mark.parametrize(
        ("ratio", "advantage", "loss", "learns"),
        [
            (1.0, 2.0, -2.0, True),
            (1.1, 1.0, -1.1, True),
            (1.5, 1.0, -1.2, False),  # likelier by more than the clip, and good: nothing more to earn
            (1.5, -1.0, 1.5, True),  # likelier, and bad: all of it counts
            (0.5, 1.0, -0.5, True),
            (0.5, -1.0, 0.8, False),  # less likely by more than the clip, and bad: nothing more to earn
        ],
    )
    def test_the_ratio_is_clipped(self, ratio, advantage, loss, learns):
        value, gradient = loss_at(ratio, advantage)
        assert value == pytest.approx(loss)
        assert gradient == pytest.approx(-ratio * advantage if learns else 0.0)

    def test_several_steps_an_update_stay_near_the_policy_that_was_asked(self):
        # Beyond the clip there is no gradient, so eight steps without an entropy bonus end not far outside of it;
        # without a clip (0.99) the same steps go further.
        def ratio_after(clip):
            strategy = PPO(ADDITIVE, batch=6, steps=8, clip=clip, entropy=0.0, hidden=8, learning_rate=0.005)
            trials = run(PPO(ADDITIVE, hidden=8), ADDITIVE, n=6, evaluate=additive)
            episodes = [strategy.policy.process.steps(c) for c in ADDITIVE.codes([t.architecture for t in trials])]
            before = strategy.policy.controller.evaluate(episodes)[0].detach()
            for trial in trials:
                strategy.tell(trial)
            after = strategy.policy.controller.evaluate(episodes)[0].detach()
            assert strategy.policy.updates == 1
            return (after - before).abs().max().item()

        assert 0 < ratio_after(0.05) < ratio_after(0.99)

    def test_it_does_better_than_random_search_where_decisions_add_up(self):
        # The loss of a random architecture has mean 12 and standard deviation 4.24, so the mean of 30 of them is
        # below 9.5 with a chance of 1 in 1,600; ours must be in each of three seeds.
        for seed in range(3):
            trials = run(PPO(ADDITIVE, seed=seed), ADDITIVE, n=100, seed=seed, evaluate=additive)
            assert np.mean([t.scores[0] for t in trials[-30:]]) < 9.5

    @pytest.mark.parametrize(
        ("settings", "message"),
        [
            ({"clip": 0.0}, "clip"),
            ({"clip": 1.0}, "clip"),
            ({"steps": 0}, "steps must be at least 1"),
            ({"entropy": -0.1}, "entropy must be at least 0, got -0.1"),
            ({"batch": 0}, "batch must be at least 1, got 0"),
        ],
    )
    def test_arguments_that_make_no_sense_are_refused(self, settings, message):
        with pytest.raises(ValueError, match=message):
            PPO(TOY, **settings)
