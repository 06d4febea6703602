"""DARTS, watched: how the gates of a cell come to prefer some operations, and what is lost when they are read out.

    python examples/darts.py

The cell has four edges with five candidates each, on MNIST-1D. All 625 cells were trained alone in advance (the mini
benchmark), so it is known how good the one that is read out is. The plot `darts.html` shows the gates of each edge.
"""

import os

from plotly.subplots import make_subplots

import archwright as aw
from archwright import Space, choice, nn, oneshot
from archwright.benchmark import load

QUICK = "ARCHWRIGHT_EXAMPLE_BUDGET" in os.environ
EPOCHS = 2 if QUICK else 20

# 1. The space: the cells of the mini benchmark as modules, the same options in the same order.
EDGES = ("0->1", "0->2", "1->2", "2->3")
OPERATIONS = ("skip", "pool_3", "conv_1", "conv_3", "conv_5")


def edge(name):
    return choice(
        nn.Identity(),
        nn.Pool("avg", 3, 1, "same"),
        nn.ConvBlock(kernel=1),
        nn.ConvBlock(kernel=3),
        nn.ConvBlock(kernel=5, dilation=2),
        name=name,
    )


first, shortcut, second, last = (edge(name) for name in EDGES)
cell = nn.Cell(first, shortcut, second, nn.Identity(), nn.Zero(), last)
space = Space(nn.Sequential(nn.ConvBlock(width=12, kernel=3, stride=2), cell, nn.GlobalPool(), nn.Classifier(10)))
task = aw.task.load("mnist1d")

# 2. One training of all cells at once. Weights learn from one half of the training data, gates from the other.
result = oneshot.darts(space, task, epochs=EPOCHS)
print(result)

print("\nepoch   loss  gate loss  entropy  skips  accuracy under the gates")
for point in result.history:
    print(
        f"{point.epoch:5}  {point.losses['loss']:5.2f}  {point.losses['gate_loss']:9.2f}  {point.entropy:7.2f}"
        f"  {point.skips:5.2f}  {point.metric:.3f}"
    )

# 3. Reading out: of each edge the candidate with the largest gate. The gates were a mixture of all: something is lost.
print(f"\nunder the gates {result.soft:.3f}, the cell read out {result.metrics['accuracy']:.3f}: gap {result.gap:+.3f}")

# 4. How good is that cell? The benchmark has trained all of them alone.
problem = load("mini")


def alone(architecture):
    """The accuracy of a cell that was trained alone: its codes mean the same in both spaces."""
    return problem.measure(problem.space.architecture(space.codes([architecture])[0])).metrics["accuracy"]


chosen = alone(result.architecture)
worse = sum(problem.measure(a).metrics["accuracy"] < chosen for a in problem.space)
print(f"trained alone it reaches {chosen:.4f}, more than {worse} of the 625 cells; the best reaches {problem.best:.4f}")

# 5. Do shared weights put cells in the right order? (`oneshot.trust` trains a sample to find out; here it is known.)
shared = result.evaluator()
print("\n  shared    alone")
for ranked in result.top:
    print(f"  {shared(aw.Proposal(ranked.architecture)).metrics['accuracy']:.4f}   {alone(ranked.architecture):.4f}")

figure = make_subplots(2, 2, subplot_titles=[f"edge {name}" for name in EDGES], shared_xaxes=True, shared_yaxes=True)
for i, decision in enumerate(space.decisions):
    for code, operation in enumerate(OPERATIONS):
        figure.add_scatter(
            x=[point.epoch for point in result.history],
            y=[point.probabilities[decision.name][code] for point in result.history],
            name=operation,
            legendgroup=operation,
            showlegend=i == 0,
            line={"color": ["#4477aa", "#66ccee", "#ccbb44", "#ee6677", "#aa3377"][code]},
            row=i // 2 + 1,
            col=i % 2 + 1,
        )
figure.update_layout(title="The gates of the four edges")
figure.update_yaxes(title="gate", range=[0, 1], col=1)
figure.update_xaxes(title="epoch", row=2)
figure.write_html("darts.html")
print("\nwrote darts.html")
