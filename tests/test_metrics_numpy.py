"""Metrics alone on arrays, against numbers made by hand (test_metrics_sklearn.py: scikit-learn)."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lamina import metrics

READY = [
    thing
    for thing in (getattr(metrics, name) for name in metrics.__all__)
    if isinstance(thing, metrics.Metric)
]
FUNCTIONS = [metric for metric in READY if metric.name != "top_k_accuracy"]  # it needs columns
REGRESSION = [
    metrics.mean_squared_error,
    metrics.root_mean_squared_error,
    metrics.mean_absolute_error,
    metrics.mean_absolute_percentage_error,
    metrics.r2,
    metrics.explained_variance,
    metrics.max_error,
]


def names(metric):
    return metric.key if isinstance(metric, metrics.Metric) else None


# ---- by hand ------------------------------------------------------------------------------------


def test_regression():
    y, p = [1.0, 2.0, 3.0, 6.0], [1.0, 3.0, 3.0, 3.0]  # errors 0, 1, 0, -3; mean of y is 3
    assert metrics.mean_squared_error(y, p) == 2.5
    assert metrics.root_mean_squared_error(y, p) == np.sqrt(2.5)
    assert metrics.mean_absolute_error(y, p) == 1.0
    assert metrics.r2(y, p) == pytest.approx(1 - 10 / 14, rel=1e-15)
    assert metrics.explained_variance(y, p) == pytest.approx(1 - (10 / 4 - 0.25) / 3.5, rel=1e-15)
    assert metrics.mean_absolute_percentage_error(y, p) == (0 + 0.5 + 0 + 0.5) / 4
    assert metrics.mean_absolute_percentage_error([0.0], [1.0]) == 2.0**52
    assert metrics.max_error(y, p) == 3.0


def test_quantiles():
    y, p = [1.0, 2.0, 3.0, 6.0], [1.0, 3.0, 3.0, 3.0]
    assert metrics.quantile_loss(y, p) == 0.5
    assert metrics.QuantileLoss(levels=0.75)(y, p) == (0.25 + 0.75 * 3) / 4
    assert metrics.QuantileLoss(levels=0.75)(y, p, [1, 1, 1, 0]) == 0.25 / 3
    assert metrics.coverage(y, p) == 0.75
    assert metrics.coverage(y, p, [1, 0, 0, 1]) == 0.5
    fan = np.array([[1.0, 2.0], [0.0, 1.0], [3.0, 5.0], [7.0, 8.0]])
    assert metrics.coverage(y, fan) == 0.5  # the bounds belong to the interval
    assert metrics.coverage(y, np.insert(fan, 1, 100.0, axis=1)) == 0.5  # first and last
    assert metrics.coverage(np.array([y, y]).T, fan - [0, 1.5]) == (0.75 + 0.5) / 2
    both = [metrics.QuantileLoss(levels=q)(y, fan[:, j]) for j, q in enumerate((0.25, 0.5))]
    assert metrics.QuantileLoss(levels=(0.25, 0.5))(y, fan) == pytest.approx(np.mean(both))
    twice = np.array([y, y]).T  # two targets: of each level first that of one, then of the other
    doubled = np.array([fan[:, 0], fan[:, 0], fan[:, 1], fan[:, 1]]).T
    assert metrics.QuantileLoss(levels=(0.25, 0.5))(twice, doubled) == pytest.approx(np.mean(both))
    assert metrics.coverage(twice, doubled) == 0.5
    assert "2 levels need" in message_of(metrics.QuantileLoss(levels=(0.1, 0.9)), y, p)
    assert "1 levels need" in message_of(metrics.quantile_loss, y, fan)
    assert "in [0, 1], got 1.5" in message_of(metrics.QuantileLoss(levels=1.5), y, p)
    assert "(3,) and (4, 2)" in message_of(metrics.coverage, y[:3], fan)
    assert "(4, 2) and (4, 3)" in message_of(metrics.coverage, twice, doubled[:, :3])


def test_regression_with_weights():
    y, p, w = [1.0, 2.0, 9.0], [1.0, 4.0, 0.0], [3, 1, 0]  # the mean of y is 1.25
    assert metrics.mean_squared_error(y, p, w) == 1.0
    assert metrics.mean_absolute_error(y, p, w) == 0.5
    assert metrics.r2(y, p, w) == pytest.approx(1 - 4 / 0.75, rel=1e-14)


def test_several_outputs():
    y = [[0.0, 0.0], [2.0, 4.0]]
    p = [[0.0, 4.0], [2.0, 0.0]]
    assert metrics.mean_squared_error(y, p) == 8.0
    assert metrics.root_mean_squared_error(y, p) == np.sqrt(8.0)
    assert metrics.mean_absolute_error(y, p) == 2.0
    assert metrics.r2(y, p) == (1 - 3) / 2


def test_r2_of_a_constant_target():
    assert metrics.r2([2.0, 2.0], [2.0, 2.0]) == 1.0
    assert metrics.r2([2.0, 2.0], [2.0, 3.0]) == 0.0
    assert metrics.r2([0.1] * 7, [0.1] * 7) == 1.0  # whose mean is not 0.1 to the last bit
    assert metrics.explained_variance([2.0, 2.0], [3.0, 3.0]) == 1.0
    assert metrics.explained_variance([0.1] * 7, [0.2] * 7) == 1.0
    assert metrics.explained_variance([2.0, 2.0], [2.0, 3.0]) == 0.0


def test_accuracy_of_labels():
    assert metrics.accuracy([0, 1, 2, 2], [0, 2, 2, 2]) == 0.75
    assert metrics.accuracy(np.array(["a", "b"]), np.array(["a", "a"]), [3, 1]) == 0.75
    assert metrics.accuracy([True, False], [True, True]) == 0.5
    assert metrics.accuracy([[0], [1]], [0, 1]) == 1.0


def test_accuracy_of_probabilities():
    assert metrics.accuracy([1, 1, 0, 0], [0.5, 0.51, 0.5, 0.9]) == 0.5  # 0.5 itself is not above
    assert metrics.accuracy([[1], [0]], np.array([[0.9], [0.2]], np.float32)) == 1.0
    p = [[0.5, 0.25, 0.25], [0.25, 0.5, 0.25], [0.25, 0.25, 0.5]]
    assert metrics.accuracy([0, 0, 2], p) == pytest.approx(2 / 3)
    assert metrics.accuracy(np.eye(3)[[0, 0, 2]], p, [1, 2, 1]) == 0.5


def test_top_k_accuracy():
    p = [[0.5, 0.3, 0.2], [0.1, 0.6, 0.3], [0.2, 0.3, 0.5]]
    shares = [metrics.TopKAccuracy(k=k)([2, 2, 2], p) for k in (1, 2, 3, 4)]
    assert shares == [1 / 3, 2 / 3, 1.0, 1.0]
    assert metrics.TopKAccuracy(k=2)(np.eye(3)[[2, 2, 2]], p, [1, 0, 0]) == 0.0
    ties = np.full((3, 3), 1 / 3)
    assert metrics.TopKAccuracy(k=1)([0, 1, 2], ties) == 1 / 3  # the last of those that are equal
    assert metrics.TopKAccuracy(k=1)([2, 2, 2], ties) == 1.0
    assert "at least 1, got 0" in message_of(metrics.TopKAccuracy(k=0), [0], p[:1])
    assert "a column of scores for each class" in message_of(metrics.top_k_accuracy, [0], [0.5])


def test_precision_recall_f1():
    y, p = [0, 0, 0, 1, 1, 1], [0.1, 0.2, 0.9, 0.8, 0.6, 0.5]  # 2 of 3 found, 2 of 3 right
    for metric in (metrics.precision, metrics.recall, metrics.f1):
        assert metric(y, p) == pytest.approx(2 / 3)
    assert metrics.precision(y, p, [0, 0, 2, 1, 1, 0]) == 0.5
    assert metrics.recall(y, p, [0, 0, 2, 1, 1, 0]) == 1.0
    assert metrics.f1(y, p, [0, 0, 2, 1, 1, 0]) == pytest.approx(2 / 3)
    columns = np.array([1 - np.array(p), p]).T
    assert metrics.f1(y, columns) == metrics.f1(y, p)  # two columns of classes, or one
    assert metrics.f1(y, np.array(p) > 0.5) == metrics.f1(y, p)  # labels
    assert metrics.f1([0, 0], [0.1, 0.2]) == 0.0  # neither there nor predicted


def test_averages():
    y, p = ["a", "a", "b", "c"], ["a", "b", "b", "b"]  # F1: 2/3, 1/2, 0
    assert metrics.f1(y, p) == metrics.F1(average="macro")(y, p) == pytest.approx((2 / 3 + 0.5) / 3)
    assert metrics.F1(average="weighted")(y, p) == pytest.approx((2 * 2 / 3 + 0.5) / 4)
    assert metrics.F1(average="micro")(y, p) == metrics.accuracy(y, p) == 0.5
    assert "two classes 0 and 1" in message_of(metrics.F1(average="binary"), y, p)
    scores = np.array([[0.6, 0.3, 0.1], [0.6, 0.3, 0.1]])
    assert metrics.recall([0, 1], scores) == 0.5  # class 2 is not there
    assert "average must be one of" in message_of(metrics.F1, "mean")


def test_several_questions():
    y = np.array([[1, 0, 1], [0, 0, 1], [1, 0, 0]])
    p = np.array([[0.9, 0.1, 0.4], [0.2, 0.3, 0.8], [0.7, 0.6, 0.9]])
    assert metrics.accuracy(y, p) == pytest.approx(6 / 9)
    assert metrics.recall(y, p) == pytest.approx((1 + 0 + 0.5) / 3)
    assert metrics.precision(y, p) == pytest.approx((1 + 0 + 0.5) / 3)
    assert metrics.F1(average="micro")(y, p) == pytest.approx(6 / 9)
    of_each = [metrics.log_loss(y[:, j], p[:, j]) for j in range(3)]
    assert metrics.log_loss(y, p) == pytest.approx(np.mean(of_each))
    assert metrics.brier_score(y, p) == pytest.approx(((y - p) ** 2).mean())
    assert "multi-label" in message_of(metrics.balanced_accuracy, y, p)
    assert "multi-label" in message_of(metrics.confusion_matrix, y, p)


def test_whether_columns_are_questions():
    """Rows that all sum to 1 are one-hot, unless the caller knows better."""
    y = np.eye(3)[[0, 2]]
    p = np.array([[0.4, 0.3, 0.3], [0.6, 0.7, 0.8]])
    assert metrics.accuracy(y, p) == 1.0
    assert metrics.accuracy(y, p, multilabel=True) == pytest.approx((2 / 3 + 1 / 3) / 2)
    assert metrics.recall(y, p) == 1.0
    assert metrics.recall(y, p, multilabel=True) == pytest.approx(1 / 3)


def test_balanced_accuracy():
    y, p = [0, 0, 0, 1], [0.1, 0.2, 0.9, 0.8]
    assert metrics.balanced_accuracy(y, p) == pytest.approx((2 / 3 + 1) / 2)
    assert metrics.balanced_accuracy(y, p, [1, 0, 1, 5]) == 0.75
    assert metrics.balanced_accuracy([0, 1], np.eye(3)[[0, 1]]) == 1.0  # class 2 has no rows


def test_confusion_matrix():
    matrix = metrics.confusion_matrix([0, 0, 2, 2], np.eye(3)[[0, 1, 2, 2]])
    assert matrix.tolist() == [[1, 1, 0], [0, 0, 0], [0, 0, 2]]
    assert matrix.dtype == np.int64
    weighted = metrics.confusion_matrix([0, 1, 1], [0.1, 0.2, 0.9], [0.5, 2, 1])
    assert weighted.tolist() == [[0.5, 0], [2, 1]]
    assert metrics.confusion_matrix(["b", "a"], ["c", "a"]).tolist() == [
        [1, 0, 0],
        [0, 0, 1],
        [0, 0, 0],
    ]


def test_brier_score():
    assert metrics.brier_score([1, 0], [0.5, 0.25]) == (0.25 + 0.0625) / 2
    assert metrics.brier_score([1, 0], [[0.5, 0.5], [0.75, 0.25]]) == (0.25 + 0.0625) / 2
    assert metrics.brier_score([1, 0], [0.5, 0.25], [0, 3]) == 0.0625
    assert metrics.brier_score([0], [[0.0, 0.5, 0.5]]) == 1.5


def test_log_loss():
    assert metrics.log_loss([1, 0], [0.25, 0.5]) == pytest.approx(np.log(8) / 2)
    assert metrics.log_loss([1, 0], [0.25, 0.5], [0, 5]) == pytest.approx(np.log(2))
    p = [[0.5, 0.25, 0.25], [0.125, 0.75, 0.125]]
    assert metrics.log_loss([0, 2], p) == pytest.approx(np.log(16) / 2)
    assert metrics.log_loss(np.eye(3)[[0, 2]], p) == pytest.approx(np.log(16) / 2)
    assert metrics.log_loss([[0.5, 0.5, 0.0]], [[0.5, 0.5, 0.0]]) == pytest.approx(np.log(2))


def test_log_loss_of_certainty_in_the_wrong_class():
    assert metrics.log_loss([1], [0.0]) == pytest.approx(-np.log(1e-15))
    assert metrics.log_loss([1], np.zeros(1, np.float32)) == pytest.approx(-np.log(1e-7))
    assert metrics.log_loss([0], [[0.0, 1.0]]) == pytest.approx(-np.log(1e-15))
    assert metrics.log_loss([1, 0], [1.0, 0.0]) == pytest.approx(0, abs=1e-14)


def test_roc_auc():
    assert metrics.roc_auc([0, 0, 1, 1], [1, 2, 3, 4]) == 1.0
    assert metrics.roc_auc([0, 0, 1, 1], [4, 3, 2, 1]) == 0.0
    assert metrics.roc_auc([0, 1, 0, 1], [0.5] * 4) == 0.5
    assert metrics.roc_auc([0, 1, 0, 1], [1, 1, 2, 3]) == (0.5 + 0 + 1 + 1) / 4
    assert metrics.roc_auc([[0], [1]], [[-3.0], [7.0]]) == 1.0  # any scores will do


def test_roc_auc_with_weights():
    # Pairs (1 against 0): scores 2 > 1 with weight 3 · 1, tie 2 = 2 with 3 · 2, of 9 in all.
    assert metrics.roc_auc([0, 0, 1], [1, 2, 2], [1, 2, 3]) == (3 + 6 / 2) / 9
    assert metrics.roc_auc([0, 0, 1, 1], [1, 9, 2, 0], [1, 0, 3, 0]) == 1.0


def test_roc_auc_of_several_classes():
    labels = [0, 1, 2, 0]
    p = np.array([[0.6, 0.2, 0.2], [0.5, 0.4, 0.1], [0.1, 0.2, 0.7], [0.3, 0.5, 0.2]])
    areas = [metrics.roc_auc(np.equal(labels, k), p[:, k]) for k in range(3)]
    assert areas == [0.75, pytest.approx(2 / 3), 1.0]
    assert metrics.roc_auc(labels, p) == pytest.approx(np.mean(areas), rel=1e-15)
    assert metrics.roc_auc(np.eye(3)[labels], p) == metrics.roc_auc(labels, p)


# ---- laws ---------------------------------------------------------------------------------------

few = st.integers(0, 4)


@given(st.lists(st.tuples(st.booleans(), few, st.integers(0, 3)), min_size=2, max_size=30))
def test_roc_auc_is_the_share_of_pairs_in_order(rows):
    y, scores, w = (np.array(column) for column in zip(*rows, strict=True))
    if (w * y).sum() == 0 or (w * ~y).sum() == 0:
        with pytest.raises(ValueError, match=r"rows of both kinds|all weights are 0"):
            metrics.roc_auc(y, scores, w)
        return
    ones, zeros = scores[y][:, None], scores[~y][None, :]
    pairs = w[y][:, None] * w[~y][None, :]
    share = (pairs * ((ones > zeros) + 0.5 * (ones == zeros))).sum() / pairs.sum()
    assert metrics.roc_auc(y, scores, w) == share  # exact: small whole numbers


@pytest.mark.parametrize("function", FUNCTIONS, ids=names)
@given(data=st.data())
def test_a_weight_is_a_number_of_rows(function, data):
    n = data.draw(st.integers(2, 12))
    y = np.array([0, 1, *data.draw(st.lists(st.integers(0, 1), min_size=n, max_size=n))])
    p = data.draw(st.lists(st.floats(0.01, 0.99), min_size=n + 2, max_size=n + 2))
    w = np.array([1, 2, *data.draw(st.lists(st.integers(0, 3), min_size=n, max_size=n))])
    repeated = function(np.repeat(y, w), np.repeat(p, w))
    assert function(y, p, w) == pytest.approx(repeated, rel=1e-12, abs=1e-12)
    assert function(y, p, 0.5 * w) == pytest.approx(repeated, rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("function", FUNCTIONS, ids=names)
def test_layout_and_type_do_not_matter(function):
    rng = np.random.default_rng(1)
    y, p = rng.integers(0, 2, 40), rng.integers(0, 17, 40) / 16
    y[:2] = 0, 1
    expected = function(y, p)
    assert type(expected) is float
    assert function(y[:, None], p) == expected
    assert function(y, p[:, None]) == expected
    assert function(list(y), list(p)) == expected
    assert function(y.astype(">f4"), np.repeat(p, 2)[::2]) == expected
    assert function(y, p, np.ones(40, np.float32)) == expected


# ---- refusals -----------------------------------------------------------------------------------


@pytest.mark.parametrize("function", FUNCTIONS, ids=names)
def test_input_that_is_none(function):
    y, p = np.array([0, 1, 1]), np.array([0.25, 0.5, 0.75])
    with pytest.raises(ValueError, match=r"\(2,\).*\(3,\)"):
        function(y[:2], p)
    with pytest.raises(ValueError, match=r"\(3,\)"):
        function(np.ones((3, 4)), p)
    with pytest.raises(ValueError, match="0 rows"):
        function(y[:0], p[:0])
    for bad, words in ((np.nan, "NaN"), (np.inf, "infinite")):
        with pytest.raises(ValueError, match=f"row 1 holds .*{words}"):
            function(y, np.where([0, 1, 0], bad, p))
    with pytest.raises(ValueError, match=r"sample_weight of shape \(3,\), got \(2,\)"):
        function(y, p, [1, 1])
    with pytest.raises(ValueError, match=r"at least 0, got -1.0 in row 2"):
        function(y, p, [1, 1, -1])
    with pytest.raises(ValueError, match="all weights are 0"):
        function(y, p, [0, 0, 0])
    with pytest.raises(ValueError, match="row 1 holds NaN"):
        function(y, p, [1, np.nan, 1])
    assert function.name in message_of(function, y, p[:2])


def message_of(function, *arguments):
    with pytest.raises((ValueError, TypeError)) as caught:
        function(*arguments)
    return str(caught.value)


@pytest.mark.parametrize("function", REGRESSION, ids=names)
def test_nothing_broadcasts(function):
    with pytest.raises(ValueError, match=r"\(3,\) and \(3, 2\)"):
        function(np.ones(3), np.ones((3, 2)))
    with pytest.raises(TypeError, match="expected numbers"):
        function(np.array(["1", "2"]), np.array([1.0, 2.0]))


def test_labels_that_are_none():
    p = np.full((2, 3), 1 / 3)
    for function in (metrics.accuracy, metrics.log_loss, metrics.roc_auc):
        for bad in (3, -1, 0.5):
            message = message_of(function, [0, bad], p)
            assert f"got {bad} in row 1" in message
            assert "0 to 2" in message
        assert "0 or 1, got 2.0 in row 1" in message_of(function, [0, 2], [0.1, 0.2])
    assert "row 1 is not" in message_of(metrics.log_loss, [[1, 0, 0], [0.5, 0, 0]], p)


def test_probabilities_that_are_none():
    for function in (metrics.accuracy, metrics.log_loss):
        assert "from 0 to 1, got -2 to 3" in message_of(function, [0, 1], [-2.0, 3.0])


def test_roc_auc_of_one_class():
    assert "none of the rows" in message_of(metrics.roc_auc, [0, 0], [0.1, 0.2])
    assert "all of the rows" in message_of(metrics.roc_auc, [1, 1], [0.1, 0.2])
    assert "none of the rows" in message_of(metrics.roc_auc, [0, 1], [0.1, 0.2], [1, 0])
    assert "of class 2" in message_of(metrics.roc_auc, [0, 1], np.full((2, 3), 1 / 3))
