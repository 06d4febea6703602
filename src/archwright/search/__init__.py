"""The loop: ask, evaluate, tell, record; budgets, resuming, the final choice, and what a search gives back."""

from archwright.search.budget import Budget
from archwright.search.loop import Loop
from archwright.search.result import Best, Result
from archwright.search.search import default_strategy, resume, search
from archwright.search.survey import Survey, survey

__all__ = ["Best", "Budget", "Loop", "Result", "Survey", "default_strategy", "resume", "search", "survey"]
