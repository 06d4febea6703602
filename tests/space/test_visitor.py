"""A visitor looks on while an architecture is built, and may put other things in the place of parts."""

from archwright.space import Space, choice, repeat, searchable, subset

pair = searchable(lambda *parts, **named: (parts, named), name="pair")


class Visitor:
    def __init__(self, given=()):
        self.given = dict(given)
        self.seen = {}

    def instead(self, path):
        return self.given.get(path)

    def made(self, path, value):
        self.seen[path] = value


SPACE = Space(
    pair(
        repeat(pair(choice(1, 2, name="a")), (1, 2), name="r"),
        choice(pair("x", choice(3, 4, name="b")), 7, name="c"),
        reads=subset(["p", "q"], 1, name="s"),
    )
)
ARCHITECTURE = SPACE.architecture([1, 0, 1, 0, 1, 0])


def test_it_is_told_what_was_made_at_each_path():
    visitor = Visitor()
    built = SPACE.build(ARCHITECTURE, visitor)
    assert built == SPACE.build(ARCHITECTURE)
    assert visitor.seen == {
        (): built,
        (0, ("copy", 0)): ((1,), {}),
        (0, ("copy", 1)): ((2,), {}),
        (1, ("option", 0)): (("x", 4), {}),
    }


def test_what_it_gives_stands_instead_of_a_part_which_is_not_built():
    visitor = Visitor({(0, ("copy", 1)): "stands here", (1,): "and here"})
    (parts, named) = SPACE.build(ARCHITECTURE, visitor)
    assert parts == (((1,), {}), "stands here", "and here")
    assert named == {"reads": ["p"]}
    assert set(visitor.seen) == {(), (0, ("copy", 0))}
