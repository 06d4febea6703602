"""A graph in, a trained network out that says of which class each node is.

    python examples/nodes.py

Replace the graph by yours: aw.task.NodeClassification(x, edges, y), or .of("folder") with nodes.csv and edges.csv.
"""

import os

import numpy as np

import archwright as aw
from archwright.export import predict

rng = np.random.default_rng(0)
subject = np.arange(300) % 3  # of papers that mostly cite papers of their own subject
cited = np.triu(rng.random((300, 300)) < np.where(subject[:, None] == subject[None], 0.05, 0.005), 1)
words = (rng.random((300, 50)) < np.where(np.arange(50)[None] % 3 == subject[:, None], 0.12, 0.08)).astype(float)
papers = aw.task.NodeClassification(words, np.stack(np.nonzero(cited)), subject)
print(papers)

budget = os.environ.get("ARCHWRIGHT_EXAMPLE_BUDGET", "2 min")
result = aw.search(papers, budget=budget)
for name, figures in papers.references(papers.train, papers.validation).items():
    print(f"{name}: {figures['accuracy']:.3f} on validation")
print(f"the network: {result.test['accuracy']['mean']:.3f} on the test nodes")

folder = result.save("runs/nodes")
print(predict(folder, {"x": words, "edges": np.stack(np.nonzero(cited))})[:3])
