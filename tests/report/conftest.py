"""A real small search to report on: scikit-learn's MLP on digits, by random draws and then mutations of the best."""

import itertools
import pickle
import time
import warnings

import networkx as nx
import numpy as np
import pytest
import sklearn
from sklearn.datasets import load_digits
from sklearn.metrics import accuracy_score, log_loss
from sklearn.neural_network import MLPClassifier

from archwright.objective import Objectives, at_most, maximize
from archwright.report import RunRecord, baseline_from
from archwright.space import Architecture
from archwright.trial import Measurement, Proposal, Trial

OPTIONS = {"depth": [1, 2, 3], "width": [4, 8, 16, 32, 64, 128], "activation": ["relu", "tanh", "logistic"]}
LIMIT = 6000


def data():
    x, y = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(x))
    x, y = x[order] / 16, y[order]
    return (x[:500], y[:500]), (x[500:900], y[500:900]), (x[900:], y[900:])


def draw(rng):
    chosen = {k: v[rng.integers(len(v))] for k, v in OPTIONS.items()}
    return Architecture({**chosen, "lr": float(10 ** rng.uniform(-4, -1)), "<b>&tag": ["a", "b"][rng.integers(2)]})


def mutate(parent, rng):
    name = list(OPTIONS)[rng.integers(len(OPTIONS))]
    return Architecture(
        {**parent, name: [v for v in OPTIONS[name] if v != parent[name]][rng.integers(len(OPTIONS[name]) - 1)]}
    )


def params(a):
    sizes = [64, *[a["width"]] * a["depth"], 10]
    return sum((m + 1) * n for m, n in itertools.pairwise(sizes))


def fit(a, seed, epochs, train, held):
    model = MLPClassifier(
        hidden_layer_sizes=(a["width"],) * a["depth"], activation=a["activation"], learning_rate_init=a["lr"],
        random_state=seed, batch_size=64, solver="sgd" if a["lr"] > 0.09 else "adam",
    )  # fmt: skip
    curve = []
    for epoch in range(1, epochs + 1):
        model.partial_fit(*train, classes=range(10))
        p = model.predict_proba(held[0])
        curve.append({"epoch": epoch, "train_loss": model.loss_, "log_loss": log_loss(held[1], p),
                      "accuracy": accuracy_score(held[1], p.argmax(1))})  # fmt: skip
    return model, curve


def search(objectives, n, *, evolve, seed=0, epochs=6):
    """A plain little search, told as trials with true times, costs and curves."""
    train, held, _ = data()
    began, trials = time.perf_counter(), []
    for number in range(n):
        rng = np.random.default_rng([seed, number])
        good = sorted((t for t in trials if t.status == "done"), key=lambda t: t.scores)
        parents, origin = (), "random"
        if evolve and number >= 10 and good:
            parent = good[int(rng.integers(min(4, len(good))))]
            a, parents, origin = mutate(parent.architecture, rng), (parent.number,), f"mutation of {parent.number}"
        else:
            a = draw(rng)
        costs = {"params": params(a), "macs": params(a) - a["width"] * a["depth"] - 10}
        proposal = Proposal(a, parents=parents, origin=origin)
        facts = {"number": number, "proposal": proposal, "key": str(a), "seed": number}
        excess = max(0.0, costs["params"] / LIMIT - 1)
        if excess and objectives.ceilings:
            reason = f"params {costs['params']:,} is over the ceiling of {LIMIT:,}"
            t = Trial(
                **facts, status="infeasible", measurement=Measurement(costs=costs), violation=excess, reason=reason
            )
        elif number % 13 == 5:
            try:
                MLPClassifier(hidden_layer_sizes=(0,) * a["depth"]).fit(*train)
            except ValueError as error:
                t = Trial(**facts, status="failed", reason=str(error)[:90])
        else:
            start = time.perf_counter()
            _, curve = fit(a, number, epochs, train, held)
            found = {k: curve[-1][k] for k in ("accuracy", "log_loss")}
            m = Measurement(found, costs, tuple(curve), time.perf_counter() - start, epochs)
            t = Trial(**facts, status="done", measurement=m, scores=objectives.scores(m))
        trials.append(
            Trial(**{**{k: getattr(t, k) for k in t.__dataclass_fields__}, "finished": time.perf_counter() - began})
        )
    return tuple(trials)


def drawn(a):
    graph = nx.DiGraph()
    graph.add_node("input", label="input")
    last = "input"
    for i in range(a["depth"]):
        graph.add_node(f"l{i}", label=f"Linear({a['width']})")
        graph.add_node(f"a{i}", label=a["activation"])
        graph.add_edges_from([(last, f"l{i}"), (f"l{i}", f"a{i}")])
        last = f"a{i}"
    graph.add_node("out", label="Classifier(10)")
    graph.add_edge(last, "out")
    return graph


def choose(trials, objectives, seeds=(0, 1, 2)):
    """The final choice as a search makes it: top trials over seeds on validation, then test once."""
    train, held, test = data()
    top = sorted((t for t in trials if t.status == "done"), key=lambda t: t.scores)[:3]
    candidates = [
        {
            "number": t.number,
            "validation": {"accuracy": [fit(t.architecture, s, 10, train, held)[1][-1]["accuracy"] for s in seeds]},
        }
        for t in top
    ]
    chosen = max(candidates, key=lambda c: np.mean(c["validation"]["accuracy"]))["number"]
    best = next(t for t in top if t.number == chosen)
    models = [fit(best.architecture, s, 10, train, test)[0] for s in seeds]
    hits = [m.predict(test[0]) == test[1] for m in models]
    stored = pickle.dumps(models[0])
    gap = float(abs(pickle.loads(stored).predict_proba(test[0]) - models[0].predict_proba(test[0])).max())
    rng = np.random.default_rng(0)
    means = [np.mean([h[rng.integers(len(h), size=len(h))].mean() for h in hits]) for _ in range(200)]
    scores = [float(h.mean()) for h in hits]
    low, high = (float(q) for q in np.quantile(means, [0.025, 0.975]))
    figures = {
        "per_seed": scores,
        "mean": float(np.mean(scores)),
        "deviation": float(np.std(scores, ddof=1)),
        "low": low,
        "high": high,
    }
    return {
        "chosen": chosen, "seeds": list(seeds), "candidates": candidates,
        "test": {"accuracy": figures}, "confidence": 0.95,
        "test_size": len(test[1]), "costs": dict(best.measurement.costs),
        "files": [
            {"name": "model.pkl", "form": "pickle", "bytes": len(stored), "load": "pickle.load(file)",
             "check": {"max_difference": gap, "scale": 1.0, "tolerance": 1e-5}},
        ],
        "left_out": {"onnx": "scikit-learn's networks are not exported to ONNX here"},
    }  # fmt: skip


@pytest.fixture(scope="session")
def objectives():
    return Objectives.of([maximize("accuracy"), *at_most(params=LIMIT)])


def make_record(objectives, n=48):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trials = search(objectives, n, evolve=True)
        rivals = search(objectives, n, evolve=False, seed=1)
        final = choose(trials, objectives)
    sampled = [params(draw(np.random.default_rng([9, i]))) for i in range(400)]
    return RunRecord(
        name="digits-mlp",
        objectives=objectives,
        trials=trials,
        meta={
            "task": {"name": "digits", "fingerprint": "5f1c"},
            "strategy": {"name": "evolution", "population": 10},
            "seed": 0,
            "workers": 1,
            "created": "2025-11-22 17:49",
        },
        graph=drawn(trials[final["chosen"]].architecture),
        final=final,
        baseline=baseline_from(rivals, objectives.goals[0]),
        survey={
            "sampled": 400,
            "feasible": float(np.mean([p <= LIMIT for p in sampled])),
            "costs": {"params": {"min": min(sampled), "median": float(np.median(sampled)), "max": max(sampled)}},
        },
        command="archwright search digits --max-params 6k --trials 48 --seed 0 --out runs/digits",
        versions={"scikit-learn": sklearn.__version__, "numpy": np.__version__},
    )


@pytest.fixture(scope="session")
def record(objectives):
    return make_record(objectives)
