"""What better means: goals, ceilings, dominance, fronts, hypervolume, rewards. Knows nothing of torch."""

from archwright.objective.goals import (
    COSTS,
    GAP,
    Ceiling,
    Goal,
    Objectives,
    at_most,
    format_cost,
    maximize,
    minimize,
    parse_cost,
)
from archwright.objective.pareto import crowding_distance, hypervolume, knee, non_dominated_sort
from archwright.objective.quantity import (
    format_bytes,
    format_count,
    format_seconds,
    parse_bytes,
    parse_count,
    parse_seconds,
)
from archwright.objective.ranking import best, dominates, latest, non_dominated_rank, pareto_front, ranked
from archwright.objective.reward import WeightedReward

__all__ = [
    "COSTS",
    "GAP",
    "Ceiling",
    "Goal",
    "Objectives",
    "WeightedReward",
    "at_most",
    "best",
    "crowding_distance",
    "dominates",
    "format_bytes",
    "format_cost",
    "format_count",
    "format_seconds",
    "hypervolume",
    "knee",
    "latest",
    "maximize",
    "minimize",
    "non_dominated_rank",
    "non_dominated_sort",
    "pareto_front",
    "parse_bytes",
    "parse_cost",
    "parse_count",
    "parse_seconds",
    "ranked",
]
