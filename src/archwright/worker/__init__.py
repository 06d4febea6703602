"""Where evaluations run: here, or in processes that survive the death of any of them."""

from archwright.worker.inprocess import InProcess
from archwright.worker.job import Job, Outcome
from archwright.worker.processes import Processes
from archwright.worker.run import run
from archwright.worker.workers import OnReport, Workers

__all__ = ["InProcess", "Job", "OnReport", "Outcome", "Processes", "Workers", "run"]
