"""Statistics that say which languages a neuron serves: scores, nulls, entropy and precision.

Each works on plain arrays, one layer at a time; :mod:`lingua_utils.measure.regions` turns them into regions.
Chance is always the same shuffle: within every meaning, the languages change places. It keeps what a
sentence means and what a neuron is like, and takes away which language is which.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np

MEAN_SIZE = 1.2533  # standard deviations of a normal in the mean size of its deviations
BLOCK_BYTES = 2**26  # working memory of a block of neurons or of shuffles
AP_SLAB = 64  # neurons read at a time
AP_BLOCK = 2**15  # values sorted at a time, so that they stay in the processor's cache


def pair_scores(totals: np.ndarray, squares: np.ndarray, n_sentences: int) -> np.ndarray:
    """Mean over pairs of sentences m < m' of u[m]·u[m'], neuron by neuron, from two sums.

    Parameters
    ----------
    totals, squares : arrays of one shape
        Sums over sentences of u and of u².

    Returns
    -------
    array of the same shape
        ((Σ u)² − Σ u²) / (M (M − 1)), for unit vectors u between −1/(M − 1) and 1.
    """
    return (totals**2 - squares) / (n_sentences * (n_sentences - 1))


def weighted_sums(values: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sums over sentences of u and u², where u = weight · value, in float64.

    Parameters
    ----------
    values : array, shape [language, sentence, neuron]
    weights : array, shape [language, sentence]

    Returns
    -------
    totals, squares : arrays, shape [language, neuron]
    """
    n_languages, _, n_neurons = values.shape
    totals, squares = np.empty((2, n_languages, n_neurons))
    for language, sentences in enumerate(values):
        doubles = np.asarray(sentences, dtype=np.float64)
        totals[language] = weights[language] @ doubles
        squares[language] = weights[language] ** 2 @ np.square(doubles)
    return totals, squares


def shuffles(n_languages: int, n_meanings: int, n_shuffles: int, seed: int) -> Iterator[np.ndarray]:
    """Deal the sentences of every meaning to the languages at random.

    Yields
    ------
    array of 0 and 1, float32, shape [shuffle, language, language · meaning]
        Row [s, l] marks the one sentence of each meaning that language l is dealt, so that its product with
        activations, shape [language · meaning, neuron], sums over what each language was dealt. A few
        shuffles at a time, to bound the memory; the same ones for the same seed.
    """
    rng = np.random.default_rng(seed)
    at_once = max(1, BLOCK_BYTES // (4 * n_languages**2 * n_meanings))
    meanings = np.arange(n_meanings)
    for start in range(0, n_shuffles, at_once):
        count = min(at_once, n_shuffles - start)
        dealt = rng.permuted(np.tile(np.arange(n_languages), (count, n_meanings, 1)), axis=2)
        marks = np.zeros((count, n_languages, n_languages, n_meanings), dtype=np.float32)
        shuffle, language = np.ix_(np.arange(count), np.arange(n_languages))
        marks[shuffle[..., None], language[..., None], dealt.transpose(0, 2, 1), meanings] = 1
        yield marks.reshape(count, n_languages, -1)


def as_dealt(n_languages: int, n_meanings: int) -> np.ndarray:
    """The shuffle that shuffles nothing, in the form of :func:`shuffles`."""
    return np.kron(np.eye(n_languages, dtype=np.float32), np.ones(n_meanings, dtype=np.float32))[None]


def dealt_sums(
    values: np.ndarray, marks: np.ndarray, function: Callable[[np.ndarray], np.ndarray]
) -> np.ndarray:
    """Sums over the sentences that each language is dealt, a few neurons at a time.

    Parameters
    ----------
    values : array, shape [language, sentence, neuron]
    marks : array, shape [shuffle, language, language · sentence]
    function : callable
        What to sum: takes some neurons' values and returns as many numbers.

    Returns
    -------
    array, float32, shape [shuffle, language, neuron]
    """
    n_languages, n_meanings, n_neurons = values.shape
    sums = np.empty((*marks.shape[:2], n_neurons), dtype=np.float32)
    at_once = max(1, BLOCK_BYTES // (4 * n_languages * n_meanings))
    for start in range(0, n_neurons, at_once):
        some = slice(start, start + at_once)
        block = np.asarray(function(values[:, :, some]), dtype=np.float32)
        sums[:, :, some] = marks @ block.reshape(n_languages * n_meanings, -1)
    return sums


def prominence(values: np.ndarray, marks: np.ndarray, margin: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """How far a neuron's mean activation in one language goes beyond what it does anyway.

    With a_l the mean over sentences of language l and c the median over languages, the statistic is the
    distance of a_l from the interval between 0 and c, divided by max(e_l, w): e_l is the standard error of
    a_l once each meaning's mean over languages is taken off; w the ordinary difference between languages,
    √(d² − e_l²) with d the distance from c to the decile on the other side. So a language is prominent where
    it exceeds both the noise of the sample and the differences that the other languages have anyway.

    Outwards from 0, of either sign, because the neuron score of the paper (:func:`pair_scores`) estimates
    a_l²: a neuron that a language quiets is not key to it. A median, and the spread on the other side of it,
    so that up to half of the languages can be prominent on one neuron. Each mean by its own standard error,
    so that neither the scale nor the tails of a neuron matter.

    Parameters
    ----------
    values : array, shape [language, sentence, neuron]
    marks : array, shape [shuffle, language, language · sentence]
        From :func:`shuffles` or :func:`as_dealt`.
    margin : float
        In standard deviations of single sentences, as their mean absolute deviation has it.

    Returns
    -------
    statistic : array, float32, shape [shuffle, language, neuron]
    material : bool array of the same shape
        Whether the distance exceeds the margin: with enough sentences any distance is certain, but few
        matter.
    """
    n_languages, n_meanings, n_neurons = values.shape
    at_once = max(1, BLOCK_BYTES // (4 * (2 * n_languages * n_meanings + 4 * marks.shape[0] * n_languages)))
    blocks = [
        _prominence(values[:, :, start : start + at_once], marks, margin)
        for start in range(0, n_neurons, at_once)
    ]
    statistic, material = (np.concatenate(parts, axis=2) for parts in zip(*blocks, strict=True))
    return statistic, material


def _prominence(values: np.ndarray, marks: np.ndarray, margin: float) -> tuple[np.ndarray, np.ndarray]:
    n_languages, n_meanings, n_neurons = values.shape
    centre = values.mean(axis=(0, 1), dtype=np.float64).astype(np.float32)
    apart = np.asarray(values - values.mean(axis=0), dtype=np.float32)
    around = np.asarray(values - centre, dtype=np.float32)
    # What a sentence adds beyond its meaning sums to the same as what it adds beyond the grand mean.
    sums = marks @ around.reshape(-1, n_neurons)
    squares = marks @ np.square(apart).reshape(-1, n_neurons)
    variance = (squares - sums**2 / n_meanings) / max(n_meanings - 1, 1) * n_languages / (n_languages - 1)
    mean = centre + sums / n_meanings
    # Below float32 resolution a difference is rounding, not language.
    resolution = 4 * np.finfo(np.float32).eps * np.sqrt(np.mean(np.square(values), axis=(0, 1)))
    error = np.sqrt(np.maximum(variance, 0) / n_meanings + resolution**2)

    ordered = np.sort(mean, axis=1)
    middle = ordered[:, (n_languages - 1) // 2 : n_languages // 2 + 1]
    nearest = np.argmin(np.abs(middle), axis=1)[:, None]
    median = np.take_along_axis(middle, nearest, axis=1)
    outward = np.sign(mean)
    low, high = np.quantile(ordered, (0.1, 0.9), axis=1).astype(np.float32)[:, :, None]
    ordinary = np.where(outward > 0, median - low, high - median)
    scale = np.sqrt(np.maximum(error**2, ordinary**2 - error**2))
    beyond = np.abs(mean) - np.maximum(outward * median, 0)
    statistic = np.divide(beyond, scale, out=np.zeros_like(mean), where=scale > 0)
    # What is left of a sentence without its meaning and its language; means of sizes shrug at outliers.
    rest = np.abs(apart - apart.mean(axis=1, keepdims=True)).mean(axis=(0, 1))
    typical = MEAN_SIZE * rest * np.sqrt(n_languages / (n_languages - 1))
    return statistic, beyond > margin * typical


def discoveries(p_values: np.ndarray, rate: float) -> np.ndarray:
    """Which of many hypotheses to reject at a false discovery rate (Benjamini and Hochberg 1995).

    Returns
    -------
    bool array of the same shape
        True where p is at most rate · k / n, for the largest k whose k-th smallest p is so.
    """
    ordered = np.sort(p_values, axis=None)
    passing = np.flatnonzero(ordered <= rate * np.arange(1, ordered.size + 1) / ordered.size)
    return p_values <= (ordered[passing[-1]] if passing.size else -1.0)


def pooled_p_values(statistic: np.ndarray, null: np.ndarray) -> np.ndarray:
    """Share of a sorted pooled null that reaches each statistic, counting the statistic itself."""
    reached = null.size - np.searchsorted(null, statistic, side="left")
    return (1 + reached) / (1 + null.size)


def activation_entropy(positive: np.ndarray) -> np.ndarray:
    """Entropy over languages of how often a neuron is active (LAPE; Tang et al. 2024, equation 4).

    Parameters
    ----------
    positive : array, shape [language, neuron]
        Probability that the activation is above 0.

    Returns
    -------
    array, shape [neuron]
        In nats, 0 (active in one language only) to ln L; ln L where a neuron is never active.
    """
    total = positive.sum(axis=0)
    share = np.divide(
        positive, total, out=np.full(positive.shape, 1 / len(positive), dtype=np.float64), where=total > 0
    )
    return -np.sum(share * np.log(share, out=np.zeros_like(share), where=share > 0), axis=0)


def average_precision(values: np.ndarray) -> np.ndarray:
    """How well each neuron's activation alone detects each language among all sentences.

    Average precision of one language against the rest, Σ (R_n − R_{n−1}) P_n over the distinct values as
    thresholds: scikit-learn's ``average_precision_score``, for all languages from one sort a neuron. Used to
    find language neurons by Kojima et al. (2024).

    Parameters
    ----------
    values : array of floats, shape [language, sentence, neuron]

    Returns
    -------
    array, float64, shape [language, neuron]
        Above 0 and at most 1; about 1 / L for a neuron that knows nothing of languages.
    """
    n_languages, _, n_neurons = values.shape
    starts = range(0, n_neurons, AP_SLAB)
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        slabs = pool.map(lambda start: _slab_precision(values[:, :, start : start + AP_SLAB]), starts)
        return np.concatenate([np.empty((n_languages, 0)), *slabs], axis=1)


def _slab_precision(values: np.ndarray) -> np.ndarray:
    """Average precision of a few neurons, block by block as fits the processor's cache."""
    n_languages, n_sentences, n_neurons = values.shape
    rows = np.ascontiguousarray(values.reshape(-1, n_neurons).T)
    labels = np.repeat(np.arange(n_languages), n_sentences).astype(np.min_scalar_type(n_languages - 1))
    reciprocals = 1 / np.arange(1, rows.shape[1] + 1)
    precision = np.empty((n_neurons, n_languages))
    height = max(1, AP_BLOCK // rows.shape[1])
    for start in range(0, n_neurons, height):
        order, tied = _descending(rows[start : start + height])
        # A stable sort of the ordered labels lists, language by language, the places its sentences have.
        places = np.argsort(labels.take(order), axis=1, kind="stable")
        weights = reciprocals.take(places)
        some = np.flatnonzero(tied.any(axis=1))
        if some.size:
            from_ties = _settle_ties(weights, places, tied, some, n_languages)
        found = weights.reshape(-1, n_languages, n_sentences) @ np.arange(1.0, n_sentences + 1)
        if some.size:
            found[some] += from_ties
        precision[start : start + height] = found / n_sentences
    return precision.T


def _descending(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Order of each row from high to low, and which places hold the same value as the next.

    A radix sort, 16 bits at a time: numpy sorts 16-bit integers stably in linear time.
    """
    bits = (rows + rows.dtype.type(0)).view(f"i{rows.itemsize}")  # adding 0 makes -0.0 the 0.0 it equals
    # As integers, negative floats sort from high to low already; the others do once all but the sign flips.
    keys = (bits ^ (~(bits >> (8 * rows.itemsize - 1)) & np.iinfo(bits.dtype).max)).view(f"u{rows.itemsize}")
    order = np.argsort(keys.astype(np.uint16), axis=1, kind="stable")
    for shift in range(16, 8 * rows.itemsize, 16):
        digits = _take((keys >> shift).astype(np.uint16), order)
        order = _take(order, np.argsort(digits, axis=1, kind="stable"))
    ordered = _take(keys, order)
    return order, ordered[:, 1:] == ordered[:, :-1]


def _settle_ties(
    weights: np.ndarray, places: np.ndarray, tied: np.ndarray, some: np.ndarray, n_languages: int
) -> np.ndarray:
    """Take tied values out of ``weights`` and return what they add as one threshold a run of equals.

    ``weights`` and ``places`` list the sentences by language, ``tied`` by value, a row a neuron; ``some`` are
    the rows with ties. Shape of the answer: [row with ties, language].
    """
    places = places[some]
    n_rows, n_places = places.shape
    linked = np.zeros((n_rows, n_places + 1), dtype=bool)
    linked[:, 1:-1] = tied[some]
    before, after = linked[:, :-1], linked[:, 1:]
    weights[some] = np.where(_take(before | after, places), 0, weights[some])

    row, start = np.nonzero(after & ~before)
    reach = np.nonzero(before & ~after)[1] + 1  # how many sentences have at least the value of the run
    lists = np.arange(n_rows * n_languages).reshape(n_rows, n_languages) * n_places
    ordered = (places.reshape(n_rows * n_languages, -1) + lists.reshape(-1, 1)).reshape(-1)
    first = np.arange(n_rows * n_languages).reshape(n_rows, n_languages) * (n_places // n_languages)
    hits = np.searchsorted(ordered, lists[row] + reach[:, None]) - first[row]
    earlier = np.searchsorted(ordered, lists[row] + start[:, None]) - first[row]
    added = np.zeros((n_rows, n_languages))
    np.add.at(added, row, (hits - earlier) * hits / reach[:, None])
    return added


def _take(rows: np.ndarray, places: np.ndarray) -> np.ndarray:
    """``np.take_along_axis(rows, places, axis=1)``, several times faster."""
    return rows.take(places + np.arange(0, rows.size, rows.shape[1])[:, None])
