"""Trends over checkpoints: the peak of LRDS, the growth of SADS, ratios and correlations with intervals."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

Z95 = 1.959963984540054  # standard normal, two-sided 95 %


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


@dataclass(frozen=True)
class Trend:
    """How the two scores of one model moved in training.

    Attributes
    ----------
    lrds_peak, lrds_end, sads_early, sads_end : Estimate
    peak_step, early_step, end_step : int
    past_peak : bool
        LRDS ends below its peak, and the two intervals do not touch.
    growth : Estimate
        SADS at the end over SADS at the early step.
    """

    peak_step: int
    lrds_peak: Estimate
    lrds_end: Estimate
    early_step: int
    sads_early: Estimate
    end_step: int
    sads_end: Estimate
    past_peak: bool
    growth: Estimate

    def sentence(self) -> str:
        """The trend in words, every number computed."""
        if self.peak_step == self.end_step:
            lrds = f"LRDS is highest at the end, {self.lrds_end} at step {self.end_step}"
        else:
            verdict = (
                "below the peak beyond both intervals" if self.past_peak else "not clearly below the peak"
            )
            lrds = (
                f"LRDS peaks at step {self.peak_step} with {self.lrds_peak} "
                f"and ends at {self.lrds_end}, {verdict}"
            )
        sads = (
            f"SADS goes from {self.sads_early} at step {self.early_step} "
            f"to {self.sads_end} at step {self.end_step}"
        )
        if self.sads_early.value <= 0:
            return f"{lrds}. {sads}."
        return f"{lrds}. {sads}; the factor is {self.growth}."


def trend(similarity: pd.DataFrame, early: int = 32, kind: str = "all", centred: bool = False) -> Trend:
    """Peak of LRDS and growth of SADS over the checkpoints of one model.

    Parameters
    ----------
    similarity : DataFrame
        Collated table ``similarity`` of one model on one corpus; its rows over all layers are used.
    early : int
        The step that growth is counted from, or the checkpoint nearest to it in ratio.
    kind, centred
        Which of the scores.

    Raises
    ------
    ValueError
        With several models, or fewer than 2 checkpoints with a step.
    """
    scores = over_all_layers(similarity, centred)
    scores = scores[(scores["kind"] == kind) & scores["step"].notna()].sort_values("step")
    models = scores[["corpus", "model_id"]].drop_duplicates()
    if len(models) > 1:
        raise ValueError(f"a trend is of one model, got {', '.join(models['model_id'])}: select one")
    if len(scores) < 2:
        raise ValueError(f"a trend needs at least 2 checkpoints with a training step, got {len(scores)}")
    steps = scores["step"].to_numpy(dtype=int)
    end = scores.iloc[-1]
    peak = scores.iloc[scores["lrds"].to_numpy().argmax()]
    start = scores.iloc[np.abs(np.log1p(steps[:-1]) - np.log1p(early)).argmin()]
    return Trend(
        peak_step=int(peak["step"]),
        lrds_peak=_estimate(peak, "lrds"),
        lrds_end=_estimate(end, "lrds"),
        early_step=int(start["step"]),
        sads_early=_estimate(start, "sads"),
        end_step=int(end["step"]),
        sads_end=_estimate(end, "sads"),
        past_peak=bool(end["lrds_high"] < peak["lrds_low"]),
        growth=ratio(end["sads"], end["sads_se"], start["sads"], start["sads_se"]),
    )


def end_points(similarity: pd.DataFrame, centred: bool = False) -> pd.DataFrame:
    """Both scores over all layers at the last checkpoint of every model, for each kind of sentence."""
    scores = over_all_layers(similarity, centred)
    last = scores.sort_values("step", kind="stable").groupby(["corpus", "model_id", "kind"]).tail(1)
    keys = ["corpus", "model_id", "revision", "step", "kind"]
    shown = ["lrds", "lrds_low", "lrds_high", "sads", "sads_low", "sads_high", "sads_null_high"]
    return last.sort_values(["corpus", "model_id", "kind"], ignore_index=True)[keys + shown]


def accuracy_and_sads(accuracy: pd.DataFrame, similarity: pd.DataFrame) -> pd.DataFrame:
    """Mean accuracy over languages beside SADS over all layers, one row a checkpoint of one model.

    Parameters
    ----------
    accuracy, similarity : DataFrame
        Collated tables ``accuracy`` and ``similarity``; checkpoints that are in both are kept.

    Returns
    -------
    DataFrame
        ``model_id``, ``step``, ``sads``, ``sads_low``, ``sads_high``, ``accuracy``, its 95 % interval
        ``low``, ``high`` (normal, over all items of all languages) and ``chance``.
    """
    scores = over_all_layers(similarity)
    scores = scores[(scores["kind"] == "all") & scores["step"].notna()]
    groups = accuracy.groupby(["corpus", "model_id", "revision"])
    means = groups.agg(
        accuracy=("accuracy", "mean"), n_items=("n_items", "sum"), chance=("chance", "first")
    ).reset_index()
    half = Z95 * np.sqrt(means["accuracy"] * (1 - means["accuracy"]) / means["n_items"])
    means = means.assign(low=means["accuracy"] - half, high=means["accuracy"] + half)
    kept = ["corpus", "model_id", "revision", "step", "sads", "sads_low", "sads_high"]
    return (
        scores[kept]
        .merge(means, on=["corpus", "model_id", "revision"])
        .sort_values("step", ignore_index=True)
    )


def over_all_layers(similarity: pd.DataFrame, centred: bool = False) -> pd.DataFrame:
    """The rows of a ``similarity`` table that are about all layers concatenated."""
    return similarity[(similarity["layer"] == "all") & (similarity["centred"] == centred)]


def ratio(above: float, above_se: float, below: float, below_se: float) -> Estimate:
    """A ratio of two independent estimates with Fieller's 95 % interval.

    When the denominator cannot be told from 0, the upper limit is infinite; when the numerator cannot be
    either, nothing is known and both are.

    Examples
    --------
    >>> print(ratio(0.2, 0.01, 0.02, 0.001))
    10 (8.7 to 11.5)
    """
    value = above / below if below else np.inf
    # The limits r are where (above − r·below)² = z² (above_se² + r² below_se²).
    a = below**2 - (Z95 * below_se) ** 2
    b = above * below
    c = above**2 - (Z95 * above_se) ** 2
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
        For example SADS and accuracy, one pair a checkpoint. Pairs with a missing value are left out.
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
    draws = np.random.default_rng(seed).integers(n_pairs, size=(n_resamples, n_pairs))
    resampled = _spearman(pairs[:, draws])
    low, high = np.nanquantile(resampled, [0.025, 0.975])
    return Estimate(float(_spearman(pairs[:, None])[0]), float(low), float(high))


def _spearman(pairs: np.ndarray) -> np.ndarray:
    """Rank correlation of each resample, pairs of shape [2, resample, pair]; NaN where one never varies."""
    ranks = np.stack([pd.DataFrame(values).rank(axis=1).to_numpy() for values in pairs])
    ranks -= ranks.mean(axis=2, keepdims=True)
    with np.errstate(invalid="ignore"):
        return (ranks[0] * ranks[1]).sum(axis=1) / np.sqrt(np.square(ranks).sum(axis=2).prod(axis=0))


def _estimate(row: pd.Series, score: str) -> Estimate:
    return Estimate(*(float(row[name]) for name in (score, f"{score}_low", f"{score}_high")))
