import doctest
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "objectives.md"


def test_the_examples_of_the_page_give_what_it_shows():
    done = doctest.testfile(str(PAGE), module_relative=False, encoding="utf-8")
    assert done.attempted > 5
    assert done.failed == 0
