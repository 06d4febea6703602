"""Your own training function: archwright proposes the network, your code trains it and says how good it is.

    python examples/own_function.py

Nothing to inherit and no trainer to adopt: the function asks for what it wants by the names of its arguments, out of
`model`, `architecture`, `epochs`, `seed` and `report`, and returns its metrics.
"""

import os

import torch
from sklearn.datasets import load_wine
from sklearn.model_selection import train_test_split
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, TensorDataset

import archwright as aw
from archwright import Space, choice, nn, real, repeat

BUDGET = os.environ.get("ARCHWRIGHT_EXAMPLE_BUDGET", "30 s")

# Your data, divided and loaded as you always do. Keep a test part of your own aside: archwright cannot do that here.
x, y = load_wine(return_X_y=True)
x_train, x_valid, y_train, y_valid = train_test_split(x, y, test_size=0.4, stratify=y, random_state=0)
mean, deviation = x_train.mean(0), x_train.std(0)
train_data = TensorDataset(torch.tensor((x_train - mean) / deviation).float(), torch.tensor(y_train))
x_valid, y_valid = torch.tensor((x_valid - mean) / deviation).float(), torch.tensor(y_valid)

# Open places may be anywhere in a value, so hyperparameters are searched along with the network.
layer = nn.LinearBlock(width=choice(4, 8, 16, 32), activation=choice("relu", "tanh", "silu"))
space = Space(
    {
        "network": nn.Sequential(repeat(layer, (0, 3)), nn.Classifier(3)),
        "lr": real(1e-4, 1e-1, log=True),
    }
)


def train(model, seed, report):
    """A training loop as in any script. `model` is what the space built: here a dict, as the space is one."""
    network, lr = model["network"], model["lr"]
    network(x_valid)  # the layers take their input size from the first batch
    loader = DataLoader(train_data, batch_size=16, shuffle=True, generator=torch.Generator().manual_seed(seed))
    optimizer = torch.optim.Adam(network.parameters(), lr=lr)
    for _ in range(10):
        network.train()
        for inputs, labels in loader:
            optimizer.zero_grad()
            loss = cross_entropy(network(inputs), labels)
            loss.backward()
            optimizer.step()
        network.eval()
        with torch.no_grad():
            output = network(x_valid)
        metrics = {
            "accuracy": (output.argmax(1) == y_valid).float().mean().item(),
            "loss": cross_entropy(output, y_valid).item(),
        }
        report(metrics)  # draws the learning curve, and lets the search stop a trial whose time is up
    return metrics


result = aw.search(space=space, evaluate=train, objectives=aw.minimize("loss"), budget=BUDGET, timeout="20 s")

print(result.why_it_ended)
for trial in result.leaderboard(5):
    figures = "  ".join(f"{name} {value:.4f}" for name, value in trial.measurement.metrics.items())
    print(f"trial {trial.number:3}  {figures}  {trial.architecture}")
for trial in result.trials:
    if trial.status == "failed":  # an exception in `train` costs one trial, never the search
        print(f"trial {trial.number:3}  {trial.reason}")
