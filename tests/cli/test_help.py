"""Help, names, completion: what answers at once."""

import inspect
import json
import os
import re
import shlex
import subprocess
import sys

import pytest
import typer.main

from archwright.cli import export, names
from archwright.cli.app import app
from archwright.cli.oneshot import ONESHOT
from archwright.cli.strategy import DEFAULT_STRATEGY, STRATEGIES, find_strategy, strategy_of

GROUP = typer.main.get_command(app)
PAGES = {
    **{(name,): command for name, command in GROUP.commands.items() if name != "supernet"},
    **{("supernet", name): command for name, command in GROUP.commands["supernet"].commands.items()},
}
COMMANDS = sorted(GROUP.commands)
HEAVY = {"torch", "sklearn", "scipy", "pandas", "plotly", "sqlalchemy", "numpy", "networkx", "onnx", "optuna"}


def test_the_commands_are_those_of_the_manual():
    assert COMMANDS == [
        "compare", "export", "measure", "predict", "proxies", "report", "resume", "search", "show",
        "spaces", "strategies", "supernet", "tasks",
    ]  # fmt: skip


@pytest.mark.parametrize("arguments", [["--help"], ["search", "--help"], ["--version"], ["strategies"]])
def test_what_needs_no_network_imports_nothing_heavy(arguments):
    code = f"""
import json, sys
sys.argv = ["archwright", *{arguments!r}]
from archwright.cli import main
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
print(json.dumps(sorted({{m.split(".")[0] for m in sys.modules}})))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert not set(json.loads(done.stdout.splitlines()[-1])) & HEAVY


@pytest.mark.parametrize("typed", PAGES, ids=" ".join)
def test_every_help_page_has_examples_whose_options_are_there(archwright, typed):
    page = archwright(*typed, "--help")
    assert page.exit_code == 0
    assert "Examples" in page.stdout
    lines = re.findall(r"\[cyan\](archwright .*?)\[/\]", PAGES[typed].epilog)
    assert lines
    known = {flag for p in PAGES[typed].params for flag in p.opts + p.secondary_opts}
    for line in lines:
        words = shlex.split(line)
        assert tuple(words[1 : 1 + len(typed)]) == typed
        assert {w for w in words if w.startswith("-")} <= known


def test_no_command_shows_the_help_and_an_unknown_one_the_nearest(archwright):
    assert "search" in archwright().output
    unknown = archwright("serach", "digits")
    assert unknown.exit_code == 2
    assert "search" in unknown.stderr
    assert "Traceback" not in unknown.stderr


def test_an_unknown_option_is_a_usage_error(archwright):
    done = archwright("search", "digits", "--bugdet", "2m")
    assert done.exit_code == 2
    assert "--budget" in done.stderr


def test_the_version_is_that_of_the_package(archwright):
    from archwright import __version__

    assert archwright("--version").stdout.strip() == f"archwright {__version__}"


def test_the_names_of_data_are_those_of_the_tasks():
    from archwright import task

    assert list(names.DATA) == [entry.name for entry in task.names() if not entry.name.startswith("ucr:")]


def test_the_names_of_spaces_are_those_of_the_networks():
    from archwright.nn import spaces

    assert sorted(names.SPACES) == sorted(spaces.__all__)


def test_the_names_of_proxies_are_those_of_the_evaluator():
    from archwright.evaluator import ZeroCost

    assert tuple(names.PROXIES) == inspect.signature(ZeroCost).parameters["proxies"].default


def test_every_strategy_has_a_name_and_the_default_is_the_librarys(archwright):
    from archwright import Space, choice, strategy

    space = Space(choice(1, 2, 3))
    made = [entry.make(space, max_epochs=27) for entry in STRATEGIES.values()]
    exported = {name: getattr(strategy, name) for name in strategy.__all__}
    kinds = {name for name, kind in exported.items() if isinstance(kind, type) and issubclass(kind, strategy.Strategy)}
    assert {type(m).__name__ for m in made} == kinds - {"Strategy", "Screened", "WarmStart"}
    assert type(find_strategy(DEFAULT_STRATEGY).make(space)) is strategy.GaussianProcess  # that of archwright.search
    assert "arxiv.org" in archwright("strategies").stdout


def test_one_shot_algorithms_say_what_their_supernet_costs(archwright):
    told = " ".join(archwright("strategies").stdout.split())
    found = json.loads(archwright("strategies", "--json").stdout)["oneshot"]
    assert {e["name"] for e in found} == set(ONESHOT)
    assert all(f"about {e['trainings']:g} trainings" in told for e in found)
    costs = {e["name"]: e["trainings"] for e in found}
    assert costs["spos"] < costs["fairnas"]  # as many paths a step as a choice has candidates
    assert 2 * costs["darts"] < costs["darts-2"]


def test_a_strategy_is_made_around_the_one_that_is_named():
    from archwright import Space, choice
    from archwright.errors import ArchwrightError
    from archwright.run.settings import describe_strategy

    space = Space(choice(1, 2, 3))
    plain, chosen = (find_strategy(n).make(space, max_epochs=60) for n in ("asha", "asha/random"))
    assert type(chosen.strategy).__name__ == "Random"
    assert (chosen.max_epochs, chosen.space) == (60, space)
    assert strategy_of(describe_strategy(plain)) == f"asha/{DEFAULT_STRATEGY}"
    assert strategy_of(describe_strategy(chosen)) == "asha/random"
    with pytest.raises(ArchwrightError, match="there is no strategy called 'randon'"):
        find_strategy("asha/randon")
    with pytest.raises(ArchwrightError, match="strategy 'random' is made around no other"):
        find_strategy("random/asha")
    with pytest.raises(ArchwrightError, match="must know how long a full training is"):
        find_strategy("asha").make(space)


def test_the_forms_of_export_are_the_librarys():
    from archwright.export import FORMS

    assert export.FORMS == FORMS


def complete(line, cwd):
    """What bash is offered for the last word of a line."""
    words = shlex.split(line) + ([""] if line.endswith(" ") else [])
    environment = {
        **os.environ,
        "_ARCHWRIGHT_COMPLETE": "complete_bash",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(words) - 1),
    }
    code = "from archwright.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, cwd=cwd, capture_output=True, text=True, timeout=60
    )
    return done.stdout.split()


def test_a_shell_completes_names_of_data_strategies_and_spaces(tmp_path):
    (tmp_path / "distances.csv").touch()
    assert complete("archwright search di", tmp_path) == ["digits", "diabetes", "distances.csv"]
    assert complete("archwright search digits --strategy ev", tmp_path) == ["evolution"]
    assert complete("archwright search digits --strategy asha/ev", tmp_path) == ["asha/evolution"]
    assert complete("archwright search digits --space m", tmp_path) == ["mobile", "mlp"]


def test_a_shell_completes_folders_of_runs(tmp_path):
    (tmp_path / "runs" / "digits").mkdir(parents=True)
    (tmp_path / "runs" / "digits" / "run.db").touch()
    assert complete("archwright resume runs/d", tmp_path)[0] == "runs/digits"


def test_lists_are_json_for_programs(archwright):
    assert {e["name"] for e in json.loads(archwright("strategies", "--json").stdout)["strategies"]} == set(STRATEGIES)
    data = json.loads(archwright("tasks", "--json").stdout)["data"]
    assert {"name": "digits", "installed": True}.items() <= data[0].items()
    listed = json.loads(archwright("spaces", "--data", "digits", "--json").stdout)["spaces"]
    assert [e["name"] for e in listed] == ["convnet", "mobile"]
    assert all(e["size"] > 1000 for e in listed)


def test_lists_are_tables_for_people(archwright):
    assert "breast_cancer" in archwright("tasks").stdout
    assert "convnet" in archwright("spaces").stdout
    described = archwright("spaces", "--data", "digits", "--describe", "convnet").stdout
    assert "first/kernel" in described
