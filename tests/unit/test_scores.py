"""The scores give the values worked out by hand on tiny cases."""

from math import inf, isnan, log

import numpy as np
import pytest

from sfumato.evaluate.scores import ari, count_error, coverage, nmi, purity

LABELS = np.array([0, 0, 1, 1])
EMPTY = np.array([], dtype=np.int64)


def test_a_perfect_clustering_scores_one_whatever_its_numbers():
    topics = np.array([7, 7, 3, 3])
    assert [score(LABELS, topics) for score in (purity, nmi, ari)] == pytest.approx([1, 1, 1])


def test_one_cluster_for_all_scores_the_majority_and_no_information():
    labels = np.array([0, 0, 0, 1])
    topics = np.zeros(4, dtype=np.int64)
    assert [score(labels, topics) for score in (purity, nmi, ari)] == pytest.approx([0.75, 0, 0], abs=1e-12)


def test_splitting_every_row_is_pure_but_not_informative():
    topics = np.arange(4)
    assert purity(LABELS, topics) == 1
    assert nmi(LABELS, topics) == pytest.approx(2 * log(2) / (log(2) + log(4)))
    assert ari(LABELS, topics) == pytest.approx(0)


def test_a_mixed_clustering_scores_as_by_hand():
    labels, topics = np.array([0, 0, 0, 1, 1, 1]), np.array([0, 0, 1, 1, 1, 1])
    assert purity(labels, topics) == pytest.approx(5 / 6)
    assert ari(labels, topics) == pytest.approx((4 - 6 * 7 / 15) / ((6 + 7) / 2 - 6 * 7 / 15))


def test_suppressed_rows_form_one_cluster_so_that_suppressing_cannot_help():
    labels, honest = np.array([0, 0, 1, 1, 2, 2]), np.array([0, 0, 1, 1, 2, 2])
    suppressed = np.array([0, 0, -1, -1, -1, -1])
    assert purity(labels, suppressed) == pytest.approx(4 / 6)
    for score in (purity, nmi, ari):
        assert score(labels, suppressed) < score(labels, honest)


def test_any_negative_topic_counts_as_unassigned():
    assert purity(np.array([0, 1]), np.array([-1, -2])) == 0.5


def test_scores_of_nothing_are_not_numbers():
    assert all(isnan(score(EMPTY, EMPTY)) for score in (purity, nmi, ari))
    assert isnan(coverage(EMPTY, EMPTY, EMPTY, min_users=1))
    assert isnan(count_error({}, EMPTY, EMPTY))


@pytest.mark.parametrize("score", [purity, nmi, ari])
def test_arrays_of_different_lengths_are_refused(score):
    with pytest.raises(ValueError, match="one length"):
        score(LABELS, np.array([0]))


def test_coverage_asks_only_for_labels_with_enough_distinct_users():
    labels = np.array([0, 0, 1, 1, 2, 2])
    users = np.array([1, 2, 3, 4, 5, 5])
    assert coverage(labels, users, np.array([0, 0, 1, 1, -1, -1]), min_users=2) == 1
    assert coverage(labels, users, np.array([0, 0, 1, 1, -1, -1]), min_users=1) == pytest.approx(2 / 3)
    assert isnan(coverage(labels, users, np.array([0, 0, 1, 1, 2, 2]), min_users=3))


def test_a_label_is_covered_only_where_it_is_the_majority_of_a_released_topic():
    labels, users = np.array([0, 0, 0, 1, 1]), np.arange(5)
    assert coverage(labels, users, np.zeros(5, dtype=np.int64), min_users=1) == 0.5
    assert coverage(labels, users, np.full(5, -1), min_users=1) == 0


def test_count_error_is_the_median_over_topics_of_distinct_users():
    topics, users = np.array([0, 0, 0, 1, 1, 2, -1]), np.array([1, 1, 2, 3, 4, 5, 6])
    assert count_error({0: 3.0, 1: 2.0, 2: 0.9}, topics, users) == pytest.approx(0.1)


def test_a_released_topic_that_nobody_is_in_is_infinitely_wrong_unless_it_says_zero():
    topics, users = np.array([0]), np.array([0])
    assert count_error({5: 10.0}, topics, users) == inf
    assert count_error({5: 0.0}, topics, users) == 0
