import sys
from pathlib import Path

import pytest

from archwright.worker import Processes

sys.path.insert(0, str(Path(__file__).parent))
from jobs import ACCURACY, evaluate, gone, pids


@pytest.fixture
def workers():
    """Two processes that do jobs, and are gone after the test."""
    with Processes(evaluate, ACCURACY, 2) as found:
        yield found
        ours = pids(found)
    assert all(map(gone, ours))
