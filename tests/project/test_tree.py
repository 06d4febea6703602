"""What is in the repository may be cloned anywhere and belongs to nobody's machine."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# A path below one of these at the root of a file system is somebody's machine. Not after a letter, a dot or a
# slash, where it is a part of a longer path or of an address.
HOMES = ("home", "root", "Users", "work", "opt", "mnt")
SOMEONES_PATH = re.compile(rf"(?<![\w.~/:}}-])/(?:{'|'.join(HOMES)})/[\w.-]+")

# Packages come from wherever pip, apt or npm are told to take them, so no file here names a place. Written in
# two parts, or this file would name them.
PLACES = [
    name + "." + top
    for top, names in {
        "org": ("pypi", "pypi.python", "files.pythonhosted", "download.pytorch", "registry.npmjs", "deb.debian"),
        "io": ("static.crates",),
    }.items()
    for name in names
]


def tracked():
    """Path and text of every file that git tracks here, but for those that hold no text."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, names.split("\0")):
        path = ROOT / name
        if path.is_file() and b"\0" not in (data := path.read_bytes()):
            yield name, data.decode("utf-8")


def test_no_file_names_a_machine_or_a_place_that_serves_packages():
    found = []
    for name, text in tracked():
        for number, line in enumerate(text.splitlines(), 1):
            if SOMEONES_PATH.search(line) or any(place in line.lower() for place in PLACES):
                found.append(f"{name}:{number}: {line.strip()[:100]}")
    assert not found, "\n".join(found)


def test_a_path_on_somebodys_machine_is_recognised():
    for home in HOMES:
        assert SOMEONES_PATH.search(f'open("/{home}/someone/data.csv")')
    assert not SOMEONES_PATH.search("https://example.com/work/page")
    assert not SOMEONES_PATH.search("the folder docs/home/index.md")


def test_no_large_file_is_tracked():
    large = {name: size for name, _ in tracked() if (size := (ROOT / name).stat().st_size) > 1_000_000}
    assert not large


def test_every_package_that_the_project_asks_for_is_pinned():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    asked = [*project["dependencies"], *(r for extra in project["optional-dependencies"].values() for r in extra)]
    names = {re.match(r"[\w.-]+", r)[0].lower().replace("_", "-") for r in asked} - {"archwright"}
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+", pin) for pin in pins), "each pin is name==version, with no local label"
    assert not names - {pin.partition("==")[0].lower().replace("_", "-") for pin in pins}


def test_the_licence_is_apache_2_in_full():
    text = (ROOT / "LICENSE").read_text("utf-8")
    assert "Version 2.0, January 2004" in text
    assert "END OF TERMS AND CONDITIONS" in text
    assert [n for n in range(1, 10) if f"\n   {n}. " not in text] == []
