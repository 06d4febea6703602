"""Real processes, real kill -9, in the midst of an epoch: what goes on is the run that was never killed."""

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

SCRIPT = Path(__file__).with_name("crash_script.py")

pytestmark = pytest.mark.crash


def start(algorithm, folder, result):
    return subprocess.Popen([sys.executable, str(SCRIPT), algorithm, str(folder), str(result)])


def step_of(folder):
    try:
        return torch.load(folder / "checkpoint.pt", weights_only=True)["step"]
    except FileNotFoundError:
        return 0


def same(a, b):
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b


@pytest.mark.parametrize(("algorithm", "kills"), [("darts", 1), pytest.param("enas", 1, marks=pytest.mark.slow)])
def test_a_run_that_was_killed_is_the_run_that_was_never_killed(algorithm, kills, tmp_path):
    assert start(algorithm, tmp_path / "whole", tmp_path / "whole.pt").wait(timeout=120) == 0
    folder, result = tmp_path / "killed", tmp_path / "killed.pt"
    chance = random.Random(3)
    reached = 0
    for _ in range(kills):
        process = start(algorithm, folder, result)
        wanted = reached + chance.randint(2, 5)
        deadline = time.monotonic() + 60
        while step_of(folder) < wanted and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        process.kill()
        process.wait()
        assert not result.exists(), "it ended before it was killed"
        assert step_of(folder) >= wanted
        reached = step_of(folder)
    assert start(algorithm, folder, result).wait(timeout=120) == 0
    assert list(folder.iterdir()) == [folder / "checkpoint.pt"] or all(
        p.name.startswith(".checkpoint.pt.") for p in folder.iterdir() if p.name != "checkpoint.pt"
    )
    assert same(torch.load(tmp_path / "whole.pt", weights_only=True), torch.load(result, weights_only=True))


def test_a_broken_checkpoint_is_an_error_that_names_it(tmp_path):
    from archwright.errors import ResumeError
    from archwright.oneshot import spos
    from archwright.testing.oneshot import toy_space, toy_task

    (tmp_path / "checkpoint.pt").write_bytes(b"half a file")
    with pytest.raises(ResumeError, match=r"checkpoint\.pt cannot be read"):
        spos(toy_space(), toy_task(), epochs=1, folder=tmp_path)
