"""Intervals: of shares, of means over sentences, of ratios, of correlations. All are at 95 %."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats
from statsmodels.genmod.families import Binomial, Gaussian
from statsmodels.genmod.generalized_estimating_equations import GEE
from statsmodels.stats.proportion import proportion_confint

Z95 = float(stats.norm.ppf(0.975))


@dataclass(frozen=True)
class Estimate:
    """A number with its 95 % interval; a limit may be infinite."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        if np.isinf(self.low):
            return "undetermined"
        if np.isinf(self.high):
            return f"at least {self.low:.3g}"
        return f"{self.value:.3g} ({self.low:.3g} to {self.high:.3g})"


def wilson(share: np.ndarray | float, n: np.ndarray | int) -> tuple[np.ndarray, np.ndarray]:
    """Wilson's interval of a share of n trials: within [0, 1], and of some width also at 0 and 1.

    A share that is NaN, as that of no trials, has the limits NaN.
    """
    share, n = np.broadcast_arrays(np.asarray(share, dtype=np.float64), n)
    limits = np.full((2, *share.shape), np.nan)
    known = ~np.isnan(share)
    limits[:, known] = proportion_confint(share[known] * n[known], n[known], method="wilson")
    return limits[0], limits[1]


def margin(influences: np.ndarray, level: float = 0.95) -> np.ndarray:
    """Half width of the interval of an estimate with these influences (last axis), by Student's t."""
    n = influences.shape[-1]
    if n < 2:
        return np.full(influences.shape[:-1], np.nan)
    t = stats.t.ppf((1 + level) / 2, n - 1)
    return t * np.sqrt(n / (n - 1) * np.square(influences).sum(axis=-1))


def effective_trials(outcomes: np.ndarray, together: np.ndarray) -> np.ndarray:
    """How many independent trials a share or mean change of dependent ones is worth.

    Items that share something are right or wrong together, and so are translations of an item. The variance
    is that of a bootstrap over groups of items, in its limit; divided into the variance of a single trial it
    gives the number that belongs into Wilson's interval, as in surveys with clusters (Korn and Graubard
    1998). Unlike the bootstrap's percentiles, this keeps an interval near 0 and 1.

    Parameters
    ----------
    outcomes : array [..., item]
        Right (1) or wrong (0); -1, 0 or 1 for a change.
    together : int array [item]
        Which group an item belongs to; groups are independent. Of several languages together, give all
        their items, translations in one group.

    Returns
    -------
    array [...]
        At most as many as there are items; as many as groups where nothing varies, and no fewer than one.
    """
    outcomes = np.asarray(outcomes, dtype=np.float64)
    n_items, groups = outcomes.shape[-1], np.unique(together, return_inverse=True)[1]
    n_groups = groups.max() + 1
    mean = outcomes.mean(axis=-1, keepdims=True)
    sums = (outcomes - mean) @ np.eye(n_groups)[groups]  # [..., group]
    variance = np.square(sums).sum(axis=-1) / n_items**2 * n_groups / max(n_groups - 1, 1)
    single = np.square(outcomes).mean(axis=-1) - mean[..., 0] ** 2
    with np.errstate(divide="ignore", invalid="ignore"):
        worth = np.where(single > 0, single / variance, n_groups)
    return np.clip(worth, 1, n_items)


def matched_change(
    before: np.ndarray, after: np.ndarray, together: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Change in the share of right answers to the same items, with its interval.

    The interval is Agresti and Min's (2005) for matched pairs: half an item more in each cell of
    before × after keeps it from being empty when no answer changed.

    Parameters
    ----------
    before, after : bool arrays [..., item]
    together : int array [item], optional
        Which group an item belongs to, where items are not independent: then as many items count as
        :func:`effective_trials` says.

    Returns
    -------
    change, low, high : arrays [...]
        Between -1 and 1.
    """
    gained, lost = (after & ~before).mean(axis=-1), (before & ~after).mean(axis=-1)
    n = before.shape[-1]
    if together is not None:
        n = effective_trials(after.astype(int) - before, together)
    centre = (gained - lost) * n / (n + 2)
    half = Z95 * np.sqrt(((gained + lost) * n + 1) / (n + 2) - centre**2) / np.sqrt(n + 2)
    return gained - lost, np.maximum(centre - half, -1), np.minimum(centre + half, 1)


def simultaneous_limits(null: np.ndarray, level: float = 0.95) -> np.ndarray:
    """Limits that a whole grid of values stays below together with this probability under the null.

    Each point is studentised by its own mean and standard deviation under the null, and the greatest over the
    grid is taken from each permutation (max-T; Westfall and Young 1993): how points depend on each other is
    kept, and a point with a wide null does not set the limit of the others.

    Parameters
    ----------
    null : array, shape [permutation, ...]
        Values at each point of the grid, such as checkpoints × layers. The k-th value of every point must
        come from the same permutation: the same seed, and sentences of the same shape.
    level : float

    Returns
    -------
    array, shape [...]
        A point above its limit is above the null though all points are looked at. NaN where the null is not
        finite; a point that never varies has its own value as the limit.

    Raises
    ------
    ValueError
        With too few permutations for the level: 95 % needs at least 19.
    """
    null = np.asarray(null, dtype=np.float64)
    place = int(np.ceil(level * (len(null) + 1)))
    if place > len(null):
        needed = int(np.ceil(level / (1 - level) - 1e-9))
        raise ValueError(f"{len(null)} permutations are too few for limits at {level:.0%}: at least {needed}")
    mean, spread = null.mean(axis=0), null.std(axis=0, ddof=1)
    # Rounding is no spread.
    varies = spread > 1e-9 * np.abs(null).max(axis=0)
    studentised = np.divide(null - mean, spread, out=np.full_like(null, -np.inf), where=varies)
    greatest = np.sort(studentised.reshape(len(null), -1).max(axis=1))[place - 1]
    return np.where(varies, mean + greatest * spread, mean)


def ratio(above: float, above_se: float, below: float, below_se: float, df: float = np.inf) -> Estimate:
    """A ratio of two independent estimates with Fieller's interval.

    When the denominator cannot be told from 0, the upper limit is infinite; when the numerator cannot be
    either, nothing is known and both are. ``df`` are the degrees of freedom of the standard errors, where
    these are few: of scores over M meanings, M − 1.

    Examples
    --------
    >>> print(ratio(0.2, 0.01, 0.02, 0.001))
    10 (8.7 to 11.5)
    """
    value, t = above / below if below else np.inf, float(stats.t.ppf(0.975, df))
    # The limits r are where (above − r·below)² = t² (above_se² + r² below_se²).
    a = below**2 - (t * below_se) ** 2
    b = above * below
    c = above**2 - (t * above_se) ** 2
    if a > 0:
        half = np.sqrt(b**2 - a * c)
        return Estimate(value, float((b - half) / a), float((b + half) / a))
    if above <= 0 or c <= 0:
        return Estimate(value, -np.inf, np.inf)
    # Ratios of either sign fit; of the positive ones, those above the positive root of the same equation.
    with np.errstate(divide="ignore"):
        return Estimate(value, float(np.divide(c, b + np.sqrt(b**2 - a * c))), np.inf)


def rank_correlation(
    x: Sequence[float], y: Sequence[float], n_resamples: int = 2000, seed: int = 0
) -> Estimate:
    """Spearman's rank correlation with a percentile bootstrap interval over the pairs.

    Parameters
    ----------
    x, y : sequences of float, shape [pair]
        For example SADS and accuracy, one pair for each checkpoint. Pairs with a missing value are left out.
        Checkpoints of one training are not independent: the interval describes these, not other trainings.
    n_resamples, seed : int

    Raises
    ------
    ValueError
        For different lengths, or fewer than 4 complete pairs.
    """
    x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    if x.shape != y.shape or x.ndim != 1:
        raise ValueError(f"a correlation needs as many x as y, got shapes {x.shape} and {y.shape}")
    complete = np.isfinite(x) & np.isfinite(y)
    pairs = np.stack([x[complete], y[complete]])
    n_pairs = pairs.shape[1]
    if n_pairs < 4:
        raise ValueError(f"a rank correlation with an interval needs at least 4 pairs, got {n_pairs}")
    with warnings.catch_warnings():
        # A resample in which one of the two never varies has no correlation, and is left out.
        warnings.simplefilter("ignore", stats.DegenerateDataWarning)
        resampled = stats.bootstrap(
            pairs,
            _spearman,
            paired=True,
            n_resamples=n_resamples,
            method="percentile",
            rng=np.random.default_rng(seed),
        ).bootstrap_distribution
    low, high = np.nanquantile(resampled, [0.025, 0.975])
    return Estimate(float(_spearman(*pairs)), float(low), float(high))


def _spearman(x: np.ndarray, y: np.ndarray, axis: int = -1) -> np.ndarray:
    """Rank correlation along one axis of arrays of any shape, which ``stats.spearmanr`` does not take."""
    return stats.pearsonr(stats.rankdata(x, axis=axis), stats.rankdata(y, axis=axis), axis=axis).statistic


@dataclass(frozen=True)
class Regression:
    """Coefficients of a regression on clustered observations.

    Attributes
    ----------
    terms : DataFrame
        One row for each factor, the intercept first: ``term``, ``estimate``, ``low``, ``high``, ``p``.
    fitted : array [observation]
        Mean that the factors predict.
    """

    terms: pd.DataFrame
    fitted: np.ndarray

    def __getitem__(self, term: str) -> Estimate:
        """A coefficient with its interval."""
        row = self.terms.set_index("term").loc[term]
        return Estimate(row.estimate, row.low, row.high)


def clustered_regression(
    outcome: Sequence[float], factors: pd.DataFrame, clusters: Sequence, logit: bool = True
) -> Regression:
    """Regression on observations of which those of one cluster are not independent.

    The coefficients are those of an ordinary regression; their standard errors allow for any dependence
    within a cluster (generalised estimating equations; Liang and Zeger 1986), corrected for few clusters
    (Mancl and DeRouen 2001). Intervals are by Student's t. A few large clusters are worth fewer than there
    are: of sizes n they count as (Σn)²/Σn² (Carter, Schnepel and Steigerwald 2017), less one. On the language
    families of the Declaration of Human Rights, 58 that count as 8, such intervals hold the truth 97 to 98
    times in 100 in simulations; those of an ordinary cluster-robust logit 77 to 85 times.

    A correlation within clusters is not modelled: with factors that hardly vary within families its estimate
    can exceed 1, and the fit diverges.

    Parameters
    ----------
    outcome : sequence of float, shape [observation]
        A share in [0, 1] where ``logit``, which needs no count and may be 0 or 1 (Papke and Wooldridge 1996);
        any number otherwise.
    factors : DataFrame
        One column for each factor; none for a mean alone. An intercept is added.
    clusters : sequence, shape [observation]
        Which cluster an observation belongs to.
    logit : bool
        Whether coefficients are log odds; otherwise they are in units of the outcome.

    Raises
    ------
    ValueError
        For a missing value, an outcome that never varies, no more clusters than coefficients, or factors that
        tell the outcome without error.
    """
    outcome, design = np.asarray(outcome, dtype=float), factors.astype(float)
    design.insert(0, "intercept", 1.0)
    clusters = np.unique(np.asarray(clusters), return_inverse=True)[1]
    n_clusters, n_terms = clusters.max(initial=-1) + 1, design.shape[1]
    if not (np.isfinite(outcome).all() and np.isfinite(design).all(axis=None)):
        raise ValueError("a regression takes no missing values; leave those observations out")
    if np.ptp(outcome) == 0:
        raise ValueError(f"every outcome is {outcome[0]:g}: there is nothing to explain")
    if n_clusters <= n_terms:
        raise ValueError(f"{n_clusters} clusters are too few for {n_terms} coefficients with intervals")
    family = Binomial() if logit else Gaussian()
    fit = GEE(outcome, design, clusters, family=family).fit(cov_type="bias_reduced")
    estimate, error = fit.params.to_numpy(), fit.bse.to_numpy()
    if not (np.isfinite(estimate).all() and np.isfinite(error).all()):
        raise ValueError("the regression has no finite coefficients; leave out factors that tell it all")
    sizes = np.bincount(clusters)
    df = max(sizes.sum() ** 2 / np.square(sizes).sum() - 1, 1)
    half = stats.t.ppf(0.975, df) * error
    p = 2 * stats.t.sf(np.abs(estimate) / error, df)
    terms = {"term": design.columns, "estimate": estimate, "low": estimate - half, "high": estimate + half}
    return Regression(pd.DataFrame(terms | {"p": p}), np.asarray(fit.fittedvalues))
