"""By which number shared weights put architectures in order."""

from archwright.oneshot import ranking_goal
from archwright.testing.oneshot import toy_task


def test_classes_are_ranked_by_log_loss_and_all_else_by_its_own_metric():
    task = toy_task()
    for metric in ("accuracy", "f1"):
        assert (ranking_goal(task, metric).metric, ranking_goal(task, metric).score(0.5)) == ("log_loss", 0.5)
    for metric in ("log_loss", "roc_auc"):
        assert ranking_goal(task, metric).metric == metric
    assert ranking_goal(task, "roc_auc").score(0.5) == -0.5
