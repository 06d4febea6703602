"""Recommendation: ratings and clicks, negatives that are none, ranks as a library counts them, unknown users."""

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.metrics import ndcg_score

from archwright import oneshot
from archwright import task as tasks
from archwright.errors import DataError, EvaluationError
from archwright.evaluator import Recipe, Training
from archwright.export import export, predict
from archwright.export.card import Card
from archwright.nn import materialize
from archwright.run import search
from archwright.task import Recommendation
from archwright.testing import TaskContract
from archwright.trial import Proposal


def ratings(users=30, items=40, share=0.5, seed=0):
    """What a user rates comes of two hidden numbers each, and of how strict he is; every pair is there once."""
    rng = np.random.default_rng(seed)
    taste, kind = rng.normal(size=(users, 2)), rng.normal(size=(items, 2))
    values = np.clip(np.round(3 + taste @ kind.T + 0.5 * rng.normal(size=(users, 1))), 1, 5)
    user, item = np.nonzero(rng.random((users, items)) < share)
    frame = pd.DataFrame({"user_id": user + 100, "movieId": item + 7, "rating": values[user, item]})
    frame["timestamp"] = rng.permutation(len(frame)) + 1_000_000
    return frame


def clicks(groups=4, each=8, items=12, seed=0):
    """Users and items in groups; users click in their own."""
    rng = np.random.default_rng(seed)
    rows = [
        (f"u{g}-{u}", f"i{g}-{i}")
        for g in range(groups)
        for u in range(each)
        for i in rng.permutation(items)[: items - 3]
    ]
    frame = pd.DataFrame(rows, columns=["user", "item"])
    frame["date"] = pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.permutation(len(frame)), unit="h")
    return frame.sample(frac=1.0, random_state=0)


class TestRatings(TaskContract):
    def make(self):
        return Recommendation(ratings())

    def make_of(self, n):
        return Recommendation(ratings().head(n))


class TestRatingsWithFeatures(TestRatings):
    def make(self):
        return Recommendation(ratings(), users=ages(), items=genres())


class TestClicks(TaskContract):
    def make(self):
        return Recommendation(clicks(), candidates=20)

    def make_of(self, n):
        return Recommendation(clicks().head(n))

    def library(self, task, output, target):
        """The held-out item and the others as scikit-learn ranks them, from scores of pairs that are made by hand."""
        network, part = self.network(task).eval(), task.validation
        train = {tuple(p) for p in task.train.inputs.long().tolist()}
        found = {"ndcg10": [], "hr10": [], "ndcg10_all": [], "hr10_all": []}
        for user, item in part.inputs.long().tolist():
            drawn = [c for c in task.ranking.candidates[user].tolist() if c]
            everything = [i for i in range(1, task.ranking.items + 1) if i != item and (user, i) not in train]
            for end, others in (("", drawn), ("_all", everything)):
                pairs = torch.tensor([(user, i) for i in [item, *others]], dtype=torch.float32)
                with torch.no_grad():
                    scores = network(pairs).double().numpy().T
                relevant = np.zeros_like(scores)
                relevant[0, 0] = 1
                found[f"ndcg10{end}"].append(ndcg_score(relevant, scores, k=10))
                found[f"hr10{end}"].append(float((scores[0] >= scores[0, 0]).sum() <= 10))
        return {name: np.mean(values) for name, values in found.items()}


def ages(users=30, more=5):
    rng = np.random.default_rng(1)
    n = users + more
    return pd.DataFrame(
        {"user_id": np.arange(n) + 100, "age": rng.integers(9, 90, n), "work": rng.choice(["a", "b"], n)}
    )


def genres(items=40):
    return pd.DataFrame({"movieId": np.arange(items) + 7, "comedy": np.arange(items) % 2})


def test_columns_are_found_by_their_usual_names_or_said():
    task = Recommendation(ratings())
    assert task.describe()["columns"] == {"user_id": "user", "movieId": "item", "rating": "target", "timestamp": "time"}
    other = ratings().rename(columns={"user_id": "who", "movieId": "what", "rating": "liked"})
    said = Recommendation(other, user="who", item="what", target="liked")
    assert said.fingerprint != task.fingerprint, "other names"
    assert torch.equal(said.train.inputs, task.train.inputs)
    assert torch.equal(said.train.targets, task.train.targets)
    assert Recommendation(other, user="who", item="what").ranking is not None, "no ratings: clicks"


def test_ratings_are_divided_at_random_or_by_time():
    frame = ratings()
    task = Recommendation(frame, split="time")
    known = task.preparation.features

    def when(part):
        pairs = part.inputs.long().tolist()
        ids = pd.DataFrame([(known.users.ids[u - 1], known.items.ids[i - 1]) for u, i in pairs if u and i])
        return frame.merge(ids, left_on=["user_id", "movieId"], right_on=[0, 1])["timestamp"]

    assert when(task.train).max() < when(task.validation).min()
    assert when(task.validation).max() < when(task.open_test()).min()
    assert task.sizes == Recommendation(frame).sizes
    first, other = (Recommendation(frame, split_seed=s).fingerprint for s in (0, 1))
    assert first != other


def test_the_last_click_is_test_and_the_one_before_validation():
    frame = clicks()
    task = Recommendation(frame)
    known = task.preparation.features
    last = frame.sort_values("date").groupby("user")["item"].agg(list)
    for part, place in ((task.validation, -2), (task.open_test(), -1)):
        assert len(part) == 32
        for user, item in part.inputs.long().tolist():
            assert known.items.ids[item - 1] == last[known.users.ids[user - 1]][place]
    few = pd.DataFrame({"user": ["x", "x"], "item": ["i0-0", "i0-1"], "date": ["2024-01-01", "2024-01-02"]})
    more = Recommendation(pd.concat([frame.assign(date=frame["date"].astype(str)), few]))
    assert len(more.train) - len(task.train) == 2, "who clicked less than thrice is for training alone"


def test_negatives_are_no_clicks_of_training_and_drawn_anew():
    task = Recommendation(clicks(), negatives=3)
    seen = {tuple(p) for p in task.train.inputs.long().tolist()}
    batch = task.train[:50]

    def drawn(seed):
        inputs, targets = task.drawn(batch.inputs, batch.targets, torch.Generator().manual_seed(seed))
        assert inputs.shape == (200, 2)
        assert torch.equal(inputs[:50], batch.inputs)
        assert targets.flatten().tolist() == [1.0] * 50 + [0.0] * 150
        assert inputs[50:, 0].tolist() == batch.inputs[:, 0].tolist() * 3
        return inputs[50:].long()

    first, again, other = drawn(0), drawn(0), drawn(1)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert not seen & {tuple(p) for p in torch.cat([first, other]).tolist()}
    held = {tuple(p) for p in task.validation.inputs.long().tolist()}
    many = {tuple(p) for s in range(40) for p in drawn(s).tolist()}
    assert many & held, "to spare what is held out would tell of it"


def test_candidates_were_clicked_in_no_part():
    frame = clicks()
    task = Recommendation(frame, candidates=20)
    known, candidates = task.preparation.features, task.ranking.candidates
    clicked = set(zip(frame["user"], frame["item"], strict=True))
    for user in task.validation.inputs[:, 0].long().tolist():
        own = candidates[user].tolist()
        assert len(set(own)) == 20
        assert 0 not in own
        assert not any((known.users.ids[user - 1], known.items.ids[i - 1]) in clicked for i in own)
    assert torch.equal(candidates, Recommendation(frame, candidates=20).ranking.candidates)
    short = Recommendation(frame, candidates=99).ranking.candidates[1]
    assert (short > 0).sum() == 48 - 9, "fewer are left: all of these"


def test_who_says_the_same_of_all_hits_nothing():
    task = Recommendation(clicks())
    part = task.validation
    ranks = task.observed(lambda pairs: torch.zeros(len(pairs), 1), part.inputs, torch.zeros(len(part), 1))
    assert task.score(ranks, part.targets) == {"ndcg10": 0.0, "hr10": 0.0, "ndcg10_all": 0.0, "hr10_all": 0.0}


def test_rankings_of_all_items_are_left_out_where_they_cost_much():
    task = Recommendation(clicks(), full=False)
    assert list(task.metrics) == ["ndcg10", "hr10"]
    network = materialize(task.baseline(), task.input_shape)
    ranks = task.observed(network, task.validation.inputs, network(task.validation.inputs).detach())
    assert ranks[:, 1].isnan().all()


def test_unknown_users_and_items_share_a_number_that_learns_nothing():
    task = Recommendation(ratings())
    inputs = task.preparation.inputs(pd.DataFrame({"user_id": [100, 999, "new"], "movieId": [7, 8, 999_999]}))
    assert inputs[:, 0].tolist() == [1, 0, 0]
    assert inputs[:, 1].tolist() == [1, 2, 0]
    network, _ = fitted(task, epochs=2)
    for table in (network.users.table, network.items.table):
        assert table.weight[0].abs().max() == 0
        assert table.weight[1:].abs().max() > 0
    with torch.no_grad():
        assert network(torch.zeros(1, 2)).isfinite().all()


def fitted(task, epochs=None, pick=lambda a: a["kind"] == "factors"):
    space = task.space()
    architecture = next(a for a in map(space.sample, map(np.random.default_rng, range(80))) if pick(a))
    recipe = Recipe.suiting(task, precision="float32", layout="contiguous", **({"epochs": epochs} if epochs else {}))
    module, measured = Training(space, task, recipe, device="cpu").fit(architecture, 0)
    return (module[0] if isinstance(module, torch.nn.Sequential) else module), measured


def test_features_of_users_and_items_are_read_and_known_beyond_training():
    task = Recommendation(ratings(), users=ages(), items=genres())
    assert task.describe()["features"] == {"users": ["age", "work"], "items": ["comedy"]}
    assert task.input_shape == (2 + 3 + 1,)
    assert task.space_options["user_features"] == 3
    new = task.preparation.inputs([{"user_id": 132, "movieId": 8}, {"user_id": 7_777, "movieId": 8}])
    assert new[:, 0].tolist() == [0, 0]
    assert new[0, 2:5].abs().sum() > 0, "user 132 rated nothing, but his age is known"
    assert new[1, 2:5].tolist() == [0, 0, 0]


def test_columns_that_belong_to_users_or_items_are_features_and_others_are_not():
    frame = ratings().merge(genres()).merge(ages()).assign(mood=np.arange(len(ratings())) % 5)
    task = Recommendation(frame)
    assert task.describe()["features"] == {"users": ["age", "work"], "items": ["comedy"]}
    assert Recommendation(frame, features=()).input_shape == (2,)
    with pytest.raises(DataError, match="'mood' differs between rows of one user"):
        Recommendation(frame, features=["mood"])
    of_clicks = Recommendation.of_clicks(frame, features=["comedy"])
    inputs, targets = of_clicks.drawn(of_clicks.train.inputs[:20], of_clicks.train.targets[:20])
    comedy = of_clicks.ranking.features[inputs[:, 1].long()]
    assert torch.equal(inputs[:, 2:], comedy), "a drawn item comes with its own features"
    assert len(targets) == 100


def test_of_a_repeated_pair_the_last_row_counts():
    frame = ratings()
    again = frame.head(5).assign(rating=1.0, timestamp=9_000_000)
    task = Recommendation(pd.concat([again, frame]))
    assert task.describe()["repeated_rows"] == 5
    assert sum(task.sizes.values()) == len(frame)
    changed = pd.concat([frame.tail(-5), again])
    assert torch.equal(Recommendation(changed).train.targets, task.train.targets)


@pytest.mark.parametrize(
    ("change", "options", "said"),
    [
        (lambda f: f.rename(columns={"user_id": "who"}), {}, "say which it is, with user="),
        (lambda f: f, {"item": "movie"}, "Did you mean 'movieId'"),
        (lambda f: f.assign(user_id=f["user_id"].where(f.index != 3)), {}, "'user_id' of the table is missing in 1 of"),
        (lambda f: f.assign(rating=f["rating"].astype(object).where(f.index != 3, "good")), {}, "'good'"),
        (lambda f: f.assign(timestamp="soon"), {}, "'soon' in row 0, which is no time"),
        (lambda f: f.drop(columns="timestamp"), {"split": "time"}, "needs a column of times"),
        (lambda f: f.drop(columns="rating"), {"clicks": False}, "no column holds ratings"),
        (lambda f: f, {"split": "by user"}, "allowed are 'random' and 'time'"),
        (lambda f: f, {"negatives": 0}, "negatives is 0"),
        (lambda f: f, {"user": "movieId", "item": "movieId"}, "each is another column"),
        (lambda f: f, {"users": ages().drop(columns="user_id")}, "the table of users has no column 'user_id'"),
        (lambda f: f, {"items": pd.concat([genres(), genres()])}, "more than one row of 7"),
        (lambda f: f.assign(rating=3.0), {}, "nothing to learn"),
        (lambda f: f.groupby("user_id").head(2), {"clicks": True}, "0 have three clicks"),
        (lambda f: pd.DataFrame([(u, i) for u in "abc" for i in "wxyz"], columns=["user", "item"]), {},
         "clicked every item"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_what_to_do(change, options, said):
    with pytest.raises(DataError) as raised:
        Recommendation(change(ratings()), **options)
    assert said.lower() in str(raised.value).lower()


def test_all_problems_are_said_at_once():
    frame = ratings().assign(user_id=np.nan, timestamp="soon")
    with pytest.raises(DataError, match="there are 2 problems"):
        Recommendation(frame)


@pytest.mark.parametrize("make", [lambda: Recommendation(ratings(), users=ages()), lambda: Recommendation(clicks())])
def test_a_network_written_down_answers_for_a_table_and_for_a_user(make, tmp_path):
    task = make()
    space = task.space()
    architecture = space.sample(np.random.default_rng(3))
    recipe = Recipe(epochs=2, precision="float32", layout="contiguous")
    module, _ = Training(space, task, recipe, device="cpu").fit(architecture, 0)
    card = Card(name="films", preparation=task.preparation.to_json())
    export(module, tmp_path, input_shape=task.input_shape, forms=["source"], card=card)
    known = task.preparation.features
    rows = pd.DataFrame({known.user: known.users.ids[:3], known.item: known.items.ids[:3], "other": 1})
    rows.to_csv(tmp_path / "new.csv", index=False)
    answers = predict(tmp_path, tmp_path / "new.csv")
    with torch.no_grad():
        expected = task.preparation.answers(module(task.preparation.inputs(rows)))
    named = "score" if task.ranking else "rating"
    assert [list(a.value) for a in answers] == [[known.user, known.item, named]] * 3
    assert [a.value[known.user] for a in answers] == list(known.users.ids[:3])
    assert [a.value[named] for a in answers] == pytest.approx(expected, rel=1e-4)
    with pytest.raises(DataError, match=f"no column '{known.item}'"):
        predict(tmp_path, rows.drop(columns=known.item))

    user = known.users.ids[0]
    best = task.top(module, user, 5)
    assert len(best) == 5
    assert [v for _, v in best] == sorted((v for _, v in best), reverse=True)
    own = task.train_and_validation().inputs
    had = {known.items.ids[i - 1] for u, i in own[:, :2].long().tolist() if u == 1 and i}
    assert not had & {item for item, _ in task.top(module, user, 999)}
    assert len(task.top(module, user, 999, seen=True)) == len(known.items.ids)
    assert len(task.top(module, "nobody", 3)) == 3


def test_a_file_is_read_by_kind(tmp_path):
    ratings().to_csv(tmp_path / "films.csv", index=False)
    said = tasks.load(tmp_path / "films.csv", kind="recommendation")
    assert (said.name, said.metric) == ("films", "rmse")
    assert tasks.load(tmp_path / "films.csv", kind="clicks").metric == "ndcg10"
    assert tasks.load(tmp_path / "films.csv", user="user_id").metric == "rmse"


def test_factors_find_what_ratings_come_of():
    task = Recommendation(ratings(60, 60))
    simple = task.references(task.train, task.validation)
    assert simple["user and item means"]["rmse"] < simple["mean"]["rmse"]
    _, measured = fitted(task, pick=lambda a: a["kind"] == "factors" and a["kind/vectors"] >= 4)
    assert measured.metrics["rmse"] < 0.9 * simple["user and item means"]["rmse"]


def test_clicks_are_learnt_beyond_popularity():
    task = Recommendation(clicks())
    popular = task.references(task.train, task.validation)["popularity"]
    _, measured = fitted(task, epochs=60, pick=lambda a: a["kind"] == "factors" and a["kind/decay"] <= 0.1)
    assert measured.metrics["hr10"] > popular["hr10"] + 0.2
    assert measured.metrics["hr10_all"] > popular["hr10_all"] + 0.2


def test_a_measurement_is_the_same_for_the_same_seed_with_negatives():
    task = Recommendation(clicks())
    space = task.space()
    proposal = Proposal(space.sample(np.random.default_rng(0)))
    recipe = Recipe(epochs=2, precision="float32", layout="contiguous", augment=False)
    first, again = (Training(space, task, recipe, device="cpu")(proposal, 5) for _ in range(2))
    assert first.metrics == again.metrics
    assert first.curve == again.curve


def test_films_of_movielens(shared_data):
    frame = pd.read_parquet(shared_data("sets/movielens100k.parquet"))
    task = Recommendation(frame, validation_share=1 / 9)
    assert task.sizes == {"train": 80_000, "validation": 10_000, "test": 10_000}
    assert 0.92 < task.references(task.train, task.validation)["user and item means"]["rmse"] < 0.96
    clicked = Recommendation.of_clicks(frame)
    assert clicked.sizes == {"train": 98_114, "validation": 943, "test": 943}
    assert (clicked.ranking.candidates[1:] > 0).all()


def test_many_users_and_items_are_looked_up_without_a_table_of_all_pairs(monkeypatch):
    task, other = Recommendation(clicks()), Recommendation(clicks())
    monkeypatch.setattr("archwright.task.ranking.DENSE", 10)
    assert other.ranking.mask is None
    monkeypatch.undo()
    assert task.ranking.mask is not None
    users, items = (g.flatten() for g in torch.meshgrid(torch.arange(33), torch.arange(49), indexing="ij"))
    assert torch.equal(task.ranking.holds(users, items), other.ranking.holds(users, items))
    assert task.ranking.holds(users, items).sum() == len(task.train)


@pytest.mark.slow
def test_one_shot_algorithms_train_on_ratings():
    task = Recommendation(ratings(), users=ages())
    result = oneshot.spos(None, task, epochs=8, candidates=4)
    losses = [point.losses["loss"] for point in result.history]
    assert losses[-1] < losses[0]
    x = task.validation.inputs
    with torch.no_grad():
        path = result.supernet.eval()(x, result.architecture)
        torch.testing.assert_close(result.supernet.subnet(result.architecture)(x), path, atol=1e-5, rtol=0)
    assert len(path.unique()) > 10


def test_one_shot_algorithms_say_that_they_draw_no_negatives():
    with pytest.raises(EvaluationError, match="draws more for each batch: take a strategy"):
        oneshot.darts(None, Recommendation(clicks()))
    with pytest.raises(EvaluationError, match="draws more for each batch: take a strategy"):
        search(Recommendation(clicks()), oneshot="darts", budget="1 min", workers=0, progress=False)
