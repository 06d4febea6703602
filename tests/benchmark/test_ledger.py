"""What a comparison keeps, so that nothing runs twice: not with more seeds, and not after a death."""

import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import psutil
import pytest

from archwright.benchmark.compare import LEDGER, compare
from archwright.benchmark.ledger import Ledger, identity_of_benchmark, identity_of_strategy
from archwright.errors import StoreError
from archwright.objective import minimize
from archwright.strategy import ASHA, LocalSearch, Random

sys.path.insert(0, str(Path(__file__).parent))
from bowl import BOTH, EVOLUTION, Continuing, bowl, numbers


def test_what_was_run_is_kept_and_gone_on_from(tmp_path):
    whole = compare(BOTH, bowl(), seeds=6, budget=40, workers=1, progress=False)
    small = compare(BOTH, bowl(), seeds=2, budget=20, workers=1, out=tmp_path, progress=False)
    again = compare(BOTH, bowl(), seeds=2, budget=20, workers=1, out=tmp_path, progress=False)
    assert (small.computed, again.computed) == (6, 0)
    assert numbers(again) == numbers(small)
    asked = []

    class Counted(LocalSearch):
        def ask(self, rng, pending=()):
            asked.append(1)
            return super().ask(rng, pending)

    counted = {**BOTH, "local": Counted}
    compare(counted, bowl(), seeds=2, budget=20, workers=1, out=tmp_path, progress=False)
    asked.clear()
    larger = compare(counted, bowl(), seeds=3, budget=40, workers=1, out=tmp_path, progress=False)
    assert len(asked) == 20 + 20 + 40
    more = compare(BOTH, bowl(), seeds=6, budget=40, workers=1, out=tmp_path, progress=False)
    assert larger.computed == 9
    assert numbers(more) == numbers(whole)
    cut = compare(BOTH, bowl(), seeds=2, budget=20, workers=1, out=tmp_path, progress=False)
    assert cut.computed == 0
    assert cut.summary() == [
        {**row, "ask_ms": got["ask_ms"], "tell_ms": got["tell_ms"]}
        for row, got in zip(small.summary(), cut.summary(), strict=True)
    ]


def test_another_strategy_or_benchmark_of_the_same_name_is_run_anew(tmp_path):
    def run(factory, problem):
        return compare({"it": factory}, problem, seeds=1, budget=5, workers=1, out=tmp_path, progress=False).computed

    assert run(EVOLUTION, bowl()) == 2
    assert run(EVOLUTION, bowl()) == 0
    assert run(partial(EVOLUTION, tournament_size=2), bowl()) == 1
    assert run(EVOLUTION, bowl(minimize("params"))) == 2
    space = bowl().space
    assert identity_of_strategy(Random(space)) != identity_of_strategy(Continuing(space, 4))
    assert identity_of_strategy(Continuing(space, 4)) != identity_of_strategy(Continuing(space, 5))
    around = [ASHA(inner(space), max_epochs=10) for inner in (Random, LocalSearch, Random)]
    first, second, third = map(identity_of_strategy, around)
    assert first == third != second
    assert identity_of_benchmark(bowl()) != identity_of_benchmark(bowl(fails=True))


def test_a_line_that_a_death_cut_short_is_passed_over(tmp_path):
    first = compare(BOTH, bowl(), seeds=1, budget=10, workers=1, out=tmp_path, progress=False)
    file = tmp_path / LEDGER
    whole = file.read_bytes()
    file.write_bytes(whole[:-100])
    again = compare(BOTH, bowl(), seeds=1, budget=10, workers=1, out=tmp_path, progress=False)
    assert again.computed == 1
    assert numbers(again) == numbers(first)
    assert compare(BOTH, bowl(), seeds=1, budget=10, workers=1, out=tmp_path, progress=False).computed == 0


def test_a_file_of_something_else_is_left_alone(tmp_path):
    (tmp_path / LEDGER).write_text("dear diary\n")
    with pytest.raises(StoreError, match="line 1"):
        compare(BOTH, bowl(), seeds=1, budget=10, out=tmp_path, progress=False)
    assert (tmp_path / LEDGER).read_text() == "dear diary\n"


SCRIPT = """
import sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from bowl import BOTH, bowl
from archwright.benchmark.compare import LEDGER, compare
from archwright.strategy import Random

ledger = Path(sys.argv[1]) / LEDGER
to_be_killed = sys.argv[3] == "2"

class Waiting(Random):
    def ask(self, rng, pending=()):
        while to_be_killed and ledger.exists() and ledger.read_bytes().count(b"\\n") >= 6:
            time.sleep(0.01)
        return super().ask(rng, pending)

four = {"chance": Random, "waiting": Waiting, **BOTH}
compare(four, bowl(), seeds=10, budget=30, workers=int(sys.argv[3]), out=sys.argv[1], progress=False)
print("done")
"""


@pytest.mark.crash
def test_a_comparison_that_is_killed_goes_on_from_what_had_ended(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    out = tmp_path / "out"
    command = [sys.executable, str(script), str(out), str(Path(__file__).parent)]
    started = subprocess.Popen([*command, "2"], stderr=subprocess.DEVNULL)
    file = out / LEDGER
    deadline = time.monotonic() + 120
    while not (file.exists() and file.read_bytes().count(b"\n") >= 6) and time.monotonic() < deadline:
        time.sleep(0.01)
    workers = psutil.Process(started.pid).children(recursive=True)
    started.kill()
    started.wait()
    _, left = psutil.wait_procs(workers, timeout=30)
    assert left == []  # nobody is left to wait for work that never comes
    kept = file.read_bytes().count(b"\n")
    assert 6 <= kept < 40
    done = subprocess.run([*command, "1"], capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == "done", done.stderr
    assert file.read_bytes().count(b"\n") in (40, 41)  # 41: a line was cut short
    lines = Ledger(file, {"bowl": bowl().space})
    assert sum(len(runs) for runs in lines._runs.values()) == 40
