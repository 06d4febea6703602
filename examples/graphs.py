"""Graphs in, a trained network out that says of which class each is.

    python examples/graphs.py

Replace the graphs by yours: aw.task.GraphClassification(graphs, labels), or .from_folder("folder").
"""

import os

import networkx as nx

import archwright as aw
from archwright.export import predict

rings = aw.task.load("rings")  # is there a ring of five or of six somewhere in the tree?
print(rings)

budget = os.environ.get("ARCHWRIGHT_EXAMPLE_BUDGET", "3 min")
result = aw.search(rings, objectives=[aw.maximize("accuracy"), aw.at_most(params=20_000)], budget=budget)
for name, figures in rings.references(rings.train, rings.validation).items():
    print(f"{name}: {figures['accuracy']:.3f} on validation")
layers = result.best.architecture["layers/times"]
print(f"the network: {result.test['accuracy']['mean']:.3f} on test, with {layers} layers of messages")

folder = result.save("runs/graphs")
for size in (5, 6):
    tree = nx.disjoint_union(nx.barabasi_albert_graph(25 - size, 1, seed=2000), nx.cycle_graph(size))
    tree.add_edge(3, 25 - size)
    print(size, predict(folder, [tree])[0].label)
