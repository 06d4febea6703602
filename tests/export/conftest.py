import shutil
import subprocess
import sys

import pytest

REFUSING = """
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {refused!r}:
            raise ModuleNotFoundError("refused: " + name)
sys.meta_path.insert(0, Refuse())
"""


@pytest.fixture
def elsewhere(tmp_path):
    """Runs a script in a Python that can import neither archwright nor what else is refused; returns its output."""

    def run(script: str, *, refused: tuple[str, ...] = ("archwright",), cwd=None) -> str:
        path = tmp_path / "script.py"
        path.write_text(REFUSING.format(refused=refused) + script)
        done = subprocess.run(
            [sys.executable, "-W", "ignore", str(path)],
            capture_output=True,
            text=True,
            timeout=200,
            cwd=cwd or tmp_path,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@pytest.fixture
def ruff():
    """The linter, for what it says of written source."""
    found = shutil.which("ruff", path=str(__import__("pathlib").Path(sys.executable).parent)) or shutil.which("ruff")
    if found is None:
        pytest.skip("ruff is not installed")

    def check(path) -> str:
        done = subprocess.run(
            [found, "check", "--isolated", "--line-length", "120", "--select", "E,F,W,I", str(path)],
            capture_output=True,
            text=True,
        )
        return "" if done.returncode == 0 else done.stdout + done.stderr

    return check
