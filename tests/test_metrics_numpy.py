"""Metrics of whole predictions: against numbers made by hand and, with `-m ci`, scikit-learn."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lamina import metrics

FUNCTIONS = [getattr(metrics, name) for name in metrics.__all__]
REGRESSION = [
    metrics.mean_squared_error,
    metrics.root_mean_squared_error,
    metrics.mean_absolute_error,
    metrics.r2,
]


# ---- by hand ------------------------------------------------------------------------------------


def test_regression():
    y, p = [1.0, 2.0, 3.0, 6.0], [1.0, 3.0, 3.0, 3.0]  # errors 0, 1, 0, -3; mean of y is 3
    assert metrics.mean_squared_error(y, p) == 2.5
    assert metrics.root_mean_squared_error(y, p) == np.sqrt(2.5)
    assert metrics.mean_absolute_error(y, p) == 1.0
    assert metrics.r2(y, p) == pytest.approx(1 - 10 / 14, rel=1e-15)


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


@pytest.mark.parametrize("function", FUNCTIONS)
@given(data=st.data())
def test_a_weight_is_a_number_of_rows(function, data):
    n = data.draw(st.integers(2, 12))
    y = np.array([0, 1, *data.draw(st.lists(st.integers(0, 1), min_size=n, max_size=n))])
    p = data.draw(st.lists(st.floats(0.01, 0.99), min_size=n + 2, max_size=n + 2))
    w = np.array([1, 2, *data.draw(st.lists(st.integers(0, 3), min_size=n, max_size=n))])
    repeated = function(np.repeat(y, w), np.repeat(p, w))
    assert function(y, p, w) == pytest.approx(repeated, rel=1e-12, abs=1e-12)
    assert function(y, p, 0.5 * w) == pytest.approx(repeated, rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("function", FUNCTIONS)
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


@pytest.mark.parametrize("function", FUNCTIONS)
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
    assert function.__name__ in message_of(function, y, p[:2])


def message_of(function, *arguments):
    with pytest.raises((ValueError, TypeError)) as caught:
        function(*arguments)
    return str(caught.value)


@pytest.mark.parametrize("function", REGRESSION)
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


# ---- against scikit-learn -----------------------------------------------------------------------


def samples():
    rng = np.random.default_rng(5)
    for n in (10, 1000):
        for decimals in (1, 8):  # with many ties, with few
            for weight in (None, rng.uniform(0, 3, n)):
                yield rng, n, decimals, weight


@pytest.mark.ci
def test_classification_as_scikit_learn():
    peers = pytest.importorskip("sklearn.metrics")
    for rng, n, decimals, weight in samples():
        y = rng.integers(0, 2, n)
        y[:2] = 0, 1
        p = np.clip(np.round(rng.uniform(0, 1, n), decimals), 0.01, 0.99)
        options = {"sample_weight": weight}
        assert metrics.roc_auc(y, p, weight) == pytest.approx(
            peers.roc_auc_score(y, p, **options), rel=1e-12
        )
        assert metrics.log_loss(y, p, weight) == pytest.approx(
            peers.log_loss(y, p, **options), rel=1e-12
        )
        assert metrics.accuracy(y, p, weight) == pytest.approx(
            peers.accuracy_score(y, p > 0.5, **options), rel=1e-12
        )


@pytest.mark.ci
def test_classes_as_scikit_learn():
    peers = pytest.importorskip("sklearn.metrics")
    for rng, n, decimals, weight in samples():
        y = rng.permutation(np.arange(n) % 4)
        p = np.round(rng.dirichlet(np.ones(4), n), decimals) + 0.01
        p /= p.sum(axis=1, keepdims=True)
        options = {"sample_weight": weight}
        assert metrics.roc_auc(y, p, weight) == pytest.approx(
            peers.roc_auc_score(y, p, multi_class="ovr", **options), rel=1e-12
        )
        assert metrics.log_loss(y, p, weight) == pytest.approx(
            peers.log_loss(y, p, **options), rel=1e-12
        )
        assert metrics.accuracy(y, p, weight) == pytest.approx(
            peers.accuracy_score(y, p.argmax(axis=1), **options), rel=1e-12
        )


@pytest.mark.ci
def test_regression_as_scikit_learn():
    peers = pytest.importorskip("sklearn.metrics")
    for rng, n, _, weight in samples():
        for shape in ((n,), (n, 3)):
            y = rng.normal(5, 2, shape)
            p = y + rng.normal(size=shape)
            for name in ("mean_squared_error", "mean_absolute_error"):
                assert getattr(metrics, name)(y, p, weight) == pytest.approx(
                    getattr(peers, name)(y, p, sample_weight=weight), rel=1e-12
                )
            assert metrics.r2(y, p, weight) == pytest.approx(
                peers.r2_score(y, p, sample_weight=weight), rel=1e-12
            )
