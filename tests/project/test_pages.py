"""What the pages and the examples show is what runs.

The ```python blocks of a page are run in their order as one program. An HTML comment directly above a block,
which readers of the page do not see, says how:

- ``<!-- no-run: reason -->``: it is not run;
- ``<!-- when run: "10 min" -> "5 s" -->``: it is run with this text replaced;
- ``<!-- before: code -->``, on one line or more: this code, which prepares what the page needs, runs first.

Several such comments may stand above one block.
"""

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted(p.relative_to(ROOT).as_posix() for p in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
EXAMPLES = sorted(p.relative_to(ROOT).as_posix() for p in ROOT.glob("examples/*.py"))

LONG = {
    "docs/oneshot.md", "docs/search.md", "docs/strategies.md", "examples/audio.py", "examples/compare_strategies.py",
    "examples/darts.py", "examples/detection.py", "examples/forecasting.py", "examples/generation.py",
    "examples/graphs.py", "examples/language.py", "examples/multimodal.py", "examples/nodes.py",
    "examples/recommendation.py", "examples/segmentation.py", "examples/several.py", "examples/speech.py",
    "examples/text.py", "examples/translation.py", "examples/two_goals.py",
}  # fmt: skip
"""These take more than ten seconds each, and run with the slow tests."""


def each(names):
    """Names as parameters, the long ones marked."""
    return [pytest.param(n, marks=[pytest.mark.slow] if n in LONG else []) for n in names]


FENCE = re.compile(
    r"^(?P<fence>`{3,})(?P<language>\w*)[^\n]*\n(?P<code>.*?)^(?P=fence)[ \t]*$", re.MULTILINE | re.DOTALL
)
COMMENTS_AT_THE_END = re.compile(r"(?:<!--(?:(?!-->).)*-->\s*)+\Z", re.DOTALL)
COMMENT = re.compile(r"<!--[ \t]*(.*?)\s*-->", re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)|<(?:img|a)\b[^>]*?\b(?:src|href)=\"([^\"]+)\"")


@dataclass(frozen=True)
class Block:
    """One fenced block: its language, its code as shown, its line in the page, the comments above it."""

    language: str
    code: str
    line: int
    comments: tuple[str, ...]

    @property
    def runs(self) -> bool:
        return self.language == "python" and not any(c.startswith("no-run:") for c in self.comments)

    def program(self) -> str:
        """The code as it is run."""
        code, before = self.code, []
        for kind, _, said in (comment.partition(":") for comment in self.comments):
            if kind == "when run":
                shown, run = (part.strip() for part in said.split("->"))
                assert shown in code, f"line {self.line}: the block does not hold {shown!r}"
                code = code.replace(shown, run)
            elif kind == "before":
                before.append(said.strip())
        return "\n".join([f"# line {self.line} of the page", *before, code])


def blocks(text):
    """Every fenced block of a page, in order."""
    for fence in FENCE.finditer(text):
        above = COMMENTS_AT_THE_END.search(text, 0, fence.start())
        comments = tuple(COMMENT.findall(above.group())) if above else ()
        yield Block(fence["language"], fence["code"], text.count("\n", 0, fence.start()) + 1, comments)


def run(script, folder):
    """Run a script as a user would, in an empty folder, with warnings shown and the search's budget kept small."""
    environment = {**os.environ, "ARCHWRIGHT_EXAMPLE_BUDGET": "2s", "PYTHONWARNINGS": "default"}
    done = subprocess.run(
        [sys.executable, str(script)], cwd=folder, env=environment, capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"


# The Chinese README holds the code of the English one: see below.
@pytest.mark.parametrize("page", each(page for page in PAGES if page != "README.zh-CN.md"))
def test_the_python_of_a_page_runs(page, tmp_path):
    text = (ROOT / page).read_text("utf-8")
    programs = [block.program() for block in blocks(text) if block.runs]
    if not programs:
        pytest.skip("the page holds no Python to run")
    script = tmp_path / "page.py"
    script.write_text("\n".join(programs), encoding="utf-8")
    run(script, tmp_path)


@pytest.mark.parametrize("example", each(EXAMPLES))
def test_an_example_runs(example, tmp_path):
    run(ROOT / example, tmp_path)


@pytest.mark.parametrize("page", PAGES)
def test_the_links_of_a_page_lead_somewhere(page):
    text = FENCE.sub("", (ROOT / page).read_text("utf-8"))
    targets = [a or b for a, b in LINK.findall(text)]
    inside = [t.partition("#")[0] for t in targets if not t.startswith(("http://", "https://", "mailto:", "#"))]
    assert not [t for t in inside if not ((ROOT / page).parent / t).exists()]


def test_every_page_is_reached_from_the_index():
    index = (ROOT / "docs" / "index.md").read_text("utf-8")
    pages = {p.relative_to(ROOT / "docs").as_posix() for p in ROOT.glob("docs/**/*.md")} - {"index.md"}
    assert not pages - {a.partition("#")[0] for a, _ in LINK.findall(index)}


def test_both_readmes_have_the_same_headings_and_code():
    english, chinese = (ROOT / "README.md", ROOT / "README.zh-CN.md")
    if not english.read_text("utf-8").strip():
        pytest.skip("README.md is still empty")
    texts = [page.read_text("utf-8") for page in (english, chinese)]
    first, second = ([(b.language, b.code, b.comments) for b in blocks(text)] for text in texts)
    assert first == second
    first, second = ([len(h) for h in re.findall(r"^(#+) ", FENCE.sub("", t), re.MULTILINE)] for t in texts)
    assert first == second


def test_the_comments_above_a_block_are_heeded():
    text = """# A page
<!-- before: x = 1 -->
<!-- when run: "10 min" -> "5 s" -->
```python
budget = "10 min", x
```
<!-- no-run: it takes an hour -->
```python
budget = "1 h"
```

Some <!-- no-run: not above a block --> words.

```python
assert budget == ("5 s", 1)
```
```sh
make
```
"""
    found = list(blocks(text))
    assert [b.line for b in found] == [4, 8, 14, 17]
    assert [b.runs for b in found] == [True, False, True, False]
    exec("\n".join(b.program() for b in found if b.runs), {})
