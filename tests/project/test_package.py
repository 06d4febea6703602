"""The package as its users import it."""

import importlib
import importlib.metadata
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import archwright

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "archwright"
MODULES = sorted(
    ".".join(file.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")
    for file in PACKAGE.rglob("*.py")
    if file.name != "__main__.py"
)

# Each of these takes a noticeable part of a second to import, or more.
HEAVY = {"torch", "sklearn", "scipy", "pandas", "plotly", "onnx", "onnxruntime", "optuna", "matplotlib", "PIL"}


def imported_by(statement: str) -> set[str]:
    """Top-level modules that a fresh interpreter holds after the statement."""
    code = f"{statement}\nimport json, sys\nprint(json.dumps(sorted({{m.split('.')[0] for m in sys.modules}})))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    return set(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize("name", archwright.__all__)
def test_every_exported_name_is_there(name):
    value = getattr(archwright, name)
    assert value is getattr(archwright, name)
    assert name in dir(archwright)
    home = archwright._HOME_OF.get(name)
    if home is not None:
        assert name in importlib.import_module(home).__all__


def test_every_name_is_exported_once_and_in_order():
    assert len(set(archwright.__all__)) == len(archwright.__all__)
    assert sorted(archwright.__all__) == archwright.__all__


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'serach'"):
        archwright.serach


def test_the_version_is_the_installed_one():
    assert archwright.__version__ == importlib.metadata.version("archwright")


def test_importing_the_package_imports_nothing_heavy():
    assert not imported_by("import archwright") & (HEAVY | {"numpy", "rich", "typer", "sqlalchemy", "networkx"})


# The networks and models that some strategies are made of are imported when such a strategy is made.
WHEN_MADE = ("archwright.strategy.controller", "archwright.strategy.surrogate")


@pytest.mark.parametrize("layer", ["errors", "space", "trial", "objective", "strategy", "store", "cli"])
def test_a_light_layer_imports_nothing_heavy(layer):
    modules = [m for m in MODULES if m == f"archwright.{layer}" or m.startswith(f"archwright.{layer}.")]
    modules = [m for m in modules if not m.startswith(WHEN_MADE)]
    assert not imported_by(f"import {', '.join(modules)}") & HEAVY


@pytest.mark.parametrize("module", MODULES)
def test_every_module_can_be_imported_and_says_what_it_is(module):
    loaded = importlib.import_module(module)
    assert (loaded.__doc__ or "").strip()
    for name in getattr(loaded, "__all__", ()):
        assert hasattr(loaded, name), f"{module}.__all__ names {name!r}, which is not there"


def test_no_module_is_named_for_anything_or_grows_past_400_lines():
    vague = {"utils", "util", "helpers", "helper", "common", "base", "core", "misc"}
    files = sorted(PACKAGE.rglob("*.py"))
    assert files
    assert not [f for f in files if f.stem in vague or f.parent.name in vague]
    assert not [f"{f}: {n} lines" for f in files if (n := len(f.read_text("utf-8").splitlines())) > 400]


def test_the_design_page_lists_the_layers_that_the_linter_holds():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]
    held = next(c["layers"] for c in settings["contracts"] if c["type"] == "layers")
    page = (ROOT / "docs" / "design.md").read_text("utf-8")
    table = page.partition("## The layers")[2].partition("\n## ")[0]
    assert re.findall(r"^\| `(\w+)/?` \|", table, re.MULTILINE) == held[::-1]
