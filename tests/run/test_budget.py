import pytest

from archwright.errors import BudgetError
from archwright.run import Budget


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("2m", Budget(seconds=120)),
        ("10 min", Budget(seconds=600)),
        ("1h30m", Budget(seconds=5400)),
        (90, Budget(seconds=90)),
        ("100 trials", Budget(trials=100)),
        ("2k epochs", Budget(epochs=2000)),
        (Budget(trials=3), Budget(trials=3)),
    ],
)
def test_budgets_are_read_as_people_write_them(given, meant):
    assert Budget.of(given) == meant
    assert Budget.from_json(meant.to_json()) == meant


@pytest.mark.parametrize("given", ["0", "-5m", 0, -1, "soon", "0 trials", float("nan"), float("inf")])
def test_budgets_that_cannot_be_spent_are_refused(given):
    with pytest.raises(BudgetError):
        Budget.of(given)


def test_no_budget_at_all_is_refused():
    with pytest.raises(BudgetError, match="no budget"):
        Budget.of(None)


def test_a_budget_reads_well():
    assert str(Budget.of("2m", trials=100)) == "2m or 100 trials"
