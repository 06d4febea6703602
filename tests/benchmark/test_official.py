"""Official files, made alike on a small scale: their structure is that which the packages' own sources read."""

import base64
import bz2
import itertools
import json
import pickle
import struct

import numpy as np
import pandas as pd
import pytest

from archwright.benchmark import load, official101, official201
from archwright.benchmark.nasbench101 import OPERATIONS as VERTICES
from archwright.benchmark.nasbench101 import cell_hash, cell_space, pruned
from archwright.benchmark.nasbench201 import EDGES, OPERATIONS, cell_text, parse_cell
from archwright.errors import DataError, EvaluationError
from archwright.space import Architecture

# NAS-Bench-201 and NATS-Bench


def run(epochs, seed, value, sets, train_times=True):
    """The state of one ``ResultsCount``; `value` is the accuracy after the last epoch, of each set one more."""
    last = epochs - 1
    accuracies = {f"{s}@{e}": value + i - (e != last) for i, s in enumerate(sets) for e in (0, last)}
    return {
        "params": 1.073466,
        "flop": 153.27296,
        "seed": seed,
        "epochs": epochs,
        "train_times": dict.fromkeys(range(epochs), 2.0) if train_times else None,
        "eval_names": list(sets),
        "eval_acc1es": accuracies,
    }


def results(index, epochs):
    """The state of one ``ArchResults``: two seeds for validation, of which the mean counts."""
    both = ("x-valid", "x-test", "ori-test")
    runs = {
        ("cifar10-valid", 777): run(epochs, 777, index % 90, ("x-valid", "ori-test")),
        ("cifar10-valid", 888): run(epochs, 888, index % 90 + 2, ("x-valid", "ori-test")),
        ("cifar10", 777): run(epochs, 777, index % 80, ("ori-test",)),
        ("cifar100", 777): run(epochs, 777, index % 70, both, train_times=index != 3),
    }
    seeds = {}
    for dataset, seed in runs:
        seeds.setdefault(dataset, []).append(seed)
    return {"arch_index": index, "arch_str": "", "all_results": runs, "dataset_seed": seeds}


CELLS = [cell_text(*c) for c in itertools.product(OPERATIONS, repeat=6)]


def write(path, value):
    with bz2.open(path, "wb", compresslevel=1) as file:
        pickle.dump(value, file)


@pytest.fixture(scope="module", params=["nats file", "nats folder", "nasbench201 file"])
def official(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("official")
    few = CELLS[:40]
    if request.param == "nats folder":
        write(folder / "meta.pickle.pbz2", {"meta_archs": few})
        for i in range(len(few)):
            write(folder / f"{i:06d}.pickle.pbz2", {"12": results(i, 12), "200": results(i + 5, 200)})
        return folder
    if request.param == "nats file":
        infos = {i: {"12": results(i, 12), "200": results(i + 5, 200)} for i in range(len(few))}
        write(folder / "NATS.pickle.pbz2", {"meta_archs": few, "arch2infos": infos, "evaluated_indexes": [*infos]})
        return folder / "NATS.pickle.pbz2"
    import torch

    infos = {i: {"less": results(i, 12), "full": results(i + 5, 200)} for i in range(len(few))}
    whole = {"meta_archs": few, "arch2infos": infos, "evaluated_indexes": [*infos]}
    torch.save(whole, folder / "NAS-Bench-201.pth")
    return folder / "NAS-Bench-201.pth"


def test_convert_201(official, tmp_path):
    frame = pd.read_parquet(official201.convert(official, tmp_path / "nasbench201_all.parquet"))
    assert frame.arch.tolist() == CELLS[:40]
    row = frame.iloc[7]
    assert (row.c10_val_12, row.c10_val_200) == (7 + 1, 12 + 1), "the mean of two seeds"
    assert (row.c10_test_12, row.c100_val_12, row.c100_test_12) == (7, 7, 8)
    assert (row.params_cifar10, row.flops_cifar10) == (1073466, 153272960)
    assert (row.c10_seconds_12, row.c10_seconds_200) == (24, 400)
    assert "c100_seconds_12" not in frame, "one training has no times"
    assert "in16_val_12" not in frame


def test_a_converted_file_loads(tmp_path):
    def light(index):
        """All of one architecture that validation on CIFAR-10 needs."""
        state = {
            "params": 1.0,
            "flop": 2.0,
            "epochs": 12,
            "train_times": {0: 24.0},
            "eval_acc1es": {"x-valid@11": index % 90},
        }
        return {"12": {"all_results": {("cifar10-valid", 777): state}, "dataset_seed": {"cifar10-valid": [777]}}}

    infos = {i: light(i) for i in range(len(CELLS))}
    write(tmp_path / "NATS.pickle.pbz2", {"meta_archs": CELLS, "arch2infos": infos, "evaluated_indexes": []})
    official201.convert(tmp_path / "NATS.pickle.pbz2", tmp_path / "nasbench201_all.parquet")
    problem = load("nasbench201-cifar10-12-params", tmp_path)
    measured = problem.measure(Architecture(dict(zip(EDGES, parse_cell(CELLS[100]), strict=True))))
    assert measured.metrics == {"accuracy": 100 % 90}
    assert (measured.seconds, measured.costs) == (24, {"params": 1e6, "macs": 2e6})


def test_what_is_no_official_file(tmp_path):
    (tmp_path / "a.pickle.pbz2").write_bytes(b"nothing")
    with pytest.raises(DataError, match="cannot read"):
        official201.convert(tmp_path / "a.pickle.pbz2", tmp_path / "t.csv")
    write(tmp_path / "b.pickle.pbz2", {"other": 1})
    with pytest.raises(DataError, match="is not the benchmark: it has no 'arch2infos'"):
        official201.convert(tmp_path / "b.pickle.pbz2", tmp_path / "t.csv")
    write(tmp_path / "c.pickle.pbz2", {"meta_archs": CELLS[:2], "arch2infos": {0: {"12": {}}}})
    with pytest.raises(DataError, match=r"architecture 0 .* has not the structure"):
        official201.convert(tmp_path / "c.pickle.pbz2", tmp_path / "t.csv")
    write(tmp_path / "meta.pickle.pbz2", {"meta_archs": CELLS[:2]})
    with pytest.raises(DataError, match="is partial: it has no 000000"):
        official201.convert(tmp_path, tmp_path / "t.csv")
    with pytest.raises(DataError, match=r"allowed are .csv and .parquet"):
        official201.convert(tmp_path, tmp_path / "t.txt")


# NAS-Bench-101


def varint(value):
    found = b""
    while value > 127:
        found, value = found + bytes([value & 127 | 128]), value >> 7
    return found + bytes([value])


def message(params, values):
    """A ``ModelMetrics`` message with three evaluations: start, half time, end."""
    packed = b""
    for share in (0.0, 0.5, 1.0):
        doubles = dict(zip((1, 2, 3, 4, 5), (108.0, *values), strict=True))
        body = b"".join(bytes([f << 3 | 1]) + struct.pack("<d", v * share) for f, v in doubles.items())
        body += bytes([6 << 3 | 2]) + varint(4) + b"path"
        packed += bytes([1 << 3 | 2]) + varint(len(body)) + body
    return packed + bytes([2 << 3]) + varint(params) + bytes([3 << 3 | 1]) + struct.pack("<d", 1.0)


def record(data):
    return struct.pack("<Q", len(data)) + b"crc!" + data + b"crc!"


def small_101(space, n=30):
    """A few cells with their official hash; values are a function of their position."""
    found = {}
    for architecture in space.sample(np.random.default_rng(0), n):
        matrix, labels = pruned(*space.build(architecture))
        found.setdefault(cell_hash(matrix, labels), (architecture, matrix, labels))
    return found


def test_convert_101(tmp_path):
    space = cell_space()
    cells = small_101(space)
    with (tmp_path / "nasbench_full.tfrecord").open("wb") as file:
        for i, (name, (_, matrix, labels)) in enumerate(cells.items()):
            for epochs, repeat in itertools.product((4, 108), range(3)):
                values = (100.0 + i, 0.9, 0.5 + i / 100 + (repeat - 1) / 10, 0.4 + i / 100 + (epochs == 108) / 10)
                packed = base64.b64encode(message(1000 + i, values)).decode()
                row = [name, epochs, "".join(map(str, matrix.ravel())), ",".join(labels), packed]
                file.write(record(json.dumps(row).encode()))
    official101.convert(tmp_path / "nasbench_full.tfrecord", tmp_path / "nasbench101.parquet")
    problem = load("nasbench101", tmp_path)
    for i, (architecture, _, _) in enumerate(cells.values()):
        measured = problem.measure(architecture)
        assert measured.metrics == {
            "accuracy": pytest.approx(0.5 + i / 100),
            "test_accuracy": pytest.approx(0.5 + i / 100),
        }
        assert (measured.costs["params"], measured.seconds, measured.epochs) == (1000 + i, 100 + i, 108)
    assert load("nasbench101-4-params", tmp_path).measure(architecture).metrics["test_accuracy"] == pytest.approx(
        0.4 + i / 100
    )
    with pytest.raises(DataError, match="has no column 'val_36'"):
        load("nasbench101-36", tmp_path)
    other = next(
        a for a in space.sample(np.random.default_rng(1), 50) if cell_hash(*pruned(*space.build(a))) not in cells
    )
    with pytest.raises(EvaluationError, match="no row for"):
        problem.measure(other)
    whole = (tmp_path / "nasbench_full.tfrecord").read_bytes()
    (tmp_path / "cut.tfrecord").write_bytes(whole[:-9])
    with pytest.raises(DataError, match="was not downloaded whole"):
        official101.convert(tmp_path / "cut.tfrecord", tmp_path / "t.csv")
    (tmp_path / "other.tfrecord").write_bytes(record(b'["hash", 108]'))
    with pytest.raises(DataError, match=r"record 0 of .* has not the structure"):
        official101.convert(tmp_path / "other.tfrecord", tmp_path / "t.csv")


def test_the_official_hash():
    """Equal for isomorphic cells; a fixed value, computed by hand from the definition for the smallest cell."""
    matrix = np.zeros((4, 4), dtype=int)
    matrix[0, 1] = matrix[0, 2] = matrix[1, 3] = matrix[2, 3] = 1
    a, b = VERTICES[:2]
    assert cell_hash(matrix, ["input", a, b, "output"]) == cell_hash(matrix, ["input", b, a, "output"])
    assert cell_hash(matrix, ["input", a, b, "output"]) != cell_hash(matrix, ["input", a, a, "output"])

    def md5(text):
        import hashlib

        return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()

    first, last = md5("(1, 0, -1)"), md5("(0, 1, -2)")
    for _ in range(2):
        first, last = md5(f"|{last}|{first}"), md5(f"{first}||{last}")
    assert cell_hash(np.array([[0, 1], [0, 0]]), ["input", "output"]) == md5(str(sorted([first, last])))


def test_keys_never_join_different_cells():
    """Cells of equal key have equal official hashes, dead vertices or not."""
    space = cell_space()
    by_key = {}
    for architecture in space.sample(np.random.default_rng(3), 400):
        by_key.setdefault(space.key(architecture), set()).add(cell_hash(*pruned(*space.build(architecture))))
    assert max(map(len, by_key.values())) == 1
    assert len(by_key) < 400, "some cells differ only where nothing reads"


def test_101_needs_its_file(tmp_path):
    with pytest.raises(DataError, match=r"nasbench101.parquet .*official101.convert"):
        load("nasbench101", tmp_path)
