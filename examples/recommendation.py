"""Ratings of films in, a trained network that says what somebody will like out.

    python examples/recommendation.py

Replace `ratings` by your table, or name a file: aw.task.Recommendation("ratings.csv"). Without ratings rows are clicks.
"""

import os

import numpy as np
import pandas as pd

import archwright as aw
from archwright.export import predict

rng = np.random.default_rng(0)
taste, kind = rng.normal(size=(80, 2)), rng.normal(size=(60, 2))  # what people like, and what films have of it
user, item = np.nonzero(rng.random((80, 60)) < 0.5)
liked = np.clip(np.round(3 + (taste[user] * kind[item]).sum(1)), 1, 5)
ratings = pd.DataFrame({"user_id": user, "movie_id": item, "rating": liked})
films = aw.task.Recommendation(ratings)
print(films)

budget = os.environ.get("ARCHWRIGHT_EXAMPLE_BUDGET", "2 min")
result = aw.search(films, budget=budget)
means = films.references(films.train, films.validation)["user and item means"]
print(
    f"error {result.test['rmse']['mean']:.3f} on the test ratings; means of users and items about {means['rmse']:.3f}"
)

print("user 7 will like", films.top(result.best.model, 7, n=3))
folder = result.save("runs/recommendation")
print(predict(folder, pd.DataFrame({"user_id": [7, 7], "movie_id": [1, 2]})))
