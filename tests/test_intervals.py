"""Intervals hold what they say, against textbook values and simulation."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from lingua_utils.measure.intervals import (
    clustered_regression,
    effective_trials,
    margin,
    matched_change,
    rank_correlation,
    ratio,
    simultaneous_limits,
    wilson,
)


def test_wilsons_interval_equals_the_textbook():
    assert wilson(0.8, 10) == pytest.approx((0.4902, 0.9433), abs=1e-4)


def test_a_share_of_no_trials_has_no_interval():
    assert np.isnan(wilson(np.nan, 0)).all()


def test_shares_of_different_numbers_of_trials_can_be_asked_for_together():
    low, high = wilson(np.array([0.8, np.nan]), np.array([10, 0]))
    assert low[0] == pytest.approx(0.4902, abs=1e-4) and np.isnan([low[1], high[1]]).all()


@pytest.mark.parametrize("n", [2, 7])
def test_the_margin_of_a_mean_is_that_of_students_t(n):
    values = np.random.default_rng(0).normal(size=(3, 4, n))
    influences = (values - values.mean(axis=-1, keepdims=True)) / n
    low, high = stats.t.interval(0.95, n - 1, values.mean(axis=-1), stats.sem(values, axis=-1))
    np.testing.assert_allclose(margin(influences), (high - low) / 2)


def test_a_single_value_has_no_margin():
    np.testing.assert_array_equal(margin(np.zeros((3, 2, 1))), np.full((3, 2), np.nan))


def test_the_interval_of_a_ratio_covers_it_as_often_as_it_says():
    rng = np.random.default_rng(0)
    draws = rng.normal([0.1, 0.02], [0.01, 0.005], (2000, 2))
    limits = [ratio(above, 0.01, below, 0.005) for above, below in draws]
    covered = np.mean([estimate.low <= 5 <= estimate.high for estimate in limits])
    assert covered == pytest.approx(0.95, abs=0.02)


@settings(max_examples=50)
@given(st.floats(0.1, 10), st.floats(0.1, 10))
def test_a_ratio_of_precise_numbers_has_the_interval_of_the_delta_method(above, below):
    estimate = ratio(above, 1e-4 * above, below, 2e-4 * below)
    half = 1.96 * np.sqrt(5) * 1e-4 * above / below
    assert (estimate.low, estimate.high) == pytest.approx(
        (above / below - half, above / below + half), rel=1e-5
    )


def test_a_ratio_over_what_may_be_zero_has_no_upper_limit():
    estimate = ratio(0.1, 0.01, 0.002, 0.002)
    assert estimate.high == np.inf
    assert str(estimate) == f"at least {estimate.low:.3g}"
    assert 10 < estimate.low < 50
    assert str(ratio(0.001, 0.01, 0.002, 0.002)) == "undetermined"


def test_a_ratio_of_few_meanings_has_the_wider_limits_of_students_t():
    few, many = ratio(0.2, 0.01, 0.02, 0.001, df=5), ratio(0.2, 0.01, 0.02, 0.001)
    t = stats.t.ppf(0.975, 5) / stats.norm.ppf(0.975)
    assert few == ratio(0.2, 0.01 * t, 0.02, 0.001 * t)
    assert few.low < many.low < many.high < few.high


def correlated_grids(n, rng):
    """Values under the null of a grid, 8 checkpoints × 5 layers, that depend on each other."""
    walk = 0.6 * rng.normal(size=(n, 8, 1)) + 0.6 * rng.normal(size=(n, 1, 5)) + rng.normal(size=(n, 8, 5))
    return 0.1 + walk * np.geomspace(0.01, 100, 40).reshape(8, 5)


def test_five_in_a_hundred_grids_of_nothing_pass_their_limits_anywhere():
    rng = np.random.default_rng(0)
    together, each = [], []
    for _ in range(1000):
        observed, *null = correlated_grids(201, rng)
        together.append((observed > simultaneous_limits(null)).any())
        each.append((observed > np.quantile(null, 0.95, axis=0)).any())
    assert np.mean(together) == pytest.approx(0.05, abs=0.02)
    assert np.mean(each) > 0.5


def test_limits_are_studentised_by_point():
    null = np.random.default_rng(0).normal(size=(99, 6)) * [1, 10, 1e-11, 1, 1, 0] + [5, 5, 5e-11, 5, 5, 5]
    mean, spread = null.mean(axis=0), null.std(axis=0, ddof=1)
    greatest = sorted(max((row[:5] - mean[:5]) / spread[:5]) for row in null)[94]  # the 95th of 99
    assert simultaneous_limits(null) == pytest.approx([*(mean + greatest * spread)[:5], 5])


def test_too_few_permutations_for_the_limits_are_refused_with_the_number_needed():
    assert np.isfinite(simultaneous_limits(np.arange(19.0)[:, None])).all()
    with pytest.raises(ValueError, match=r"18 permutations are too few .* at least 19"):
        simultaneous_limits(np.zeros((18, 3)))


def test_rank_correlation_sees_order_and_not_scale():
    x = np.arange(12.0)
    assert rank_correlation(x, np.exp(x)).value == pytest.approx(1)
    assert rank_correlation(x, -(x**3)).value == pytest.approx(-1)


def test_rank_correlation_of_noise_has_zero_in_its_interval():
    x, y = np.random.default_rng(5).normal(size=(2, 40))
    estimate = rank_correlation(x, y)
    assert estimate.low < 0 < estimate.high
    assert estimate.value == pytest.approx(stats.spearmanr(x, y).statistic)


@pytest.mark.parametrize("n_pairs", [4, 12])
def test_the_interval_of_a_rank_correlation_is_that_of_resamples_in_which_both_vary(n_pairs):
    x, y = (
        np.array([1, 2, 3, 3, 5, 8, 6, 7, 4, 9, 0, 2.0])[:n_pairs],
        np.array([2, 1, 3, *range(9)])[:n_pairs],
    )
    draws = np.random.default_rng(1).integers(n_pairs, size=(500, n_pairs))
    varying = [i for i in draws if len(set(x[i])) > 1 and len(set(y[i])) > 1]
    values = [stats.spearmanr(x[i], y[i]).statistic for i in varying]
    estimate = rank_correlation(x, y, n_resamples=500, seed=1)
    assert (len(varying) < 500) == (n_pairs == 4)
    assert (estimate.low, estimate.high) == pytest.approx(np.quantile(values, [0.025, 0.975]))


def test_rank_correlation_leaves_out_pairs_with_a_missing_value():
    x = [0.1, 0.2, 0.3, 0.4, np.nan]
    assert rank_correlation(x, [1, 2, 3, 4, 0]).value == pytest.approx(1)
    with pytest.raises(ValueError, match="at least 4 pairs, got 3"):
        rank_correlation(x, [1, 2, 3, np.nan, 0])


def in_fours(rng, share, alike, n_groups, n_draws=3000):
    """Answers to items in fours, [draw, item], of which the four are the more alike the nearer to 1."""
    own = rng.beta(*(np.array([share, 1 - share]) * (1 - alike) / alike), (n_draws, n_groups, 1))
    return (rng.random((n_draws, n_groups, 4)) < own).reshape(n_draws, -1)


@pytest.mark.parametrize("n_groups", [25, 50])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
@pytest.mark.parametrize("alike", [0.3, 0.8])
def test_an_interval_over_items_in_fours_covers_as_often_as_it_says(n_groups, share, alike):
    right = in_fours(np.random.default_rng(0), share, alike, n_groups)
    worth = effective_trials(right, np.arange(4 * n_groups) // 4)
    covered = [
        np.mean((low <= share) & (share <= high))
        for low, high in (wilson(right.mean(axis=1), n) for n in (worth, 4 * n_groups))
    ]
    assert covered[0] == pytest.approx(0.95, abs=0.03)
    assert covered[1] < 0.9


def test_effective_trials_have_the_variance_of_a_bootstrap_over_items_with_all_languages_together():
    rng = np.random.default_rng(0)
    easy = rng.beta(2, 1, (1, 60, 1))
    right = rng.random((5, 60, 4)) < easy  # [language, group, item]: groups are easy in all languages
    together = np.tile(np.repeat(np.arange(60), 4), 5)
    worth = effective_trials(right.ravel(), together)
    resampled = right[:, rng.integers(60, size=(20_000, 60))].mean(axis=(0, 2, 3))
    share = right.mean()
    assert share * (1 - share) / worth == pytest.approx(resampled.var(), rel=0.05)
    assert worth < 0.25 * right.size


def test_independent_items_are_worth_their_number():
    right = np.random.default_rng(0).random((500, 400)) < 0.4
    assert effective_trials(right, np.arange(400)).mean() == pytest.approx(400, rel=0.01)


def test_answers_that_never_vary_are_worth_their_groups():
    assert effective_trials(np.ones((2, 40)), np.arange(40) // 4).tolist() == [10, 10]
    low, high = wilson(1.0, 10)
    assert low < 0.75 and high == 1


def test_changes_of_items_in_fours_cover_as_often_as_they_say():
    rng = np.random.default_rng(0)
    before = np.ones((3000, 160), bool)
    after = in_fours(rng, 0.8, 0.8, 40)  # a fifth of the answers is lost, whole fours of them
    covered = []
    for together in (np.arange(160) // 4, None):
        _, low, high = matched_change(before, after, together)
        covered.append(np.mean((low <= -0.2) & (high >= -0.2)))
    assert covered[0] == pytest.approx(0.95, abs=0.03)
    assert covered[1] < 0.8


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=300))
def test_interval_of_a_change_holds_the_change_and_is_never_empty(pairs):
    shift, low, high = matched_change(*np.array(pairs).T)
    assert shift == pytest.approx(np.mean([after - before for before, after in pairs]))
    assert -1 <= low < high <= 1 and low - 1e-12 <= shift <= high + 1e-12


def test_interval_of_a_change_covers_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(0)
    before = rng.random((4000, 100)) < 0.8
    after = np.where(rng.random((4000, 100)) < 0.1, False, before)  # a tenth of the answers is lost: -0.08
    _, low, high = matched_change(before, after)
    assert 0.93 <= ((low <= -0.08) & (high >= -0.08)).mean() <= 0.99


@pytest.mark.parametrize("together", [None, np.arange(40) // 4])
def test_changes_asked_for_together_are_those_asked_for_one_by_one(together):
    before, after = np.random.default_rng(0).random((2, 5, 40)) < np.linspace(0.1, 0.9, 5)[:, None]
    one_by_one = [matched_change(*pair, together) for pair in zip(before, after, strict=True)]
    np.testing.assert_allclose(matched_change(before, after, together), np.transpose(one_by_one))


# ---- regression on clusters ------------------------------------------------------------------------------

# As many languages as the families of the Declaration of Human Rights have: a few large, many of one.
FAMILIES = np.repeat(np.arange(58), [97, 62, 37, 21, 19, 12, 11, 11, 8, 7, *[5] * 4, *[3] * 9, *[1] * 35])


def in_families(seed: int) -> tuple[np.ndarray, pd.DataFrame]:
    """Shares whose mean has known log odds, of languages that are alike within families."""
    random = np.random.default_rng(seed)

    def shared(of_family: float, width: int) -> np.ndarray:
        common, own = random.normal(size=(58, width))[FAMILIES], random.normal(size=(len(FAMILIES), width))
        return np.sqrt(of_family) * common + np.sqrt(1 - of_family) * own

    factors = pd.DataFrame(shared(0.5, 2), columns=["some", "none"])
    mean = 1 / (1 + np.exp(0.6 - 0.8 * factors.some))
    rank = stats.norm.cdf(shared(0.3, 1)[:, 0])
    share = stats.beta.ppf(rank, np.maximum(2 * mean, 1e-3), np.maximum(2 * (1 - mean), 1e-3))
    return random.binomial(50, np.clip(share, 0, 1)) / 50, factors


def test_a_regression_on_families_finds_what_was_planted_and_as_often_as_its_intervals_say():
    planted = {"intercept": -0.6, "some": 0.8, "none": 0.0}
    terms = [clustered_regression(*in_families(seed), FAMILIES).terms.set_index("term") for seed in range(20)]
    for name, truth in planted.items():
        estimates = np.array([term.estimate[name] for term in terms])
        assert estimates.mean() == pytest.approx(truth, abs=0.1)
        held = [term.low[name] <= truth <= term.high[name] for term in terms]
        # Of 20 intervals that hold 95 times in 100, 16 or more do, all but three times in 1,000.
        assert sum(held) >= 16


def test_treating_relatives_as_strangers_makes_intervals_too_narrow():
    shares, factors = in_families(0)
    known = clustered_regression(shares, factors, FAMILIES)
    ignored = clustered_regression(shares, factors, np.arange(len(FAMILIES)))
    width = {
        fit: (of.terms.high - of.terms.low).iloc[0] for fit, of in (("known", known), ("ignored", ignored))
    }
    assert width["known"] > 1.3 * width["ignored"]


def test_without_factors_a_mean_of_equal_clusters_is_that_of_their_means():
    random = np.random.default_rng(0)
    clusters = np.repeat(np.arange(12), 4)
    values = random.normal(size=12)[clusters] + random.normal(size=48)
    fit = clustered_regression(values, pd.DataFrame(index=range(48)), clusters, logit=False)["intercept"]
    means = values.reshape(12, 4).mean(axis=1)
    half = stats.t.ppf(0.975, 11) * stats.sem(means)
    assert fit.value == pytest.approx(values.mean())
    # The correction for few clusters widens the interval of the means a little.
    assert half <= fit.high - fit.value <= 1.06 * half


@pytest.mark.parametrize(
    ("outcome", "clusters", "message"),
    [
        ([0.1, np.nan, 0.3, 0.4], [0, 1, 2, 3], "no missing values"),
        ([0.2] * 4, [0, 1, 2, 3], "every outcome is 0.2"),
        ([0.1, 0.2, 0.3, 0.4], [0, 0, 1, 1], "2 clusters are too few for 2 coefficients"),
    ],
)
def test_a_regression_that_cannot_be_made_says_why(outcome, clusters, message):
    with pytest.raises(ValueError, match=message):
        clustered_regression(outcome, pd.DataFrame({"x": [1.0, 2.0, 4.0, 3.0]}), clusters)
