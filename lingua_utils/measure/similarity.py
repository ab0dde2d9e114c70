"""How alike sentences are, by language (LRDS) and by meaning (SADS), and what follows from the same vectors.

Mean cosines over all pairs of sentences come from a few sums. With unit vectors u[l, m] of L languages and M
meanings, S_l = Σ_m u[l, m], and

    T = ‖Σ u‖²      P = Σ_l ‖S_l‖²      Q = Σ_m ‖Σ_l u[l, m]‖²      N = L·M,

the means over pairs close: same language (P − N) / (L·M·(M − 1)), same meaning (Q − N) / (M·L·(L − 1)),
neither (T − P − Q + N) / (L·(L − 1)·M·(M − 1)). No sentence-by-sentence matrix is built; time is linear in
the number of sentences.

A few neurons with large values rule a cosine, so each measure looks at its vectors on a scale, see
:meth:`lingua_utils.measure.sums.Vectors.of`; by default every neuron is in units of its own spread.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from scipy import stats
from scipy.linalg import orthogonal_procrustes
from sklearn.decomposition import KernelPCA
from torch.nn.functional import embedding_bag

from lingua_utils.measure.intervals import simultaneous_limits, wilson
from lingua_utils.measure.sums import (
    ALL_PAIRS,
    OTHERS,
    SCALES,
    Compared,
    Vectors,
    between_languages,
    pivot_of,
    sample_of,
)

N_MEANINGS = 40  # on the map; in ten languages these are 400 points in each layer
CELLS = 1 << 24  # cosines held at once: 64 MiB in float32
N_SHUFFLED = 200  # meanings that a null is made of
N_GALLERIES = 5  # in which translations are looked for
FEWEST = 4  # meanings of which both halves have pairs

Pairs = Callable[[str, str], bool] | np.ndarray | None


@dataclass(frozen=True)
class PairMeans:
    """Mean cosine of sentence pairs by what the pair shares, and the two scores made of them.

    Attributes
    ----------
    same_language, same_meaning, neither : float
        Cosines in [-1, 1].
    lrds_se, sads_se : float
        Jackknife standard errors over meanings; NaN where leaving one out leaves no pairs (2 meanings).
    n_meanings : int
    """

    same_language: float
    same_meaning: float
    neither: float
    lrds_se: float
    sads_se: float
    n_meanings: int

    @property
    def lrds(self) -> float:
        """Similarity by language: same_language − neither, in [-2, 2]."""
        return self.same_language - self.neither

    @property
    def sads(self) -> float:
        """Similarity by meaning: same_meaning − neither, in [-2, 2]."""
        return self.same_meaning - self.neither

    def row(self) -> dict[str, float]:
        """Means, scores, standard errors and 95 % limits (Student's t, M − 1), as columns of a table."""
        row, t = asdict(self), stats.t.ppf(0.975, self.n_meanings - 1)
        for score in ("lrds", "sads"):
            value, error = getattr(self, score), row[f"{score}_se"]
            row |= {score: value, f"{score}_low": value - t * error, f"{score}_high": value + t * error}
        return row


@dataclass(frozen=True, eq=False)
class Null:
    """LRDS and SADS of shuffled sentences, one number for each permutation.

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
        """Mean and central 95 % of both, as columns of a table."""
        row = {}
        for score in ("lrds", "sads"):
            draws = getattr(self, score)
            low, high = np.quantile(draws, [0.025, 0.975])
            row |= {f"{score}_null": draws.mean(), f"{score}_null_low": low, f"{score}_null_high": high}
        return row

    def draws(self) -> dict[str, np.ndarray]:
        """Both whole, as columns of a table from which :func:`with_limits` reads them."""
        return {f"{score}_null_draws": getattr(self, score).astype(np.float32) for score in ("lrds", "sads")}


def pair_means(vectors: Any, pairs: Pairs = None, scale: str = SCALES[0]) -> PairMeans:
    """Mean cosine similarity of sentence pairs: same language, same meaning, neither.

    LRDS is ``same_language - neither`` and SADS is ``same_meaning - neither`` (Zeng et al. 2025, section 3,
    on the raw scale). Each mean runs over all its pairs, and equals the double loop over sentences up to
    rounding in float64.

    Centred and standardised, the means and deviations are estimated from the same few sentences, which moves
    the scores by some k/M: centred SADS of 2 languages × 8 meanings is .05 too high. On half of the meanings
    the bias is twice as large, so what two halves (:func:`lingua_utils.measure.sums.halves_of`) have too much
    on average is taken off (Quenouille 1949).

    Parameters
    ----------
    vectors : array, shape [language, sentence, neuron], or Vectors
        ``vectors[a, i]`` and ``vectors[b, i]`` translate each other. Any float type and any positive scale:
        only directions count. Memory-mapped arrays are read in blocks; nothing is copied whole.
    pairs : function of two languages, or symmetric bool array [language, language], optional
        Which pairs of languages to compare, such as
        :func:`~lingua_utils.text.languages.different_script`; all by default. Sentences of the same language
        are then those of the languages that occur in a pair.
    scale : {"standardised", "centred", "raw"}
        See :meth:`lingua_utils.measure.sums.Vectors.of`.

    Returns
    -------
    PairMeans
        With standard errors by leaving out one meaning at a time, means and deviations fixed (they shift a
        score by second-order terms only). Centred or standardised, all are NaN with fewer than 4 meanings,
        which have no halves to correct by.

    Raises
    ------
    ValueError
        With fewer than 2 languages or sentences (the message gives the counts), for a vector of norm 0 or
        not finite (the message gives language and sentence), or when no pair of languages is chosen.

    Examples
    --------
    Two languages that keep to directions of their own, whatever is said:

    >>> import numpy as np
    >>> vectors = np.zeros((2, 3, 2))
    >>> vectors[0, :, 0] = vectors[1, :, 1] = 1
    >>> means = pair_means(vectors, scale="raw")
    >>> means.lrds, means.sads
    (1.0, 0.0)
    """
    vectors = Vectors.of(vectors, scale=scale)
    compared = _compared(vectors.languages, pairs)
    n_sentences = vectors.n_sentences
    if scale == "raw":
        return PairMeans(*_pair_means(vectors, compared), n_sentences)
    if n_sentences < FEWEST:
        return PairMeans(*np.full(5, np.nan).tolist(), n_sentences)
    *means, lrds_se, sads_se = _pair_means(vectors, compared)
    halves = np.mean([_pair_means(half, compared)[:3] for half in vectors.halves], axis=0)
    return PairMeans(*(2 * np.array(means) - halves).tolist(), lrds_se, sads_se, n_sentences)


def _pair_means(vectors: Vectors, compared: Compared) -> list[float]:
    """Means of the three kinds of pairs and standard errors of the two scores, as the vectors are."""
    own, total, translated = vectors.pair_sums(compared)
    n_alone, n_pairs = compared.languages.sum(), compared.n_pairs
    n_sentences = vectors.n_sentences
    whole = own.sum(), translated.sum(), total.sum()
    # Leaving out meaning m takes u[l, m] from every S_l: (S_k − u)·(S_l − u) = S_k·S_l − S_k·u − u·S_l + u·u.
    without = (
        whole[0] - 2 * own + n_alone,
        whole[1] - translated,
        whole[2] - 2 * total + translated,
    )
    means = _means(*whole, n_alone, n_pairs, n_sentences)
    errors = np.full(2, np.nan)
    if n_sentences > 2:
        left_out = _scores(_means(*without, n_alone, n_pairs, n_sentences - 1))
        spread = left_out - left_out.mean(axis=1, keepdims=True)
        errors = np.sqrt((n_sentences - 1) / n_sentences * np.square(spread).sum(axis=1))
    return [float(value) for value in (*means, *errors)]


def _compared(languages: Sequence[str], pairs: Pairs) -> Compared:
    """The pairs of languages to compare."""
    n_languages = len(languages)
    if pairs is None:
        chosen = np.ones((n_languages, n_languages))
    elif callable(pairs):
        chosen = np.array([[float(bool(pairs(a, b))) for b in languages] for a in languages])
    else:
        chosen = np.array(pairs, dtype=float)
    if chosen.shape != (n_languages, n_languages) or not np.array_equal(chosen, chosen.T):
        raise ValueError(
            f"pairs have shape {chosen.shape}; give a symmetric choice among {n_languages} × {n_languages} "
            "pairs of languages"
        )
    np.fill_diagonal(chosen, 0)
    if not chosen.any():
        raise ValueError(f"no pair of {', '.join(languages)} is chosen; choose others, or leave out pairs")
    return Compared.of(chosen)


def _means(own: Any, translated: Any, total: Any, n_alone: float, n_pairs: float, m: int) -> np.ndarray:
    """(same language, same meaning, neither) from sums over chosen languages and pairs of m meanings."""
    same_language = (own - n_alone * m) / (n_alone * m * (m - 1))
    same_meaning = translated / (n_pairs * m)
    neither = (total - translated) / (n_pairs * m * (m - 1))
    return np.stack(np.broadcast_arrays(same_language, same_meaning, neither))


def _scores(means: np.ndarray) -> np.ndarray:
    """(LRDS, SADS) of (same language, same meaning, neither)."""
    return means[:2] - means[2]


def permutation_null(
    vectors: Any,
    n_permutations: int | None = None,
    seed: int = 0,
    pairs: Pairs = None,
    scale: str = SCALES[0],
) -> Null:
    """LRDS and SADS after shuffling what they measure.

    Meanings are shuffled within each language (SADS), languages within each meaning (LRDS). Over all pairs of
    languages a permutation costs one sum over the sentences, in float32. Of more than 200 meanings a random
    200 are shuffled, on the scale of all: the null is then wider than that of all, which errs on the safe
    side.

    Parameters
    ----------
    vectors : array, shape [language, sentence, neuron], or Vectors
    n_permutations : int, optional
        100, and fewer of more than 2,000 sentences in all languages together, down to 20.
    seed : int
        The same seed gives the same permutations, whatever the vectors: the k-th draws of all layers and
        checkpoints belong together.
    pairs, scale
        As for :func:`pair_means`.

    Raises
    ------
    ValueError
        As :func:`pair_means`.
    """
    vectors, rng = Vectors.of(vectors, scale=scale), np.random.default_rng(seed)
    if vectors.n_sentences > N_SHUFFLED:
        vectors = vectors.select(rng.choice(vectors.n_sentences, N_SHUFFLED, replace=False))
    n_languages, n_sentences, _ = vectors.shape
    if n_permutations is None:
        n_permutations = min(100, max(20, 200_000 // (n_languages * n_sentences)))
    compared = _compared(vectors.languages, pairs)
    rows = np.arange(n_languages * n_sentences).reshape(n_languages, n_sentences)
    draws = np.broadcast_to(rows.astype(np.int32), (n_permutations, *rows.shape))
    # A bag of rows for each vector sum: a group's languages in a "meaning", all meanings of a "language".
    shuffled = {"meaning": rng.permuted(draws, axis=2), "language": rng.permuted(draws, axis=1)}
    by_group = np.argsort(compared.members.argmax(axis=0), kind="stable")
    starts = np.cumsum([0, *compared.members.sum(axis=1)])[:-1].astype(int)
    bags = torch.from_numpy((n_languages * np.arange(n_sentences)[:, None] + starts).ravel().astype(np.int32))
    own, total = np.zeros((2, n_permutations))  # Σ S_l·S_l and Σ S_k·S_l, of shuffled languages
    # Σ over meanings and compared pairs of u·u. Shuffled languages are the same translations, and only where
    # not all pairs are compared are they dealt anew to those that are.
    dealt_anew = ("meaning",) if pairs is None else ("meaning", "language")
    together = {name: np.zeros(n_permutations) for name in dealt_anew}
    for units in vectors.units():
        table = torch.from_numpy(units.reshape(rows.size, -1))
        for k in range(n_permutations):
            sums = embedding_bag(torch.from_numpy(shuffled["language"][k]), table, mode="sum")
            sums = sums.numpy().astype(np.float64)
            own[k] += compared.languages @ np.square(sums).sum(axis=1)
            total[k] += np.vdot(sums, compared.partners(sums))
            for name in together:
                dealt = torch.from_numpy(shuffled[name][k].T[:, by_group].ravel())
                sums = embedding_bag(dealt, table, bags, mode="sum").view(n_sentences, len(starts), -1)
                paired = torch.from_numpy(compared.groups.astype(np.float32)) @ sums * sums
                together[name][k] += paired.sum(dtype=torch.float64)
    for products in together.values():
        products -= compared.itself * rows.size  # each sentence with itself
    sizes = compared.languages.sum(), compared.n_pairs, n_sentences
    # Shuffled meanings leave S_l as it is.
    own_before, total_before, translated = vectors.pair_sums(compared).sum(axis=1)
    lrds = _means(own, together.get("language", translated), total, *sizes)
    sads = _means(own_before, together["meaning"], total_before, *sizes)
    return Null(lrds=_scores(lrds)[0], sads=_scores(sads)[1])


def with_limits(similarity: pd.DataFrame, grids: Sequence[str] = ("kind", "scale")) -> pd.DataFrame:
    """The table of similarity with the limits that a whole curve stays below if there is nothing to find.

    Parameters
    ----------
    similarity : DataFrame
        With the columns of :meth:`Null.draws`, of one run or of several with one corpus, languages and seed.
    grids : sequence of str
        Columns of what is not looked at together: the layers, and the checkpoints where there are several,
        of each combination of their values make one grid.

    Returns
    -------
    DataFrame
        A copy with ``lrds_null_limit`` and ``sads_null_limit``, see
        :func:`lingua_utils.measure.intervals.simultaneous_limits` (95 %); NaN in rows without draws.
    """
    similarity, rows = similarity.copy(), similarity.reset_index(drop=True)
    for score in ("lrds", "sads"):
        kept = rows[rows[f"{score}_null_draws"].notna()]
        limits = kept.groupby(list(grids), sort=False, dropna=False)[f"{score}_null_draws"].transform(
            lambda points: simultaneous_limits(np.stack(points.to_list(), axis=1))
        )
        similarity[f"{score}_null_limit"] = limits.reindex(rows.index).to_numpy()
    return similarity


def mean_cosines(
    vectors: Any, languages: Sequence[str] | None = None, scale: str = SCALES[0]
) -> pd.DataFrame:
    """Mean cosine between each two languages, for the same meaning and for different meanings.

    Parameters
    ----------
    vectors : array, shape [language, sentence, neuron], or Vectors
    languages : sequence of str, optional
        Names of the languages; their positions by default.
    scale : {"standardised", "centred", "raw"}
        See :meth:`lingua_utils.measure.sums.Vectors.of`.

    Returns
    -------
    DataFrame
        One row for each ordered pair ``source``, ``target``, also of a language with itself:
        ``same_meaning`` (NaN there) and ``different_meaning``. Of more than 30 languages, each with the
        pivot, its family and all others, see :func:`lingua_utils.measure.sums.between_languages`.
    """
    vectors = Vectors.of(vectors, languages, scale)
    n_sentences = vectors.n_sentences
    same, every = vectors.cosine_sums()
    different = (every - same) / (n_sentences * (n_sentences - 1))
    same = same / n_sentences
    np.fill_diagonal(same, np.nan)
    return between_languages(vectors.languages, itself=True, same_meaning=same, different_meaning=different)


def retrieval(
    vectors: Any,
    languages: Sequence[str] | None = None,
    scale: str = SCALES[0],
    centre: str | None = "language",
    gallery: int = 200,
    seed: int = 0,
) -> pd.DataFrame:
    """How often the sentence of highest cosine in another language is the translation.

    It is looked for among the sentences of a gallery, in which the translation is one. Accuracy falls as the
    gallery grows, so corpora compare only at one size. Of a longer text five galleries are looked through
    (all of it, if it has fewer), so that neither time nor memory grows with the number of pairs.

    Of up to 30 languages (:data:`lingua_utils.measure.sums.ALL_PAIRS`) every two are compared. Of more, each
    is compared with two targets: the pivot (English, else the first language), and ``"others"``, for each
    meaning the mean of the vectors of all other languages, on the scale and centred by language as they are.

    Parameters
    ----------
    vectors : array, shape [language, sentence, neuron], or Vectors
        ``vectors[a, i]`` and ``vectors[b, i]`` translate each other.
    languages : sequence of str, optional
        Names of the languages; their positions by default.
    scale : {"standardised", "centred", "raw"}
        See :meth:`lingua_utils.measure.sums.Vectors.of`.
    centre : {"language", None}
        Then subtract each language's own mean (the default). A language shifts all its sentences by a
        constant, and what lies nearest to another language's constant would win over what means the same
        (Libovický et al. 2020). The means use no knowledge of who translates whom. ``None``: only the scale.
    gallery : int
        Sentences to choose among; all, where there are fewer, as the column ``gallery`` says.
    seed : int
        Of the draw of meanings into galleries. Where they are all, none are drawn.

    Returns
    -------
    DataFrame
        One row for each ordered pair of languages, or language and target: ``source``, ``target``,
        ``accuracy`` (share of source
        sentences whose nearest target sentence is the translation; of several equally near the first
        counts), ``accuracy_low``, ``accuracy_high`` (95 % Wilson; sentences of one gallery are not quite
        independent, which this does not know), ``mutual`` (share of meanings whose two sentences are each
        other's nearest), ``chance`` (1 / gallery), ``gallery``, ``n_sentences`` (looked for).

    Raises
    ------
    ValueError
        With fewer than 2 languages or sentences, a gallery of fewer than 2, or another ``centre``.
    """
    if centre not in ("language", None):
        raise ValueError(f"centre={centre!r}: it is 'language' or None")
    if gallery < 2:
        raise ValueError(f"gallery={gallery}: to choose needs at least 2 sentences")
    vectors = Vectors.of(vectors, languages, scale)
    if centre == "language":
        vectors = vectors.centred_by_language()
    galleries = _galleries(vectors.n_sentences, gallery, seed)
    look = _found if len(vectors.languages) <= ALL_PAIRS else _found_in_targets
    found = np.concatenate([look(vectors.select(drawn))[..., new:] for drawn, new in galleries], axis=-1)
    n_found, names = found.shape[-1], np.asarray(vectors.languages)
    if look is _found:
        source, target = np.nonzero(~np.eye(len(names), dtype=bool))
        there, back, targets = found[source, target], found[target, source], names[target]
    else:
        pivot = pivot_of(names)
        source = np.r_[np.delete(np.arange(len(names)), pivot), np.arange(len(names))]
        target = np.repeat([0, 1], [len(names) - 1, len(names)])
        (there, back), targets = found[:, target, source], np.array([names[pivot], OTHERS])[target]
    accuracy = there.mean(axis=-1)
    low, high = wilson(accuracy, n_found)
    return pd.DataFrame(
        {
            "source": names[source],
            "target": targets,
            "accuracy": accuracy,
            "accuracy_low": low,
            "accuracy_high": high,
            "mutual": (there & back).mean(axis=-1),
            "chance": 1 / len(galleries[0][0]),
            "gallery": len(galleries[0][0]),
            "n_sentences": n_found,
        }
    )


def _galleries(n_sentences: int, gallery: int, seed: int) -> list[tuple[np.ndarray, int]]:
    """Meanings of each gallery, and from which of them on they have not been in an earlier one."""
    if n_sentences <= gallery:
        return [(np.arange(n_sentences), 0)]
    order = np.random.default_rng(seed).permutation(n_sentences)
    ends = range(gallery, min(n_sentences, N_GALLERIES * gallery) + 1, gallery)
    drawn = [(order[end - gallery : end], 0) for end in ends]
    rest = n_sentences - ends[-1]
    # The last ones are too few for a gallery of their own: earlier ones fill it.
    return [*drawn, (order[-gallery:], gallery - rest)] if 0 < rest < gallery else drawn


def _found(vectors: Vectors) -> np.ndarray:
    """Whether the nearest sentence of a language is the translation, bool [source, target, sentence]."""
    n_languages, n_sentences = len(vectors.languages), vectors.n_sentences
    found = np.empty((n_languages, n_languages, n_sentences), dtype=bool)
    step = max(1, CELLS // (n_languages * n_sentences**2))
    for start in range(0, n_languages, step):
        cosines = sum(
            _rows(units[start : start + step]) @ _rows(units).T for units in vectors.units()
        ).reshape(-1, n_sentences, n_languages, n_sentences)
        nearest = cosines.argmax(axis=3) == np.arange(n_sentences)[:, None]
        found[start : start + step] = nearest.swapaxes(1, 2)
    return found


def _found_in_targets(vectors: Vectors) -> np.ndarray:
    """Whether the nearest sentence is the translation, looked for in the pivot and in the mean of all others.

    Bool [there or back, pivot or others, language, sentence]; back is from the target to the language.
    """
    n_languages, n_sentences, _ = vectors.shape
    pivot, itself = pivot_of(vectors.languages), np.arange(n_sentences)
    found = np.empty((2, 2, n_languages, n_sentences), dtype=bool)
    step = max(1, CELLS // (4 * n_sentences**2))
    for start in range(0, n_languages, step):
        some = slice(start, min(start + step, n_languages))
        products = np.zeros((2, some.stop - start, n_sentences, n_sentences))
        squares = np.zeros((2, some.stop - start, n_sentences))
        for block in vectors.by_neurons():
            others = (block.sum(axis=0) - block[some]) / (n_languages - 1)
            for at, target in enumerate((np.broadcast_to(block[pivot], others.shape), others)):
                products[at] += block[some] @ target.transpose(0, 2, 1)
                squares[at] += np.square(target).sum(axis=2)
        # Along the axis that is chosen from, vectors have their lengths; where all are 0, so is the product.
        lengths = np.sqrt(np.stack([squares, np.broadcast_to(vectors.squared_norms[some], squares.shape)]))
        there, back = np.divide(1, lengths, out=np.zeros_like(lengths), where=lengths > 0)
        found[0, :, some] = (products * there[:, :, None]).argmax(axis=3) == itself
        found[1, :, some] = (products * back[..., None]).argmax(axis=2) == itself
    return found


def _rows(units: np.ndarray) -> np.ndarray:
    """The sentences of all languages one after the other."""
    return units.reshape(-1, units.shape[2])


def sums_of_squares(vectors: Any, scale: str = SCALES[0]) -> np.ndarray:
    """Each neuron's sum of squares between languages, between meanings, and the rest.

    The balanced two-way decomposition with one value in each cell. In pure noise the three are in proportion
    to the degrees of freedom, L − 1, M − 1 and (L − 1)(M − 1).

    Parameters
    ----------
    vectors : array, shape [language, sentence, neuron], or Vectors
    scale : {"standardised", "centred", "raw"}
        Standardised, the three of a neuron sum to L·M. They do not depend on the mean: raw is as centred.

    Returns
    -------
    float array, shape [3, neuron]
        Rows: language, meaning, rest. NaN for a neuron that never varies: it has no shares.
    """
    vectors = Vectors.of(vectors, scale="standardised")
    n_languages, n_sentences, width = vectors.shape
    totals, meanings = np.zeros((n_languages, width)), np.zeros(width)
    for neurons, tile in vectors.tiles():
        totals[:, neurons] += tile.sum(axis=1)
        meanings[neurons] += np.square(tile.sum(axis=0)).sum(axis=0)
    language, meaning = np.square(totals).sum(axis=0) / n_sentences, meanings / n_languages
    rest = n_languages * n_sentences - language - meaning
    squares = np.stack([language, meaning, rest]).clip(min=0)
    squares[:, vectors.spread == 0] = np.nan
    return squares if scale == "standardised" else squares * vectors.spread**2


def top_share(vectors: Any, n_neurons: int = 3) -> float:
    """Share of the variance of all neurons that lies in the few which vary most, in [0, 1].

    Near 1, cosines of centred vectors are those of these neurons alone.

    Parameters
    ----------
    vectors : array, shape [language, sentence, neuron], or Vectors
    n_neurons : int
    """
    variances = np.sort(np.square(Vectors.of(vectors).spread))
    return float(variances[-n_neurons:].sum() / variances.sum()) if variances.any() else np.nan


def principal_plane(
    vectors: Any,
    kinds: Sequence[str] | None = None,
    languages: Sequence[str] | None = None,
    n_meanings: int = N_MEANINGS,
    scale: str = SCALES[0],
) -> pd.DataFrame:
    """First two principal components of the directions of some sentences in all languages.

    Parameters
    ----------
    vectors : array, shape [language, sentence, neuron], or Vectors
    kinds : sequence of str, optional
        The kind of each sentence, "all" by default.
    languages : sequence of str, optional
        Names of the languages; their positions by default.
    n_meanings : int
        At most so many sentences, evenly spaced over the corpus and so the same for every model. Likewise of
        more than 30 languages a sample, spread over their families, see
        :func:`lingua_utils.measure.sums.sample_of`.
    scale : {"standardised", "centred", "raw"}
        See :meth:`lingua_utils.measure.sums.Vectors.of`; the scale is that of all sentences.

    Returns
    -------
    DataFrame
        One row for each point: ``language``, ``sentence`` (index in the corpus), ``kind``, ``x``, ``y`` (in
        units of the unit vectors' length). Of a component and its mirror image, the one whose largest
        coordinate is positive.

    Raises
    ------
    ValueError
        As :func:`pair_means`.
    """
    vectors = Vectors.of(vectors, languages, scale)
    if len(vectors.languages) > ALL_PAIRS:
        vectors = vectors.select_languages(sample_of(vectors.languages))
    names = vectors.languages
    n_points = min(n_meanings, vectors.n_sentences)
    sentences = np.linspace(0, vectors.n_sentences - 1, n_points).round().astype(int)
    # From inner products of the points, which add up over neurons: the points themselves may not fit.
    gram = 0.0
    for units in vectors.select(sentences).units():
        points = _rows(units).astype(np.float64)
        gram = gram + points @ points.T
    x, y = _components(gram).T
    labels = np.full(vectors.n_sentences, "all") if kinds is None else np.asarray(kinds)
    return pd.DataFrame(
        {
            "language": np.repeat(np.asarray(names), n_points),
            "sentence": np.tile(sentences, len(names)),
            "kind": np.tile(labels[sentences], len(names)),
            "x": x,
            "y": y,
        }
    )


def _components(gram: np.ndarray) -> np.ndarray:
    """Scores on the first two principal components, shape [point, 2], from inner products of the points."""
    scores = KernelPCA(2, kernel="precomputed", eigen_solver="dense").fit_transform(gram)
    # A component that is nothing is left out there.
    scores = np.pad(scores, ((0, 0), (0, 2 - scores.shape[1])))
    largest = np.abs(scores).argmax(axis=0)
    return scores * np.where(scores[largest, [0, 1]] < 0, -1, 1)


def align_planes(table: pd.DataFrame) -> pd.DataFrame:
    """Turn each checkpoint's map onto the next one's, so that the points move and the axes do not.

    Principal components are free to turn and flip between checkpoints. From the last checkpoint backwards,
    each map is turned by the rotation or reflection that brings it nearest to the one after it (orthogonal
    Procrustes; Schönemann 1966). Distances within a map do not change.

    Parameters
    ----------
    table : DataFrame
        The collated table ``projection``: ``layer``, ``language``, ``sentence``, ``x``, ``y``, and ``step``;
        maps of different ``corpus`` or ``model_id``, where there are such columns, are kept apart. A missing
        step (a final model) comes last.

    Returns
    -------
    DataFrame
        A copy with ``x`` and ``y`` turned, in the same order.
    """
    table = table.copy()
    if table.empty:
        return table
    groups = [name for name in ("corpus", "model_id", "layer") if name in table]
    for _, maps in table.groupby(groups, sort=False):
        later = None
        order = maps["step"].astype("Float64").fillna(np.inf)
        for _, chart in sorted(maps.groupby(order), key=lambda pair: pair[0], reverse=True):
            points = chart.set_index(["language", "sentence"])[["x", "y"]]
            if later is not None:
                common = points.index.intersection(later.index)
                rotation, _ = orthogonal_procrustes(points.loc[common], later.loc[common])
                points = (points @ rotation).set_axis(["x", "y"], axis=1)
            table.loc[chart.index, ["x", "y"]] = points.to_numpy()
            later = points
    return table
