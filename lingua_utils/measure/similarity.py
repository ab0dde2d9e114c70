"""Similarity by language (LRDS) and by meaning (SADS) of each layer, and the tables made of them."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from lingua_utils.measure.pairs import Null, PairMeans, from_sums, from_vectors, shuffled
from lingua_utils.measure.projection import projection
from lingua_utils.measure.retrieval import retrieval
from lingua_utils.measure.sums import Sums
from lingua_utils.measure.variance import variance_by_neuron, variance_shares
from lingua_utils.measure.vectors import Stack, Vectors, single, sums_of

__all__ = [
    "Null",
    "PairMeans",
    "blocks",
    "by_layer",
    "over_layers",
    "pair_means",
    "permutation_null",
    "retrieval",
    "tables",
    "variance_by_neuron",
    "variance_shares",
]


def pair_means(vectors: Any) -> PairMeans:
    """Mean cosine similarity of sentence pairs: same language, same meaning, neither.

    LRDS is ``same_language - neither`` and SADS is ``same_meaning - neither`` (Zeng et al. 2025, section 3).
    Each mean runs over all its pairs, and equals the double loop over sentences up to rounding in float64.

    Parameters
    ----------
    vectors : array, shape [language, sentence, neuron]
        One vector a sentence; ``vectors[a, i]`` and ``vectors[b, i]`` translate each other. Any float type
        and any positive scale: only directions count. Memory-mapped arrays are read in blocks; nothing is
        copied whole.

    Returns
    -------
    PairMeans
        With standard errors by leaving out one meaning at a time.

    Raises
    ------
    ValueError
        With fewer than 2 languages or sentences (the message gives the counts), or for a vector of norm 0 or
        not finite (the message gives language and sentence).

    Examples
    --------
    Two languages that keep to directions of their own, whatever is said:

    >>> import numpy as np
    >>> vectors = np.zeros((2, 3, 2))
    >>> vectors[0, :, 0] = vectors[1, :, 1] = 1
    >>> pair_means(vectors).lrds, pair_means(vectors).sads
    (1.0, 0.0)
    """
    return from_vectors(single(vectors))


def by_layer(activations: Any, centred: bool = False) -> pd.DataFrame:
    """LRDS and SADS of each layer.

    Parameters
    ----------
    activations : Activations, Sums or array of shape [language, sentence, layer, neuron]
        Of sums alone, standard errors come from leaving out one group of meanings at a time.
    centred : bool
        Subtract from every neuron its mean over all languages and sentences first. Uncentred cosines are high
        everywhere because activations share a large constant part. Standard errors hold that mean fixed.

    Returns
    -------
    DataFrame
        One row a layer: ``layer``, ``layer_index``, ``centred``, ``n_languages``, ``n_sentences``,
        ``same_language``, ``same_meaning``, ``neither``, and ``lrds``, ``sads`` with ``_se``, ``_low``,
        ``_high`` (95 %).

    Raises
    ------
    ValueError
        As :func:`pair_means`; also for centred scores of sums, which need the sentences.
    """
    return pd.DataFrame(key | means.row() for key, means in _layers(activations, centred))


def over_layers(activations: Any, centred: bool = False) -> PairMeans:
    """LRDS and SADS of all layers concatenated to one vector; parameters as :func:`by_layer`."""
    sums = _sums(activations, centred)
    if sums is not None:
        return from_sums(sums.over_layers, sums.counts)
    return from_vectors(_stack(activations, centred).concatenated())


def permutation_null(vectors: Any, n_permutations: int = 100, seed: int = 0) -> Null:
    """LRDS and SADS after shuffling what they measure.

    Meanings are shuffled within each language (SADS), languages within each meaning (LRDS). Either shuffle
    leaves T and one of P, Q as they are, so a permutation costs one sum over the sentences, in float32.

    Parameters
    ----------
    vectors : array, shape [language, sentence, neuron]
    n_permutations : int
    seed : int
        The same seed gives the same permutations, whatever the vectors.

    Raises
    ------
    ValueError
        As :func:`pair_means`.
    """
    return shuffled(single(vectors), n_permutations, seed)


def blocks(vectors: Any, languages: Sequence[str] | None = None) -> pd.DataFrame:
    """Mean cosine between each two languages, for the same meaning and for different meanings.

    Parameters
    ----------
    vectors : array, shape [language, sentence, neuron]
    languages : sequence of str, optional
        Names of the languages; their positions by default.

    Returns
    -------
    DataFrame
        One row an ordered pair ``source``, ``target``, also of a language with itself: ``same_meaning`` (NaN
        there) and ``different_meaning``.
    """
    vectors = single(vectors, languages)
    n_sentences, languages = vectors.n_sentences, np.asarray(vectors.languages)
    same, every = vectors.gram.sum(axis=0), vectors.cross.sum(axis=0)
    different = (every - same) / (n_sentences * (n_sentences - 1))
    same = same / n_sentences
    np.fill_diagonal(same, np.nan)
    return pd.DataFrame(
        {
            "source": np.repeat(languages, len(languages)),
            "target": np.tile(languages, len(languages)),
            "same_meaning": same.ravel(),
            "different_meaning": different.ravel(),
        }
    )


def tables(activations: Any, seed: int = 0, permutations: int = 50) -> dict[str, pd.DataFrame]:
    """Everything this module measures, as tidy tables.

    Parameters
    ----------
    activations : Activations, Sums or array of shape [language, sentence, layer, neuron]
        With ``kinds``, similarity and retrieval are measured within each kind of sentence too.
    seed : int
        Seed of the permutations.
    permutations : int
        Permutations of each null; without any, the columns of the null are NaN.

    Returns
    -------
    dict of DataFrame
        ``similarity``, ``variance``, ``retrieval``, ``blocks``, ``projection``; of sums only the first two,
        and without nulls.
    """
    if sums_of(activations) is not None:
        return {"similarity": _similarity_of_sums(activations), "variance": variance_shares(activations)}

    whole = Stack.of(activations)
    similarity, retrieved, between, projected = [], [], [], []
    for kind, stack in _kinds(whole):
        for centred in (False, True):
            for label, i, vectors in (stack.centred() if centred else stack).scopes():
                key = {"layer": label, "layer_index": i, "centred": centred, "kind": kind}
                null = shuffled(vectors, permutations, seed)
                similarity.append(key | _counts(vectors) | from_vectors(vectors).row() | null.row())
                if kind == "all" and not centred:
                    between.append(_labelled(blocks(vectors), layer=label, layer_index=i))
                    projected.append(_labelled(projection(vectors, whole.kinds), layer=label, layer_index=i))
        for label, i, vectors in stack.centred(per_language=True).scopes():
            nearest = retrieval(vectors, centre=None)
            retrieved.append(_labelled(nearest, layer=label, layer_index=i, kind=kind))
    return {
        "similarity": pd.DataFrame(similarity),
        "variance": variance_shares(activations),
        "retrieval": pd.concat(retrieved, ignore_index=True),
        "blocks": pd.concat(between, ignore_index=True),
        "projection": pd.concat(projected, ignore_index=True),
    }


def _sums(activations: Any, centred: bool) -> Sums | None:
    """The sums to measure, when there are no sentences."""
    sums = sums_of(activations)
    if centred and sums is not None:
        raise ValueError("centred scores need the sentences, these are sums; capture with keep='sentences'")
    return sums


def _stack(activations: Any, centred: bool) -> Stack:
    stack = Stack.of(activations)
    return stack.centred() if centred else stack


def _layers(activations: Any, centred: bool) -> Iterator[tuple[dict, PairMeans]]:
    """Leading columns and pair means of each layer."""
    sums = _sums(activations, centred)
    if sums is not None:
        counts = {"n_languages": len(sums.languages), "n_sentences": sums.n_sentences}
        for i, label in enumerate(sums.layers):
            key = {"layer": label, "layer_index": i, "centred": False}
            yield key | counts, from_sums(sums.within_layer, sums.counts, slice(i, i + 1))
        return
    for i, layer in enumerate(_stack(activations, centred).layers):
        vectors = Vectors([layer])
        key = {"layer": layer.label, "layer_index": i, "centred": centred}
        yield key | _counts(vectors), from_vectors(vectors)


def _similarity_of_sums(activations: Any) -> pd.DataFrame:
    rows = list(_layers(activations, False))
    rows.append((rows[-1][0] | {"layer": "all", "layer_index": -1}, over_layers(activations)))
    no_null = Null(lrds=np.empty(0), sads=np.empty(0)).row()
    table = pd.DataFrame(key | means.row() | no_null for key, means in rows)
    table.insert(3, "kind", "all")
    return table


def _counts(vectors: Vectors) -> dict[str, int]:
    return {"n_languages": len(vectors.languages), "n_sentences": vectors.n_sentences}


def _kinds(stack: Stack) -> Iterator[tuple[str, Stack]]:
    """("all", every sentence), then each kind that has at least 2 sentences."""
    yield "all", stack
    if stack.kinds is not None:
        kinds = np.asarray(stack.kinds)
        for kind in sorted(set(stack.kinds)):
            chosen = np.flatnonzero(kinds == kind)
            if len(chosen) >= 2:
                yield kind, stack.select(chosen)


def _labelled(table: pd.DataFrame, **key: Any) -> pd.DataFrame:
    """The table with constant columns in front."""
    for position, (name, value) in enumerate(key.items()):
        table.insert(position, name, value)
    return table
