"""NAS-Bench-201 as a table: which numbers it gives, how cells are counted, what a damaged table says."""

import itertools
import pickle

import numpy as np
import pandas as pd
import pytest

from archwright.benchmark import load, names
from archwright.benchmark.nasbench201 import EDGES, OPERATIONS, cell_text, nasbench201, parse_cell, topology_space
from archwright.errors import DataError, EvaluationError
from archwright.space import Architecture
from archwright.trial import Proposal

BEST = "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_1x1~2|"


@pytest.fixture(scope="module")
def tables(shared_data):
    return shared_data("tables/nasbench201_cifar10.parquet").parent


def cell(text):
    return Architecture(dict(zip(EDGES, parse_cell(text), strict=True)))


def synthetic(**columns):
    """A table of the right form with numbers of no meaning."""
    cells = list(itertools.product(OPERATIONS, repeat=6))
    rng = np.random.default_rng(0)
    frame = {"arch": [cell_text(*c) for c in cells], "c100_val_200": rng.random(len(cells)) * 100}
    return pd.DataFrame({**frame, **columns})


def test_a_cell_and_its_text_are_one():
    for row in np.random.default_rng(0).integers(5, size=(50, 6)):
        operations = tuple(OPERATIONS[i] for i in row)
        assert parse_cell(cell_text(*operations)) == operations
    assert topology_space().build(cell(BEST)) == BEST
    with pytest.raises(ValueError, match="is no cell"):
        parse_cell(BEST.replace("nor_conv_1x1", "nor_conv_5x5"))


def test_cells_of_equal_function_share_a_key(tables):
    """Cells of one official string of unique structure always do; sums are flattened and zeros vanish besides."""
    space = topology_space()
    frame = pd.read_parquet(tables / "nasbench201_cifar10.parquet")
    frame["key"] = space.keys(space.codes(map(cell, frame.arch)))
    assert frame.canonical.nunique() == 6466
    assert (frame.groupby("canonical").key.nunique() == 1).all()
    assert frame.key.nunique() == 4930
    for schedule in ("c10_val_200", "c10_val_12"):
        best = frame.loc[frame[schedule].idxmax()]
        assert (frame.key == best.key).sum() == 1, "another cell computes the same as the best one"


def test_skips_and_zeros_are_seen():
    space = topology_space()

    def key(*operations):
        return space.key(Architecture(dict(zip(EDGES, operations, strict=True))))

    conv, pool, skip, none = "nor_conv_3x3", "avg_pool_3x3", "skip_connect", "none"
    once = key(none, none, none, conv, none, none)
    assert key(conv, none, none, none, skip, none) == once
    assert key(pool, conv, none, none, none, skip) == once, "a branch that nothing reads"
    assert key(none, none, pool, conv, conv, none) == once, "operations on nothing"
    assert key(none, none, none, pool, none, none) != once


def test_without_the_canonical_form_every_cell_has_its_own_key():
    space = topology_space(canonical=False)
    assert len(set(space.keys(space.all_codes()).tolist())) == 15625
    assert "nasbench201-cifar10-raw" in names()


def test_the_best_cell(tables):
    problem = load("nasbench201-cifar10", tables)
    assert problem.best == pytest.approx(91.607, abs=1e-3)
    measured = problem.measure(cell(BEST))
    assert measured.metrics["accuracy"] == problem.best
    assert measured.metrics["test_accuracy"] == pytest.approx(94.373, abs=1e-3)
    assert measured.costs["params"] == 1073466
    assert measured.epochs == 200
    assert problem.space.size == 15625


def test_the_evaluator_is_a_function_of_the_proposal(tables):
    problem = load("nasbench201-cifar10-12-params", tables)
    again = pickle.loads(pickle.dumps(problem.evaluator))
    for seed, architecture in enumerate(problem.space.sample(np.random.default_rng(0), 20)):
        measured = problem.measure(architecture)
        assert measured == problem.measure(architecture) == again(Proposal(architecture), seed)
        assert problem.evaluator.costs(architecture, ("params",)) == {"params": measured.costs["params"]}
        assert measured.seconds > 0


def test_what_it_does_not_know(tables):
    problem = load("nasbench201-cifar10", tables)
    with pytest.raises(EvaluationError, match="trainings of 200 epochs alone, got 12"):
        problem.measure(cell(BEST), epochs=12)
    assert problem.evaluator.costs(cell(BEST), ("bytes", "params")) == {"params": 1073466}
    with pytest.raises(EvaluationError, match="no row for"):
        problem.measure(Architecture({"0->1": "none"}))


@pytest.mark.parametrize("name", ["nasbench201-cifar10-params", "nasbench201-cifar10-latency-raspi4"])
def test_the_exact_front_is_not_dominated(tables, name):
    problem = load(name, tables)
    front, reference = np.array(problem.front["scores"]), np.array(problem.front["reference"])
    codes = problem.space.all_codes()
    everything = np.array(
        [problem.objectives.scores(problem.measure(a)) for a in map(problem.space.architecture, codes)]
    )
    for point in front:
        assert not ((everything <= point).all(axis=1) & (everything < point).any(axis=1)).any()
        assert (everything == point).all(axis=1).any()
    covered = (front[:, None] <= everything).all(axis=2).any(axis=0)
    assert covered.all()
    assert (reference == everything.max(axis=0)).all()
    assert -front[:, 0].min() == problem.best


def test_latency_belongs_to_the_cell(tables):
    problem = load("nasbench201-cifar10-latency-raspi4", tables)
    latency = pd.read_parquet(tables / "nasbench201_latency_ms.parquet").set_index("index")
    frame = pd.read_parquet(tables / "nasbench201_cifar10.parquet")
    row = frame[frame.arch == BEST].iloc[0]
    assert problem.measure(cell(BEST)).costs["latency_ms"] == pytest.approx(latency.loc[row["index"], "raspi4"])


@pytest.mark.parametrize(("dataset", "start"), [("cifar100", "c100"), ("imagenet16", "in16")])
@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_other_data_sets(tmp_path, dataset, start, ending):
    values = np.random.default_rng(1).random(15625) * 70
    frame = synthetic(**{f"{start}_val_200": values, f"{start}_seconds_200": values + 100})
    frame = frame.sample(frac=1, random_state=0)
    path = tmp_path / f"nasbench201_{dataset}.{ending}"
    frame.to_csv(path, index=False) if ending == "csv" else frame.to_parquet(path)
    problem = nasbench201(dataset, tables=tmp_path)
    row = frame.iloc[7]
    measured = problem.measure(cell(row.arch))
    assert measured.metrics == {"accuracy": row[f"{start}_val_200"]}, "not a digit is lost"
    assert measured.seconds == pytest.approx(row[f"{start}_seconds_200"])
    assert problem.best == frame[f"{start}_val_200"].max()


def test_edges_by_number(tmp_path):
    frame = synthetic()
    codes = np.array([[OPERATIONS.index(o) for o in parse_cell(a)] for a in frame.arch])
    frame = pd.DataFrame({**dict(zip(("e01", "e02", "e12", "e03", "e13", "e23"), codes.T, strict=True)),
                          "c100_val_200": frame.c100_val_200})  # fmt: skip
    frame.to_csv(tmp_path / "nasbench201_cifar100.csv", index=False)
    problem = nasbench201("cifar100", tables=tmp_path)
    assert problem.measure(cell(cell_text(*(OPERATIONS[c] for c in codes[99])))).metrics["accuracy"] == pytest.approx(
        frame.c100_val_200[99]
    )


def test_a_damaged_table_names_the_place(tmp_path):
    path = tmp_path / "nasbench201_cifar100.csv"

    def message(frame):
        frame.to_csv(path, index=False)
        with pytest.raises(DataError) as caught:
            nasbench201("cifar100", tables=tmp_path)
        assert "nasbench201_cifar100.csv" in str(caught.value)
        return str(caught.value)

    whole = synthetic()
    damaged = whole.astype({"c100_val_200": object})
    damaged.loc[17, "c100_val_200"] = "n/k"
    assert "row 17, column 'c100_val_200': is 'n/k', not a finite number" in message(damaged)
    damaged.loc[17, "c100_val_200"] = None
    assert "row 17, column 'c100_val_200': is empty" in message(damaged)
    damaged = whole.copy()
    damaged.loc[3, "arch"] = "|conv~0|"
    assert "row 3, column 'arch': '|conv~0|' is no cell" in message(damaged)
    assert "is partial: 15,624 rows of 15,625 cells" in message(whole.drop(index=5))
    assert "row 15625, column 'arch': is the cell of row 0 again" in message(pd.concat([whole, whole[:1]]))
    assert "has no column 'c100_val_200'" in message(whole.rename(columns={"c100_val_200": "c100_val"}))
    path.write_bytes(b"\xff\xfe\x00damaged")
    with pytest.raises(DataError, match="cannot be read"):
        nasbench201("cifar100", tables=tmp_path)


def test_an_absent_table_says_where_it_was_looked_for(tmp_path):
    with pytest.raises(DataError, match=r"nasbench201_cifar10.parquet .* is in none of .*ARCHWRIGHT_DATA"):
        load("nasbench201-cifar10", tmp_path)
    with pytest.raises(DataError, match="Did you mean 'nasbench201-cifar100'"):
        load("nasbench201-cifar00", tmp_path)
