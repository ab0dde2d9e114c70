"""Mean cosines over all pairs of sentences from a few sums: values, standard errors and nulls.

With unit vectors u[l, m] of L languages and M meanings, S_l = Σ_m u[l, m], and

    T = ‖Σ u‖²      P = Σ_l ‖S_l‖²      Q = Σ_m ‖Σ_l u[l, m]‖²      N = L·M,

the means over pairs close: same language (P − N) / (L·M·(M − 1)), same meaning (Q − N) / (M·L·(L − 1)),
neither (T − P − Q + N) / (L·(L − 1)·M·(M − 1)). No sentence-by-sentence matrix is built; time is linear in
the number of sentences.
"""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch.nn.functional import embedding_bag

from lingua_utils.measure.sums import UnitSums
from lingua_utils.measure.vectors import Vectors, check_counts

Z95 = 1.959963984540054  # standard normal, two-sided 95 %


@dataclass(frozen=True)
class PairMeans:
    """Mean cosine of sentence pairs by what the pair shares, and the two scores made of them.

    Attributes
    ----------
    same_language, same_meaning, neither : float
        Cosines in [-1, 1].
    lrds_se, sads_se : float
        Jackknife standard errors over meanings; NaN where leaving one out leaves no pairs (2 meanings).
    """

    same_language: float
    same_meaning: float
    neither: float
    lrds_se: float
    sads_se: float

    @property
    def lrds(self) -> float:
        """Similarity by language: same_language − neither, in [-2, 2]."""
        return self.same_language - self.neither

    @property
    def sads(self) -> float:
        """Similarity by meaning: same_meaning − neither, in [-2, 2]."""
        return self.same_meaning - self.neither

    def row(self) -> dict[str, float]:
        """Means, scores, standard errors and 95 % limits, as columns of the table ``similarity``."""
        row = asdict(self)
        for score in ("lrds", "sads"):
            value, error = getattr(self, score), row[f"{score}_se"]
            row |= {score: value, f"{score}_low": value - Z95 * error, f"{score}_high": value + Z95 * error}
        return row


@dataclass(frozen=True, eq=False)
class Null:
    """LRDS and SADS of shuffled sentences, one number a permutation.

    Attributes
    ----------
    lrds : float array, shape [permutation]
        With languages shuffled within each meaning: what LRDS is when language means nothing.
    sads : float array, shape [permutation]
        With meanings shuffled within each language: what SADS is when translations share nothing.
    """

    lrds: np.ndarray
    sads: np.ndarray

    def row(self) -> dict[str, float]:
        """Mean and central 95 % of both, as columns of the table ``similarity``."""
        row = {}
        for score in ("lrds", "sads"):
            values = getattr(self, score)
            low, high = np.quantile(values, [0.025, 0.975]) if len(values) else (np.nan, np.nan)
            mean = values.mean() if len(values) else np.nan
            row |= {f"{score}_null": mean, f"{score}_null_low": low, f"{score}_null_high": high}
        return row


def from_vectors(vectors: Vectors) -> PairMeans:
    """Pair means with standard errors by leaving out one meaning at a time."""
    n_languages = len(vectors.languages)
    own = np.einsum("mll->m", vectors.cross)  # Σ_l S_l·u[l, m]
    total = vectors.cross.sum(axis=(1, 2))  # Σ_l S_l · Σ_l u[l, m]
    q = vectors.gram.sum(axis=(1, 2))
    whole = total.sum(), own.sum(), q.sum()
    # Leaving out meaning m takes u[l, m] from every S_l: ‖S_l − u‖² = ‖S_l‖² − 2 S_l·u + 1.
    without = whole[0] - 2 * total + q, whole[1] - 2 * own + n_languages, whole[2] - q
    return _summary(whole, without, np.ones(len(q), dtype=int), n_languages)


def from_sums(units: UnitSums, counts: np.ndarray, layers: slice = slice(None)) -> PairMeans:
    """Pair means of the concatenation of some layers; standard errors by leaving out one group at a time."""
    n_languages = units.totals[0].shape[1]
    check_counts(n_languages, int(counts.sum()))
    seen = counts > 0
    q = units.meanings[layers].sum(axis=0)[seen]
    t = p = without = 0.0
    for totals in units.totals[layers]:
        whole = totals.sum(axis=0)
        t += np.square(whole.sum(axis=0)).sum()
        p += np.square(whole).sum()
        left = (whole - group for group in totals[seen])
        pairs = [(np.square(rest.sum(axis=0)).sum(), np.square(rest).sum()) for rest in left]
        without = without + np.array(pairs).T
    return _summary((t, p, q.sum()), (*without, q.sum() - q), counts[seen], n_languages)


def shuffled(vectors: Vectors, n_permutations: int, seed: int) -> Null:
    """Scores after shuffling meanings within each language, and languages within each meaning."""
    n_languages, n_sentences = len(vectors.languages), vectors.n_sentences
    t, p, q = vectors.cross.sum(), np.einsum("mll->", vectors.cross), vectors.gram.sum()
    rng = np.random.default_rng(seed)
    rows = np.arange(n_languages * n_sentences, dtype=np.int32).reshape(n_languages, n_sentences)
    draws = np.broadcast_to(rows, (n_permutations, *rows.shape))
    # One bag of rows for each vector sum: all languages of a "meaning", all meanings of a "language".
    meanings = torch.from_numpy(rng.permuted(draws, axis=2).transpose(0, 2, 1).copy())
    languages = torch.from_numpy(rng.permuted(draws, axis=1))
    null_p, null_q = np.zeros(n_permutations), np.zeros(n_permutations)
    for units in vectors.units():
        table = torch.from_numpy(units.reshape(rows.size, -1))
        for k in range(n_permutations):
            null_p[k] += embedding_bag(languages[k], table, mode="sum").square().sum(dtype=torch.float64)
            null_q[k] += embedding_bag(meanings[k], table, mode="sum").square().sum(dtype=torch.float64)
    return Null(
        lrds=_scores(_means(t, null_p, q, n_languages, n_sentences))[0],
        sads=_scores(_means(t, p, null_q, n_languages, n_sentences))[1],
    )


def _means(t: Any, p: Any, q: Any, n_languages: int, n_sentences: Any) -> np.ndarray:
    """(same language, same meaning, neither) from the closed sums."""
    n = n_languages * n_sentences
    same_language = (p - n) / (n * (n_sentences - 1))
    same_meaning = (q - n) / (n * (n_languages - 1))
    neither = (t - p - q + n) / (n * (n_languages - 1) * (n_sentences - 1))
    return np.stack(np.broadcast_arrays(same_language, same_meaning, neither))


def _scores(means: np.ndarray) -> np.ndarray:
    """(LRDS, SADS) of (same language, same meaning, neither)."""
    return means[:2] - means[2]


def _jackknife(estimate: np.ndarray, left_out: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Standard errors by leaving out groups, also of unequal size (Busing, Meijer & van der Leeden 1999).

    ``estimate`` has shape [score], ``left_out`` [score, group], ``sizes`` [group]. With groups of one size it
    is the textbook delete-one jackknife.
    """
    n_groups, ratio = len(sizes), sizes.sum() / sizes
    pseudo = ratio * estimate[:, None] - (ratio - 1) * left_out
    centre = n_groups * estimate - ((1 - 1 / ratio) * left_out).sum(axis=1)
    return np.sqrt(((pseudo - centre[:, None]) ** 2 / (ratio - 1)).sum(axis=1) / n_groups)


def _summary(whole: tuple, without: tuple, sizes: np.ndarray, n_languages: int) -> PairMeans:
    """PairMeans from (T, P, Q) of all meanings and of all but those of each group."""
    n_sentences = int(sizes.sum())
    means = _means(*whole, n_languages, n_sentences)
    errors = np.full(2, np.nan)
    if n_sentences - sizes.max() >= 2:
        left_out = _scores(_means(*without, n_languages, n_sentences - sizes))
        errors = _jackknife(_scores(means), left_out, sizes)
    return PairMeans(*(float(value) for value in (*means, *errors)))
