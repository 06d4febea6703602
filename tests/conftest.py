"""What every test runs under."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

# Small networks are fastest on one thread, and several test processes share the machine. Read by torch and
# numpy when they are first imported, and by the processes that tests start.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# A shell without job control starts what runs in its background deaf to Ctrl-C, and so all that tests start.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# No test depends on how fast the machine is; in CI the examples are always the same ones.
settings.register_profile("archwright", deadline=None, print_blob=True, derandomize="CI" in os.environ)
settings.load_profile("archwright")


def shared_data(name: str) -> Path:
    """A file of the measurement data, which are not part of the project; skips the test where it is absent.

    Looked for in the folder that ARCHWRIGHT_DATA names; without that, near the checkout.
    """
    given = os.environ.get("ARCHWRIGHT_DATA")
    folders = [Path(given)] if given else [p / "shared" / "data" for p in Path(__file__).resolve().parents]
    found = next((f / name for f in folders if (f / name).exists()), None)
    if found is None:
        pytest.skip(f"{name} is absent: set ARCHWRIGHT_DATA to the folder of the measurement data")
    return found


@pytest.fixture(name="shared_data", scope="session")
def shared_data_fixture() -> Callable[[str], Path]:
    """The function `shared_data`, for tests."""
    return shared_data
