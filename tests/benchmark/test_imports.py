"""The layer stays light: benchmarks are listed and tables searched without torch."""

import subprocess
import sys


def test_a_table_is_searched_without_torch():
    code = (
        "import sys\n"
        "import numpy as np\n"
        "from archwright.benchmark import load, names\n"
        "problem = load('toy-params')\n"
        "problem.measure(problem.space.sample(np.random.default_rng(0)))\n"
        "assert 'mini' in names()\n"
        "print([m for m in ('torch', 'pandas', 'pyarrow') if m in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
