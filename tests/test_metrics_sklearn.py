"""Every metric against scikit-learn's (`-m ci`): weights, ties, classes without rows, zeros.

Where scikit-learn has no such metric (coverage) or means another thing (multi-label accuracy, the
RMSE of several outputs), the docstring says so, and the comparison is with what it says.
"""

import warnings

import numpy as np
import pytest

from lamina import metrics

pytestmark = pytest.mark.ci

AVERAGED = {"precision": "precision_score", "recall": "recall_score", "f1": "f1_score"}
AVERAGES = ("macro", "micro", "weighted")
REGRESSION = {
    "mean_squared_error": "mean_squared_error",
    "mean_absolute_error": "mean_absolute_error",
    "mean_absolute_percentage_error": "mean_absolute_percentage_error",
    "quantile_loss": "mean_pinball_loss",
    "r2": "r2_score",
    "explained_variance": "explained_variance_score",
}


@pytest.fixture(scope="module")
def peers():
    pytest.importorskip("sklearn", minversion="1.7")  # Brier score of several classes
    return pytest.importorskip("sklearn.metrics")


@pytest.fixture(autouse=True)
def quiet():
    """scikit-learn warns where a value is defined by convention; the convention is compared."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def about(value):
    return pytest.approx(value, rel=1e-12, abs=1e-15)


def samples():
    for n in (10, 1000):
        for decimals in (1, 8):  # with many ties, with few
            for weighted in (False, True):
                rng = np.random.default_rng(n + decimals)
                weight = rng.uniform(0.1, 3, n) if weighted else None
                yield pytest.param(rng, n, decimals, weight, id=f"{n}-{decimals}-{weighted}")


# A fresh list for each test: what one draws is nothing to the others.
def every_sample(test):
    return pytest.mark.parametrize(("rng", "n", "decimals", "weight"), list(samples()))(test)


def binary(rng, n, decimals):
    y = rng.integers(0, 2, n)
    y[:2] = 0, 1
    return y, np.clip(np.round(rng.uniform(0, 1, n), decimals), 0.01, 0.99)


def classes(rng, n, decimals, k=4):
    y = rng.permutation(np.arange(n) % k)
    p = np.round(rng.dirichlet(np.ones(k), n), decimals) + 0.01
    return y, p / p.sum(axis=1, keepdims=True)


def questions(rng, n, decimals, k=3):
    y = rng.integers(0, 2, (n, k))
    y[0], y[1] = 0, 1
    return y, np.clip(np.round(rng.uniform(0, 1, (n, k)), decimals), 0.01, 0.99)


@every_sample
def test_two_classes(peers, rng, n, decimals, weight):
    y, p = binary(rng, n, decimals)
    options = {"sample_weight": weight}
    hard = (p > 0.5).astype(int)
    assert metrics.accuracy(y, p, weight) == about(peers.accuracy_score(y, hard, **options))
    expected = peers.balanced_accuracy_score(y, hard, **options)
    assert metrics.balanced_accuracy(y, p, weight) == about(expected)
    assert metrics.roc_auc(y, p, weight) == about(peers.roc_auc_score(y, p, **options))
    assert metrics.log_loss(y, p, weight) == about(peers.log_loss(y, p, **options))
    assert metrics.brier_score(y, p, weight) == about(peers.brier_score_loss(y, p, **options))
    matrix = metrics.confusion_matrix(y, p, weight)
    np.testing.assert_allclose(matrix, peers.confusion_matrix(y, hard, **options), rtol=1e-12)
    for ours, theirs in AVERAGED.items():
        theirs = getattr(peers, theirs)
        metric = getattr(metrics, ours)
        assert metric(y, p, weight) == about(theirs(y, hard, **options))
        assert metric(y, np.array([1 - p, p]).T, weight) == about(theirs(y, hard, **options))
        for average in AVERAGES:
            got = type(metric)(average=average)(y, p, weight)
            assert got == about(theirs(y, hard, average=average, **options)), (ours, average)


@every_sample
def test_several_classes(peers, rng, n, decimals, weight):
    y, p = classes(rng, n, decimals)
    options = {"sample_weight": weight}
    hard = p.argmax(axis=1)
    assert metrics.accuracy(y, p, weight) == about(peers.accuracy_score(y, hard, **options))
    expected = peers.balanced_accuracy_score(y, hard, **options)
    assert metrics.balanced_accuracy(y, p, weight) == about(expected)
    expected = peers.roc_auc_score(y, p, multi_class="ovr", **options)
    assert metrics.roc_auc(y, p, weight) == about(expected)
    assert metrics.log_loss(y, p, weight) == about(peers.log_loss(y, p, **options))
    assert metrics.brier_score(y, p, weight) == about(peers.brier_score_loss(y, p, **options))
    for k in (1, 2, 3):
        got = metrics.TopKAccuracy(k=k)(y, p, weight)
        assert got == about(peers.top_k_accuracy_score(y, p, k=k, **options))
    matrix = metrics.confusion_matrix(y, p, weight)
    np.testing.assert_allclose(matrix, peers.confusion_matrix(y, hard, **options), rtol=1e-12)
    for ours, theirs in AVERAGED.items():
        for average in AVERAGES:
            got = type(getattr(metrics, ours))(average=average)(y, p, weight)
            expected = getattr(peers, theirs)(y, hard, average=average, **options)
            assert got == about(expected), (ours, average)


@every_sample
def test_several_questions(peers, rng, n, decimals, weight):
    y, p = questions(rng, n, decimals)
    options = {"sample_weight": weight}
    hard = (p > 0.5).astype(int)
    columns = range(y.shape[1])
    assert metrics.roc_auc(y, p, weight) == about(peers.roc_auc_score(y, p, **options))
    for ours, theirs in {"accuracy": "accuracy_score", "log_loss": "log_loss"}.items():
        guesses = hard if ours == "accuracy" else p
        of_each = [getattr(peers, theirs)(y[:, j], guesses[:, j], **options) for j in columns]
        assert getattr(metrics, ours)(y, p, weight) == about(np.mean(of_each))
    of_each = [peers.brier_score_loss(y[:, j], p[:, j], **options) for j in columns]
    assert metrics.brier_score(y, p, weight) == about(np.mean(of_each))
    for ours, theirs in AVERAGED.items():
        for average in AVERAGES:
            got = type(getattr(metrics, ours))(average=average)(y, p, weight)
            expected = getattr(peers, theirs)(y, hard, average=average, **options)
            assert got == about(expected), (ours, average)


@pytest.mark.parametrize(
    ("y", "p"),
    [
        ([0, 0, 0], [0, 0, 0]),  # class 1 is neither there nor predicted
        ([0, 0, 0], [0, 1, 1]),  # predicted only
        ([1, 1, 1], [0, 0, 0]),  # there only
        ([1, 1], [1, 1]),
        ([0, 2, 2, 3], [0, 2, 3, 3]),  # class 1 of four does not occur
        ([0, 2, 2, 3], [0, 1, 1, 1]),  # class 1 is predicted only
        ([0, 1, 1, 3], [0, 2, 3, 3]),  # class 1 is there only
    ],
)
def test_classes_without_rows(peers, y, p):
    """Labels, and what has the same meaning as columns."""
    y, p = np.array(y), np.array(p)
    assert metrics.balanced_accuracy(y, p) == about(peers.balanced_accuracy_score(y, p))
    for ours, theirs in AVERAGED.items():
        for average in AVERAGES + (("binary",) if y.max() < 2 else ()):
            metric = type(getattr(metrics, ours))(average=average)
            expected = about(getattr(peers, theirs)(y, p, average=average))
            assert metric(y, p) == expected, (ours, average)
            assert metric(y, np.eye(2 if y.max() < 2 else 4)[p]) == expected, (ours, average)


def test_questions_without_rows(peers):
    y = np.array([[0, 1, 0, 0], [0, 1, 1, 0]])
    p = np.array([[0, 1, 0, 1], [0, 0, 0, 0]])
    for truth in (y, 0 * y):
        for ours, theirs in AVERAGED.items():
            for average in AVERAGES:
                got = type(getattr(metrics, ours))(average=average)(truth, p.astype(float))
                expected = getattr(peers, theirs)(truth, p, average=average)
                assert got == about(expected), (ours, average)


def test_labels_of_any_kind(peers):
    y, p = np.array(["cat", "dog", "cat", "eel"]), np.array(["cat", "cat", "eel", "eel"])
    assert metrics.f1(y, p) == about(peers.f1_score(y, p, average="macro"))
    np.testing.assert_array_equal(metrics.confusion_matrix(y, p), peers.confusion_matrix(y, p))
    assert metrics.balanced_accuracy(y, p) == about(peers.balanced_accuracy_score(y, p))
    y, p = np.array([-1, 7, 7]), np.array([7, 7, -1])
    assert metrics.F1(average="weighted")(y, p) == about(peers.f1_score(y, p, average="weighted"))


def test_top_k_with_ties(peers):
    rng = np.random.default_rng(3)
    for k in (1, 2, 3):
        y, p = rng.permutation(np.arange(60) % 4), rng.integers(0, 3, (60, 4)) / 2
        got = metrics.TopKAccuracy(k=k)(y, p)
        assert got == about(peers.top_k_accuracy_score(y, p, k=k))
    assert metrics.TopKAccuracy(k=9)(y, p) == peers.top_k_accuracy_score(y, p, k=9) == 1


@every_sample
def test_regression(peers, rng, n, decimals, weight):
    for shape in ((n,), (n, 3)):
        y = np.round(rng.normal(5, 2, shape), decimals)
        p = y + np.round(rng.normal(size=shape), decimals)
        for ours, theirs in REGRESSION.items():
            expected = getattr(peers, theirs)(y, p, sample_weight=weight)
            assert getattr(metrics, ours)(y, p, weight) == about(expected), ours
        for level in (0.0, 0.1, 0.9, 1.0):
            expected = peers.mean_pinball_loss(y, p, alpha=level, sample_weight=weight)
            assert metrics.QuantileLoss(levels=level)(y, p, weight) == about(expected)
        root = np.sqrt(peers.mean_squared_error(y, p, sample_weight=weight))
        assert metrics.root_mean_squared_error(y, p, weight) == about(root)
        assert metrics.max_error(y, p, weight) == peers.max_error(y.ravel(), p.ravel())
    expected = peers.root_mean_squared_error(y[:, 0], p[:, 0], sample_weight=weight)
    assert metrics.root_mean_squared_error(y[:, 0], p[:, 0], weight) == about(expected)


@pytest.mark.parametrize(
    ("y", "p"),
    [
        ([2.0, 2.0, 2.0], [2.0, 2.0, 2.0]),
        ([2.0, 2.0, 2.0], [3.0, 3.0, 3.0]),
        ([2.0, 2.0, 2.0], [2.0, 3.0, 2.0]),
        ([0.0, 0.0, 1.0], [0.0, 1.0, 1.0]),  # targets of 0
        ([[1.0, 5.0], [1.0, 6.0]], [[1.0, 5.0], [1.0, 7.0]]),  # one of two is constant
        ([[1.0, 5.0], [1.0, 6.0]], [[0.0, 5.0], [1.0, 7.0]]),
    ],
)
def test_constant_targets(peers, y, p):
    for ours, theirs in REGRESSION.items():
        assert getattr(metrics, ours)(y, p) == about(getattr(peers, theirs)(y, p)), ours


def test_one_class_has_no_roc_curve(peers):
    for y in ([0, 0], [1, 1]):
        assert np.isnan(peers.roc_auc_score(y, [0.1, 0.2]))  # alone we raise, a Trainer notes NaN
        with pytest.raises(metrics.UndefinedMetricError):
            metrics.roc_auc(y, [0.1, 0.2])


def test_certainty_in_the_wrong_class(peers):
    """The clip is ours: 1e-15, where scikit-learn has 2^-52."""
    assert metrics.log_loss([1, 0], [0.0, 0.5]) == about((-np.log(1e-15) + np.log(2)) / 2)
    theirs = peers.log_loss([1, 0], [0.0, 0.5])
    assert theirs == about((52 * np.log(2) + np.log(2)) / 2)


def test_every_metric_is_compared():
    compared = {
        *REGRESSION,
        *AVERAGED,
        "accuracy",
        "balanced_accuracy",
        "brier_score",
        "log_loss",
        "max_error",
        "roc_auc",
        "root_mean_squared_error",
        "top_k_accuracy",
    }
    ready = [getattr(metrics, name) for name in metrics.__all__]
    names = {thing.name for thing in ready if isinstance(thing, metrics.Metric)}
    assert names - compared == {"coverage"}  # scikit-learn has none
