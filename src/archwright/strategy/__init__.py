"""What to try next: one file an algorithm. Strategies know nothing of networks, data, files or clocks."""

from archwright.strategy.annealing import SimulatedAnnealing
from archwright.strategy.asha import ASHA
from archwright.strategy.bananas import Bananas
from archwright.strategy.bohb import BOHB
from archwright.strategy.curves import CurveStopping
from archwright.strategy.editing import Editing
from archwright.strategy.evolution import RegularizedEvolution
from archwright.strategy.gaussian import GaussianProcess
from archwright.strategy.genetic import GeneticAlgorithm
from archwright.strategy.grid import Grid
from archwright.strategy.halving import SuccessiveHalving
from archwright.strategy.hyperband import Hyperband
from archwright.strategy.local import LocalSearch
from archwright.strategy.making import Known, make
from archwright.strategy.mcts import MonteCarloTreeSearch
from archwright.strategy.moead import MOEAD
from archwright.strategy.nsga2 import NSGA2
from archwright.strategy.portfolio import Portfolio
from archwright.strategy.ppo import PPO
from archwright.strategy.qlearning import QLearning
from archwright.strategy.random import Random
from archwright.strategy.reinforce import Reinforce
from archwright.strategy.reward import Reward
from archwright.strategy.screened import Screened
from archwright.strategy.seen import Seen
from archwright.strategy.strategy import Strategy
from archwright.strategy.warm import WarmStart
from archwright.strategy.with_optuna import Optuna

__all__ = [
    "ASHA",
    "BOHB",
    "PPO",
    "Bananas",
    "CurveStopping",
    "Editing",
    "GaussianProcess",
    "GeneticAlgorithm",
    "Grid",
    "Hyperband",
    "Known",
    "LocalSearch",
    "MOEAD",
    "NSGA2",
    "MonteCarloTreeSearch",
    "Optuna",
    "Portfolio",
    "QLearning",
    "Random",
    "RegularizedEvolution",
    "Reinforce",
    "Reward",
    "Screened",
    "Seen",
    "SimulatedAnnealing",
    "Strategy",
    "SuccessiveHalving",
    "WarmStart",
    "make",
]
