"""The loop: ask, evaluate, tell, record; budgets, resuming, the final choice, and what a search gives back."""

from archwright.run.begin import resume, search
from archwright.run.budget import Budget
from archwright.run.loop import Loop
from archwright.run.oneshot import OneShot
from archwright.run.result import Best, Result
from archwright.run.survey import Survey, survey

__all__ = ["Best", "Budget", "Loop", "OneShot", "Result", "Survey", "resume", "search", "survey"]
