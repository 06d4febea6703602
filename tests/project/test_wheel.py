"""What is shipped works on its own."""

import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """A wheel built from a copy: an old build/ of the checkout must not lend it files."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    shutil.copytree(
        ROOT / "src" / "archwright", source / "src" / "archwright", ignore=shutil.ignore_patterns("__pycache__")
    )
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", "--no-build-isolation", "--no-deps"]
    subprocess.run([*pip, "-q", "-w", str(folder), str(source)], check=True, timeout=120)
    (built,) = folder.glob("archwright-*.whl")
    return built


@pytest.fixture(scope="module")
def environment(wheel, tmp_path_factory):
    """A fresh virtual environment that holds the wheel, and sees our dependencies but not this checkout.

    Its ``dependencies.pth`` names the folder in which the dependencies are installed. Python adds such a
    folder to the path without reading the .pth files inside it, and those are what makes the checkout
    importable here. So nothing is downloaded, and the checkout stays out of reach.
    """
    folder = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True, timeout=60)
    python = folder / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", str(python), "install", "-q"]
    subprocess.run([*pip, "--no-deps", "--no-index", str(wheel)], check=True, timeout=120)
    (packages,) = folder.glob("lib/python*/site-packages")
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder


def test_the_wheel_holds_every_file_of_the_package_and_the_licence(wheel):
    with zipfile.ZipFile(wheel) as archive:
        shipped = set(archive.namelist())
    package = ROOT / "src" / "archwright"
    wanted = {
        file.relative_to(package.parent).as_posix()
        for file in package.rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }
    assert {name for name in shipped if ".dist-info/" not in name} == wanted
    assert any(name.endswith("LICENSE") for name in shipped)


def test_the_wheel_alone_imports_every_module(environment):
    code = """
import importlib, sys
from pathlib import Path
import archwright
package = Path(archwright.__file__).parent
assert package.is_relative_to(sys.prefix), f"imported {package}, not the wheel in {sys.prefix}"
files = [f for f in package.rglob("*.py") if f.name != "__main__.py"]
for file in files:
    importlib.import_module(".".join(file.relative_to(package.parent).with_suffix("").parts).removesuffix(".__init__"))
for name in archwright.__all__:
    getattr(archwright, name)
print(len(files))
"""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    done = subprocess.run(
        [str(environment / "bin" / "python"), "-c", code],
        cwd=environment, env=clean, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) == len([f for f in (ROOT / "src").rglob("*.py") if f.name != "__main__.py"])


def test_the_command_of_the_wheel_answers(environment):
    done = subprocess.run(
        [str(environment / "bin" / "archwright"), "--help"], cwd=environment, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert "search" in done.stdout
