"""What every test runs under."""

import os

from hypothesis import settings

# Small networks are fastest on one thread, and several test processes share the machine. Read by torch and
# numpy when they are first imported, and by the processes that tests start.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# No test depends on how fast the machine is; in CI the examples are always the same ones.
settings.register_profile("archwright", deadline=None, print_blob=True, derandomize="CI" in os.environ)
settings.load_profile("archwright")
